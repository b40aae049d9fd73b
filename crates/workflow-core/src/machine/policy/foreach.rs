//! Which items of a `foreach` node begin, and when it has ended.

use crate::data::Data;
use crate::failure::Failure;
use crate::ids::NodePath;
use crate::machine::message::Effect;
use crate::machine::policy::step::Step;
use crate::machine::state::Broken;
use crate::machine::state::node::NodeState;
use crate::plan::{ForeachPlan, GraphPlan};
use crate::status::StageStatus;

impl<'a> Step<'a> {
    /// Begins as many items as may run at a time, and requests their outputs when all have ended.
    pub(super) fn go_on_items(
        &mut self,
        graph: &'a GraphPlan,
        path: &NodePath,
        foreach: &'a ForeachPlan,
    ) -> Result<(), Broken> {
        let Some(node) = graph.names.get(&path.node).and_then(|place| graph.nodes.get(*place)) else {
            return Ok(());
        };
        while self.is_open_at(path) {
            let Some(state) = self.node_mut(path) else { return Ok(()) };
            let Some(items) = &mut state.items else { return Ok(()) };
            let len = items.len();
            let work = items.work.0.get_or_insert_default();
            if items.done == len {
                if len == 0 {
                    return self.complete(graph, path, Data::array([]));
                }
                if !std::mem::replace(&mut work.asked, true) {
                    let ended = items.ended.clone();
                    self.decision.effects.push(Effect::Collect { path: path.clone(), ended });
                }
                return Ok(());
            }
            if work.under_way >= foreach.concurrency || work.next >= len {
                return Ok(());
            }
            let number = work.next;
            work.next += 1;
            if items.has_ended(number) {
                continue;
            }
            if let Some(work) = &mut items.work.0 {
                work.under_way += 1;
            }
            let item = path.item(number);
            let is_new = self.node(&item).is_none();
            if is_new && !self.holds(foreach.when.as_ref(), &item, node) {
                self.skip(graph, &item)?;
            } else {
                self.begin(graph, item, &foreach.body, node)?;
            }
        }
        Ok(())
    }

    /// Handles the outputs of a `foreach` node's items.
    pub(super) fn collected(&mut self, path: &NodePath, result: Result<Data, Failure>) -> Result<(), Broken> {
        let Some(graph) = self.graph() else { return Ok(()) };
        let asked = |node: &NodeState| {
            node.status == StageStatus::Running
                && node.items.as_ref().is_some_and(|items| items.done == items.len())
        };
        if !self.is_here(path) || !self.is_open_at(path) || !self.node(path).is_some_and(asked) {
            return Ok(());
        }
        match result {
            Ok(output) => self.complete(graph, path, output)?,
            Err(failure) => self.fail(path, failure)?,
        }
        self.go_on_from(path)?;
        self.go_on_after(path.lane)
    }
}
