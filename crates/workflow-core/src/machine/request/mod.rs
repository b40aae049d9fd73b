//! What a call receives, and what a reply means: all `${…}` of a node are resolved when it starts.
//!
//! [`scope`]: what a name stands for; [`document`]: the same for conditions. [`prompt`]: the text that a
//! provider is given, and [`inputs`] what follows it. [`who`]: the provider and the role of a call.
//! [`evaluate`]: nodes that make no call. [`answer`]: whether a reply has the required form. [`set`]: the
//! variables that a result writes. [`unresolved`]: a call without its secrets, and [`marks`] what is in their place.

pub(super) mod answer;
pub(super) mod child;
pub(super) mod document;
pub(super) mod evaluate;
pub(super) mod graph;
mod inputs;
mod marks;
mod prompt;
pub(super) mod scope;
pub(super) mod secrets;
pub(super) mod set;
mod text;
pub(super) mod unresolved;
pub(super) mod who;

use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use serde_json::Value;

use crate::command_line::{self, LiteralWords};
use crate::definition::WorktreeSpec;
use crate::expr::{NameError, Template};
use crate::failure::{Failure, FailureClass};
use crate::ids::{NodePath, RoleId};
use crate::machine::request::marks::SecretSource;
use crate::machine::request::scope::{RunScope, previous_output, wrong_field};
use crate::machine::request::secrets::Secrets;
use crate::machine::request::text::{append, text};
use crate::machine::state::node::NodeState;
use crate::machine::state::{State, budget, session};
use crate::plan::{CallPlan, Plan, Strategy};
use crate::provider::{CallId, CallRequest, GivenAnswer, Origin, Workspace};

/// A call as it has to be made.
#[derive(Debug)]
pub struct Call {
    /// What the provider is asked.
    pub request: CallRequest,
    /// How long it may take.
    pub timeout: Option<Duration>,
    /// The failure of the call after that time, if a budget and not its own `timeout` is over.
    pub over_budget: Option<Box<Failure>>,
    /// How long it may show no activity.
    pub idle_timeout: Option<Duration>,
    /// What persons answered to questions of earlier attempts.
    pub answers: Vec<GivenAnswer>,
}

/// Resolves the call of an attempt that has begun.
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
) -> Result<Call, Failure> {
    made(plan, state, path, attempt, provider, SecretSource::Values(secrets))
}

/// Inlined: a call is large, and is moved once less.
#[inline]
fn made(
    plan: &Plan,
    state: &State,
    path: &NodePath,
    attempt: u32,
    provider: &str,
    secrets: SecretSource<'_>,
) -> Result<Call, Failure> {
    let not_there = || Failure::new(FailureClass::Permanent, format!("{path} is not in the plan"));
    let under_way = state.stage_under_way(plan).filter(|stage| stage.id == path.stage);
    let stage = under_way.or_else(|| plan.stage(&path.stage)).ok_or_else(not_there)?;
    let call = stage.call(path).ok_or_else(not_there)?;
    let node = state.current_lane(path.lane).and_then(|lane| lane.node(path));
    let mut scope = RunScope { secrets: Some(secrets), ..RunScope::node(state, stage, path) };
    if scope.graph.is_none() {
        scope.provider = Some(provider);
    }
    let role = node.and_then(|node| node.role.as_ref());
    let plan_of_role = role.and_then(|role| plan.roles.get(role));
    let inputs = inputs::of_call(plan, call, plan_of_role, &scope, path)?;
    let wrong = |field: &str, error: &NameError| wrong_field(&scope, path, field, error);
    let (own, inputs) = match (&call.prompt, &call.template) {
        (Some(prompt), _) => {
            (Some(prompt.render_text(&scope).map_err(|error| wrong("prompt", &error))?), inputs)
        }
        (None, Some(template)) => {
            let prompt = prompt::of_template(template, &inputs, &scope, plan)?;
            // The template can have the inputs at another place.
            (Some(prompt), if template.template.uses_inputs() { Vec::new() } else { inputs })
        }
        (None, None) => (None, inputs),
    };
    let mut prompt = match plan_of_role {
        Some(role) => prompt::of_role(role, own, inputs, &scope, plan)?,
        None => prompt::join(own.unwrap_or_default(), inputs),
    };
    if call.follows
        && stage.strategy == Strategy::Sequential
        && let Some(output) = previous_output(state, path.lane)
    {
        append(&mut prompt, &text(output.exact_value()));
    }
    if let Some(node) = node.filter(|node| node.repairs > 0)
        && let Some(error) = node.error.as_ref().filter(|error| error.class == FailureClass::InvalidOutput)
    {
        append(&mut prompt, &answer::correction(error));
    }
    let setting = if plan.bundle().settings.is_empty() {
        None
    } else {
        who::setting(plan, &scope, stage, path, call, provider)?
    };
    let mut options = match &call.with {
        Some(with) => with.render(&scope).map_err(|error| wrong("with", &error))?,
        None => Value::Null,
    };
    if let Some(with) = &call.with {
        let prompt_is_literal = || {
            call.prompt.as_ref().is_none_or(Template::is_literal)
                && call.template.is_none()
                && call.inputs.is_empty()
                && role.is_none()
                && previous_output(state, path.lane).is_none()
        };
        command_line::check_rendered(with, &options, prompt_is_literal, format_args!("{}.with", stage.id))?;
        if let SecretSource::Marks(marks) = secrets {
            marks.note(LiteralWords::of(with, &options, prompt_is_literal()));
        }
    }
    let own_timeout = call.timeout.or_else(|| Some(setting?.timeout?.0));
    if let Some(setting) = setting.filter(|setting| !setting.with.is_empty()) {
        let own = if let Value::Object(own) = options { Some(own) } else { None };
        options = Value::Object(setting.merged(own));
    }
    let env = if call.env.is_empty() { IndexMap::new() } else { env(call, &scope, path)? };
    let cwd = match &call.cwd {
        Some(cwd) => Some(cwd.render_text(&scope).map_err(|error| wrong("cwd", &error))?),
        None => None,
    };
    let created = state.created();
    let id = CallId { run: created.run.clone(), seed: created.seed, path: path.clone(), attempt };
    let output_schema = answer::schema(plan, call, role).map(|schema| schema.value().clone());
    let skills = skills(plan, call, role);
    let goes_on = call.continues || node.is_some_and(|node| node.resumes);
    let session = goes_on.then(|| session::session(state, path)).flatten();
    let session_usage = session.as_ref().and_then(|_| state.session(path)?.used.clone());
    let session = session.map(|session| session.to_string());
    let workspace = if created.isolated { isolated(plan, state) } else { Workspace::Shared };
    let left = budget::time_left(plan, state, stage, path, call);
    let (timeout, over_budget) = match (own_timeout, left) {
        (Some(timeout), Some((left, _))) if timeout < left => (Some(timeout), None),
        (_, Some((left, failure))) => (Some(left), Some(Box::new(failure))),
        (timeout, None) => (timeout, None),
    };
    // Made where it stays: it is large.
    Ok(Call {
        request: CallRequest {
            id,
            prompt,
            options,
            env,
            cwd,
            session,
            session_usage,
            output_schema,
            skills,
            workspace,
        },
        timeout,
        over_budget,
        idle_timeout: call.idle_timeout,
        answers: node.map(NodeState::answers).unwrap_or_default().to_vec(),
    })
}

/// The workspace of a call of a run that works in files of its own.
#[inline(never)]
fn isolated(plan: &Plan, state: &State) -> Workspace {
    match (&state.origin, &plan.workflow().worktree) {
        (None, None) => Workspace::Isolated,
        (Some(origin), None) => Workspace::IsolatedFrom(origin.clone()),
        (origin, Some(spec)) => {
            let origin = origin.as_deref().cloned().unwrap_or_default();
            Workspace::IsolatedFrom(Arc::new(Origin { spec: Some(WorktreeSpec::clone(spec)), ..origin }))
        }
    }
}

/// The environment variables of a call. Not inlined, as most calls have none: what [`request`] inlines uses stack in
/// every call.
#[inline(never)]
fn env(call: &CallPlan, scope: &RunScope<'_>, path: &NodePath) -> Result<IndexMap<String, String>, Failure> {
    let mut env = IndexMap::new();
    for (name, value) in &call.env {
        let value =
            value.render(scope).map_err(|error| wrong_field(scope, path, &format!("env.{name}"), &error))?;
        env.insert(name.clone(), text(value));
    }
    Ok(env)
}

fn skills(plan: &Plan, call: &CallPlan, role: Option<&RoleId>) -> Vec<(Arc<str>, Arc<crate::bundle::Skill>)> {
    let of_role = role.and_then(|role| plan.roles.get(role)).into_iter().flat_map(|role| &role.role.skills);
    let mut found: Vec<(Arc<str>, Arc<crate::bundle::Skill>)> = Vec::new();
    for name in call.skills.iter().chain(of_role) {
        if let Some((name, skill)) = plan.skills.get_key_value(name.as_str())
            && !found.iter().any(|(known, _)| known == name)
        {
            found.push((name.clone(), skill.clone()));
        }
    }
    found
}
