//! Templates become requests: all `${…}` of a node, resolved when it starts.

use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use serde_json::Value;

use super::budget;
use super::evaluate::{text, values};
use super::lane::NodeState;
use super::scope::{RunScope, previous_output};
use super::state::State;
use super::{prompt, reply};
use crate::command_line;
use crate::data::Data;
use crate::expr::{Name, NameError, Template, ValueTemplate};
use crate::failure::{Failure, FailureClass};
use crate::ids::{NodePath, RoleId};
use crate::output_schema::OutputSchema;
use crate::plan::{CallPlan, InputPlan, LanePlan, Plan, RoleInput, Source, StagePlan, Strategy};
use crate::provider::{CallId, CallRequest, Workspace};

/// Gives the values of `${secrets.x}` at the moment of a call. Must not block: a host that keeps
/// its secrets far away fetches them before the run.
pub trait Secrets: Send + Sync {
    /// The secret of that name.
    fn secret(&self, name: &str) -> Option<String>;
}

/// A call as it has to be made.
#[derive(Debug)]
pub struct Call {
    /// What the provider is asked.
    pub request: CallRequest,
    /// How long it may take.
    pub timeout: Option<Duration>,
    /// What it fails with after that time, where it is not its own `timeout` that is over but a budget.
    pub over_budget: Option<Box<Failure>>,
    /// How long nothing may be heard of it.
    pub idle_timeout: Option<Duration>,
}

/// Resolves the call of an attempt that has started.
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
    let within = |field: &str| {
        let field = match scope.graph {
            Some(_) => format!("{}.{}.{field}", stage.id, path.node),
            None => format!("{}.{field}", stage.id),
        };
        move |error: NameError| unresolved(&field, &error)
    };
    let mut inputs = Vec::new();
    let mut told = Vec::new();
    let plan_of_role = role.and_then(|role| plan.roles.get(role));
    if let Some(role) = plan_of_role {
        for (number, input) in role.inputs.iter().enumerate() {
            match input {
                RoleInput::Named(name) => {
                    if let Some(value) = prompt::named(&scope, name) {
                        inputs.push(value);
                        told.extend(Told::named(&scope, plan, name));
                    }
                }
                RoleInput::Value(template) => {
                    let field = format!("role `{}`: inputs[{number}]", role.role.id);
                    told.extend(template.as_name().and_then(|name| Told::of(&scope, name)));
                    inputs.push(template.render(&scope).map_err(|error| unresolved(&field, &error))?);
                }
            }
        }
    }
    for (number, input) in call.inputs.iter().enumerate() {
        let same = match input {
            InputPlan::Of(Source::Node(place)) => Some(Told::Node(*place)),
            InputPlan::Value(template) => template.as_name().and_then(|name| Told::of(&scope, name)),
            InputPlan::Of(Source::Item) | InputPlan::All(_) => None,
        };
        if same.is_some_and(|same| told.contains(&same)) {
            continue;
        }
        match input {
            // What a node that was skipped would have given is left out.
            InputPlan::Of(source) => inputs.extend(scope.source(source).map(|data| data.exact_value())),
            InputPlan::All(from) => inputs.extend(values(from, &scope).iter().map(Data::exact_value)),
            InputPlan::Value(template) => {
                inputs.push(template.render(&scope).map_err(within(&format!("inputs[{number}]")))?);
            }
        }
    }
    let own = match &call.prompt {
        Some(prompt) => Some(prompt.render_text(&scope).map_err(within("prompt"))?),
        None => None,
    };
    let mut prompt = match plan_of_role {
        Some(role) => prompt::of_role(role, own, inputs, &scope, plan)?,
        None => prompt::join(own.unwrap_or_default(), inputs),
    };
    if call.follows
        && stage.strategy == Strategy::Sequential
        && let Some(output) = previous_output(state, path.lane)
    {
        prompt::append(&mut prompt, &text(output.exact_value()));
    }
    if let Some(node) = node.filter(|node| node.repairs > 0)
        && let Some(error) = node.error.as_ref().filter(|error| error.class == FailureClass::InvalidOutput)
    {
        prompt::append(&mut prompt, &reply::correction(error));
    }
    let options = match &call.with {
        Some(with) => with.render(&scope).map_err(within("with"))?,
        None => Value::Null,
    };
    if let Some(with) = &call.with {
        let prompt_is_literal = || {
            call.prompt.as_ref().is_none_or(Template::is_literal)
                && call.inputs.is_empty()
                && role.is_none()
                && previous_output(state, path.lane).is_none()
        };
        command_line::check_rendered(with, &options, prompt_is_literal, format_args!("{}.with", stage.id))?;
    }
    let mut env = IndexMap::new();
    for (name, value) in &call.env {
        let value = value.render(&scope).map_err(within(&format!("env.{name}")))?;
        env.insert(name.clone(), text(value));
    }
    let cwd = match &call.cwd {
        Some(cwd) => Some(cwd.render_text(&scope).map_err(within("cwd"))?),
        None => None,
    };
    let created = state.created();
    let id = CallId { run: created.run.clone(), seed: created.seed, path: path.clone(), attempt };
    let output_schema = schema(plan, call, role).map(|schema| schema.value().clone());
    let skills = skills(plan, call, role);
    let goes_on = call.continues || node.is_some_and(|node| node.resumes);
    let session = goes_on.then(|| session(state, path)).flatten();
    let session_usage = session.as_ref().and_then(|_| state.session(path)?.used.clone());
    let session = session.map(|session| session.to_string());
    let workspace = match &state.origin {
        _ if !created.isolated => Workspace::Shared,
        Some(origin) => Workspace::Forked(origin.clone()),
        None => Workspace::Isolated,
    };
    let left = budget::time_left(plan, state, stage, path, call);
    let (timeout, over_budget) = match (call.timeout, left) {
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
    })
}

/// What an input of a role is, so that a node need not be told it again.
#[derive(PartialEq)]
enum Told<'a> {
    Variable(&'a str),
    Node(usize),
    Stage(&'a str),
}

impl<'a> Told<'a> {
    /// What a name of a role's input stands for, as [`prompt::named`] finds it.
    fn named(scope: &RunScope<'_>, plan: &Plan, name: &'a str) -> Option<Self> {
        if scope.variable(name).is_some() {
            return Some(Self::Variable(name));
        }
        let node =
            scope.graph.and_then(|graph| graph.place(name).filter(|place| graph.output(*place).is_some()));
        node.map(Self::Node).or_else(|| plan.stage_named(name).map(|_| Self::Stage(name)))
    }

    /// What an expression stands for, where it is all of a value and no part of one.
    fn of(scope: &RunScope<'_>, name: &'a Name) -> Option<Self> {
        let (second, is_output) = (name.segment(1)?, name.segment(2) == Some("output"));
        match (name.root(), name.segments().len()) {
            ("vars", 2) => Some(Self::Variable(second)),
            ("nodes", 3) if is_output => Some(Self::Node(scope.graph?.place(second)?)),
            ("stages", 3) if is_output => Some(Self::Stage(second)),
            _ => None,
        }
    }
}

/// The session that a call goes on in: the one that was recorded last, in this iteration or in one before. What
/// an item is, is another matter in each iteration.
pub(super) fn session(state: &State, path: &NodePath) -> Option<Arc<str>> {
    if path.items.is_empty() {
        return Some(state.session(path)?.id.clone());
    }
    state.current_lane(path.lane)?.node(path)?.session.clone()
}

/// The node as its pass before this one left it.
pub(super) fn last_pass<'s>(state: &'s State, path: &NodePath) -> Option<&'s NodeState> {
    state.results.get(&path.stage)?.lanes.get(path.lane as usize)?.node(path)
}

/// The schema that the output of a call has to follow: its own, or its role's.
pub(super) fn schema<'p>(
    plan: &'p Plan,
    call: &'p CallPlan,
    role: Option<&RoleId>,
) -> Option<&'p Arc<OutputSchema>> {
    call.schema.as_ref().or_else(|| plan.roles.get(role?)?.schema.as_ref())
}

/// Who does the work of a call: a provider, and a role where there is one.
pub(super) type Who = (Arc<str>, Option<RoleId>);

/// Who does the work of a lane.
pub(super) fn lane(plan: &Plan, state: &State, stage: &StagePlan, lane: &LanePlan) -> Result<Who, Failure> {
    let scope = RunScope::lane(state, stage, lane);
    let provider = match &lane.literal {
        Some(literal) => literal.clone(),
        None => name(&lane.provider, &scope, &format!("{}.provider", stage.id))?.into(),
    };
    let role = lane.role.as_ref().map(|template| role(plan, template, &scope, &format!("{}.role", stage.id)));
    Ok((provider, role.transpose()?))
}

/// Who makes the call of the node at `path`.
pub(super) fn node(
    plan: &Plan,
    state: &State,
    stage: &StagePlan,
    path: &NodePath,
    call: &CallPlan,
) -> Result<Who, Failure> {
    let lane_state = state.current_lane(path.lane);
    if lane_state.is_none_or(|lane| lane.graph.is_none())
        && let Some(plan_of_lane) = stage.lanes.get(path.lane as usize)
    {
        return lane(plan, state, stage, plan_of_lane);
    }
    let scope = RunScope::node(state, stage, path);
    let field = |name: &str| format!("{}.{}.{name}", stage.id, path.node);
    let whole = lane_state.map(|lane| &lane.whole);
    let provider = match &call.provider {
        Some(template) => name(template, &scope, &field("provider"))?.into(),
        None => whole.and_then(|lane| lane.provider.clone()).unwrap_or_default(),
    };
    let role = match &call.role {
        Some(template) => Some(role(plan, template, &scope, &field("role"))?),
        None => whole.and_then(|lane| lane.role.clone()),
    };
    Ok((provider, role))
}

/// The role of the node at `path`.
pub(super) fn role_of(
    plan: &Plan,
    state: &State,
    stage: &StagePlan,
    path: &NodePath,
    call: &CallPlan,
) -> Result<Option<RoleId>, Failure> {
    if call.role.is_none() && stage.lanes.get(path.lane as usize).is_none_or(|lane| lane.role.is_none()) {
        return Ok(None);
    }
    node(plan, state, stage, path, call).map(|(_, role)| role)
}

fn name(template: &Template, scope: &RunScope<'_>, field: &str) -> Result<String, Failure> {
    template.render_text(scope).map_err(|error| unresolved(field, &error))
}

/// A role that there is.
fn role(plan: &Plan, template: &Template, scope: &RunScope<'_>, field: &str) -> Result<RoleId, Failure> {
    let name = name(template, scope, field)?;
    if let Some((id, _)) = plan.roles.get_key_value(name.as_str()) {
        return Ok(id.clone());
    }
    if let Some(problem) = plan.unfit.get(name.as_str()) {
        let message = format!("{field}: role `{name}` cannot be used in this workflow: {problem}");
        return Err(Failure::new(FailureClass::Expression, message));
    }
    let mut known: Vec<_> = plan.roles.keys().map(RoleId::as_str).collect();
    known.sort_unstable();
    let near = crate::definition::did_you_mean(&name, known.iter().copied());
    let name: String = name.chars().take(80).collect();
    let message = format!("{field}: there is no role `{name}`{near} (known: {})", known.join(", "));
    Err(Failure::new(FailureClass::Expression, message))
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

/// The variables that the `set` of a stage writes after its output was changed to another.
///
/// # Errors
///
/// A [`Failure`] that names the variable whose value the new output does not have.
pub fn set_of_edited(
    plan: &Plan,
    state: &State,
    stage: &crate::ids::StageId,
    output: &Data,
) -> Result<IndexMap<String, Data>, Failure> {
    let Some(stage) = plan.stage(stage) else { return Ok(IndexMap::new()) };
    let scope = RunScope { output: Some(output), ..RunScope::stage(state, stage) };
    let set = set(&stage.set, &scope, stage.id.as_str())?;
    Ok(set.map(Arc::unwrap_or_clone).unwrap_or_default())
}

/// Variables that `set` writes, of an output.
pub(super) fn set(
    templates: &[(String, ValueTemplate)],
    scope: &RunScope<'_>,
    field: &str,
) -> Result<Option<Arc<IndexMap<String, Data>>>, Failure> {
    if templates.is_empty() {
        return Ok(None);
    }
    let mut set = IndexMap::new();
    for (name, value) in templates {
        let value =
            value.render(scope).map_err(|error| unresolved(&format!("{field}.set.{name}"), &error))?;
        set.insert(name.clone(), Data::new(&value));
    }
    Ok(Some(Arc::new(set)))
}

pub(super) fn unresolved(field: &str, error: &NameError) -> Failure {
    Failure::new(FailureClass::Expression, format!("{field}: {error}"))
}
