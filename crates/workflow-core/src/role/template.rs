//! Templates as they are used: compiled, rendered, and checked.

use serde_json::Value;

use super::engine;
use super::known::{Known, Problem, RoleError, Used, known};
use super::model::Role;
use crate::ids::RoleId;

/// A role's templates, compiled.
#[derive(Debug)]
pub struct RoleTemplate {
    engine: engine::Engine,
    used: Used,
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
        let (engine, used) = engine::Engine::new(role, &known(role, stages, true))?;
        Ok(Self { engine, used })
    }

    /// Whether the body contains the inputs; if not, they follow it.
    pub fn uses_inputs(&self) -> bool {
        self.uses("inputs")
    }

    /// Whether the body contains the guards; if not, they follow it.
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

    /// The names in the body that always have to have a value, each with those of the parts that follow it.
    pub(crate) fn needed(&self) -> &[Vec<String>] {
        &self.used.needed
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

/// A prompt that has the grammar of roles, as a role.
pub(crate) fn prompt_role(prompt: &str) -> Option<Role> {
    RoleId::new("prompt").ok().map(|id| Role::new(id, prompt))
}

/// The names that a prompt with the grammar of roles uses, each with those of the parts that follow it. None of one that
/// is wrong, which is reported elsewhere.
pub(crate) fn names_of_prompt(prompt: &str) -> Vec<Vec<String>> {
    let Some(role) = prompt_role(prompt) else { return Vec::new() };
    engine::Engine::new(&role, &Known::Open).map(|(_, used)| used.body).unwrap_or_default()
}

/// Those of them that always have to have a value.
pub(crate) fn needed_by_prompt(prompt: &str) -> Vec<Vec<String>> {
    let Some(role) = prompt_role(prompt) else { return Vec::new() };
    engine::Engine::new(&role, &Known::Open).map(|(_, used)| used.needed).unwrap_or_default()
}

/// What is wrong with a role's templates: their syntax, and names and helpers that they cannot know.
pub(crate) fn problems(role: &Role, known: &Known<'_>) -> Vec<Problem> {
    engine::problems(role, known)
}
