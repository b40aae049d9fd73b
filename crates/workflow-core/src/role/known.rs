//! What templates can name, and what is wrong with them.

use super::model::{BUILT_IN, Role};
use crate::ids::is_id;

/// The names that a role's templates use, each with those of the parts that follow it.
#[derive(Debug, Default)]
pub(super) struct Used {
    pub body: Vec<Vec<String>>,
    /// Those of the body that always have to have a value.
    pub needed: Vec<Vec<String>>,
    pub guards: Vec<Vec<String>>,
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
    pub(super) fn of(role: &Role, problem: &Problem) -> Self {
        let Problem { guard, line, column, message } = problem;
        let at = guard.map_or_else(|| "body".to_owned(), |n| format!("guards[{n}]"));
        Self::Template(format!("role `{}`, {at}, line {line}, column {column}: {message}", role.id))
    }
}

/// The name of what nodes made in the iteration of a loop before. A variable, an input or a stage can have it, too, and is meant
/// then: it was not always known.
pub(crate) const PREVIOUS: &str = "previous";

/// The names that a role's templates can use in a workflow with these stages.
pub(crate) fn known<'k>(
    role: &'k Role,
    stages: impl IntoIterator<Item = &'k str>,
    in_loop: bool,
) -> Known<'k> {
    let variables = role.variables.iter().map(|variable| variable.name.as_str());
    let inputs = role.inputs.iter().map(String::as_str).filter(|input| is_id(input));
    let mut known = Vec::new();
    let previous = in_loop.then_some(PREVIOUS);
    for name in BUILT_IN.into_iter().chain(variables).chain(inputs).chain(stages).chain(previous) {
        if !known.contains(&name) {
            known.push(name);
        }
    }
    Known::These(known)
}
