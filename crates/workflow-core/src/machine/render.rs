//! Templates become requests: all `${…}` of a node, resolved when it starts.

use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::Value;

use super::scope::{RunScope, previous_output};
use super::state::{Current, State};
use crate::data::Data;
use crate::expr::NameError;
use crate::failure::{Failure, FailureClass};
use crate::ids::NodePath;
use crate::plan::{LanePlan, Plan, StagePlan, Strategy};
use crate::provider::{CallId, CallRequest};

/// Gives the values of `${secrets.x}` at the moment of a call. Must not block: a host that keeps
/// its secrets far away fetches them before the run.
pub trait Secrets: Send + Sync {
    /// The secret of that name.
    fn secret(&self, name: &str) -> Option<String>;
}

/// Resolves the request of an attempt that has started.
///
/// # Errors
///
/// A [`Failure`] that names the field and what could not be resolved; the attempt fails with it.
pub fn request(
    plan: &Plan,
    state: &State,
    path: &NodePath,
    attempt: u32,
    provider: &str,
    secrets: &dyn Secrets,
) -> Result<CallRequest, Failure> {
    let no_lane = || Failure::new(FailureClass::Permanent, format!("{path} is not in the plan"));
    let stage = plan.stage(&path.stage).ok_or_else(no_lane)?;
    let lane = stage.lanes.get(path.lane as usize).ok_or_else(no_lane)?;
    let scope =
        RunScope { state, stage, lane: Some((lane, Some(provider))), output: None, secrets: Some(secrets) };
    let within = |field: &str| {
        let field = format!("{}.{field}", stage.id);
        move |error: NameError| unresolved(&field, &error)
    };
    let mut prompt = match &stage.prompt {
        Some(prompt) => prompt.render_text(&scope).map_err(within("prompt"))?,
        None => String::new(),
    };
    for (number, input) in stage.inputs.iter().enumerate() {
        let value = input.render(&scope).map_err(within(&format!("inputs[{number}]")))?;
        append(&mut prompt, &text(value));
    }
    if stage.strategy == Strategy::Sequential
        && let Some(output) = previous_output(state, path.lane)
    {
        append(&mut prompt, &text(output.value()));
    }
    let options = match &stage.with {
        Some(with) => with.render(&scope).map_err(within("with"))?,
        None => Value::Null,
    };
    let mut env = IndexMap::new();
    for (name, value) in &stage.env {
        let value = value.render(&scope).map_err(within(&format!("env.{name}")))?;
        env.insert(name.clone(), text(value));
    }
    let cwd = match &stage.cwd {
        Some(cwd) => Some(cwd.render_text(&scope).map_err(within("cwd"))?),
        None => None,
    };
    let created = state.created();
    let id = CallId { run: created.run.clone(), seed: created.seed, path: path.clone(), attempt };
    Ok(CallRequest { id, prompt, options, env, cwd, session: None, output_schema: None, skills: Vec::new() })
}

/// The name of a lane's provider.
pub(super) fn provider(state: &State, stage: &StagePlan, lane: &LanePlan) -> Result<Arc<str>, Failure> {
    if let Some(literal) = &lane.literal {
        return Ok(literal.clone());
    }
    let scope = RunScope { state, stage, lane: Some((lane, None)), output: None, secrets: None };
    let name = lane.provider.render_text(&scope);
    name.map(Into::into).map_err(|error| unresolved(&format!("{}.provider", stage.id), &error))
}

/// The variables that a stage's `set` writes.
pub(super) fn set(
    state: &State,
    stage: &StagePlan,
    current: &Current,
    output_of: Option<u32>,
) -> Result<Option<Arc<IndexMap<String, Data>>>, Failure> {
    if stage.set.is_empty() {
        return Ok(None);
    }
    let output = match output_of {
        Some(lane) => current.lanes.get(lane as usize).map(|lane| lane.output.clone()).unwrap_or_default(),
        None => Data::array(current.lanes.iter().map(|lane| &lane.output)),
    };
    let scope = RunScope { state, stage, lane: None, output: Some(&output), secrets: None };
    let mut set = IndexMap::new();
    for (name, value) in &stage.set {
        let value = value.render(&scope);
        let value = value.map_err(|error| unresolved(&format!("{}.set.{name}", stage.id), &error))?;
        set.insert(name.clone(), Data::new(&value));
    }
    Ok(Some(Arc::new(set)))
}

fn unresolved(field: &str, error: &NameError) -> Failure {
    Failure::new(FailureClass::Expression, format!("{field}: {error}"))
}

fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// Adds a part to a prompt, with an empty line between.
fn append(prompt: &mut String, part: &str) {
    if !prompt.is_empty() {
        prompt.push_str("\n\n");
    }
    prompt.push_str(part);
}
