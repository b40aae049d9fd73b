//! The rules of questions to persons, and of waiting runs.

use jiff::Timestamp;
use serde_json::Value;
use workflow_core::definition::{Node, OnInterrupt};
use workflow_core::event::EventBody;
use workflow_core::ids::{NodePath, StageId};
use workflow_core::status::WaitReason;

use super::attempts::MOST_DEATHS;
use super::{Checked, Log, Node as NodeLog, graph, rule};

/// A question, and where it is asked.
#[derive(Debug)]
pub(super) enum Ask {
    Stage,
    Node(NodePath, WaitReason),
}

/// A person's answer about a stage that is about to start.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Said {
    Nothing,
    Asked,
    Agreed,
    Disagreed,
}

impl<'a> Log<'a> {
    pub(super) fn take_of_persons(&mut self, body: &'a EventBody) -> Checked {
        match body {
            EventBody::StageAsked { iteration, stage, .. } => {
                self.check_begins(*iteration, stage, true)?;
                rule(self.is_asked_of(stage), "a person is asked only if the definition says so")?;
                rule(self.said == Said::Nothing, "a person is asked once")?;
                self.said = Said::Asked;
                self.asks.insert(self.seq, Ask::Stage);
                Ok(())
            }
            EventBody::NodeAsked { path, reason, .. } => {
                self.check_asked_of_node(path, *reason)?;
                let node = self.nodes.entry(path.clone()).or_default();
                // Again, if a store kept only a part of the events after the answer.
                (node.asked, node.refused) = (true, false);
                self.asks.insert(self.seq, Ask::Node(path.clone(), *reason));
                Ok(())
            }
            EventBody::Answered { control, wait, answer, .. } => {
                self.control(*control)?;
                rule(!self.cancelling, "a cancelled run has no open questions")?;
                self.waiting = None;
                match self.asks.remove(wait).ok_or("an answer belongs to a question")? {
                    Ask::Stage => {
                        self.said = if agrees(&answer.value()) { Said::Agreed } else { Said::Disagreed }
                    }
                    Ask::Node(path, reason) => self.answer(&path, reason, answer.value()),
                }
                Ok(())
            }
            EventBody::AnswerRefused { control, .. } => self.control(*control),
            EventBody::SignalReceived { control, signal, .. } => {
                self.control(*control)?;
                rule(!self.cancelling, "a cancelled run receives no signals")?;
                if signal.id.as_ref().is_none_or(|id| self.signal_ids.insert(id.clone())) {
                    self.signals.push((signal.name.clone(), signal.data.value()));
                }
                Ok(())
            }
            EventBody::RunWaiting { wait } if wait.reason == WaitReason::Crashes => {
                rule(self.may_go_on(), "only a run that could continue is left to a person")?;
                (self.waiting, self.crashed) = (Some(None), true);
                Ok(())
            }
            EventBody::RunWaiting { wait } => {
                rule(
                    self.started && self.may_go_on(),
                    "only a run that could continue waits, and it waits once",
                )?;
                rule(self.calls_running() == 0, "a waiting run has no running calls")?;
                let open =
                    |node: &NodeLog| node.retry_at.is_some() || (node.signal.is_some() && !node.has_ended());
                let waits = self.nodes.values().any(open) || self.running() > 0;
                rule(
                    !self.asks.is_empty() || waits,
                    "a run waits for a person, a time, a signal or another run",
                )?;
                let (now, clocks) = (self.now, self.reading.clocks);
                rule(!clocks || wait.until.is_none_or(|until| until > now), "a run waits for a future time")?;
                self.waiting = Some(wait.until);
                Ok(())
            }
            EventBody::RunContinued => {
                let until = self.waiting.take().flatten();
                let is_due = until.is_some_and(|until| !self.reading.clocks || until <= self.now);
                let mut waits = self.nodes.values().filter(|node| !node.has_ended());
                let is_sent = waits.any(|node| {
                    node.signal
                        .as_ref()
                        .is_some_and(|name| self.signals.iter().any(|(sent, _)| **sent == **name))
                });
                // The log does not show before that a run has ended that it waits for.
                let may_have_ended = self.running() > 0;
                rule(
                    is_due || is_sent || may_have_ended,
                    "a run continues when its time is due, its signal was sent, or its run has ended",
                )
            }
            other => self.take_of_budgets(other),
        }
    }

    /// Whether a person must be asked before a stage.
    pub(super) fn is_asked_of(&self, stage: &StageId) -> bool {
        self.created.interactive || self.stage(stage).approval.is_some()
    }

    fn check_asked_of_node(&self, path: &NodePath, reason: WaitReason) -> Checked {
        let node = self.nodes.get(path);
        match reason {
            WaitReason::UnknownOutcome => {
                let died = node.is_some_and(|node| node.deaths >= MOST_DEATHS);
                let asks = died || self.asks_after_interrupt(path);
                rule(
                    asks,
                    "the outcome of a call is asked for if the definition says so, or after too many deaths",
                )?;
                rule(
                    node.is_some_and(|node| node.interrupted && !node.asked),
                    "only an interrupted call has an unknown outcome",
                )
            }
            WaitReason::Approval => {
                self.check_start(path)?;
                let run = self.what(path).and_then(graph::call);
                rule(
                    run.is_some_and(|run| run.approval.is_some()),
                    "a person is asked only if the definition says so",
                )?;
                rule(node.is_none_or(|node| node.attempt == 0 && !node.agreed), "a person agrees once")
            }
            // Of a call that has stopped for it.
            WaitReason::Question if node.is_some_and(|node| node.attempt > 0) => rule(
                node.is_some_and(|node| node.interrupted && !node.asked),
                "only a call that has stopped asks a question",
            ),
            WaitReason::Question => {
                self.check_start(path)?;
                let is_ask = matches!(self.what(path), Some(Node::Ask(_)));
                rule(is_ask && node.is_none_or(|node| node.answer.is_none()), "a question is asked once")
            }
            _ => Err("such a question is not asked"),
        }
    }

    /// Whether the definition says that a person is asked for the outcome of an interrupted call.
    pub(super) fn asks_after_interrupt(&self, path: &NodePath) -> bool {
        let run = self.what(path).and_then(graph::call);
        let says = run.and_then(|run| run.on_interrupt).or(self.stage(&path.stage).on_interrupt);
        says == Some(OnInterrupt::Ask)
    }

    fn answer(&mut self, path: &NodePath, reason: WaitReason, answer: Value) {
        let node = self.nodes.entry(path.clone()).or_default();
        node.asked = false;
        match reason {
            WaitReason::Approval if agrees(&answer) => node.agreed = true,
            WaitReason::Approval => node.refused = true,
            // Its result follows.
            WaitReason::UnknownOutcome if answer["outcome"] == "happened" => node.running = true,
            WaitReason::UnknownOutcome => node.deaths = 0,
            _ => node.answer = Some(answer),
        }
    }

    /// Whether a node may begin: there is no open question about it, and no person rejected it.
    pub(super) fn check_agreed(&self, path: &NodePath) -> Checked {
        let node = self.nodes.get(path);
        rule(node.is_none_or(|node| !node.asked), "a node with an open question waits for the answer")
    }

    /// Whether a node may make a call.
    pub(super) fn check_call_agreed(&self, path: &NodePath) -> Checked {
        let asks = self.what(path).and_then(graph::call).is_some_and(|run| run.approval.is_some());
        let node = self.nodes.get(path);
        rule(node.is_none_or(|node| !node.refused), "a rejected node does not start")?;
        rule(!asks || node.is_some_and(|node| node.agreed), "a person agrees before the call")
    }

    /// Whether the run is waiting for a time that is not due.
    pub(super) fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// Removes open questions about nodes and stages that have ended.
    pub(super) fn forget_asks(&mut self) {
        self.asks.clear();
        self.said = Said::Nothing;
    }
}

fn agrees(answer: &Value) -> bool {
    answer.as_bool().or_else(|| answer["approved"].as_bool()) == Some(true)
}

pub(super) type Waiting = Option<Option<Timestamp>>;
