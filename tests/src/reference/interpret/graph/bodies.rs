//! What is done for each item, and again and again.
//!
//! An item for which a graph is run ends like a lane: without one of its nodes that fails, or with it.

use serde_json::{Value, json};
use workflow_core::definition::{Exhausted, ForeachNode, LoopNode, Mode};
use workflow_core::failure::FailureClass;
use workflow_core::ids::NodePath;

use super::super::needs::name_of;
use super::super::{Called, Ended, How, OPEN, holds, render};
use super::{End, Graph, Within};

impl Graph<'_> {
    /// A loop: its nodes again and again, until it ends or one of them fails for its lane.
    pub(super) fn repeat(&mut self, repeat: &LoopNode, place: usize) -> Ended {
        let body = self.body(place);
        let mut before = json!({});
        let mut whole = Ended::alone(How::Skipped);
        for number in 0..repeat.max_iters {
            for node in body.iter().map(|place| &self.profile.graph[*place]) {
                for name in [Some(&node.id), node.out.as_ref()].into_iter().flatten() {
                    if before.get(name.as_str()).is_none() {
                        before[name.as_str()] = Value::Null;
                    }
                }
            }
            self.loops.insert(place, (number, std::mem::take(&mut before)));
            for place in &body {
                self.ended[*place] = None;
            }
            for place in &body {
                self.node(*place);
            }
            let ended = |place: &usize| self.ended(*place);
            whole.rough |= body.iter().filter_map(ended).any(|end| end.rough);
            let fails = |place: &&usize| ended(place).is_some_and(|end| self.fails_lane(**place, end));
            let failed: Vec<_> = body.iter().filter(fails).collect();
            if let Some(first) = failed.first() {
                let beside = |place: &usize| {
                    place != *first
                        && !self.needs.is_before(*place, **first)
                        && !self.needs.is_before(**first, *place)
                };
                let is_rough =
                    |place: &usize| ended(place).is_some_and(|end| end.rough && !self.continues(*place));
                let alone = failed.len() == 1 && !body.iter().any(|place| beside(place) && is_rough(place));
                let end = ended(first).unwrap();
                (whole.how, whole.left) = match end.how {
                    How::Failed(Some(class)) if alone => (How::Failed(Some(class)), end.left.clone()),
                    _ => (How::Failed(None), OPEN.into()),
                };
                // What `on_failure` of the loop says is for the nodes in its body: its lane fails with them.
                (whole.at_limit, whole.rough) = (true, true);
                return whole;
            }
            let needs = &self.needs.all(place) | &body.iter().copied().collect();
            self.check_reads(&self.profile.graph[place], &needs);
            let names = self.names_of(&needs, Some(place));
            let done = repeat.stop_when.as_ref().map(|when| holds(when, &names));
            if done == Some(true) || number + 1 == repeat.max_iters {
                let fails = done == Some(false) && repeat.on_exhausted.unwrap_or_default() == Exhausted::Fail;
                whole.how = if fails {
                    How::Failed(Some(FailureClass::LoopExhausted))
                } else {
                    How::Completed(self.output(Some(place)))
                };
                whole.rough |= fails;
                return whole;
            }
            before = json!({});
            for place in &body {
                let node = &self.profile.graph[*place];
                for name in [Some(&node.id), node.out.as_ref()].into_iter().flatten() {
                    before[name.as_str()] = self.output_of(*place).unwrap_or_default();
                }
                if let Some(Some(End::Reached(end))) = self.ended.get_mut(*place) {
                    whole.calls.append(&mut end.calls);
                    whole.started += end.started;
                }
            }
        }
        whole
    }

    pub(super) fn foreach(&self, foreach: &ForeachNode, path: &NodePath, within: Within<'_>) -> Ended {
        let items = match name_of(&foreach.items) {
            Some(name) => self.named(name, within),
            None => render(&foreach.items, &self.names(within)),
        };
        let Some(Value::Array(items)) = items else {
            return Ended::alone(How::Failed(Some(FailureClass::Expression)));
        };
        let is_parallel = foreach.mode == Some(Mode::Parallel);
        let mut ends = Vec::new();
        for (number, item) in (0..).zip(&items) {
            let within = Within { item: Some(item), ..within };
            let end = if self.is_wanted(&foreach.run, within) {
                self.work(&foreach.run, &path.item(number), within)
            } else {
                Ended::alone(How::Skipped)
            };
            let is_last = self.fails_lane(within.place, &end) && !is_parallel;
            ends.push(end);
            if is_last {
                break;
            }
        }
        self.together(within.place, is_parallel, ends)
    }

    /// A `foreach` whose body is a graph.
    pub(super) fn each(&mut self, foreach: &ForeachNode, place: usize) -> Ended {
        let within = Within { place, item: None };
        let items = match name_of(&foreach.items) {
            Some(name) => self.named(name, within),
            None => render(&foreach.items, &self.names(within)),
        };
        let Some(Value::Array(items)) = items else {
            return Ended::alone(How::Failed(Some(FailureClass::Expression)));
        };
        let is_parallel = foreach.mode == Some(Mode::Parallel);
        let mut ends = Vec::new();
        for (number, item) in (0..).zip(items) {
            let is_wanted = self.is_wanted(&foreach.run, Within { item: Some(&item), ..within });
            self.items.insert(place, (number, item));
            let end = if is_wanted { self.item_of(place) } else { Ended::alone(How::Skipped) };
            let is_last = self.fails_lane(place, &end) && !is_parallel;
            ends.push(end);
            if is_last {
                break;
            }
        }
        self.together(place, is_parallel, ends)
    }

    /// The graph for the item that was chosen.
    fn item_of(&mut self, place: usize) -> Ended {
        let body = self.body(place);
        for place in &body {
            self.ended[*place] = None;
        }
        for place in &body {
            self.node(*place);
        }
        let ended = |place: &usize| self.ended(*place);
        let fails = |place: &&usize| ended(place).is_some_and(|end| self.fails_lane(**place, end));
        let failed: Vec<_> = body.iter().copied().filter(|place| fails(&place)).collect();
        let is_beside = |one: usize, other: usize| {
            one != other && !self.needs.is_before(one, other) && !self.needs.is_before(other, one)
        };
        let mut whole = Ended::alone(How::Completed(self.output(Some(place))));
        whole.rough = body.iter().filter_map(ended).any(|end| end.rough);
        if let Some(first) = failed.first().copied() {
            let is_rough =
                |place: &usize| ended(place).is_some_and(|end| end.rough && !self.continues(*place));
            let alone =
                failed.len() == 1 && !body.iter().any(|place| is_beside(*place, first) && is_rough(place));
            let end = ended(&first).unwrap();
            whole.at_limit = failed.len() == 1 && end.at_limit;
            (whole.how, whole.left) = match end.how {
                How::Failed(Some(class)) if alone => (How::Failed(Some(class)), end.left.clone()),
                _ => (How::Failed(None), OPEN.into()),
            };
        }
        for place in &body {
            let certain = failed.iter().all(|failed| !is_beside(*place, *failed));
            let Some(end) = ended(place) else { continue };
            whole.started += end.started;
            let calls = end.calls.iter().cloned();
            whole.calls.extend(calls.map(|call| Called { certain: call.certain && certain, ..call }));
        }
        for place in &body {
            self.ended[*place] = None;
        }
        whole
    }

    /// A `foreach` whose items ended in this way.
    fn together(&self, place: usize, is_parallel: bool, mut ends: Vec<Ended>) -> Ended {
        let failed: Vec<_> = (0..ends.len()).filter(|n| self.fails_lane(place, &ends[*n])).collect();
        let mut errors = Vec::new();
        for (number, end) in (0..).zip(&ends) {
            let below = end.errors.iter().map(|(items, class)| ([&[number], &items[..]].concat(), *class));
            errors.extend(below);
            if let How::Failed(class) = end.how
                && !self.fails_lane(place, end)
            {
                errors.push((vec![number], class));
            }
        }
        let at_limit = failed.iter().any(|n| ends[*n].at_limit);
        if is_parallel && !failed.is_empty() && ends.len() > 1 {
            for (n, end) in ends.iter_mut().enumerate() {
                let is_certain = failed == [n];
                end.calls.iter_mut().for_each(|call| call.certain &= is_certain);
            }
        }
        let mut left = Value::Null;
        let how = match failed[..] {
            [] => How::Completed(
                ends.iter()
                    .map(|end| match &end.how {
                        How::Completed(output) => output.clone(),
                        How::Skipped | How::Failed(_) => Value::Null,
                    })
                    .collect(),
            ),
            [only] => {
                let is_alone = !is_parallel
                    || (0..ends.len()).all(|n| n == only || !ends[n].rough || self.continues(place));
                match ends[only].how {
                    How::Failed(class) if is_alone => {
                        left = ends[only].left.clone();
                        How::Failed(class)
                    }
                    _ => How::Failed(None),
                }
            }
            _ => How::Failed(None),
        };
        if how == How::Failed(None) {
            left = OPEN.into();
        }
        Ended {
            how,
            at_limit,
            errors,
            attempts: 0,
            started: ends.iter().map(|end| end.started).sum(),
            rough: ends.iter().any(|end| end.rough),
            calls: ends.into_iter().flat_map(|end| end.calls).collect(),
            left,
        }
    }
}
