//! The rules of how a run ends, and of the stages that run before it does.

use workflow_core::data::Data;
use workflow_core::definition::{EndStatus, Exhausted, Period};
use workflow_core::event::RunEnding;
use workflow_core::failure::{Failure, FailureClass};
use workflow_core::status::RunStatus;

use super::budgets::Scope;
use super::{Checked, Log, Position, rule};

impl Log<'_> {
    /// Whether it may end, as it has no stages of `finally` that have to run before.
    pub(super) fn ends_without_finally(&self) -> bool {
        self.workflow.finally.is_empty() || self.killed || !self.started
    }

    pub(super) fn begin_finally(&mut self, ending: &RunEnding) -> Checked {
        rule(self.finally.is_none() && !self.ends_without_finally(), "the stages of `finally` run once")?;
        rule(self.running() == 0, "the stages of `finally` begin when no call is running")?;
        if !self.reading.expressions {
            self.ending = ending.reason.as_ref().map(|_| EndStatus::Completed);
        }
        match (ending.status, &ending.error) {
            (RunStatus::Completed, None) => {
                self.check_completed(ending.output.as_ref(), ending.reason.as_deref())?;
            }
            (RunStatus::Failed, Some(error)) => self.check_failed(error)?,
            (RunStatus::Cancelled, None) => {
                // The requests of the other run are not copied.
                let is_copied = self.seq < self.forked;
                rule(self.cancelling || is_copied, "a run is cancelled only after a cancel request")?;
            }
            _ => return Err("a run ends as completed, failed or cancelled"),
        }
        if matches!(self.position, Position::Before(_)) && self.passed.is_empty() && self.iteration > 1 {
            // The next iteration was announced, and no stage of it has begun.
            self.iteration -= 1;
        }
        self.pausing &= ending.status != RunStatus::Cancelled;
        (self.paused, self.crashed, self.cancelling) = (false, false, false);
        self.waiting = None;
        self.finally = Some(ending.clone());
        self.spending.begins(&Scope::Finally);
        self.forget_asks();
        self.next_of_finally();
        Ok(())
    }

    /// How long the stages of `finally` may take together.
    pub(super) fn limit_of_finally(&self) -> Period {
        self.workflow.finally_timeout.unwrap_or(Period::from_secs(600))
    }

    pub(super) fn next_of_finally(&mut self) {
        let mut to_come = self.workflow.finally.iter().filter(|stage| !self.passed.contains(*stage));
        self.position = to_come.next().map_or(Position::AfterLast, |next| Position::Before(next.clone()));
    }

    /// A run that has stages of `finally` ends after them, as it would have without them.
    pub(super) fn check_end(&self, status: RunStatus) -> Checked {
        let known = self.finally.as_ref().map(|ending| ending.status);
        let is_cut_off = self.cancelling && known == Some(RunStatus::Completed);
        rule(self.cancelling || self.position == Position::AfterLast, "all stages of `finally` run")?;
        let expected = if is_cut_off { Some(RunStatus::Cancelled) } else { known };
        rule(expected == Some(status), "the stages of `finally` do not change how a run ends")
    }

    pub(super) fn check_completed(&self, output: Option<&Data>, reason: Option<&str>) -> Checked {
        let exhausted_completes = || {
            let repeat = self.workflow.repeat.as_ref();
            repeat.is_some_and(|repeat| repeat.on_exhausted == Exhausted::Complete)
        };
        let over = match self.position {
            Position::AfterLast => self.workflow.repeat.is_none() || self.ending.is_some(),
            Position::AfterIteration { done } => done || exhausted_completes(),
            _ => false,
        };
        rule(over && !self.cancelling, "a run completes after its last stage")?;
        rule(self.ending.is_some() == reason.is_some(), "a run that ends early says why")?;
        rule(self.ending != Some(EndStatus::Failed), "a run that a node ends as failed fails")?;
        if self.reading.expressions && self.own_output.is_none() {
            let expected = self.output().transpose()?;
            rule(output.map(Data::value) == expected, "the definition says the output")
        } else if let Some(own) = &self.own_output {
            rule(output.map(Data::value).as_ref() == Some(own), "a node says the output")
        } else {
            Ok(())
        }
    }

    pub(super) fn check_failed(&self, error: &Failure) -> Checked {
        let exhausted = error.class == FailureClass::LoopExhausted;
        let failed = match self.position {
            Position::Failing(_) => {
                !exhausted || self.nodes.values().any(|node| node.iterations > 0 && node.failed)
            }
            Position::AfterLast => {
                let is_known = self.reading.expressions;
                !is_known || self.ending == Some(EndStatus::Failed) || matches!(self.output(), Some(Err(_)))
            }
            Position::AfterIteration { done } => {
                (exhausted && !done) || matches!(self.output(), Some(Err(_)))
            }
            _ => false,
        };
        rule(failed, "a run fails because a stage failed or its loop is exhausted")
    }
}
