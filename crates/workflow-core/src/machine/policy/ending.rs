//! Runs that end before their last stage: by `end_when`, or by a node of the type `end`.

use std::sync::Arc;

use serde_json::Value;

use crate::data::Data;
use crate::definition::EndStatus;
use crate::event::EventBody;
use crate::failure::{Failure, FailureClass};
use crate::machine::policy::step::Step;
use crate::machine::request::document::{self, Parts};
use crate::machine::request::scope::{WholeRun, unresolved};
use crate::machine::state::Broken;
use crate::plan::{NodeKind, StagePlan, Work};
use crate::status::StageStatus;

/// How a run ends after a stage.
pub(super) struct Ending {
    status: EndStatus,
    reason: Box<str>,
    output: Option<Data>,
}

impl<'a> Step<'a> {
    /// How the run ends after a stage that has just ended, if it ends there, and the stage that ends it. It follows from
    /// what is stored.
    pub(super) fn ending(&self, last: &StagePlan) -> Option<(&'a StagePlan, Ending)> {
        if !self.plan.ends_early {
            return None;
        }
        // A fork can begin when only some of the stages were skipped that would have followed.
        let mut before = self.plan.stages.get(..=last.place)?.iter().rev();
        let stage = before.find(|stage| !self.was_skipped(stage))?;
        Some((stage, self.ending_of(stage)?))
    }

    fn was_skipped(&self, stage: &StagePlan) -> bool {
        let result = self.state.results.get(&stage.id);
        result.is_some_and(|result| {
            result.iteration == self.state.iteration && result.status == StageStatus::Skipped
        })
    }

    fn ending_of(&self, stage: &StagePlan) -> Option<Ending> {
        let graph = match &stage.work {
            Work::Graph(graph) if !graph.ends.is_empty() => Some(graph),
            _ if stage.end_when.is_none() => return None,
            _ => None,
        };
        let result = self.state.results.get(&stage.id)?;
        if result.iteration != self.state.iteration || result.status != StageStatus::Completed {
            return None;
        }
        for node in graph.into_iter().flat_map(|graph| graph.ends.iter().map(|place| &graph.nodes[*place])) {
            let NodeKind::End(end) = &node.kind else { continue };
            let lanes = result.lanes.iter().filter(|lane| lane.whole.status == StageStatus::Completed);
            let mut nodes = lanes.filter_map(|lane| lane.graph.as_ref()?.nodes.get(&node.id));
            if let Some(ended) = nodes.find(|ended| ended.status == StageStatus::Completed) {
                let stored = ended.output.exact_value();
                let reason = stored.get("reason").and_then(Value::as_str).map(Box::from);
                let reason = reason.unwrap_or_else(|| format!("`{}.{}` ended it", stage.id, node.id).into());
                let output = stored.get("output").map(Data::new);
                return Some(Ending { status: end.status, reason, output });
            }
        }
        let end_when = stage.end_when.as_deref()?;
        let document = document::of(self.state, self.state.iteration, &Parts::of([end_when]));
        let reason = || format!("`end_when` of `{}` is true", stage.id).into();
        end_when.eval(&document).then(|| Ending {
            status: EndStatus::Completed,
            reason: reason(),
            output: None,
        })
    }

    /// Skips the stages that would follow, and ends the run.
    pub(super) fn end_early(&mut self, stage: &StagePlan, ending: Ending) -> Result<bool, Broken> {
        let iteration = self.state.iteration;
        for later in self.plan.body().get(stage.place + 1..).into_iter().flatten() {
            if !self.state.has_ended(&later.id) {
                self.emit(EventBody::StageSkipped { iteration, stage: later.id.clone() })?;
            }
        }
        let Ending { status, reason, output } = ending;
        match status {
            EndStatus::Completed => self.complete_run(output, Some(reason)),
            EndStatus::Failed => {
                let error = Arc::new(Failure::new(FailureClass::Permanent, reason));
                self.finish(EventBody::RunFailed { error })
            }
        }
    }

    /// Completes the run, with its output where the definition says what it is, and why it ends early if it does.
    pub(super) fn complete_run(
        &mut self,
        output: Option<Data>,
        reason: Option<Box<str>>,
    ) -> Result<bool, Broken> {
        let declared = self.plan.output.as_ref().filter(|_| output.is_none());
        let declared = declared.map(|output| output.render(&WholeRun(self.state)));
        let output = match declared.transpose() {
            Ok(declared) => output.or_else(|| declared.map(|output| Data::new(&output))),
            Err(error) => {
                let error = Arc::new(unresolved("workflow.output", &error));
                return self.finish(EventBody::RunFailed { error });
            }
        };
        let failed_stages = self.state.failed_stages.as_slice().into();
        self.finish(EventBody::RunCompleted { failed_stages, output, reason })
    }
}
