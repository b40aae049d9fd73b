//! Nodes that wait for a time.

use crate::data::Data;
use crate::event::EventBody;
use crate::ids::NodePath;
use crate::machine::message::Effect;
use crate::machine::policy::backoff::later;
use crate::machine::policy::step::Step;
use crate::machine::request::evaluate;
use crate::machine::request::scope::RunScope;
use crate::machine::state::Broken;
use crate::plan::{GraphPlan, NodeKind, WaitPlan};
use crate::status::StageStatus;

impl<'a> Step<'a> {
    /// Begins a node that waits, or resumes it: it completes, or a timer is requested.
    pub(super) fn wait(
        &mut self,
        graph: &'a GraphPlan,
        path: NodePath,
        wait: &WaitPlan,
    ) -> Result<(), Broken> {
        let Some(stage) = self.stage else { return Ok(()) };
        let begun = self.node(&path).filter(|node| node.status == StageStatus::Waiting);
        let until = if let Some(until) = begun.and_then(|node| node.retry_at) {
            until
        } else {
            let until = match wait {
                WaitPlan::For(period) => Ok(later(self.now, *period)),
                WaitPlan::Until(time) => evaluate::until(time, &RunScope::node(self.state, stage, &path)),
            };
            match until {
                Ok(until) => {
                    self.emit(EventBody::NodeWaiting { path: path.clone(), until })?;
                    until
                }
                Err(failure) => return self.fail(&path, failure),
            }
        };
        if until <= self.now {
            return self.complete(graph, &path, Data::NULL);
        }
        self.decision.effects.push(Effect::Timer { path, at: until });
        Ok(())
    }

    /// Looks again whether what a node waits for has happened.
    pub(super) fn wait_again(&mut self, path: NodePath) -> Result<(), Broken> {
        let Some(graph) = self.graph().filter(|_| self.is_here(&path) && self.is_open(path.lane)) else {
            return Ok(());
        };
        let Some(NodeKind::Wait(wait)) = graph.kind(&path.node, path.items.len()) else { return Ok(()) };
        if self.state.rests() || !self.has_status(&path, StageStatus::Waiting) {
            return Ok(());
        }
        self.wait(graph, path.clone(), wait)?;
        self.go_on_from(&path)?;
        self.go_on_after(path.lane)
    }
}
