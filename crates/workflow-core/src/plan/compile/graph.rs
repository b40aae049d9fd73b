//! Graphs: nodes by their places, with what each waits for and leads to.

use serde_json::Value;

use crate::definition::{
    self, AskNode, Flat, ForeachNode, GraphNode, Join, Mode, Node, OnFailure, Profile, ReduceStrategy, Stage,
};
use crate::expr::{Condition, Template, ValueTemplate};
use crate::plan::compile::Compiler;
use crate::plan::model::{
    ArmPlan, AskPlan, BodiesPlan, ChildPlan, EndPlan, FailurePlan, ForeachPlan, GraphPlan, Items, NodeKind,
    NodePlan, RepeatPlan, Source, WaitPlan,
};

/// How many nodes of a lane are under way at a time, by default.
const NODES: u32 = 64;
/// How many items of a parallel `foreach` are under way at a time, by default.
const ITEMS: u32 = 16;

impl Compiler<'_> {
    pub(super) fn graph(&mut self, path: &str, profile: &Profile, stage: &Stage) -> Option<GraphPlan> {
        let flat = Flat::of(&profile.graph);
        let names = definition::NodeNames::of(&flat);
        let arms = definition::arms(&flat, &names);
        self.names = names.iter().map(|(name, place)| (name.clone(), place)).collect();
        let mut nodes: Vec<NodePlan> = Vec::with_capacity(flat.len());
        let mut leads_to = vec![Vec::new(); flat.len()];
        let mut first = vec![false; flat.own()];
        for (place, (node, arm_of)) in flat.iter().zip(arms).enumerate() {
            let path = format!("{path}.{}", node.id);
            let needs = definition::needs(&flat, place, &names);
            let after = if node.after.is_empty() {
                Vec::new()
            } else {
                let known: Vec<_> = needs.iter().chain(&arm_of).copied().collect();
                definition::after(node, &names, &known)
            };
            let waits_for_none = needs.is_empty() && arm_of.is_empty() && after.is_empty();
            // What comes first in a body comes first if the node with the body does.
            let owner = flat.owner_of(place).and_then(|owner| flat.get(owner).zip(first.get(owner).copied()));
            let is_first = waits_for_none && owner.is_none_or(|(_, is_first)| is_first);
            if let Some(first) = first.get_mut(place) {
                *first = is_first;
            }
            for before in needs.iter().chain(&arm_of).chain(&after) {
                // What a node in a body needs outside of it has ended when the body begins.
                if flat.owner_of(*before) == flat.owner_of(place) {
                    leads_to[*before].push(place);
                }
            }
            let kind = if let Node::Loop(repeat) = &node.node {
                let body: Vec<_> = flat.body(place).collect();
                NodeKind::Loop(Box::new(RepeatPlan {
                    max_iters: repeat.max_iters,
                    stop_when: self
                        .condition(format_args!("{path}.stop_when"), repeat.stop_when.as_deref())?,
                    on_exhausted: repeat.on_exhausted.unwrap_or_default(),
                    reads: body.iter().chain(&needs).copied().collect(),
                    body,
                }))
            } else if let (Node::Foreach(foreach), Some(_)) = (&node.node, node.node.body()) {
                let body = NodeKind::Body(flat.body(place).collect());
                NodeKind::Foreach(Box::new(self.foreach(&path, foreach, body)?))
            } else {
                self.kind(&path, &node.node, stage, is_first)?
            };
            nodes.push(NodePlan {
                id: node.id.clone(),
                out: node.out.clone(),
                kind,
                when: self.condition(format_args!("{path}.when"), when(&node.node))?.map(Box::new),
                set: self.values(format_args!("{path}.set"), &node.set)?.into(),
                needs: needs.into(),
                arm_of: arm_of.into(),
                after: after.into(),
                // A node that waits for none has none to choose from.
                join: if waits_for_none { Join::All } else { node.join.unwrap_or_default() },
                leads_to: Box::default(),
                failure: failure(node, owner.map(|(owner, _)| owner)),
            });
        }
        for (node, places) in nodes.iter_mut().zip(leads_to) {
            node.leads_to = places.into();
        }
        self.attach(path, &mut nodes, &flat, stage)?;
        let names = std::mem::take(&mut self.names);
        let ends = nodes.iter().enumerate().filter(|(_, node)| matches!(node.kind, NodeKind::End(_)));
        let ends = ends.map(|(place, _)| place).collect();
        let has_any = nodes.iter().any(|node| node.join == Join::Any);
        let concurrency = profile.concurrency.unwrap_or(NODES);
        let bodies = (flat.len() > flat.own()).then(|| {
            let of = (flat.own()..flat.len()).filter_map(|place| flat.owner_of(place)).collect();
            Box::new(BodiesPlan { own: flat.own(), of })
        });
        Some(GraphPlan { nodes, names, concurrency, ends, has_any, bodies })
    }

    fn kind(&mut self, path: &str, node: &Node, stage: &Stage, is_first: bool) -> Option<NodeKind> {
        Some(match node {
            Node::Run(run) => NodeKind::Call(Box::new(self.node_call(path, run, stage, None, is_first)?)),
            Node::Foreach(foreach) => {
                let body = self.kind(&format!("{path}.run"), &foreach.run, stage, is_first)?;
                NodeKind::Foreach(Box::new(self.foreach(path, foreach, body)?))
            }
            // They have nodes: `graph` makes them.
            Node::Loop(_) | Node::Graph(_) => return None,
            Node::Reduce(reduce) => {
                let from: Vec<_> = reduce.from.iter().filter_map(|name| self.source_of(name)).collect();
                if reduce.strategy == ReduceStrategy::Summarize {
                    NodeKind::Call(Box::new(self.node_call(
                        path,
                        &reduce.run,
                        stage,
                        Some(from),
                        is_first,
                    )?))
                } else {
                    NodeKind::Reduce { from, strategy: reduce.strategy }
                }
            }
            Node::Branch(branch) => {
                let arms = branch.when.iter().enumerate().map(|(n, arm)| {
                    let path = format!("{path}.when[{n}].condition");
                    let condition = self.keep(format_args!("{path}"), Condition::parse(&arm.condition))?;
                    Some(ArmPlan { condition, then: arm.then.clone() })
                });
                NodeKind::Branch(arms.collect::<Option<_>>()?)
            }
            Node::Export(export) => NodeKind::Export {
                from: self.source_of(&export.from)?,
                schema: self.schema(format_args!("{path}.output_schema"), export.output_schema.as_ref())?,
            },
            Node::Ask(ask) => NodeKind::Ask(Box::new(self.ask(path, ask)?)),
            Node::End(end) => NodeKind::End(Box::new(EndPlan {
                status: end.status.unwrap_or_default(),
                reason: self.text(format_args!("{path}.reason"), end.reason.as_deref())?,
                output: match &end.output {
                    Some(output) => {
                        Some(self.keep(format_args!("{path}.output"), ValueTemplate::parse(output))?)
                    }
                    None => None,
                },
            })),
            Node::Wait(wait) => NodeKind::Wait(Box::new(match (&wait.signal, &wait.until) {
                (Some(name), _) => WaitPlan::Signal {
                    name: name.as_str().into(),
                    timeout: wait.timeout.map(|period| period.0),
                },
                (None, Some(until)) => {
                    WaitPlan::Until(self.keep(format_args!("{path}.until"), Template::parse(until))?)
                }
                (None, None) => WaitPlan::For(wait.duration.unwrap_or_default().0),
            })),
            Node::Workflow(node) => {
                let (id, bundle) = self.bundle.workflows.get_key_value(node.workflow.as_str())?;
                NodeKind::Workflow(Box::new(ChildPlan {
                    workflow: id.clone(),
                    bundle: bundle.clone(),
                    vars: self.values(format_args!("{path}.vars"), &node.vars)?,
                }))
            }
            Node::Set(set) => NodeKind::Set(Box::new(
                self.keep(format_args!("{path}.value"), ValueTemplate::parse(&set.value))?,
            )),
        })
    }

    fn ask(&mut self, path: &str, ask: &AskNode) -> Option<AskPlan> {
        let choices = ask.choices.iter().enumerate().map(|(n, choice)| {
            let parsed = ValueTemplate::parse(choice);
            self.keep(format_args!("{path}.choices[{n}]"), parsed)
        });
        let choices = choices.collect::<Option<_>>()?;
        Some(AskPlan {
            question: self.keep(format_args!("{path}.question"), Template::parse(&ask.question))?,
            choices,
            schema: self.schema(format_args!("{path}.output_schema"), ask.output_schema.as_ref())?,
        })
    }

    fn foreach(&mut self, path: &str, foreach: &ForeachNode, body: NodeKind) -> Option<ForeachPlan> {
        let items = match self.source(&foreach.items) {
            Some(source) => Items::Of(source),
            None => {
                Items::Value(self.keep(format_args!("{path}.items"), ValueTemplate::parse(&foreach.items))?)
            }
        };
        Some(ForeachPlan {
            items,
            concurrency: match foreach.mode.unwrap_or_default() {
                Mode::Sequential => 1,
                Mode::Parallel => foreach.concurrency.unwrap_or(ITEMS),
            },
            when: self.condition(format_args!("{path}.run.when"), when(&foreach.run))?,
            body,
        })
    }

    /// Attaches schemas to the calls whose replies have to follow them: an export's to its source, the
    /// stage's to what makes the stage's output.
    fn attach(&mut self, path: &str, nodes: &mut [NodePlan], graph: &Flat<'_>, stage: &Stage) -> Option<()> {
        let schema = self.schema(format_args!("{path}.output_schema"), stage.output_schema.as_ref())?;
        if let Some(schema) = schema {
            let nodes = &mut nodes[..graph.own()];
            let mut open = nodes.iter_mut().filter_map(|node| match &mut node.kind {
                NodeKind::Export { schema, .. } => Some(schema),
                _ => None,
            });
            match (open.next(), open.next()) {
                (Some(export), None) => {
                    export.get_or_insert_with(|| schema.clone());
                }
                (None, _) => {
                    let mut last = nodes.iter_mut().filter(|node| node.is_last());
                    let (last, other) = (last.next(), last.next());
                    match (last.map(|node| &mut node.kind), other) {
                        (Some(NodeKind::Call(call)), None) => call.attach(&schema, stage.repairs),
                        _ => return self.no_place_for_schema(path),
                    }
                }
                _ => return self.no_place_for_schema(path),
            }
        }
        for place in 0..nodes.len() {
            let NodeKind::Export { from: Source::Node(from), schema: Some(schema) } = &nodes[place].kind
            else {
                continue;
            };
            let (from, schema) = (*from, schema.clone());
            let repairs = match graph.get(place).map(|node| &node.node) {
                Some(Node::Export(export)) => export.repairs,
                _ => None,
            };
            if let NodeKind::Call(call) = &mut nodes[from].kind {
                call.attach(&schema, repairs.or(stage.repairs));
            }
        }
        Some(())
    }

    fn no_place_for_schema(&mut self, path: &str) -> Option<()> {
        let message = "the stage's graph has no single node that this schema could be for: write it at an \
                       `export` node";
        self.refuse(format_args!("{path}.output_schema"), message);
        None
    }

    /// The node or the item that a text names, where it is a name.
    pub(super) fn source(&self, value: &Value) -> Option<Source> {
        self.source_of(value.as_str()?)
    }

    fn source_of(&self, name: &str) -> Option<Source> {
        if name == "item" {
            return Some(Source::Item);
        }
        self.names.get(name).copied().map(Source::Node)
    }
}

/// What a node says of its failures, or else the loop or the `foreach` in whose body it is.
fn failure(node: &GraphNode, owner: Option<&GraphNode>) -> Option<Box<FailurePlan>> {
    let of_owner = owner.and_then(|owner| match (owner.on_failure, &owner.node) {
        // An item that fails ends without success, and its nodes are not tried again.
        (Some(OnFailure::Continue), Node::Foreach(_)) => Some(OnFailure::Stop),
        (on_failure, _) => on_failure,
    });
    let on_failure = node.on_failure.or(of_owner);
    let retries = node.retries.or(owner.and_then(|owner| owner.retries));
    let retry_backoff = node.retry_backoff.or(owner.and_then(|owner| owner.retry_backoff));
    let says_nothing = on_failure.is_none() && retries.is_none() && retry_backoff.is_none();
    (!says_nothing).then(|| {
        let backoff = retry_backoff.map(|period| period.0);
        Box::new(FailurePlan { on_failure, retries, backoff })
    })
}

fn when(node: &Node) -> Option<&str> {
    match node {
        Node::Run(run) => run.when.as_deref(),
        Node::Foreach(foreach) => foreach.when.as_deref(),
        Node::Loop(repeat) => repeat.when.as_deref(),
        Node::Graph(body) => body.when.as_deref(),
        Node::Reduce(reduce) => reduce.run.when.as_deref(),
        Node::Export(export) => export.when.as_deref(),
        Node::Ask(ask) => ask.when.as_deref(),
        Node::Set(set) => set.when.as_deref(),
        Node::Wait(wait) => wait.when.as_deref(),
        Node::End(end) => end.when.as_deref(),
        Node::Workflow(workflow) => workflow.when.as_deref(),
        Node::Branch(_) => None,
    }
}
