//! The rules of the loops of a graph.

use serde_json::{Map, Value};
use workflow_core::definition::{Exhausted, LoopNode, Node};
use workflow_core::expr::Condition;
use workflow_core::failure::{Failure, FailureClass};
use workflow_core::ids::{NodePath, NodePathParts, Within};

use super::graph::Graph;
use super::{Checked, Log, Node as NodeLog, rule};

impl Log<'_> {
    /// An iteration of a loop begins.
    pub(super) fn take_iteration(&mut self, path: &NodePath) -> Checked {
        let repeat = path.parent().ok_or("an iteration has a number")?;
        let Some(Node::Loop(spec)) = self.what(&repeat) else { return Err("only a loop has iterations") };
        self.check_start(&repeat)?;
        let number = *path.items.last().unwrap();
        let made = self.nodes.get(&repeat).map_or(0, |node| node.iterations);
        rule(number == made, "an iteration follows the one before")?;
        rule(number < spec.max_iters, "there are at most `max_iters` iterations")?;
        if number > 0 {
            let done = self.is_done(&self.graphs[&path.stage], &repeat, spec)?;
            let unmet = done != Some(true);
            self.told(unmet, "a loop continues as long as its `stop_when` is false")?;
        }
        self.nodes.entry(repeat).or_default().iterations = number + 1;
        Ok(())
    }

    /// What `stop_when` of a loop is after its last iteration, all nodes of which have ended.
    fn is_done(
        &self,
        graph: &Graph<'_>,
        repeat: &NodePath,
        spec: &LoopNode,
    ) -> Result<Option<bool>, &'static str> {
        let body = self.last_iteration(graph, repeat).ok_or("a loop that ends has begun")?;
        let place = graph.place(repeat.node.as_str()).unwrap();
        let ended =
            |place| self.at(graph, &body, place).is_some_and(|node| node.has_ended() && !node.fails_lane());
        rule(graph.body(place).all(ended), "an iteration ends when its last node has ended")?;
        let when = spec.stop_when.as_ref().map(|when| Condition::parse(when).unwrap());
        Ok(when.map(|when| when.eval(&self.document(&body))))
    }

    /// The path of a node in the last iteration of a loop.
    fn last_iteration(&self, graph: &Graph<'_>, repeat: &NodePath) -> Option<NodePath> {
        let number = self.nodes.get(repeat)?.iterations.checked_sub(1)?;
        let first = graph.body(graph.place(repeat.node.as_str())?).next()?;
        let within = Some(Box::new(Within { node: repeat.node.clone(), number }));
        let node = graph.nodes[first].id.clone();
        Some(NodePathParts { within, node, ..NodePathParts::clone(repeat) }.into())
    }

    /// A loop ends, with this output.
    pub(super) fn output_of_loop(&self, graph: &Graph<'_>, repeat: &NodePath) -> Result<Value, &'static str> {
        let Some(Node::Loop(spec)) = self.what(repeat) else { return Err("only a loop has iterations") };
        let done = self.is_done(graph, repeat, spec)?;
        let made = self.nodes.get(repeat).map_or(0, |node| node.iterations);
        let exhausted = made == spec.max_iters
            && (done.is_none() || spec.on_exhausted.unwrap_or_default() == Exhausted::Complete);
        rule(
            done == Some(true) || exhausted,
            "a loop ends when its `stop_when` is true, or after `max_iters`",
        )?;
        let body = self.last_iteration(graph, repeat).ok_or("a loop that ends has begun")?;
        let place = graph.place(repeat.node.as_str()).unwrap();
        Ok(self.output_of_body(graph, &body, place))
    }

    /// What the nodes in the body of the node at `place` make, seen from one of them.
    pub(super) fn output_of_body(&self, graph: &Graph<'_>, body: &NodePath, place: usize) -> Value {
        let of = self.makes_output(graph, body, graph.body(place).collect());
        let output = |place: usize| self.at(graph, body, place).map(|node| node.output.clone());
        match of[..] {
            [] => Value::Null,
            [only] => output(only).unwrap_or_default(),
            _ => {
                let all =
                    of.iter().filter_map(|place| Some((graph.nodes[*place].id.to_string(), output(*place)?)));
                Value::Object(all.collect())
            }
        }
    }

    /// A loop fails by itself.
    pub(super) fn check_exhausted(&self, repeat: &NodePath, error: &Failure) -> Checked {
        if self.sets(repeat) > 0 && error.class == FailureClass::Expression {
            return Ok(());
        }
        let Some(Node::Loop(spec)) = self.what(repeat) else { return Err("only a loop has iterations") };
        let made = self.nodes.get(repeat).map_or(0, |node| node.iterations);
        let done = self.is_done(&self.graphs[&repeat.stage], repeat, spec)?;
        let fails = spec.on_exhausted.unwrap_or_default() == Exhausted::Fail && done == Some(false);
        rule(
            error.class == FailureClass::LoopExhausted && fails && made == spec.max_iters,
            "a loop fails when it has made all its iterations and `stop_when` is false",
        )
    }

    /// A node in the body of a loop belongs to the iteration that is under way.
    pub(super) fn check_in_loop(&self, graph: &Graph<'_>, path: &NodePath) -> Checked {
        let Some(within) = &path.within else { return Ok(()) };
        let place = graph.place(within.node.as_str()).ok_or("a loop is one of its graph's nodes")?;
        let repeat = self.at(graph, path, place).filter(|node| !node.has_ended());
        let is_here = repeat.is_some_and(|node| node.iterations == within.number + 1);
        rule(is_here, "a node in the body of a loop runs while its iteration is under way")
    }

    /// The nodes in the last iteration of the loop, or in the graph of the item, at `path`.
    pub(super) fn of_body<'l>(
        &'l self,
        path: &'l NodePath,
    ) -> impl Iterator<Item = (&'l NodePath, &'l NodeLog)> {
        let number = match path.items[..] {
            [] => self.nodes.get(path).and_then(|node| node.iterations.checked_sub(1)),
            [item] => Some(item).filter(|_| path.within.is_none()),
            _ => None,
        };
        self.of_lane(path.lane).filter(move |(other, _)| {
            let within = other.within.as_ref();
            within.is_some_and(|within| within.node == path.node && Some(within.number) == number)
        })
    }

    /// The outputs of the nodes in the iteration before, by all their names.
    pub(super) fn previous(&self, graph: &Graph<'_>, path: &NodePath, within: &Within) -> Value {
        let mut previous = Map::new();
        let before = within.number.checked_sub(1).map(|number| {
            let within = Some(Box::new(Within { node: within.node.clone(), number }));
            NodePath::from(NodePathParts { within, ..NodePathParts::clone(path) })
        });
        let repeat = graph.place(within.node.as_str());
        for place in repeat.into_iter().flat_map(|repeat| graph.body(repeat)) {
            let node = before.as_ref().and_then(|before| self.at(graph, before, place));
            let output =
                node.filter(|node| node.succeeded).map(|node| node.output.clone()).unwrap_or_default();
            let node = graph.nodes[place];
            for name in [Some(&node.id), node.out.as_ref()].into_iter().flatten() {
                previous.insert(name.to_string(), output.clone());
            }
        }
        previous.into()
    }

    /// Of the nodes at `places`, those that make an output: the exports, or else the last nodes.
    pub(super) fn makes_output(&self, graph: &Graph<'_>, path: &NodePath, places: Vec<usize>) -> Vec<usize> {
        let completed = |place: &usize| self.at(graph, path, *place).is_some_and(|node| node.succeeded);
        let mut done = places;
        done.retain(completed);
        let is_export = |place: &usize| matches!(graph.nodes[*place].node, Node::Export(_));
        let exports: Vec<_> = done.iter().copied().filter(is_export).collect();
        if exports.is_empty() {
            done.retain(|place| graph.is_last(*place));
            return done;
        }
        exports
    }
}
