//! The templates of roles.
//!
//! A role's text is a Handlebars template. It knows the role's variables, the names in its `inputs`, the
//! stages of the workflow by their ids, and `inputs`, `guards`, `vars`, `stages`, `nodes`, `stage`, `item`,
//! `iteration` and `run`; any other name is an error. Beside the blocks `each`, `if`, `unless` and `with`
//! there are `{{json x}}`, `{{length xs}}` and `{{#ifEquals a b}}`. Nothing is escaped: a prompt is no HTML.
//! A value is data, and never looked at for templates.
//!
//! A template comes from a file, and what it goes through from anywhere, so both are bounded: a template has at
//! most 256 KiB, 1000 tags and 32 blocks in each other; a text has at most 8 MiB, and a template that goes
//! through more than 200,000 parts of itself and its values is ended with an error.
//!
//! Templates are rendered with the feature `roles`; without it, compiling one is an error that says so.

#[cfg(feature = "roles")]
mod engine;
#[cfg(not(feature = "roles"))]
#[path = "without.rs"]
mod engine;
#[cfg_attr(not(feature = "roles"), allow(dead_code, reason = "calls are checked where they are read"))]
mod grammar;
#[cfg(feature = "roles")]
mod helpers;
#[cfg(feature = "roles")]
mod names;
#[cfg(feature = "roles")]
mod numbers;
#[cfg(feature = "roles")]
mod scan;

use indexmap::IndexMap;
use serde_json::Value;

use crate::data::Data;
use crate::definition::{BUILT_IN, Role};
use crate::ids::is_id;

/// A role's templates, compiled.
#[derive(Debug)]
pub struct RoleTemplate {
    engine: engine::Engine,
    used: Used,
}

/// The names that a role's templates use, each with those of the parts that follow it.
#[derive(Debug, Default)]
struct Used {
    body: Vec<Vec<String>>,
    guards: Vec<Vec<String>>,
}

/// Why a role's template cannot be rendered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RoleError {
    /// It is wrong.
    #[error("{0}")]
    Template(String),
    /// Roles cannot be rendered by this build.
    #[error("roles need the feature `roles` of workflow-core")]
    Unsupported,
}

/// What a role says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The body.
    pub text: String,
    /// The guards.
    pub guards: Vec<String>,
}

impl RoleTemplate {
    /// Compiles a role's body and guards. `stages` are the ids of the workflow's stages.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with them: their syntax, and names and helpers that they cannot know.
    pub fn compile<'s>(
        role: &'s Role,
        stages: impl IntoIterator<Item = &'s str>,
    ) -> Result<Self, Vec<RoleError>> {
        let (engine, used) = engine::Engine::new(role, &known(role, stages))?;
        Ok(Self { engine, used })
    }

    /// Whether the body says where the inputs stand; if not, they follow it.
    pub fn uses_inputs(&self) -> bool {
        self.uses("inputs")
    }

    /// Whether the body says where the guards stand; if not, they follow it.
    pub fn uses_guards(&self) -> bool {
        self.uses("guards")
    }

    fn uses(&self, name: &str) -> bool {
        self.used.body.iter().any(|used| used.first().is_some_and(|used| used == name))
    }

    /// The names that body and guards use, each with those of the parts that follow it:
    /// `["vars", "feature"]` for `{{vars.feature}}`, and none for `{{json this}}`. Others need not be in what
    /// is rendered with.
    pub fn names(&self) -> impl Iterator<Item = impl Iterator<Item = &str>> {
        let used = self.used.body.iter().chain(&self.used.guards);
        used.map(|names| names.iter().map(String::as_str))
    }

    /// Renders body and guards with the names in `context`, an object. The guards are rendered first, and
    /// known to the body as `guards`.
    ///
    /// # Errors
    ///
    /// [`RoleError`] for a part of a value that is not there, for a text of more than 8 MiB, and for a
    /// template that goes through too much.
    pub fn render(&self, context: Value) -> Result<Rendered, RoleError> {
        let (guards, text) = self.engine.render(context)?;
        Ok(Rendered { text, guards })
    }
}

/// The names that a template can use.
#[cfg_attr(not(feature = "roles"), allow(dead_code, reason = "looked at where templates are read"))]
pub(crate) enum Known<'k> {
    /// Any: the stages are not known.
    Open,
    /// These.
    These(Vec<&'k str>),
}

/// Something that is wrong with a template.
pub(crate) struct Problem {
    /// The number of the guard; none for the body.
    pub guard: Option<usize>,
    /// Line and column in the template, counted from 1.
    pub line: usize,
    /// The column.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

impl RoleError {
    #[cfg(feature = "roles")]
    fn of(role: &Role, problem: &Problem) -> Self {
        let Problem { guard, line, column, message } = problem;
        let at = guard.map_or_else(|| "body".to_owned(), |n| format!("guards[{n}]"));
        Self::Template(format!("role `{}`, {at}, line {line}, column {column}: {message}", role.id))
    }
}

/// The names that a role's templates can use in a workflow with these stages.
pub(crate) fn known<'k>(role: &'k Role, stages: impl IntoIterator<Item = &'k str>) -> Known<'k> {
    let variables = role.variables.iter().map(|variable| variable.name.as_str());
    let inputs = role.inputs.iter().map(String::as_str).filter(|input| is_id(input));
    let mut known = Vec::new();
    for name in BUILT_IN.into_iter().chain(variables).chain(inputs).chain(stages) {
        if !known.contains(&name) {
            known.push(name);
        }
    }
    Known::These(known)
}

/// What is wrong with a role's templates: their syntax, and names and helpers that they cannot know.
pub(crate) fn problems(role: &Role, known: &Known<'_>) -> Vec<Problem> {
    engine::problems(role, known)
}

/// Whether a template can use a name only to call a helper.
pub(crate) fn is_helper(name: &str) -> bool {
    grammar::is_helper(name)
}

impl Role {
    /// What is wrong with a run's variables: those that are required and missing, and those of another type. One that
    /// is `written` before the role is used is not missing.
    ///
    /// ```
    /// use workflow_core::definition::parse_role;
    ///
    /// let text = "---\nid: tester\nvariables: [{ name: kinds, type: array, required: true }]\n---\nTest.";
    /// let role = parse_role(text.as_bytes(), None).role.expect("no errors");
    /// let wrong = role.check_variables(&Default::default(), |_| false);
    /// assert_eq!(wrong, ["role `tester` needs the variable `kinds`, a list"]);
    /// ```
    pub fn check_variables(
        &self,
        vars: &IndexMap<String, Data>,
        written: impl Fn(&str) -> bool,
    ) -> Vec<String> {
        let wrong = self.variables.iter().filter_map(|variable| {
            let (name, wanted) = (&variable.name, variable.kind.in_words());
            match vars.get(name) {
                None if variable.required && variable.default.is_none() && !written(name) => {
                    Some(format!("role `{}` needs the variable `{name}`, {wanted}", self.id))
                }
                Some(value) if !variable.kind.holds(&value.value()) => {
                    Some(format!("role `{}` needs `{name}` to be {wanted}", self.id))
                }
                _ => None,
            }
        });
        wrong.collect()
    }

    /// The value of one of the role's variables in a run: the run's, an [exact](Data::exact_value) one, the default, or
    /// an empty one. None also where it is required and missing.
    pub fn value(&self, name: &str, vars: &IndexMap<String, Data>) -> Option<Value> {
        let variable = self.variables.iter().find(|variable| variable.name == name)?;
        Some(match (vars.get(name), &variable.default) {
            (Some(value), _) => value.exact_value(),
            (None, Some(default)) => default.clone(),
            (None, None) if variable.required => return None,
            (None, None) => variable.kind.empty(),
        })
    }
}
