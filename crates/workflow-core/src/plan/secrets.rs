//! Which secrets a plan names.

use foldhash::HashMap;

use crate::expr::{Name, Template, ValueTemplate};
use crate::ids::{RoleId, StageId};
use crate::plan::model::{CallPlan, InputPlan, Plan, RoleInput, RolePlan, Secrets, StagePlan, Work};

impl Plan {
    /// The names that calls look up as `${secrets.x}`, each with the stages that have no default for it. The
    /// driver of a run needs the values to redact them from the results of calls.
    pub fn secrets(&self) -> impl ExactSizeIterator<Item = (&str, &[StageId])> {
        self.secrets.iter().map(|(name, stages)| (name.as_str(), stages.as_slice()))
    }
}

pub(super) fn named(stages: &[StagePlan], roles: &HashMap<RoleId, RolePlan>) -> Secrets {
    let mut secrets = Secrets::new();
    let mut add = |name: &Name, stage: &StageId| {
        if name.root() == "secrets"
            && let Some(secret) = name.segment(1)
        {
            let stages = secrets.entry(secret.to_owned()).or_default();
            if name.default_text().is_none() && !stages.contains(stage) {
                stages.push(stage.clone());
            }
        }
    };
    for stage in stages {
        let own = stage.lanes.iter().filter_map(|lane| lane.call.as_deref());
        let (simple, graph) = match &stage.work {
            Work::Simple { call, .. } => (Some(&**call), None),
            Work::Graph(graph) => (None, Some(graph.calls())),
        };
        let calls = own.chain(simple).chain(graph.into_iter().flatten());
        calls.flat_map(of_call).for_each(|name| add(name, &stage.id));
    }
    for role in roles.values() {
        let values = role.inputs.iter().filter_map(|input| match input {
            RoleInput::Value(value) => Some(value),
            RoleInput::Named(_) => None,
        });
        for name in values.flat_map(ValueTemplate::names) {
            // An expression can give any stage the role.
            for stage in stages {
                add(name, &stage.id);
            }
        }
    }
    secrets.sort_unstable_keys();
    secrets
}

fn of_call(call: &CallPlan) -> impl Iterator<Item = &Name> {
    let inputs = call.inputs.iter().filter_map(|input| match input {
        InputPlan::Value(value) => Some(value),
        InputPlan::All(_) | InputPlan::Of(_) => None,
    });
    let values = inputs.chain(call.with.as_deref()).chain(call.env.iter().map(|(_, value)| value));
    let texts = [&call.prompt, &call.cwd].into_iter().flatten();
    texts.flat_map(Template::names).chain(values.flat_map(ValueTemplate::names))
}
