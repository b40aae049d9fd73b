//! The result of a lane's graph.

use std::rc::Rc;

use indexmap::IndexMap;
use serde_json::{Value, json};
use workflow_core::definition::{
    GraphNode, Join, Node, OnFailure, Profile, ReduceStrategy, RunNode, SchemaSource,
};
use workflow_core::failure::FailureClass;
use workflow_core::ids::{NodePath, NodePathParts, Within as Repeated};

use crate::reference::answers::{NEVER, agrees, says, signal};

use self::names::item_failure;
use super::call::{self, Call, Input, REPAIRS};
use super::lanes::{Lane, LaneEnd, error, status};
use super::needs::{Needs, find, flat, name_of};
use super::{Ended, How, OPEN, Open, Run, holds, mentions, render, set, text, values};

mod bodies;
mod names;

/// A lane's graph. Nodes are processed in an order in which each comes after its dependencies.
pub(super) struct Graph<'a> {
    run: &'a Run<'a>,
    lane: Lane<'a>,
    /// With the nodes in bodies, after all others.
    profile: Rc<Profile>,
    /// How many nodes are in no body.
    own: usize,
    needs: Needs,
    vars: IndexMap<String, Value>,
    /// How each node ended, once that is known.
    ended: Vec<Option<End>>,
    /// For each loop that has begun, the iteration and the outputs of the iteration before.
    loops: IndexMap<usize, (u32, Value)>,
    /// For each `foreach` whose body is a graph, the number of the item, and the item.
    items: IndexMap<usize, (u32, Value)>,
    /// The variables that were set, and by which node.
    set: Vec<(usize, String, Value)>,
}

/// How a node ended, or that it is not reached.
#[derive(Clone)]
enum End {
    Reached(Box<Ended>),
    NotReached,
}

impl End {
    fn reached(&self) -> Option<&Ended> {
        match self {
            Self::Reached(ended) => Some(ended),
            Self::NotReached => None,
        }
    }
}

/// The context of a node's work.
#[derive(Clone, Copy)]
struct Within<'a> {
    /// The node of the graph that it is, or is in.
    place: usize,
    item: Option<&'a Value>,
}

impl<'a> Graph<'a> {
    pub(super) fn new(run: &'a Run<'a>, lane: Lane<'a>, profile: &'a Profile) -> Result<Self, Open> {
        let own = profile.graph.len();
        let profile = Rc::new(flat(profile));
        let needs = Needs::of(&profile);
        if let Some(name) = needs.unordered_variable(&profile) {
            return Err(Open(format!("vars.{name} is read or set at the same time as it is set")));
        }
        let early = |place: &usize| needs.starts_early(*place) && !needs.all(*place).is_empty();
        if let Some(place) = (0..profile.graph.len()).find(early) {
            return Err(Open(format!("which node {} follows", profile.graph[place].id)));
        }
        let mut stage = lane.stage.clone();
        (stage.set, stage.when) = (IndexMap::new(), None);
        let stage = text(&stage);
        let mut set = profile.graph.iter().flat_map(|node| node.set.keys());
        if let Some(name) = set.find(|name| mentions(&stage, &format!("vars.{name}"))) {
            return Err(Open(format!("vars.{name} is read by a node that may come before it is set")));
        }
        let ended = vec![None; profile.graph.len()];
        drop(set);
        let (vars, loops, items, set) = (run.vars.clone(), IndexMap::new(), IndexMap::new(), Vec::new());
        Ok(Self { run, lane, profile, own, needs, vars, ended, loops, items, set })
    }

    pub(super) fn run(mut self) -> LaneEnd {
        let places = 0..self.own;
        places.clone().for_each(|place| self.node(place));
        let ended = |place: usize| self.ended[place].as_ref()?.reached();
        let failed: Vec<_> = places
            .clone()
            .filter(|place| ended(*place).is_some_and(|end| self.fails_lane(*place, end)))
            .collect();
        let is_beside = |place: usize, failed: usize| {
            place != failed && !self.needs.is_before(place, failed) && !self.needs.is_before(failed, place)
        };
        // An unreached node stays unreached, whatever fails first.
        let certain =
            |place: usize| ended(place).is_none() || failed.iter().all(|failed| !is_beside(place, *failed));
        let mut attempts = Some(0);
        let (mut nodes, mut calls) = (IndexMap::new(), Vec::new());
        for place in 0..self.ended.len() {
            let mut is_certain = certain(place);
            if self.is_in_item(place) {
                continue;
            }
            if let Some(repeat) = self.needs.owner_of[place] {
                let is_beside = |other: &usize| {
                    *other != place
                        && ended(*other).is_some_and(|end| self.fails_lane(*other, end))
                        && !self.needs.is_before(*other, place)
                        && !self.needs.is_before(place, *other)
                };
                is_certain = certain(repeat) && !self.body(repeat).iter().any(is_beside);
                if !certain(repeat) {
                    // How far its loop comes is open.
                    nodes.insert(self.profile.graph[place].id.to_string(), OPEN.into());
                }
            }
            let Some(ended) = ended(place) else { continue };
            let id = self.profile.graph[place].id.to_string();
            nodes.insert(id, if is_certain { shown(ended) } else { OPEN.into() });
            // How many items had begun when one failed is open, also if there were no prompts.
            let is_cut_short =
                matches!(self.profile.graph[place].node, Node::Foreach(_)) && self.fails_lane(place, ended);
            let told_all = is_certain && !is_cut_short && ended.calls.iter().all(|call| call.certain);
            attempts = attempts.filter(|_| told_all).map(|attempts| attempts + ended.started);
            calls.extend(
                ended
                    .calls
                    .iter()
                    .cloned()
                    .map(|call| super::Called { certain: call.certain && is_certain, ..call }),
            );
        }
        let mut left = Value::Null;
        let how = match failed[..] {
            [] => How::Completed(self.output(None)),
            [only] => {
                let rough =
                    |place: usize| ended(place).is_some_and(|ended| ended.rough && !self.passes_over(place));
                let alone = !places.clone().any(|place| is_beside(place, only) && rough(place));
                match &ended(only).unwrap().how {
                    How::Failed(class) if alone => {
                        left = ended(only).unwrap().left.clone();
                        How::Failed(*class)
                    }
                    _ => How::Failed(None),
                }
            }
            _ => How::Failed(None),
        };
        if how == How::Failed(None) {
            left = OPEN.into();
        }
        let set = self.set.iter().map(|(place, name, value)| (name.clone(), value.clone(), certain(*place)));
        let (set, provider) = (set.collect(), Some(self.lane.provider.clone()));
        LaneEnd { how, provider, attempts, nodes, calls, set, left }
    }

    /// Whether a node is in the graph that is run for each item of a `foreach`.
    fn is_in_item(&self, place: usize) -> bool {
        let owner = self.needs.owner_of[place];
        owner.is_some_and(|owner| matches!(self.profile.graph[owner].node, Node::Foreach(_)))
    }

    /// The places of the nodes in the body of a node.
    fn body(&self, repeat: usize) -> Vec<usize> {
        (0..self.ended.len()).filter(|place| self.needs.owner_of[*place] == Some(repeat)).collect()
    }

    /// The output of the lane, of the last iteration of a loop, or of an item.
    fn output(&self, repeat: Option<usize>) -> Value {
        let completed = |is_wanted: &dyn Fn(usize) -> bool| -> Vec<(String, Value)> {
            let places = (0..self.ended.len()).filter(|place| is_wanted(*place));
            let outputs = places
                .filter_map(|place| Some((self.profile.graph[place].id.to_string(), self.output_of(place)?)));
            outputs.collect()
        };
        let is_of = |place: usize| self.needs.owner_of[place] == repeat;
        let is_export = |place: usize| matches!(self.profile.graph[place].node, Node::Export(_));
        let mut outputs = completed(&|place| is_of(place) && is_export(place));
        if outputs.is_empty() {
            outputs = completed(&|place| is_of(place) && self.needs.is_last(place));
        }
        match &outputs[..] {
            [] => Value::Null,
            [(_, output)] => output.clone(),
            _ => Value::Object(outputs.into_iter().collect()),
        }
    }

    fn ended(&self, place: usize) -> Option<&Ended> {
        self.ended[place].as_ref()?.reached()
    }

    fn output_of(&self, place: usize) -> Option<Value> {
        match &self.ended(place)?.how {
            How::Completed(output) => Some(output.clone()),
            How::Skipped | How::Failed(_) => None,
        }
    }

    fn node(&mut self, place: usize) {
        if self.ended[place].is_some() {
            return;
        }
        let needs = self.needs.order(place);
        for need in &needs {
            self.node(*need);
        }
        let has_ended = |need: &usize| self.ended(*need).is_some_and(|ended| !self.fails_lane(*need, ended));
        let is_any = self.needs.join[place] == Join::Any;
        let is_reached = needs.iter().all(has_ended)
            || (is_any && needs.iter().any(|need| self.output_of(*need).is_some()));
        let end = if is_reached { End::Reached(Box::new(self.reached(place))) } else { End::NotReached };
        self.ended[place] = Some(end);
    }

    /// What a node says, or else the loop in whose body it is.
    fn said<T>(&self, place: usize, what: impl Fn(&GraphNode) -> Option<T>) -> Option<T> {
        let graph = &self.profile.graph;
        what(&graph[place]).or_else(|| what(&graph[self.needs.owner_of[place]?]))
    }

    /// Whether a lane continues after a failure of a node, or of its items.
    fn continues(&self, place: usize) -> bool {
        self.on_failure(place) == Some(OnFailure::Continue)
    }

    /// The same for all that a node does: of a loop, for the nodes in its body.
    fn passes_over(&self, place: usize) -> bool {
        match self.profile.graph[place].node {
            Node::Loop(_) => self.body(place).into_iter().all(|place| self.continues(place)),
            _ => self.continues(place),
        }
    }

    /// What the failure of a node does. Where items may fail, the nodes in their graphs may not for that.
    fn on_failure(&self, place: usize) -> Option<OnFailure> {
        let own = self.profile.graph[place].on_failure;
        match self.said(place, |node| node.on_failure) {
            Some(OnFailure::Continue) if own.is_none() && self.is_in_item(place) => Some(OnFailure::Stop),
            said => said,
        }
    }

    fn fails_lane(&self, place: usize, ended: &Ended) -> bool {
        ended.has_failed() && (ended.at_limit || !self.continues(place))
    }

    /// A node whose dependencies have all ended, and not failed for the lane.
    fn reached(&mut self, place: usize) -> Ended {
        let profile = self.profile.clone();
        let node = &profile.graph[place];
        let within = Within { place, item: None };
        self.check_reads(node, &self.needs.all(place));
        if self.is_skipped(place) || !self.is_wanted(&node.node, within) {
            return Ended::alone(How::Skipped);
        }
        let mut path = self.lane.path(self.run.iteration, node.id.as_str());
        if let Some(repeat) = self.needs.owner_of[place] {
            let (number, _) =
                if self.is_in_item(place) { &self.items[&repeat] } else { &self.loops[&repeat] };
            let within = Repeated { node: profile.graph[repeat].id.clone(), number: *number };
            path = NodePathParts { within: Some(within.into()), ..NodePathParts::clone(&path) }.into();
        }
        let mut ended = match &node.node {
            Node::Loop(repeat) => self.repeat(repeat, place),
            Node::Foreach(foreach) if node.node.body().is_some() => self.each(foreach, place),
            node => self.work(node, &path, within),
        };
        if let How::Completed(output) = &ended.how {
            let mut names = self.names(within);
            names["output"] = output.clone();
            if let Some(set) = set(&node.set, &names) {
                for (name, value) in set {
                    self.vars.insert(name.clone(), value.clone());
                    self.set.push((place, name, value));
                }
            } else {
                // The output of a call is in the log; the output of other nodes is not computed.
                let is_call = matches!(&node.node, Node::Run(_))
                    || matches!(&node.node, Node::Reduce(reduce) if reduce.strategy == ReduceStrategy::Summarize);
                if is_call {
                    ended.left = output.clone();
                }
                ended.how = How::Failed(Some(FailureClass::Expression));
                ended.rough = true;
            }
        }
        ended
    }

    /// Whether it is skipped because of how its dependencies ended.
    fn is_skipped(&self, place: usize) -> bool {
        let takes = |branch: &usize| {
            let taken = self.output_of(*branch).unwrap_or_default();
            let mut names = taken.as_array().into_iter().flatten().filter_map(Value::as_str);
            names.any(|name| find(&self.profile, name) == Some(place))
        };
        let order = self.needs.order(place);
        if self.needs.join[place] == Join::Any && !order.is_empty() {
            return order.iter().all(|need| self.output_of(*need).is_none());
        }
        let branches = &self.needs.branches[place];
        let needs = self.needs.all(place);
        let was_skipped = |need: &usize| self.ended(*need).is_some_and(|ended| ended.how == How::Skipped);
        (!branches.is_empty() && !branches.iter().any(takes))
            || (!needs.is_empty() && needs.iter().all(was_skipped) && self.needs.join[place] != Join::Ended)
    }

    fn is_wanted(&self, node: &Node, within: Within<'_>) -> bool {
        let when = match node {
            Node::Run(run) => &run.when,
            Node::Foreach(foreach) => &foreach.when,
            Node::Loop(repeat) => &repeat.when,
            Node::Graph(body) => &body.when,
            Node::Reduce(reduce) => &reduce.run.when,
            Node::Export(export) => &export.when,
            Node::Ask(ask) => &ask.when,
            Node::Set(set) => &set.when,
            Node::Wait(wait) => &wait.when,
            Node::End(end) => &end.when,
            Node::Workflow(workflow) => &workflow.when,
            Node::Branch(_) => &None,
        };
        when.as_ref().is_none_or(|when| holds(when, &self.names(within)))
    }

    fn work(&self, node: &Node, path: &NodePath, within: Within<'_>) -> Ended {
        match node {
            Node::Run(run) => self.call(run, None, path, within),
            Node::Foreach(foreach) => self.foreach(foreach, path, within),
            Node::Loop(_) | Node::Graph(_) => unreachable!("the nodes in a body are done by themselves"),
            Node::Workflow(node) => {
                let names = self.names(within);
                let given =
                    node.vars.iter().map(|(name, value)| Some((name.clone(), render(value, &names)?)));
                let on_failure = self.on_failure(within.place);
                let on_failure = on_failure.unwrap_or_else(|| self.run.on_failure(self.lane.stage));
                let own = self.said(within.place, |node| node.retries);
                let retries = call::retries(on_failure, own.or(self.lane.stage.retries));
                self.run.child(node, given.collect(), path, retries)
            }
            Node::Ask(ask) => {
                let names = self.names(within);
                let question = render(&ask.question.as_str().into(), &names);
                let choices: Option<Vec<_>> =
                    ask.choices.iter().map(|choice| render(choice, &names)).collect();
                Ended::alone(match (question, choices) {
                    (Some(_), Some(choices)) => {
                        How::Completed(says(self.run.case, &path.to_string(), &choices))
                    }
                    _ => How::Failed(Some(FailureClass::Expression)),
                })
            }
            Node::End(end) => {
                let mut ending = json!({ "status": end.status.unwrap_or_default() });
                let names = self.names(within);
                let reason = end.reason.as_ref().map(|reason| render(&reason.as_str().into(), &names));
                let output = end.output.as_ref().map(|output| render(output, &names));
                if reason == Some(None) || output == Some(None) {
                    return Ended::alone(How::Failed(Some(FailureClass::Expression)));
                }
                if let Some(reason) = reason.flatten() {
                    ending["reason"] = values::as_text(&reason).into();
                }
                if let Some(output) = output.flatten() {
                    ending["output"] = output;
                }
                Ended::alone(How::Completed(ending))
            }
            Node::Wait(wait) => {
                let until =
                    wait.until.as_ref().map(|until| render(&until.as_str().into(), &self.names(within)));
                let is_time = |text: &Value| values::as_text(text).trim().parse::<jiff::Timestamp>().is_ok();
                Ended::alone(match until {
                    _ if wait.signal.as_deref() == Some(NEVER) => How::Failed(Some(FailureClass::Timeout)),
                    _ if let Some(name) = &wait.signal => How::Completed(signal(name).data.value()),
                    Some(until) if !until.as_ref().is_some_and(is_time) => {
                        How::Failed(Some(FailureClass::Expression))
                    }
                    _ => How::Completed(Value::Null),
                })
            }
            Node::Set(set) => Ended::alone(match render(&set.value, &self.names(within)) {
                Some(value) => How::Completed(value),
                None => How::Failed(Some(FailureClass::Expression)),
            }),
            Node::Reduce(reduce) => {
                let from = reduce.from.iter().filter_map(|name| self.named(name, within));
                let mut from: Vec<_> = from.collect();
                if let ([_], [Value::Array(elements)]) = (&reduce.from[..], &from[..]) {
                    let elements = elements.clone();
                    from = elements;
                }
                if reduce.strategy == ReduceStrategy::Summarize {
                    return self.call(&reduce.run, Some(from), path, within);
                }
                Ended::alone(match values::reduce(reduce.strategy, &from) {
                    Some(value) => How::Completed(value),
                    None => How::Failed(Some(FailureClass::Expression)),
                })
            }
            Node::Branch(branch) => {
                let names = self.names(within);
                let taken = branch.when.iter().find(|arm| holds(&arm.condition, &names));
                Ended::alone(How::Completed(json!(taken.map(|arm| arm.then.clone()).unwrap_or_default())))
            }
            Node::Export(export) => {
                let value = self.named(&export.from, within).unwrap_or_default();
                let own = export.output_schema.as_ref();
                let is_own = within.item.is_none() && within.place < self.own;
                let schema = own.or_else(|| self.schema_of_stage().filter(|_| is_own));
                let follows = schema.is_none_or(|name| self.run.schema(name).check(&value).is_empty());
                Ended::alone(if follows {
                    How::Completed(value)
                } else {
                    How::Failed(Some(FailureClass::InvalidOutput))
                })
            }
        }
    }

    /// The stage's schema, if it applies to the graph's only export.
    fn schema_of_stage(&self) -> Option<&SchemaSource> {
        let own = self.profile.graph.iter().take(self.own);
        let exports = own.filter(|node| matches!(node.node, Node::Export(_)));
        self.lane.stage.output_schema.as_ref().filter(|_| exports.count() == 1)
    }

    fn call(&self, node: &RunNode, values: Option<Vec<Value>>, path: &NodePath, within: Within<'_>) -> Ended {
        let stage = self.lane.stage;
        let names = self.names(within);
        if node.approval.is_some() && !agrees(self.run.case, &path.to_string()) {
            return Ended::alone(How::Failed(Some(FailureClass::Rejected)));
        }
        if let Some(provider) = &node.provider
            && render(&provider.as_str().into(), &names).is_none()
        {
            return call::unresolved(false);
        }
        let mut inputs: Vec<_> = values.into_iter().flatten().map(Input::Given).collect();
        for input in &node.inputs {
            match name_of(input) {
                Some(name) => inputs.extend(self.named(name, within).map(Input::Given)),
                None => inputs.push(Input::ToResolve(input)),
            }
        }
        let is_first = |place: usize| self.needs.order(place).is_empty();
        let is_first = is_first(within.place) && self.needs.owner_of[within.place].is_none_or(is_first);
        if is_first {
            inputs.extend(stage.inputs.iter().map(Input::ToResolve));
        }
        let before = self.lane.before.clone().filter(|_| is_first);
        let own = node.prompt.as_deref().map(|prompt| (prompt, node.template));
        let of_stage = stage.prompt.as_deref().map(|prompt| (prompt, node.template.or(stage.template)));
        let Some(prompt) = call::prompt(own.or(of_stage), inputs, before, &names) else {
            return call::without_prompt(self.run, path);
        };
        let on_failure = self.on_failure(within.place);
        let retries = self.said(within.place, |node| node.retries);
        let mut call = Call::of_node(self.run, node, on_failure, retries, stage);
        if within.item.is_none() && call.schema.is_none() {
            self.attach(&mut call, within.place);
        }
        call.attempt(self.run, path, &prompt)
    }

    /// Attaches to a call the schema of the export that uses its output, or of the stage if it is its only
    /// last node.
    fn attach(&self, call: &mut Call, place: usize) {
        let (graph, stage) = (&self.profile.graph, self.lane.stage);
        let mut has_export = false;
        for (number, node) in graph.iter().enumerate() {
            let Node::Export(export) = &node.node else { continue };
            let is_own = number < self.own;
            has_export |= is_own;
            let schema = export.output_schema.as_ref().or_else(|| self.schema_of_stage().filter(|_| is_own));
            if let Some(schema) = schema.filter(|_| find(&self.profile, &export.from) == Some(place)) {
                call.schema = Some(self.run.schema(schema));
                call.repairs = export.repairs.or(stage.repairs).unwrap_or(REPAIRS);
                return;
            }
        }
        if let Some(schema) = stage
            .output_schema
            .as_ref()
            .filter(|_| place < self.own && !has_export && self.needs.is_last(place))
        {
            call.schema = Some(self.run.schema(schema));
            call.repairs = stage.repairs.unwrap_or(REPAIRS);
        }
    }
}

fn shown(ended: &Ended) -> Value {
    let mut shown = json!({
        "status": status(&ended.how),
        "error": error(&ended.how),
        "attempts": ended.attempts,
    });
    if let How::Completed(output) = &ended.how {
        shown["output"] = output.clone();
    }
    if !ended.errors.is_empty() {
        shown["errors"] = ended.errors.iter().map(item_failure).collect();
    }
    shown
}
