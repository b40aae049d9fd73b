//! Checks the templates and conditions of a stage: whether they can be parsed, and whether the
//! names in them can exist.

use serde_json::Value;

use super::check::near_stage;
use super::model::{Stage, Workflow};
use super::path::{Path, shorten};
use super::report::Report;
use super::suggest::{did_you_mean, one_of};
use crate::expr::{Condition, Name, Template};

/// When a template is rendered, which decides what it can name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// To know who is called.
    Choice,
    /// For the call.
    Call,
    /// After the stage, to write variables. They are stored, so they never hold a secret.
    Set,
}

/// The keys that can follow a root.
#[derive(Clone, Copy)]
enum Keys {
    None,
    /// One of these.
    These(&'static [&'static str]),
    /// A name of the author's choice.
    Any,
    /// A stage, and then one of these.
    Stage(&'static [&'static str]),
    /// Anything: the root is a value by itself.
    Value,
}

impl Moment {
    /// What a name can begin with, and go on with.
    fn roots(self) -> &'static [(&'static str, Keys)] {
        const VARS: (&str, Keys) = ("vars", Keys::Any);
        const STAGES: (&str, Keys) = ("stages", Keys::Stage(&["output", "results", "status"]));
        const ITERATION: (&str, Keys) = ("iteration", Keys::None);
        const RUN: (&str, Keys) = ("run", Keys::These(&["id", "workflow"]));
        const STAGE: (&str, Keys) = ("stage", Keys::These(&["id"]));
        const CALLED_STAGE: (&str, Keys) = ("stage", Keys::These(&["id", "provider", "role"]));
        match self {
            Self::Choice => &[VARS, STAGES, STAGE, ITERATION, RUN],
            Self::Call => &[VARS, STAGES, CALLED_STAGE, ITERATION, RUN, ("secrets", Keys::Any)],
            Self::Set => &[VARS, STAGES, STAGE, ITERATION, RUN, ("output", Keys::Value)],
        }
    }
}

/// As deep as values are looked into.
const DEEPEST: usize = 64;

/// Checks all templates and the condition of a stage.
pub(super) fn stage(stage: &Stage, workflow: &Workflow, path: &Path<'_>, report: &mut Report<'_>) {
    let mut names = Names { workflow, moment: Moment::Choice, report };
    names.check_text(stage.provider.as_deref(), &path.key("provider"));
    names.check_text(stage.role.as_deref(), &path.key("role"));
    let lanes = path.key("providers");
    for (n, lane) in stage.providers.iter().enumerate() {
        let path = lanes.index(n);
        names.check_text(Some(&lane.provider), &path.key("provider"));
        names.check_text(lane.role.as_deref(), &path.key("role"));
    }
    names.moment = Moment::Call;
    names.check_text(stage.prompt.as_deref(), &path.key("prompt"));
    names.check_text(stage.cwd.as_deref(), &path.key("cwd"));
    names.check_text(stage.approval.as_deref(), &path.key("approval"));
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
    names.moment = Moment::Set;
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

/// Checks templates of one stage.
struct Names<'c, 'r, 't> {
    workflow: &'c Workflow,
    moment: Moment,
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
            Value::String(text) => self.check_text(Some(text), path),
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

    fn check_text(&mut self, text: Option<&str>, path: &Path<'_>) {
        let Some(text) = text.filter(|text| text.contains("${")) else { return };
        match Template::parse(text) {
            Ok(template) => {
                for name in template.names() {
                    if self.report.is_full() {
                        return;
                    }
                    if let Err((code, message)) = self.check_name(name) {
                        self.report.error_in_text(code, path, name.offset(), message);
                    }
                }
            }
            Err(error) => self.report.error_in_text("bad-expression", path, error.offset, error.message),
        }
    }

    fn check_name(&self, name: &Name) -> Result<(), (&'static str, String)> {
        let roots = self.moment.roots();
        let root = name.root();
        let Some((_, keys)) = roots.iter().find(|(known, _)| *known == root) else {
            let message = match root {
                "output" => "`output` is known only under `set`: write `stages.NAME.output`".to_owned(),
                "secrets" => "secrets are known only to what a provider is called with".to_owned(),
                _ => {
                    let known = roots.iter().map(|(root, _)| *root);
                    let near = did_you_mean(root, known.clone());
                    format!("no name begins with `{}`: write {}{near}", shorten(root), one_of(known))
                }
            };
            return Err(("unknown-name", message));
        };
        let unknown = |message| Err(("unknown-name", message));
        match (keys, name.segment(1)) {
            (Keys::Value, _) | (Keys::None, None) | (Keys::Any, Some(_)) => Ok(()),
            (Keys::None, Some(_)) => unknown(format!("`{root}` has no parts: write `{root}` alone")),
            (Keys::Any, None) => unknown(format!("`{root}` needs a key, as in `{root}.x`")),
            (Keys::Stage(_), None) => unknown("`stages` needs the name of a stage after it".to_owned()),
            (Keys::Stage(fields), Some(stage)) if self.workflow.stages.contains_key(stage) => {
                match name.segment(2) {
                    Some(field) if !fields.contains(&field) => {
                        unknown(no_such("part of a stage", field, fields.iter().copied()))
                    }
                    _ => Ok(()),
                }
            }
            (Keys::Stage(_), Some(stage)) => {
                let near = near_stage(stage, self.workflow);
                Err(("dangling-stage", format!("there is no stage `{}`{near}", shorten(stage))))
            }
            (Keys::These(known), Some(key)) if known.contains(&key) => Ok(()),
            (Keys::These(known), None) => {
                unknown(format!("`{root}` needs a key after it: write {}", one_of(known.iter().copied())))
            }
            (Keys::These(known), Some(key)) => {
                unknown(no_such(&format!("part of `{root}`"), key, known.iter().copied()))
            }
        }
    }
}

/// That something is not known, and what is.
fn no_such<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    let near = did_you_mean(name, known.clone());
    format!("`{}` is no {what}: write {}{near}", shorten(name), one_of(known))
}
