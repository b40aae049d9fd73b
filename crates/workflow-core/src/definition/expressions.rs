//! Checks the templates and conditions of a stage: whether they can be parsed, and whether the
//! names in them can exist.

use serde_json::Value;

use super::check::near_stage;
use super::model::{Stage, Workflow};
use super::path::{Path, shorten};
use super::report::Report;
use super::suggest::did_you_mean;
use crate::expr::{Condition, Name, Template};

/// What a name in a template can begin with.
const ROOTS: &[&str] = &["vars", "stages", "stage", "iteration", "run"];
/// What is known of a stage.
const OF_A_STAGE: &[&str] = &["output", "results", "status"];
/// As deep as values are looked into.
const DEEPEST: usize = 64;

/// Checks all templates and the condition of a stage.
pub(super) fn stage(stage: &Stage, workflow: &Workflow, path: &Path<'_>, report: &mut Report<'_>) {
    let mut names = Names { workflow, has_output: false, report };
    for (text, field) in [
        (&stage.provider, "provider"),
        (&stage.role, "role"),
        (&stage.prompt, "prompt"),
        (&stage.cwd, "cwd"),
        (&stage.approval, "approval"),
    ] {
        if let Some(text) = text {
            names.check(text, &path.key(field));
        }
    }
    let lanes = path.key("providers");
    for (n, lane) in stage.providers.iter().enumerate() {
        let path = lanes.index(n);
        names.check(&lane.provider, &path.key("provider"));
        if let Some(role) = &lane.role {
            names.check(role, &path.key("role"));
        }
    }
    let inputs = path.key("inputs");
    for (n, input) in stage.inputs.iter().enumerate() {
        names.check_value(input, &inputs.index(n), DEEPEST);
    }
    let (with, env, set) = (path.key("with"), path.key("env"), path.key("set"));
    for (key, value) in stage.with.iter().flatten() {
        names.check_value(value, &with.key(key), DEEPEST);
    }
    for (key, value) in &stage.env {
        names.check_value(value, &env.key(key), DEEPEST);
    }
    names.has_output = true;
    for (key, value) in &stage.set {
        names.check_value(value, &set.key(key), DEEPEST);
    }
    if let Some(when) = &stage.when {
        condition(when, &path.key("when"), report);
    }
}

/// Checks that a text is a condition.
pub(super) fn condition(text: &str, path: &Path<'_>, report: &mut Report<'_>) {
    if text.trim().is_empty() {
        let message = format!("`{}` is empty: write a condition, as \"$.done == true\"", path.name());
        report.error("bad-expression", path, message);
    } else if let Err(error) = Condition::parse(text) {
        report.error_in_text("bad-expression", path, error.offset, error.message);
    }
}

/// The names that templates of one stage may refer to.
struct Names<'c, 'r, 't> {
    workflow: &'c Workflow,
    /// Whether the stage's own output is known: only under `set`.
    has_output: bool,
    report: &'r mut Report<'t>,
}

impl Names<'_, '_, '_> {
    /// Checks the templates in all texts of a value.
    fn check_value(&mut self, value: &Value, path: &Path<'_>, deeper: usize) {
        let Some(deeper) = deeper.checked_sub(1) else {
            return self.report.error(
                "too-deep",
                path,
                format!("values are nested more than {DEEPEST} deep"),
            );
        };
        match value {
            Value::String(text) => self.check(text, path),
            Value::Array(items) => {
                for (n, item) in items.iter().enumerate() {
                    self.check_value(item, &path.index(n), deeper);
                }
            }
            Value::Object(members) => {
                for (key, member) in members {
                    self.check_value(member, &path.key(key), deeper);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn check(&mut self, text: &str, path: &Path<'_>) {
        if !text.contains("${") {
            return;
        }
        match Template::parse(text) {
            Ok(template) => template.names().for_each(|name| self.check_name(name, path)),
            Err(error) => self.report.error_in_text("bad-expression", path, error.offset, error.message),
        }
    }

    fn check_name(&mut self, name: &Name, path: &Path<'_>) {
        let is_root = |root: &&str| *root == name.root();
        let (code, message) = if name.root() == "output" && !self.has_output {
            let message =
                "`output` is known only under `set`: write `stages.NAME.output` for that of a stage";
            ("unknown-name", message.to_owned())
        } else if name.root() == "secrets" {
            ("unsupported", "this version does not support secrets yet: pass the value by `env`".to_owned())
        } else if !ROOTS.iter().any(is_root) && name.root() != "output" {
            let roots: Vec<_> = ROOTS.iter().map(|root| format!("`{root}`")).collect();
            let near = did_you_mean(name.root(), ROOTS.iter().copied());
            let (root, roots) = (shorten(name.root()), roots.join(", "));
            ("unknown-name", format!("there is no `{root}`: a name begins with {roots}{near}"))
        } else if let (true, Some(stage)) = (name.root() == "stages", name.segment(1)) {
            if !self.workflow.stages.contains_key(stage) {
                let near = near_stage(stage, self.workflow);
                ("dangling-stage", format!("there is no stage `{}`{near}", shorten(stage)))
            } else if let Some(field) = name.segment(2)
                && !OF_A_STAGE.contains(&field)
            {
                let near = did_you_mean(field, OF_A_STAGE.iter().copied());
                let field = shorten(field);
                let message = format!("a stage has `output`, `results` and `status`, and no `{field}`{near}");
                ("unknown-name", message)
            } else {
                return;
            }
        } else {
            return;
        };
        self.report.error_in_text(code, path, name.offset(), message);
    }
}
