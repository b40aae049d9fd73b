//! Decides when a run waits: when nothing continues by itself, or not for a while, so that the run need not
//! stay in memory.

use std::time::Duration;

use jiff::Timestamp;

use crate::failure::FailureClass;
use crate::ids::NodeId;
use crate::machine::policy::backoff::later;
use crate::machine::policy::child::look_at;
use crate::machine::policy::step::Step;
use crate::machine::state::derived::GraphWork;
use crate::machine::state::lane::LaneState;
use crate::machine::state::node::{GraphState, NodeState};
use crate::plan::{GraphPlan, NodeKind, Strategy, Work};
use crate::status::{StageStatus, Wait, WaitReason};

/// A wait that is no longer than this is waited for in memory.
const MOMENT: Duration = Duration::from_secs(30);

/// What a part of the run that has not ended waits for.
enum Way {
    /// Nothing: it continues by itself, or with an effect that was requested.
    Soon,
    /// That time.
    At(Until),
    /// An answer of a person, or a signal.
    Asked,
}

/// A time that is waited for.
#[derive(Clone, Copy)]
struct Until {
    at: Timestamp,
    reason: WaitReason,
    is_guess: bool,
}

impl Step<'_> {
    /// What the run waits for, when nothing runs.
    pub(super) fn resting(&self) -> Option<Wait> {
        let first = self.state.asks.iter().next().map(|(number, ask)| ask.wait(*number));
        let Some((stage, current)) = self.current() else { return first };
        let may_wait = first.is_some() || current.retrying > 0 || current.has_waits || current.children > 0;
        if current.running > current.children || !may_wait {
            return None;
        }
        let mut ways = Vec::new();
        for lane in &current.lanes {
            match (&stage.work, lane) {
                (_, LaneState { whole, .. }) if has_ended(whole) => {}
                (Work::Graph(plan), LaneState { graph: Some(graph), .. }) => {
                    let mut open = Open { now: self.now, ways: &mut ways };
                    open.graph(plan, graph, graph.work.0.as_ref());
                }
                (_, LaneState { whole, .. }) => ways.push(way(whole, self.now)),
            }
            // The next lane of a sequence waits for this one.
            if stage.strategy == Strategy::Sequential && lane.whole.status != StageStatus::Completed {
                break;
            }
        }
        let mut next: Option<Until> = None;
        for way in ways {
            match way {
                Way::Soon => return None,
                Way::At(until) if next.is_none_or(|next| until.at < next.at) => next = Some(until),
                Way::At(_) | Way::Asked => {}
            }
        }
        if next.is_some_and(|next| next.at <= later(self.now, MOMENT)) {
            return None;
        }
        let until = next.map(|next| next.at);
        let until_is_guess = next.is_some_and(|next| next.is_guess);
        let signal = if current.has_waits { self.waits_for_signal(None) } else { None };
        let first = first.or_else(|| signal.map(|(path, name)| Wait::for_signal(&path, &name)));
        match (first, next) {
            (Some(asked), _) => Some(Wait { since: None, until, until_is_guess, ..asked }),
            (None, Some(next)) => {
                let child = match next.reason {
                    WaitReason::Child => self.children().into_iter().next(),
                    _ => None,
                };
                let wait = child
                    .map_or(Wait::of(next.reason), |(path, _, child)| Wait::for_child(&path, &child.run));
                Some(Wait { until, until_is_guess, ..wait })
            }
            (None, None) => None,
        }
    }
}

fn has_ended(node: &NodeState) -> bool {
    node.has_ended()
}

fn way(node: &NodeState, now: Timestamp) -> Way {
    if let Some(child) = node.child() {
        let at = node.began().filter(|_| child.seen.0.is_some()).and_then(|began| look_at(began, now));
        return at.map_or(Way::Soon, |at| Way::At(Until { at, reason: WaitReason::Child, is_guess: false }));
    }
    match (node.status, node.retry_at) {
        (StageStatus::Waiting, None) => Way::Asked,
        (StageStatus::Waiting, Some(at)) => Way::At(Until { at, reason: WaitReason::Timer, is_guess: false }),
        (StageStatus::Retrying, Some(at)) => {
            let limited = node
                .error
                .as_ref()
                .filter(|error| node.deaths() == 0 && error.class == FailureClass::RateLimited);
            let reason = if limited.is_some() { WaitReason::Quota } else { WaitReason::Retry };
            let is_guess = limited.is_some_and(|error| error.retry_at_is_guess());
            Way::At(Until { at, reason, is_guess })
        }
        _ => Way::Soon,
    }
}

/// What the nodes of graphs wait for that have begun and have not ended.
struct Open<'w> {
    now: Timestamp,
    ways: &'w mut Vec<Way>,
}

impl Open<'_> {
    fn graph(&mut self, plan: &GraphPlan, graph: &GraphState, work: Option<&GraphWork>) {
        if graph.failed > 0 {
            return self.closed(graph);
        }
        let Some(work) = work else { return self.ways.push(Way::Soon) };
        // A loop waits for the nodes in its body.
        let is_open = |id: &NodeId, node: &NodeState| !has_ended(node) && graph.repeat(id).is_none();
        let open: Vec<_> = graph.nodes.iter().filter(|(id, node)| is_open(id, node)).collect();
        // Some nodes that were begun have no state yet, or other nodes can start.
        let begun = usize::try_from(work.under_way).unwrap_or(usize::MAX);
        if begun > open.len() || (!work.ready.is_empty() && work.under_way < plan.concurrency) {
            return self.ways.push(Way::Soon);
        }
        for (id, node) in open {
            self.below(plan, id, 0, node);
        }
    }

    /// Nothing new starts in it: it only waits for what is running.
    #[cold]
    fn closed(&mut self, graph: &GraphState) {
        let before = self.ways.len();
        graph.nodes.values().for_each(|node| self.children(node));
        if self.ways.len() == before {
            self.ways.push(Way::Soon);
        }
    }

    fn children(&mut self, node: &NodeState) {
        if node.child().is_some() {
            self.ways.push(way(node, self.now));
        }
        if let Some(items) = &node.items {
            let graph = items.graph.iter().flat_map(|graph| graph.nodes.values());
            items.open.values().chain(graph).for_each(|node| self.children(node));
        }
    }

    fn below(&mut self, plan: &GraphPlan, id: &NodeId, depth: usize, node: &NodeState) {
        let Some(items) = &node.items else { return self.ways.push(way(node, self.now)) };
        let Some(NodeKind::Foreach(foreach)) = plan.kind(id, depth) else {
            return self.ways.push(Way::Soon);
        };
        let Some(work) = &items.work.0 else { return self.ways.push(Way::Soon) };
        let open: Vec<_> = items.open.iter().filter(|(_, item)| !has_ended(item)).collect();
        let begun = usize::try_from(work.under_way).unwrap_or(usize::MAX);
        let more = work.next < items.len() && work.under_way < foreach.concurrency;
        if items.done == items.len() || begun > open.len() || more {
            return self.ways.push(Way::Soon);
        }
        for (number, item) in open {
            match item.items.as_ref().and_then(|items| items.graph.as_ref()) {
                Some(graph) => {
                    let work = work.bodies.as_ref().and_then(|bodies| bodies.get(number));
                    self.graph(plan, graph, work);
                }
                None => self.below(plan, id, depth + 1, item),
            }
        }
    }
}
