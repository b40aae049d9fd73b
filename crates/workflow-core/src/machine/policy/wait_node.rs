//! Nodes that wait for a time, or for a signal.

use std::sync::Arc;

use jiff::Timestamp;

use crate::actor::Actor;
use crate::data::Data;
use crate::event::EventBody;
use crate::failure::{Failure, FailureClass};
use crate::ids::{NodeId, NodePath};
use crate::machine::message::Effect;
use crate::machine::policy::backoff::later;
use crate::machine::policy::step::Step;
use crate::machine::request::evaluate;
use crate::machine::request::scope::RunScope;
use crate::machine::state::Broken;
use crate::machine::state::node::NodeState;
use crate::plan::{GraphPlan, NodeKind, WaitPlan};
use crate::status::StageStatus;
use crate::store::Signal;

impl<'a> Step<'a> {
    /// Begins a node that waits, or resumes it: it ends, or a timer is requested.
    pub(super) fn wait(
        &mut self,
        graph: &'a GraphPlan,
        path: NodePath,
        wait: &WaitPlan,
    ) -> Result<(), Broken> {
        if !self.has_status(&path, StageStatus::Waiting)
            && let Err(failure) = self.begin_to_wait(&path, wait)?
        {
            return self.fail(&path, failure);
        }
        let Some(node) = self.node(&path) else { return Ok(()) };
        let until = node.retry_at;
        if let Some(name) = node.waits_for() {
            let sent = self.state.signals.as_ref().and_then(|signals| signals.first(name)).cloned();
            if let Some(data) = sent {
                return self.complete(graph, &path, data);
            }
        }
        match until {
            Some(at) if at > self.now => self.decision.effects.push(Effect::Timer { path, at }),
            Some(_) => match wait {
                WaitPlan::Signal { name, .. } => {
                    let message = format!("no signal `{name}` was sent in time");
                    self.fail(&path, Failure::new(FailureClass::Timeout, message))?;
                }
                WaitPlan::For(_) | WaitPlan::Until(_) => self.complete(graph, &path, Data::NULL)?,
            },
            None => {}
        }
        Ok(())
    }

    fn begin_to_wait(&mut self, path: &NodePath, wait: &WaitPlan) -> Result<Result<(), Failure>, Broken> {
        let Some(stage) = self.stage else { return Ok(Ok(())) };
        let (until, signal) = match wait {
            WaitPlan::For(period) => (Some(later(self.now, *period)), None),
            WaitPlan::Until(time) => match evaluate::until(time, &RunScope::node(self.state, stage, path)) {
                Ok(until) => (Some(until), None),
                Err(failure) => return Ok(Err(failure)),
            },
            WaitPlan::Signal { name, timeout } => {
                (timeout.map(|timeout| later(self.now, timeout)), Some(name.clone()))
            }
        };
        self.emit(EventBody::NodeWaiting { path: path.clone(), until, signal })?;
        Ok(Ok(()))
    }

    /// Looks again whether what a node waits for has happened.
    pub(super) fn wait_again(&mut self, path: &NodePath) -> Result<(), Broken> {
        if self.is_here(path) && self.node(path).is_some_and(|node| node.child().is_some()) {
            // It has stayed in memory for long enough.
            return self.advance();
        }
        let is_here = self.is_here(path) && self.is_open_at(path) && !self.state.rests();
        let Some(graph) = self.graph().filter(|_| is_here) else { return Ok(()) };
        if let Some(child) = self.child_plan(path) {
            return self.try_again(path, child);
        }
        let Some(NodeKind::Wait(wait)) = graph.kind(&path.node, path.items.len()) else { return Ok(()) };
        if !self.has_status(path, StageStatus::Waiting) {
            return Ok(());
        }
        self.wait(graph, path.clone(), wait)?;
        self.go_on_from(path)?;
        self.go_on_after(path.lane)
    }

    /// Receives a signal: the node that has waited for it longest takes it. One whose id the run knows has no effect.
    pub(super) fn signal(
        &mut self,
        control: u64,
        signal: Box<Signal>,
        by: Option<Arc<Actor>>,
    ) -> Result<(), Broken> {
        let signals = self.state.signals.as_ref();
        let is_known = signal.id.as_ref().is_some_and(|id| signals.is_some_and(|signals| signals.knows(id)));
        let (name, data) = (signal.name.clone(), signal.data.clone());
        self.emit(EventBody::SignalReceived { control, signal, by })?;
        if !is_known
            && let (Some(graph), Some((path, _))) = (self.graph(), self.waits_for_signal(Some(&name)))
        {
            if self.state.waiting.is_some() {
                self.emit(EventBody::RunContinued)?;
            }
            self.complete(graph, &path, data)?;
            self.go_on_from(&path)?;
        }
        Ok(())
    }

    /// The node that has waited longest for a signal, or for the one of that name, and can take it; and the name.
    pub(super) fn waits_for_signal(&self, name: Option<&str>) -> Option<(NodePath, Arc<str>)> {
        let (_, current) = self.current()?;
        let mut oldest = Oldest { name, inside: None, items: Vec::new(), found: None };
        for (number, lane) in (0..).zip(&current.lanes) {
            let Some(graph) = lane.graph.as_ref().filter(|_| self.is_open(number)) else { continue };
            for (id, node) in &graph.nodes {
                oldest.look(number, id, node);
            }
        }
        let Found { lane, id, inside, items, signal, .. } = oldest.found?;
        let path = match inside {
            Some((foreach, item)) => self.path(lane, foreach)?.item(item).inside(id)?,
            None => self.path(lane, id)?,
        };
        Some((items.iter().fold(path, |path, item| path.item(*item)), signal))
    }
}

/// The search for the node that has waited longest for a signal.
struct Oldest<'n> {
    name: Option<&'n str>,
    /// The item whose graph is looked at, with its `foreach`.
    inside: Option<(&'n NodeId, u32)>,
    /// The items that are looked at.
    items: Vec<u32>,
    found: Option<Found<'n>>,
}

/// A node that waits for a signal.
struct Found<'n> {
    since: Option<Timestamp>,
    lane: u32,
    id: &'n NodeId,
    inside: Option<(&'n NodeId, u32)>,
    items: Vec<u32>,
    signal: Arc<str>,
}

impl<'n> Oldest<'n> {
    fn look(&mut self, lane: u32, id: &'n NodeId, node: &'n NodeState) {
        if let Some(signal) = node.waits_for()
            && self.name.is_none_or(|name| **signal == *name)
            && self.found.as_ref().is_none_or(|found| node.started_at < found.since)
        {
            let (since, items, signal) = (node.started_at, self.items.clone(), signal.clone());
            self.found = Some(Found { since, lane, id, inside: self.inside, items, signal });
        }
        for (number, item) in node.items.iter().flat_map(|items| &items.open) {
            if let Some(graph) = item.items.as_ref().and_then(|items| items.graph.as_ref()) {
                // Nothing new happens in an item that is going to fail.
                if graph.failed == 0 {
                    self.inside = Some((id, *number));
                    for (id, node) in &graph.nodes {
                        self.look(lane, id, node);
                    }
                    self.inside = None;
                }
                continue;
            }
            self.items.push(*number);
            self.look(lane, id, item);
            self.items.pop();
        }
    }
}
