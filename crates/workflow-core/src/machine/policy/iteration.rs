//! When a loop ends, and where its next iteration begins.

use std::sync::Arc;

use serde_json::json;

use crate::definition::Exhausted;
use crate::event::EventBody;
use crate::failure::{Failure, FailureClass};
use crate::ids::StageId;
use crate::machine::policy::step::Step;
use crate::machine::state::Broken;
use crate::machine::state::stage::StageResult;
use crate::plan::Work;
use crate::provider::Reply;
use crate::status::StageStatus;

impl Step<'_> {
    pub(super) fn end_iteration(&mut self, last: &StageId) -> Result<bool, Broken> {
        let Some(repeat) = &self.plan.repeat else {
            return self.complete_run(None, None);
        };
        let iteration = self.state.iteration;
        let output = self
            .state
            .results
            .get(last)
            .filter(|result| result.iteration == iteration && result.status == StageStatus::Completed)
            .and_then(StageResult::output);
        let value = output.map(|output| output.exact_value());
        let done = value.as_ref().is_some_and(|value| repeat.stop_when.eval(value));
        let ends = done && iteration >= self.plan.min_iterations;
        let next = if ends || iteration >= self.state.created.max_iters.unwrap_or(repeat.max_iters) {
            None
        } else {
            let recommended = value.as_ref().and_then(|value| value.get("recommended_next_stage")?.as_str());
            let recommended = recommended.and_then(|name| StageId::new(name).ok());
            let is_known =
                |stage: &StageId| self.plan.stage(stage).is_some_and(|stage| stage.place < self.plan.body);
            let known = recommended.filter(is_known);
            Some(known.unwrap_or_else(|| repeat.fallback.clone()))
        };
        self.emit(EventBody::IterationEnded { iteration, done, next })?;
        Ok(true)
    }

    pub(super) fn end_loop(&mut self, done: bool) -> Result<bool, Broken> {
        let fails = self.plan.repeat.as_ref().is_some_and(|repeat| repeat.on_exhausted == Exhausted::Fail);
        if done || !fails {
            return self.complete_run(None, None);
        }
        let iterations = self.state.iteration;
        let hint = self.text_is_json().unwrap_or_default();
        let message = format!("loop exhausted: `stop_when` was not met in {iterations} iterations{hint}");
        let error = Arc::new(Failure::new(FailureClass::LoopExhausted, message));
        self.finish(EventBody::RunFailed { error })
    }

    /// A hint for the case that `stop_when` reads an output that is a text with JSON in it: a condition
    /// cannot look into it.
    fn text_is_json(&self) -> Option<String> {
        let last = self.plan.body().last()?;
        let value = self.state.results.get(&last.id)?.output()?.value();
        let json = Reply::parse_json(value.as_str()?).ok()?.output.value();
        let place = match &last.work {
            Work::Simple { .. } => "there",
            Work::Graph(_) => "at the node that gives it",
        };
        (json.is_object() || json.is_array()).then(|| {
            let stage = &last.id;
            format!("; the output of `{stage}` is a text that is JSON, which a condition cannot look into: write `output: json` {place}")
        })
    }

    /// The failure of a run in which a stage failed as in the iteration before: another iteration would not
    /// help.
    pub(super) fn repeated(&self, stage: &StageId, error: &Failure) -> Option<Failure> {
        self.plan.repeat.as_ref()?;
        let iteration = self.state.iteration;
        let before = self.state.results.get(stage).filter(|result| result.iteration + 1 == iteration)?;
        let first = before.error.as_ref().filter(|first| {
            before.status == StageStatus::Failed
                && first.class == error.class
                && first.message == error.message
        })?;
        let message = format!(
            "the stage `{stage}` failed in the same way in the iterations {} and {iteration}: {}",
            before.iteration, error.message
        );
        let details = json!({ "stage": stage, "first": **first, "second": error });
        Some(Failure::new(FailureClass::Repeated, message).with_details(details))
    }
}
