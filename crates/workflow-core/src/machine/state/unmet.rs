//! Whether a run can continue with a plan: whether the outputs and variables that its next stages need exist.

use std::collections::BTreeSet;

use crate::expr::Name;
use crate::ids::StageId;
use crate::machine::state::State;
use crate::machine::state::stage::Position;
use crate::plan::{Plan, StagePlan};

impl State {
    /// What the next stages need according to `plan` and will not have: a declared input, the output of a stage that comes
    /// before the run's current one, and so will not run, or a variable that only such a stage writes. One
    /// line each.
    ///
    /// Only what is needed for certain counts: nothing that a condition may leave out, and no name with a default.
    pub fn unmet(&self, plan: &Plan) -> Vec<String> {
        let mut unmet = Vec::new();
        let (under_way, to_come) = self.to_come(plan);
        let mut ran: BTreeSet<&StageId> =
            self.results.keys().chain(under_way.map(|stage| &stage.id)).collect();
        let written = |stage: &StagePlan, name: &str| stage.written().any(|written| written == name);
        let mut writers: Vec<&StagePlan> = under_way.into_iter().collect();
        for stage in to_come {
            let needed = if stage.when.is_none() { stage.names() } else { Vec::new() };
            for name in needed.into_iter().filter(|name| name.default_text().is_none()) {
                let missing = match (name.root(), name.segment(1)) {
                    ("stages", Some(other)) => missing_stage(plan, other, stage, &ran),
                    ("vars", Some(variable)) => {
                        let is_there = self.vars.contains_key(variable)
                            || stage.var(variable).is_some()
                            || written(stage, variable)
                            || writers.iter().any(|writer| written(writer, variable));
                        if !is_there && plan.declares(variable) {
                            let line = missing_input(stage, name);
                            unmet.extend((!unmet.contains(&line)).then_some(line));
                            continue;
                        }
                        let writer = plan.stages.iter().find(|writer| written(writer, variable));
                        writer
                            .filter(|writer| !is_there && writer.place < stage.place)
                            .map(|writer| &writer.id)
                    }
                    _ => None,
                };
                if let Some(missing) = missing {
                    let line = of(stage, name, missing);
                    if !unmet.contains(&line) {
                        unmet.push(line);
                    }
                }
            }
            ran.insert(&stage.id);
            writers.push(stage);
        }
        unmet
    }

    /// The stage that is under way, and those that run after it in the same iteration, by `plan`.
    fn to_come<'p>(&self, plan: &'p Plan) -> (Option<&'p StagePlan>, Vec<&'p StagePlan>) {
        let after = |stage: &StageId| {
            let place = plan.stage(stage).map_or(plan.stages.len(), |stage| stage.place + 1);
            let rest = plan.body().get(place..).unwrap_or_default().iter();
            rest.filter(|stage| !self.has_ended(&stage.id)).collect::<Vec<_>>()
        };
        match &self.position {
            _ if self.ending.is_some() => (None, Vec::new()),
            Position::Start => (None, plan.body().iter().collect()),
            Position::In(current) => (plan.stage(&current.stage), after(&current.stage)),
            Position::After(stage, None) => (None, after(stage)),
            Position::Asked { stage, .. } => {
                (None, plan.stage(stage).into_iter().chain(after(stage)).collect())
            }
            Position::Between { next: Some(next), .. } => {
                let from = plan.stage(next).map_or(plan.stages.len(), |stage| stage.place);
                (None, plan.body().get(from..).unwrap_or_default().iter().collect())
            }
            Position::After(_, Some(_)) | Position::Between { next: None, .. } => (None, Vec::new()),
        }
    }
}

/// The stage of that name, where it comes before `stage` and has no result then.
fn missing_stage<'p>(
    plan: &'p Plan,
    name: &str,
    stage: &StagePlan,
    ran: &BTreeSet<&StageId>,
) -> Option<&'p StageId> {
    let other = plan.stage_named(name)?;
    (other.place < stage.place && !ran.contains(&other.id)).then_some(&other.id)
}

fn missing_input(stage: &StagePlan, name: &Name) -> String {
    format!(
        "the stage `{}` needs `${{{name}}}`, an input that the run was not given: fork the run with a value for it, or write \
         a default (`:-`)",
        stage.id
    )
}

fn of(stage: &StagePlan, name: &Name, missing: &StageId) -> String {
    format!(
        "the stage `{}` needs `${{{name}}}`, and the stage `{missing}` comes before the one that the run is at, so it does \
         not run any more: list it later, or write a default (`:-`)",
        stage.id
    )
}
