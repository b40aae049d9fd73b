//! Who does the work of a call: which provider, and in which role.

use std::sync::Arc;

use crate::definition::ProviderSetting;
use crate::expr::Template;
use crate::failure::{Failure, FailureClass};
use crate::ids::{NodePath, RoleId};
use crate::machine::request::scope::{RunScope, unresolved};
use crate::machine::state::State;
use crate::plan::{CallPlan, LanePlan, Plan, StagePlan};

/// Who does the work of a call: a provider, and a role where there is one.
pub(in crate::machine) type Who = (Arc<str>, Option<RoleId>);

/// Who does the work of a lane.
pub(in crate::machine) fn lane(
    plan: &Plan,
    state: &State,
    stage: &StagePlan,
    lane: &LanePlan,
) -> Result<Who, Failure> {
    let scope = RunScope::lane(state, stage, lane);
    let provider = match &lane.literal {
        Some(literal) => literal.clone(),
        None => provider(plan, &lane.provider, &scope, &format!("{}.provider", stage.id))?,
    };
    let role = lane.role.as_ref().map(|template| role(plan, template, &scope, &format!("{}.role", stage.id)));
    Ok((provider, role.transpose()?))
}

/// Who makes the call of the node at `path`.
pub(in crate::machine) fn node(
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
        Some(template) => provider(plan, template, &scope, &field("provider"))?,
        None => whole.and_then(|lane| lane.provider.clone()).unwrap_or_default(),
    };
    let role = match &call.role {
        Some(template) => Some(role(plan, template, &scope, &field("role"))?),
        None => whole.and_then(|lane| lane.role.clone()),
    };
    Ok((provider, role))
}

/// The role of the node at `path`.
pub(in crate::machine) fn role_of(
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

/// The provider that a template names, or the one in its place.
fn provider(
    plan: &Plan,
    template: &Template,
    scope: &RunScope<'_>,
    field: &str,
) -> Result<Arc<str>, Failure> {
    let written = name(template, scope, field)?;
    // What the definition names literally was replaced when the run was started, and with it the provider of the stage.
    let is_known = template.names().all(|name| name.as_str() == "stage.provider");
    let other = if is_known { None } else { plan.bundle().dynamic(&written).0 };
    Ok(other.unwrap_or(&written).into())
}

/// What the home sets for a provider that an expression of the call, or of its lane, resulted in.
pub(in crate::machine) fn setting<'p>(
    plan: &'p Plan,
    scope: &RunScope<'_>,
    stage: &StagePlan,
    path: &NodePath,
    call: &CallPlan,
    provider: &str,
) -> Result<Option<&'p ProviderSetting>, Failure> {
    let lane = || stage.lanes.get(path.lane as usize).filter(|lane| lane.literal.is_none());
    let Some(template) = call.provider.as_ref().or_else(|| Some(&lane()?.provider)) else { return Ok(None) };
    if template.is_literal() {
        return Ok(None);
    }
    let field = format!("{}.{}.provider", stage.id, path.node);
    let written = name(template, scope, &field)?;
    let (other, setting) = plan.bundle().dynamic(&written);
    let setting = setting.filter(|_| other.unwrap_or(&written) == provider);
    if setting.is_some_and(ProviderSetting::has_expressions) {
        let message = format!(
            "{field}: the options of `{written}` in `config/providers.yml` contain `${{…}}`, and the provider is named \
             by an expression: name it itself, or write the options here"
        );
        return Err(Failure::new(FailureClass::Expression, message));
    }
    Ok(setting)
}

/// A role that exists and can be used.
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
