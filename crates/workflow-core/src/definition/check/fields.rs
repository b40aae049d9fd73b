//! What the values of single fields have to be.

use serde_json::Value;

use crate::definition::model::{Budget, Path, Period, shorten};
use crate::definition::report::Report;
use crate::exact;
use crate::ids::is_id;

pub(crate) fn limits_of_call(
    timeout: Option<Period>,
    idle_timeout: Option<Period>,
    path: &Path<'_>,
    report: &mut Report<'_>,
) {
    for (period, name) in [(timeout, "timeout"), (idle_timeout, "idle_timeout")] {
        if period.is_some_and(|period| period.0.is_zero()) {
            let message = format!("`{name}` has to be more than 0; leave it out for no limit");
            report.error("out-of-range", &path.key(name), message);
        }
    }
}

pub(crate) fn provider(name: Option<&str>, path: &Path<'_>, report: &mut Report<'_>) {
    if name.is_some_and(|name| name.trim().is_empty()) {
        report.error("bad-id", path, "the name of the provider is empty");
    }
}

/// Checks the name of a role, unless it is only known when the stage runs.
pub(crate) fn role_name(name: Option<&str>, path: &Path<'_>, report: &mut Report<'_>) {
    id(name.filter(|name| !name.contains("${")), path, report);
}

pub(crate) fn id(name: Option<&str>, path: &Path<'_>, report: &mut Report<'_>) {
    if let Some(name) = name.filter(|name| !is_id(name)) {
        let (what, name) = (path.name(), shorten(name));
        let message = format!(
            "`{name}` is not an id for `{what}`: use 1 to 64 letters, digits, `-` and \
                               `_`"
        );
        report.error("bad-id", path, message);
    }
}

pub(crate) fn range(number: Option<u32>, least: u32, most: u32, path: &Path<'_>, report: &mut Report<'_>) {
    if number.is_some_and(|number| !(least..=most).contains(&number)) {
        let message = format!("`{}` has to be a whole number from {least} to {most}", path.name());
        report.error("out-of-range", path, message);
    }
}

pub(crate) fn variable(name: &str, value: &Value, path: &Path<'_>, report: &mut Report<'_>) {
    if name.is_empty() || name.contains(['=', '\0']) {
        let message = "the name of a variable of the environment cannot be empty or contain `=`";
        report.error("bad-name", path, message);
    }
    let is_number = value.is_number() || exact::marked(value).is_some();
    if !is_number && !matches!(value, Value::String(_) | Value::Bool(_)) {
        let message = format!("`{}` has to be a text, a number or a truth value", shorten(name));
        report.error("wrong-type", path, message);
    }
}

/// Checks that a file is named relative to the home, and not outside of it.
pub(crate) fn file(name: &str, path: &Path<'_>, report: &mut Report<'_>) {
    let is_outside = name.starts_with(['/', '\\']) || name.split(['/', '\\']).any(|part| part == "..");
    if name.is_empty() || is_outside {
        let message = format!("`{}` has to name a file inside the home, without `..`", path.name());
        report.error("bad-path", path, message);
    }
}

pub(crate) fn budget(budget: &Budget, path: &Path<'_>, report: &mut Report<'_>) {
    if budget.cost_usd.is_some_and(|cost| !(cost.is_finite() && cost > 0.0)) {
        report.error("out-of-range", &path.key("cost_usd"), "`cost_usd` has to be a number above 0");
    }
    if budget.tokens == Some(0) {
        report.error("out-of-range", &path.key("tokens"), "`tokens` has to be a whole number above 0");
    }
    if budget.time.is_some_and(|time| time.0.is_zero()) {
        report.error("out-of-range", &path.key("time"), "`time` has to be more than 0");
    }
}
