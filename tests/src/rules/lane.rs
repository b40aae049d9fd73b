//! The rules of a lane that has a graph.

use serde_json::{Map, Value, json};
use workflow_core::definition::{GraphNode, Join, Node, ReduceStrategy};
use workflow_core::event::{EventBody, LaneOutput};
use workflow_core::expr::Condition;
use workflow_core::failure::FailureClass;
use workflow_core::ids::{NodeId, NodePath, NodePathParts, StageId};

use super::graph::{self, Graph};
use super::{Checked, Log, Node as NodeLog, Position, Strategy, rule, strategy};

/// The state of one provider's pass through a stage.
#[derive(Debug, Default)]
pub(super) struct Lane {
    /// Of a lane with a graph.
    pub begun: bool,
    pub succeeded: bool,
    pub failed: bool,
    pub output: Value,
}

impl<'a> Log<'a> {
    pub(super) fn take_of_graph(&mut self, body: &'a EventBody) -> Checked {
        match body {
            EventBody::LaneStarted { iteration, stage, lane, .. } => {
                rule(self.graphs.contains_key(stage), "only a lane with a graph has a start event")?;
                self.check_new_lane(*iteration, stage, *lane)?;
                self.lanes[*lane as usize].begun = true;
                Ok(())
            }
            EventBody::LaneCompleted { iteration, stage, lane, output_of } => {
                self.check_lane_ends(*iteration, stage, *lane)?;
                let output = self.output_of_lane(stage, *lane, output_of)?;
                let lane = &mut self.lanes[*lane as usize];
                (lane.succeeded, lane.output) = (true, output);
                Ok(())
            }
            EventBody::LaneFailed { iteration, stage, lane, .. } => {
                if self.lanes.get(*lane as usize).is_some_and(|lane| lane.begun) {
                    self.check_lane_ends(*iteration, stage, *lane)?;
                    let failed = self.has_failed(*lane);
                    rule(failed, "a lane fails because a node of it did")?;
                } else {
                    // Its provider could not be resolved.
                    self.check_new_lane(*iteration, stage, *lane)?;
                }
                let left = self.left_of_lane(*lane);
                let lane = &mut self.lanes[*lane as usize];
                (lane.failed, lane.output) = (true, left);
                Ok(())
            }
            EventBody::NodeStarted { path, items } if items.is_null() => self.take_iteration(path),
            EventBody::NodeStarted { path, items } => {
                self.check_start(path)?;
                let is_foreach = matches!(self.what(path), Some(Node::Foreach(_)));
                rule(is_foreach, "only a `foreach` starts without an attempt")?;
                let Value::Array(items) = items.value() else { return Err("items are a list") };
                let node = self.nodes.entry(path.clone()).or_default();
                rule(node.items.is_none(), "a `foreach` starts once")?;
                node.items = Some(items);
                Ok(())
            }
            EventBody::NodeWaiting { path, until, signal } => {
                self.check_start(path)?;
                let Some(Node::Wait(wait)) = self.what(path) else {
                    return Err("only a node of type `wait` waits for a time or a signal");
                };
                let named = wait.signal.as_deref() == signal.as_deref();
                rule(named, "a node waits for the signal that it names")?;
                let limited = signal.is_none() || wait.timeout.is_some();
                rule(until.is_some() == limited, "a node waits until a time if it says so")?;
                let node = self.nodes.entry(path.clone()).or_default();
                rule(!node.waits, "a node begins to wait once")?;
                (node.waits, node.retry_at, node.signal) = (true, *until, signal.clone());
                Ok(())
            }
            EventBody::NodeSkipped { path } => {
                rule(!self.nodes.contains_key(path), "a skipped node has not begun")?;
                self.check_lane(path.lane)?;
                self.check_in_lane(path)?;
                self.told(self.has_reason_to_skip(path), "a node is skipped only for a reason")?;
                self.nodes.entry(path.clone()).or_default().skipped = true;
                Ok(())
            }
            EventBody::NodeCompleted { path, output, set } => {
                self.check_start(path)?;
                if self.reading.expressions {
                    let made = {
                        let found = output.value();
                        found == self.output_of_node(path, &found)?
                    };
                    rule(made, "the output of a node follows from its kind and its inputs")?;
                }
                let set = set.iter().flat_map(|set| set.iter());
                let set: Vec<_> = set.map(|(name, value)| (name.clone(), value.value())).collect();
                rule(set.len() == self.sets(path), "a completed node sets its variables")?;
                self.vars.extend(set);
                let (now, clocks) = (self.now, self.reading.clocks);
                let node = self.nodes.entry(path.clone()).or_default();
                let until = node.retry_at.take().filter(|_| node.signal.is_none());
                rule(
                    !clocks || until.is_none_or(|until| until <= now),
                    "a wait ends when its time is reached",
                )?;
                if let Some(name) = &node.signal {
                    let place = self.signals.iter().position(|(sent, _)| **sent == **name);
                    place
                        .map(|place| self.signals.remove(place))
                        .ok_or("a node takes a signal that was sent")?;
                }
                (node.succeeded, node.output) = (true, output.value());
                Ok(())
            }
            EventBody::NodeFailed { path, error, continues } => {
                let mut by_itself = true;
                let node = self.nodes.get(path);
                if node.is_some_and(|node| node.succeeded) {
                    let unset = self.sets(path) > 0 && error.class == FailureClass::Expression;
                    rule(unset, "a succeeded node fails only if its variables cannot be set")?;
                } else if self.of_items(path).any(|(_, node)| node.fails_lane())
                    || self.of_body(path).any(|(_, node)| node.fails_lane())
                {
                    by_itself = false;
                    rule(
                        self.running_beside(path) == 0,
                        "a `foreach`, or a loop, fails after the last running call in it has ended",
                    )?;
                    if matches!(self.what(path), Some(Node::Graph(_))) {
                        let refused = self.of_body(path).any(|(_, node)| node.fails_lane() && node.unmade);
                        self.nodes.entry(path.clone()).or_default().failed = true;
                        return self.check_passes(path, error, *continues, refused);
                    }
                } else if node.is_some_and(|node| node.iterations > 0) {
                    self.check_start(path)?;
                    self.check_exhausted(path, error)?;
                } else {
                    self.check_start(path)?;
                    let is_call = self.what(path).and_then(graph::call).is_some();
                    rule(!is_call, "a call fails with an attempt")?;
                    let late = node.filter(|node| node.signal.is_some()).and_then(|node| node.retry_at);
                    let timed_out = error.class == FailureClass::Timeout
                        && (!self.reading.clocks || late.is_some_and(|until| until <= self.now));
                    let waits = node.is_some_and(|node| node.waits);
                    let unset = self.sets(path) > 0 && error.class == FailureClass::Expression;
                    rule(!waits || timed_out || unset, "a wait fails when no signal was sent in time")?;
                }
                let node = self.nodes.entry(path.clone()).or_default();
                if let Some(name) = &node.signal
                    && let Some(place) = self.signals.iter().position(|(sent, _)| **sent == **name)
                {
                    self.signals.remove(place);
                }
                rule(!node.failed, "a node fails once")?;
                (node.succeeded, node.failed, node.retry_at) = (false, true, None);
                if by_itself {
                    return self.check_passes(path, error, *continues, true);
                }
                rule(
                    !continues,
                    "a `foreach` whose items fail for it, or a loop whose nodes do, fails its lane",
                )
            }
            other => self.take_of_persons(other),
        }
    }

    /// A lane may begin, as far as the other lanes are concerned.
    pub(super) fn check_lane(&self, number: u32) -> Checked {
        let Position::In(stage) = &self.position else { return Err("a node runs while its stage does") };
        let lanes = &self.lanes;
        rule((number as usize) < lanes.len(), "a node belongs to a lane")?;
        match strategy(self.stage(stage)) {
            Strategy::Sequential => {
                let waits = lanes[..number as usize].iter().any(|lane| !lane.succeeded);
                rule(!waits, "a provider of a sequence waits for the one before")
            }
            Strategy::All => {
                rule(!lanes.iter().any(|lane| lane.failed), "after a failure no new node starts")
            }
            Strategy::Race => {
                rule(!lanes.iter().any(|lane| lane.succeeded), "after a race is won no new node starts")
            }
            Strategy::Majority => Ok(()),
        }
    }

    fn check_new_lane(&self, iteration: u32, stage: &StageId, lane: u32) -> Checked {
        rule(self.may_go_on(), "no lane starts in a run that is going to pause or end")?;
        rule(self.position == Position::In(stage.clone()), "a lane begins while its stage runs")?;
        rule(iteration == self.iteration, "a lane belongs to its iteration")?;
        self.check_lane(lane)?;
        let lane = &self.lanes[lane as usize];
        rule(!lane.begun && !lane.failed, "a lane begins once")
    }

    fn check_lane_ends(&self, iteration: u32, stage: &StageId, number: u32) -> Checked {
        rule(self.position == Position::In(stage.clone()), "a lane ends while its stage runs")?;
        rule(iteration == self.iteration, "a lane belongs to its iteration")?;
        let lane = self.lanes.get(number as usize).ok_or("the lane is one of its stage's")?;
        rule(lane.begun && !lane.succeeded && !lane.failed, "a lane that ends has begun, and ends once")?;
        rule(self.running_in(number) == 0, "a lane ends only when none of its calls is running")
    }

    /// A node or an item may be evaluated: it is its turn.
    pub(super) fn check_in_lane(&self, path: &NodePath) -> Checked {
        let graph = self.graphs.get(&path.stage).ok_or("only a graph has such nodes")?;
        let lane = &self.lanes[path.lane as usize];
        rule(lane.begun && !lane.succeeded && !lane.failed, "a node runs while its lane does")?;
        rule(self.may_continue_at(path), "no node starts in a run that is going to pause or end")?;
        rule(!self.has_failed(path.lane), "after a failure no node starts in a lane")?;
        rule(graph.what(path).is_some(), "a node is one of its graph's")?;
        let limit = if let Some(parent) = path.parent() {
            let node = self.nodes.get(&parent).filter(|node| !node.has_ended());
            let items = node.and_then(|node| node.items.as_ref()).ok_or("an item is one of a `foreach`")?;
            let number = *path.items.last().unwrap();
            rule((number as usize) < items.len(), "an item is one of the existing items")?;
            let Some(Node::Foreach(foreach)) = graph.what(&parent) else { unreachable!() };
            let limit = graph::concurrency(foreach);
            let before = || (0..number).map(|number| parent.item(number));
            let ended = |path: NodePath| self.nodes.get(&path).is_some_and(NodeLog::has_ended);
            rule(limit > 1 || before().all(ended), "sequential items keep their order")?;
            limit
        } else {
            let place = graph.place(path.node.as_str()).unwrap();
            match graph.item_around(path) {
                Some(item) => self.check_in_item(graph, &item)?,
                None => self.check_in_loop(graph, path)?,
            }
            let before: Vec<_> = graph.waits_for(place).collect();
            let ended = |place: &usize| self.at(graph, path, *place).is_some_and(NodeLog::has_ended);
            let succeeded = |place: &usize| self.at(graph, path, *place).is_some_and(|node| node.succeeded);
            let is_any = graph.join(place) == Join::Any;
            let ended = before.iter().all(ended) || (is_any && before.iter().any(succeeded));
            rule(ended, "a node starts after all of its dependencies have ended")?;
            if self.nodes.get(path).is_some_and(|node| node.iterations > 0) {
                // A loop takes no slot while the nodes in its body do.
                return Ok(());
            }
            graph.profile.concurrency.unwrap_or(64) as usize
        };
        let others = self
            .of_lane(path.lane)
            .filter(|(other, node)| !node.has_ended() && *other != path && other.parent() == path.parent())
            .filter(|(other, _)| graph.item_around(other) == graph.item_around(path))
            .filter(|(_, node)| node.iterations == 0);
        rule(others.count() < limit, "the number of parallel nodes is limited")
    }

    /// A node that starts for the first time has no reason to be skipped.
    pub(super) fn check_wanted(&self, path: &NodePath) -> Checked {
        let graph = &self.graphs[&path.stage];
        let may_have_changed = graph.writes() || self.nodes.contains_key(path);
        let reason = self.is_not_reached(graph, path) || (!may_have_changed && self.is_not_wished(path));
        self.told(!reason, "a node with a reason to be skipped is skipped")
    }

    fn has_reason_to_skip(&self, path: &NodePath) -> bool {
        let graph = &self.graphs[&path.stage];
        let wished = graph::when(self.what(path).unwrap());
        self.is_not_reached(graph, path) || (wished.is_some() && graph.writes()) || self.is_not_wished(path)
    }

    /// Whether no branch chose a node, or all of its dependencies were skipped.
    fn is_not_reached(&self, graph: &Graph<'_>, path: &NodePath) -> bool {
        let Some(place) = graph.place(path.node.as_str()).filter(|_| path.items.is_empty()) else {
            return false;
        };
        let node = graph.nodes[place];
        let takes = |branch: &usize| {
            let names = self.at(graph, path, *branch).map(|branch| branch.output.clone()).unwrap_or_default();
            let names = names.as_array().cloned().unwrap_or_default();
            names.iter().any(|name| {
                Some(name) == Some(&json!(node.id))
                    || Some(name) == node.out.as_ref().map(|out| json!(out)).as_ref()
            })
        };
        let mut before = graph.waits_for(place);
        if graph.join(place) == Join::Any && before.next().is_some() {
            let succeeded = |place| self.at(graph, path, place).is_some_and(|node| node.succeeded);
            return !graph.waits_for(place).any(succeeded);
        }
        let skipped = |needed: &usize| self.at(graph, path, *needed).is_some_and(|node| node.skipped);
        let (arm_of, needs) = (&graph.arm_of[place], &graph.needs[place]);
        (!arm_of.is_empty() && !arm_of.iter().any(takes))
            || (!needs.is_empty() && needs.iter().all(skipped) && graph.join(place) != Join::Ended)
    }

    pub(super) fn is_not_wished(&self, path: &NodePath) -> bool {
        let when = self.what(path).and_then(graph::when);
        when.is_some_and(|when| !Condition::parse(when).unwrap().eval(&self.document(path)))
    }

    /// The data that conditions of the node at `path` read.
    pub(super) fn document(&self, path: &NodePath) -> Value {
        let graph = &self.graphs[&path.stage];
        let mut nodes = Map::new();
        for (place, spec) in graph.nodes.iter().enumerate() {
            let Some(node) = self.at(graph, path, place).filter(|node| node.has_ended()) else { continue };
            let status = match node {
                NodeLog { skipped: true, .. } => "skipped",
                NodeLog { failed: true, .. } => "failed",
                _ => "completed",
            };
            let mut document = json!({ "status": status });
            if node.succeeded {
                document["output"] = node.output.clone();
            }
            if let Some(error) = node.error.as_ref().filter(|_| node.failed) {
                document["error"] = json!(error);
            }
            if matches!(spec.node, Node::Foreach(_)) {
                document["errors"] = self.failed_items(path, spec);
            }
            if node.iterations > 0 {
                document["iterations"] = node.iterations.into();
            }
            for name in [Some(&spec.id), spec.out.as_ref()].into_iter().flatten() {
                nodes.insert(name.to_string(), document.clone());
            }
        }
        let mut document = json!({
            "vars": self.vars, "stages": self.stages, "nodes": nodes, "iteration": self.iteration,
        });
        if let Some(item) = self.item(path) {
            document["item"] = item;
        }
        if let Some(within) = path.within.as_ref().filter(|_| graph.item_around(path).is_none()) {
            document["previous"] = self.previous(graph, path, within);
        }
        document
    }

    /// Why items of a `foreach` failed whose lane continues.
    fn failed_items(&self, path: &NodePath, spec: &GraphNode) -> Value {
        let graph = &self.graphs[&path.stage];
        let node = Self::beside(graph, path, graph.place(spec.id.as_str()).unwrap());
        let mut failed: Vec<_> = self.of_items(&node).filter(|(_, item)| item.passed).collect();
        failed.sort_by_key(|(path, _)| path.items.clone());
        let shown = failed.into_iter().map(|(path, item)| {
            let mut shown = json!(item.error);
            shown["index"] = path.items[0].into();
            if path.items.len() > 1 {
                shown["inner"] = json!(path.items[1..]);
            }
            shown
        });
        shown.collect()
    }

    fn item(&self, path: &NodePath) -> Option<Value> {
        if path.items.is_empty() {
            return self.item(&self.graphs[&path.stage].item_around(path)?);
        }
        let items = self.nodes.get(&path.parent()?)?.items.as_ref()?;
        items.get(*path.items.last()? as usize).cloned()
    }

    /// The output of a node without a provider, or of a `foreach`, which has `output` in the log.
    fn output_of_node(&self, path: &NodePath, output: &Value) -> Result<Value, &'static str> {
        let graph = &self.graphs[&path.stage];
        let source = |name: &str| match graph.place(name) {
            Some(place) => self.at(graph, path, place).filter(|n| n.succeeded).map(|n| n.output.clone()),
            None => self.item(path),
        };
        match self.what(path).unwrap() {
            Node::Foreach(_) => {
                let items = self.nodes.get(path).and_then(|node| node.items.as_ref());
                let count =
                    u32::try_from(items.ok_or("a `foreach` that completes has started")?.len()).unwrap();
                let ended = (0..count).map(|number| {
                    let item = self.nodes.get(&path.item(number)).filter(|item| item.has_ended());
                    item.map(|item| if item.succeeded { item.output.clone() } else { Value::Null })
                });
                let outputs: Option<Vec<_>> = ended.collect();
                outputs.map(Value::Array).ok_or("a `foreach` completes when all of its items have ended")
            }
            Node::Loop(_) => self.output_of_loop(graph, path),
            Node::Graph(_) => self.output_of_item(graph, path),
            Node::Reduce(reduce) => {
                let values: Vec<_> = reduce.from.iter().filter_map(|name| source(name)).collect();
                if let ([_], [Value::Array(elements)]) = (&reduce.from[..], &values[..]) {
                    return reduced(reduce.strategy, elements.clone());
                }
                reduced(reduce.strategy, values)
            }
            Node::Branch(branch) => {
                let document = self.document(path);
                let mut arms = branch.when.iter();
                let taken = arms.find(|arm| Condition::parse(&arm.condition).unwrap().eval(&document));
                Ok(taken.map_or_else(|| json!([]), |arm| json!(arm.then)))
            }
            Node::Export(export) => {
                let data = source(&export.from).unwrap_or_default();
                let is_top = path.items.is_empty() && path.within.is_none();
                let schema = if is_top {
                    graph.schema_of(export, self.stage(&path.stage))
                } else {
                    export.output_schema.as_ref()
                };
                let follows = schema.is_none_or(|schema| {
                    schema.compile(&self.bundle.schemas).unwrap().check(&data).is_empty()
                });
                if follows { Ok(data) } else { Err("an exported value matches its schema") }
            }
            Node::Ask(_) => {
                let answer = self.nodes.get(path).and_then(|node| node.answer.clone());
                answer.ok_or("a question completes with its answer")
            }
            Node::Run(_) | Node::Workflow(_) => Err("a call ends with an attempt"),
            Node::Wait(_) => {
                let node =
                    self.nodes.get(path).filter(|node| node.waits).ok_or("a wait ends that has begun")?;
                let Some(name) = &node.signal else { return Ok(Value::Null) };
                let sent = self.signals.iter().find(|(sent, _)| **sent == **name);
                sent.map(|(_, data)| data.clone()).ok_or("a node takes a signal that was sent")
            }
            // The reference interpreter says what it is.
            Node::Set(_) | Node::End(_) => Ok(output.clone()),
        }
    }

    /// The partial output of a lane that failed.
    fn left_of_lane(&self, lane: u32) -> Value {
        let is_own = |path: &NodePath| self.graphs[&path.stage].item_around(path).is_none();
        let nodes = self.of_lane(lane).filter(|(path, _)| path.items.is_empty() && is_own(path));
        let left = nodes.map(|(path, _)| (path.node.to_string(), self.left_of(path)));
        let mut left: Vec<_> = left.filter(|(_, left)| !left.is_null()).collect();
        match left.len() {
            0 | 1 => left.pop().map(|(_, left)| left).unwrap_or_default(),
            _ => Value::Object(left.into_iter().collect()),
        }
    }

    pub(super) fn left_of(&self, path: &NodePath) -> Value {
        let Some(node) = self.nodes.get(path).filter(|node| node.fails_lane()) else { return Value::Null };
        if matches!(self.what(path), Some(Node::Graph(_))) {
            return self.left_of_item(path);
        }
        let Some(items) = &node.items else { return node.output.clone() };
        let left = (0u32..).take(items.len()).map(|number| self.left_of(&path.item(number)));
        let mut left: Vec<_> = left.filter(|left| !left.is_null()).collect();
        if left.len() < 2 { left.pop().unwrap_or_default() } else { left.into() }
    }

    /// The output of a lane whose nodes have all ended.
    fn output_of_lane(
        &self,
        stage: &StageId,
        lane: u32,
        output_of: &LaneOutput,
    ) -> Result<Value, &'static str> {
        let graph = &self.graphs[stage];
        let (iteration, stage) = (self.iteration, stage.clone());
        let node = graph.profile.graph[0].id.clone();
        let within = None;
        let path: NodePath = NodePathParts { iteration, stage, lane, within, node, items: Vec::new() }.into();
        let ended =
            |place| self.at(graph, &path, place).is_some_and(|node| node.has_ended() && !node.fails_lane());
        let count = graph.profile.graph.len();
        rule((0..count).all(ended), "a lane completes when none of its nodes has failed for it")?;
        let of = self.makes_output(graph, &path, (0..count).collect());
        let id = |place: &usize| graph.profile.graph[*place].id.clone();
        let expected = match &of[..] {
            [only] => LaneOutput::Node(id(only)),
            several => LaneOutput::Nodes(several.iter().map(id).collect()),
        };
        self.told(*output_of == expected, "the output comes from the exports, or else from the last nodes")?;
        let output = |id: &NodeId| {
            let node = graph.place(id.as_str()).and_then(|place| self.at(graph, &path, place));
            node.map(|node| node.output.clone()).ok_or("an output comes from an existing node")
        };
        match output_of {
            LaneOutput::Node(id) => output(id),
            LaneOutput::Nodes(ids) if ids.is_empty() => Ok(Value::Null),
            LaneOutput::Nodes(ids) => ids.iter().map(|id| Ok((id.to_string(), output(id)?))).collect(),
        }
    }

    pub(super) fn what(&self, path: &NodePath) -> Option<&Node> {
        self.graphs.get(&path.stage)?.what(path)
    }

    /// How many variables a node sets.
    pub(super) fn sets(&self, path: &NodePath) -> usize {
        let node = self.graphs.get(&path.stage).and_then(|graph| graph.node(path));
        node.filter(|_| path.items.is_empty()).map_or(0, |node| node.set.len())
    }

    /// The node at `place` in the lane of `path`.
    pub(super) fn at(&self, graph: &Graph<'_>, path: &NodePath, place: usize) -> Option<&NodeLog> {
        self.nodes.get(&Self::beside(graph, path, place))
    }

    /// The path of the node at `place` in the lane of `path`, and in the same iteration of its loop, or the same item.
    pub(super) fn beside(graph: &Graph<'_>, path: &NodePath, place: usize) -> NodePath {
        let node = graph.nodes[place].id.clone();
        let within = path.within.clone().filter(|_| graph.owner_of[place].is_some());
        NodePathParts { node, within, items: Vec::new(), ..NodePathParts::clone(path) }.into()
    }

    /// The nodes of a lane of the current stage that have events.
    pub(super) fn of_lane(&self, lane: u32) -> impl Iterator<Item = (&NodePath, &NodeLog)> {
        let stage = match &self.position {
            Position::In(stage) => Some(stage),
            _ => None,
        };
        self.nodes.iter().filter(move |(path, _)| {
            path.lane == lane && path.iteration == self.iteration && Some(&path.stage) == stage
        })
    }

    /// The items of the node at `path`, and the items below them.
    fn of_items<'l>(&'l self, path: &'l NodePath) -> impl Iterator<Item = (&'l NodePath, &'l NodeLog)> {
        let items = &path.items;
        self.of_lane(path.lane).filter(move |(below, _)| {
            below.node == path.node
                && below.within == path.within
                && below.items.len() > items.len()
                && below.items.starts_with(items)
        })
    }

    pub(super) fn running_in(&self, lane: u32) -> usize {
        self.of_lane(lane).filter(|(_, node)| node.running).count()
    }
}

fn reduced(strategy: ReduceStrategy, values: Vec<Value>) -> Result<Value, &'static str> {
    match strategy {
        ReduceStrategy::First => Ok(values.first().cloned().unwrap_or_default()),
        ReduceStrategy::Last => Ok(values.last().cloned().unwrap_or_default()),
        ReduceStrategy::Vote => {
            let votes = |value| values.iter().filter(|other| *other == value).count();
            let most = values.iter().map(votes).max();
            Ok(values.iter().find(|value| Some(votes(value)) == most).cloned().unwrap_or_default())
        }
        ReduceStrategy::Merge => {
            let mut merged = Map::new();
            for value in values {
                let Value::Object(members) = value else { return Err("only objects are merged") };
                merged.extend(members);
            }
            Ok(merged.into())
        }
        ReduceStrategy::Concat => {
            if !values.is_empty() && values.iter().all(Value::is_array) {
                return Ok(values.into_iter().flat_map(|value| value.as_array().cloned().unwrap()).collect());
            }
            let texts =
                values.iter().map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
            Ok(texts.collect::<Vec<_>>().join("\n\n").into())
        }
        ReduceStrategy::Summarize => Err("a summary is a call"),
    }
}
