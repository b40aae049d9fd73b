//! From the text of `config/providers.yml` to [`ProviderSettings`].

use indexmap::IndexMap;
use serde_json::Value;

use super::call::options;
use super::fields::{Fields, wrong_type};
use crate::definition::check;
use crate::definition::model::{Diagnostic, Path, Period, ProviderSetting, ProviderSettings, shorten};
use crate::definition::report::Report;
use crate::definition::yaml::{self, Kind, Node};
use crate::expr::ValueTemplate;

/// The result of reading `config/providers.yml`.
#[derive(Debug, Clone, PartialEq)]
pub struct ParsedProviders {
    /// What the file says; `None` where it has errors.
    pub settings: Option<ProviderSettings>,
    /// All errors and warnings, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads `config/providers.yml`: under `providers`, names with `provider`, `with` and `timeout`.
///
/// ```
/// use workflow_core::definition::parse_providers;
///
/// let text = "providers: { fast: { provider: claude-code, with: { model: haiku }, timeout: 600000 } }";
/// let parsed = parse_providers(text.as_bytes());
/// let settings = parsed.settings.expect("no errors");
/// let fast = settings.get("fast").expect("it is there");
/// assert_eq!((&fast.with["model"], fast.timeout), (&"haiku".into(), Some("10m".parse()?)));
/// # Ok::<(), workflow_core::definition::InvalidDuration>(())
/// ```
pub fn parse_providers(text: &[u8]) -> ParsedProviders {
    let is_comment = |line: &[u8]| {
        let line = line.trim_ascii();
        line.is_empty() || line.starts_with(b"#") || line == b"---"
    };
    if text.len() <= yaml::MAX_BYTES && text.split(|byte| *byte == b'\n').all(is_comment) {
        return ParsedProviders { settings: Some(ProviderSettings::default()), diagnostics: Vec::new() };
    }
    let (tree, problems) = yaml::read(text);
    let mut report =
        Report::new(tree.as_ref().map(|tree| (std::str::from_utf8(text).unwrap_or_default(), tree)));
    for problem in problems {
        report.yaml(problem);
    }
    let settings = tree.as_ref().map(|tree| {
        let mut fields = Fields::of(tree, &Path::Root, &mut report);
        let entries = fields.map("providers", &mut report).unwrap_or_default();
        fields.finish(&mut report);
        let path = Path::Root.key("providers");
        let mut settings = ProviderSettings { providers: IndexMap::new(), with_command: Vec::new() };
        for entry in entries {
            let path = path.key(&entry.key);
            name(&entry.key, &path, &mut report);
            let (setting, has_command) = provider(&entry.value, &path, &mut report);
            settings.providers.insert(entry.key.clone(), setting);
            if has_command {
                settings.with_command.push(entry.key.clone());
            }
        }
        settings
    });
    let diagnostics = report.finish();
    let settings = settings.filter(|_| !diagnostics.iter().any(Diagnostic::is_error));
    ParsedProviders { settings, diagnostics }
}

/// Checks the name of a provider.
fn name(name: &str, path: &Path<'_>, report: &mut Report<'_>) {
    check::provider(Some(name), path, report);
    if name.contains("${") {
        let name = shorten(name);
        report.error("bad-id", path, format!("`{name}` has to be a name: it cannot contain `${{…}}`"));
    }
}

/// What is set for a name, and whether it has a command of the desktop app.
fn provider(node: &Node, path: &Path<'_>, report: &mut Report<'_>) -> (ProviderSetting, bool) {
    let mut fields = Fields::of(node, path, report);
    let provider = fields.text("provider", report);
    let with = options(&mut fields, report).unwrap_or_default();
    let timeout = fields.take("timeout").and_then(|node| timeout(node, &path.key("timeout"), report));
    let has_command = fields.take("headless_cmd").is_some();
    fields.take("assisted_hint");
    fields.finish(report);
    if let Some(provider) = &provider {
        name(provider, &path.key("provider"), report);
    }
    let of_with = path.key("with");
    for (key, value) in &with {
        if let Err(error) = ValueTemplate::parse(value) {
            report.error("bad-expression", &of_with.key(key), error.to_string());
        }
    }
    (ProviderSetting { provider, with, timeout }, has_command)
}

/// A time limit: numbers are milliseconds, as the desktop app writes them, and 0 is none.
fn timeout(node: &Node, path: &Path<'_>, report: &mut Report<'_>) -> Option<Period> {
    let period = match &node.kind {
        Kind::Scalar(_, Value::Number(number)) => {
            Period::from_secs_f64(number.as_f64().unwrap_or(-1.0) / 1000.0)
        }
        Kind::Scalar(_, Value::String(text)) => match text.trim().parse::<f64>() {
            Ok(number) => Period::from_secs_f64(number / 1000.0),
            Err(_) => text.parse(),
        },
        _ => {
            wrong_type(node, "a number of milliseconds, or a length of time such as `30m`", path, report);
            return None;
        }
    };
    let Ok(period) = period else {
        let message = "`timeout` has to be a number of milliseconds, or a length of time such as `30m`";
        report.refuse("bad-duration", path, message);
        return None;
    };
    Some(period).filter(|period| !period.0.is_zero())
}
