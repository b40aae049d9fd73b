//! From the tree of a profile file to a [`Profile`], as far as the types of its values allow.

use indexmap::IndexMap;
use serde_json::Value;

use super::call::{budget, env, on_failure, on_interrupt, options, output, output_schema, session, template};
use super::fields::{Fields, Unknown, text, wrong_type};
use super::workflow::on_exhausted;
use crate::definition::model::{
    Arm, AskNode, BranchNode, EndNode, EndStatus, ExportNode, ForeachNode, GraphBody, GraphNode, Include,
    Join, LoopNode, Mode, Node, Path, Profile, ReduceNode, ReduceStrategy, RunNode, SetNode, WaitNode,
    WorkflowNode, shorten,
};
use crate::definition::report::Report;
use crate::definition::yaml::{self, Kind};
use crate::ids::NodeId;
use crate::suggest::one_of;

/// How deep `foreach` nodes may be nested.
const DEEPEST_FOREACH: usize = 8;

/// How deep nodes may still be nested.
#[derive(Clone, Copy)]
struct Depth {
    /// Bodies of `foreach` nodes.
    foreach: usize,
    /// Graphs in bodies.
    graphs: usize,
}

/// Reads as much as possible. Everything that is left out or replaced has an error in `report`.
pub(crate) fn profile(root: &yaml::Node, report: &mut Report<'_>) -> Profile {
    let path = Path::Root;
    let mut fields = Fields::of(root, &path, report);
    let graph_path = path.key("graph");
    let include = include(&mut fields, &path, report);
    let nodes = fields.list("graph", report);
    if nodes.is_empty() && include.is_empty() {
        let message = "`graph` is missing or empty: list the nodes of the stage";
        report.refuse("missing-field", &graph_path, message);
    }
    let nodes = nodes.iter().enumerate();
    let graph = nodes.filter_map(|(n, node)| graph_node(node, &graph_path.index(n), report, 1)).collect();
    let profile = Profile {
        name: fields.text("name", report),
        description: fields.text("description", report),
        concurrency: fields.whole("concurrency", report),
        vars: values(&mut fields, "vars", report),
        include,
        graph,
    };
    // What older files carry beside: the id is the file's name.
    fields.take("id");
    fields.finish(report);
    profile
}

/// One profile whose nodes are added, or a list of them.
fn include(fields: &mut Fields<'_, '_>, path: &Path<'_>, report: &mut Report<'_>) -> Vec<Include> {
    let path = path.key("include");
    match fields.take("include") {
        None => Vec::new(),
        Some(yaml::Node { kind: Kind::List(items), .. }) => {
            let items = items.iter().enumerate();
            items.filter_map(|(n, item)| included(item, &path.index(n), report)).collect()
        }
        Some(node) => included(node, &path, report).into_iter().collect(),
    }
}

fn included(node: &yaml::Node, path: &Path<'_>, report: &mut Report<'_>) -> Option<Include> {
    let (include, named) = match &node.kind {
        Kind::Map(_) => {
            let mut fields = Fields::of(node, path, report);
            let profile = required(&mut fields, "profile", "the name of the profile", path, report);
            let after = match fields.take("after") {
                Some(_) => names(&mut fields, "after", "the node that has to end before", path, report),
                None => Vec::new(),
            };
            fields.finish(report);
            (Include { profile, after }, path.key("profile"))
        }
        Kind::Scalar(_, Value::String(profile)) => {
            (Include { profile: profile.clone(), after: Vec::new() }, *path)
        }
        _ => {
            wrong_type(node, "the name of a profile, or a mapping with `profile`", path, report);
            return None;
        }
    };
    if include.key().is_none() && !include.profile.is_empty() {
        let message = format!(
            "`{}` is not the name of a profile: write the stage and the id, as `check.lint`",
            shorten(&include.profile)
        );
        report.refuse("bad-id", &named, message);
    }
    Some(include)
}

/// A node of a graph, in which graphs may be nested so deep.
fn graph_node(
    node: &yaml::Node,
    path: &Path<'_>,
    report: &mut Report<'_>,
    graphs: usize,
) -> Option<GraphNode> {
    let mut fields = Fields::of(node, path, report).of_kind(Unknown::Node);
    let id = if let Some(id) = fields.text("id", report) {
        node_id(&id, &path.key("id"), report)
    } else {
        report.refuse("missing-field", &path.key("id"), "`id` is missing: give the node a name");
        None
    };
    let out = fields.text("out", report).and_then(|out| node_id(&out, &path.key("out"), report));
    let after = match fields.take("after") {
        Some(_) => names(&mut fields, "after", "the node that has to end before", path, report),
        None => Vec::new(),
    };
    let joins = [("all", Join::All), ("ended", Join::Ended), ("any", Join::Any)];
    let join = fields.choice("join", &joins, report);
    let set = values(&mut fields, "set", report);
    let on_failure = on_failure(&mut fields, report);
    let retries = fields.whole("retries", report);
    let retry_backoff = fields.period("retry_backoff", report);
    let node = if is_loop(&mut fields) {
        Node::Loop(repeat(&mut fields, path, report, graphs))
    } else {
        kind(&mut fields, path, report, Depth { foreach: DEEPEST_FOREACH, graphs })
    };
    fields.finish(report);
    // The place of a node in the list has to stay what it is in the file.
    let id = id.or_else(|| NodeId::new("unnamed").ok())?;
    Some(GraphNode { id, out, after, join, set, on_failure, retries, retry_backoff, node })
}

fn node_id(id: &str, path: &Path<'_>, report: &mut Report<'_>) -> Option<NodeId> {
    NodeId::new(id).map_err(|error| report.refuse("bad-id", path, error.to_string())).ok()
}

#[derive(Clone, Copy)]
enum Type {
    Run,
    Foreach,
    Loop,
    Reduce,
    Branch,
    Export,
    Ask,
    Set,
    Wait,
    End,
    Workflow,
    Graph,
}

fn kind(fields: &mut Fields<'_, '_>, path: &Path<'_>, report: &mut Report<'_>, deeper: Depth) -> Node {
    let types = [
        ("run", Type::Run),
        ("foreach", Type::Foreach),
        ("loop", Type::Loop),
        ("reduce", Type::Reduce),
        ("branch", Type::Branch),
        ("export", Type::Export),
        ("ask", Type::Ask),
        ("set", Type::Set),
        ("wait", Type::Wait),
        ("end", Type::End),
        ("workflow", Type::Workflow),
        ("graph", Type::Graph),
    ];
    let is_there = fields.take("type").is_some();
    let chosen = fields.choice("type", &types, report);
    if is_there && chosen.is_none() {
        // What the other keys mean depends on the type.
        fields.forget();
    }
    // The body of a `foreach` with nodes is a graph also if its type is left out.
    let is_graph = !is_there && deeper.foreach < DEEPEST_FOREACH && fields.take("graph").is_some();
    match chosen.unwrap_or(if is_graph { Type::Graph } else { Type::Run }) {
        Type::Run => Node::Run(Box::new(run(fields, path, report))),
        Type::Foreach => Node::Foreach(foreach(fields, path, report, deeper)),
        Type::Graph => {
            let when = fields.text("when", report);
            Node::Graph(GraphBody { when, graph: body(fields, path, report, deeper.graphs) })
        }
        // The body of a `foreach`, which is reported with the other rules.
        Type::Loop => {
            fields.forget();
            Node::Loop(LoopNode::default())
        }
        Type::Reduce => {
            let strategies = [
                ("concat", ReduceStrategy::Concat),
                ("merge", ReduceStrategy::Merge),
                ("first", ReduceStrategy::First),
                ("last", ReduceStrategy::Last),
                ("vote", ReduceStrategy::Vote),
                ("summarize", ReduceStrategy::Summarize),
            ];
            let is_there = fields.take("strategy").is_some();
            let strategy = fields.choice("strategy", &strategies, report);
            if !is_there {
                let names = one_of(strategies.iter().map(|(name, _)| *name));
                let message = format!("`strategy` is missing: write {names}");
                report.refuse("missing-field", &path.key("strategy"), message);
            }
            Node::Reduce(ReduceNode {
                from: names(fields, "from", "the node whose output is reduced", path, report),
                strategy: strategy.unwrap_or(ReduceStrategy::First),
                run: Box::new(run(fields, path, report)),
            })
        }
        Type::Branch => Node::Branch(BranchNode { when: arms(fields, path, report) }),
        Type::Export => Node::Export(ExportNode {
            from: required(fields, "from", "the node whose output is exported", path, report),
            output_schema: output_schema(fields, report),
            repairs: fields.whole("repairs", report),
            when: fields.text("when", report),
        }),
        Type::End => {
            let ends = [("completed", EndStatus::Completed), ("failed", EndStatus::Failed)];
            Node::End(EndNode {
                status: fields.choice("status", &ends, report),
                reason: fields.text("reason", report),
                output: fields.take("output").map(yaml::Node::to_value),
                when: fields.text("when", report),
            })
        }
        Type::Set => {
            let value = fields.take("value").map(yaml::Node::to_value);
            if value.is_none() {
                let message = "`value` is missing: write what the output of the node is";
                report.refuse("missing-field", &path.key("value"), message);
            }
            Node::Set(SetNode { value: value.unwrap_or_default(), when: fields.text("when", report) })
        }
        Type::Wait => {
            if ["for", "until", "signal"].into_iter().all(|key| fields.take(key).is_none()) {
                let message = "`for` is missing: write how long the node waits, as `for: 5m`, or `until` with a time, or \
                               `signal` with the name of a signal";
                report.refuse("missing-field", &path.key("for"), message);
            }
            Node::Wait(WaitNode {
                duration: fields.period("for", report),
                until: fields.text("until", report),
                signal: fields.text("signal", report),
                timeout: fields.period("timeout", report),
                when: fields.text("when", report),
            })
        }
        Type::Workflow => Node::Workflow(WorkflowNode {
            workflow: required(fields, "workflow", "the id of the workflow that is run", path, report),
            vars: values(fields, "vars", report),
            when: fields.text("when", report),
        }),
        Type::Ask => Node::Ask(AskNode {
            question: required(fields, "question", "what the person is asked", path, report),
            choices: fields.list("choices", report).iter().map(yaml::Node::to_value).collect(),
            output_schema: output_schema(fields, report),
            when: fields.text("when", report),
        }),
    }
}

fn is_loop(fields: &mut Fields<'_, '_>) -> bool {
    matches!(fields.take("type").map(|node| &node.kind), Some(Kind::Scalar(_, Value::String(kind))) if kind == "loop")
}

fn repeat(fields: &mut Fields<'_, '_>, path: &Path<'_>, report: &mut Report<'_>, graphs: usize) -> LoopNode {
    let max_iters = fields.whole("max_iters", report).unwrap_or_else(|| {
        let message = "`max_iters` is missing: write the most iterations, from 1 to 100";
        report.refuse("missing-field", &path.key("max_iters"), message);
        u32::MAX
    });
    let graph = body(fields, path, report, graphs);
    LoopNode {
        max_iters,
        stop_when: fields.text("stop_when", report),
        on_exhausted: on_exhausted(fields, report),
        when: fields.text("when", report),
        graph,
    }
}

/// The nodes of a body.
fn body(
    fields: &mut Fields<'_, '_>,
    path: &Path<'_>,
    report: &mut Report<'_>,
    graphs: usize,
) -> Vec<GraphNode> {
    let path = path.key("graph");
    let nodes = fields.list("graph", report);
    if nodes.is_empty() {
        let message = "`graph` is missing or empty: list the nodes of the body";
        report.refuse("missing-field", &path, message);
    }
    // A graph in the body of a graph is reported with the other rules, and what is in it is not looked at.
    let Some(deeper) = graphs.checked_sub(1) else { return Vec::new() };
    let nodes = nodes.iter().enumerate();
    nodes.filter_map(|(n, node)| graph_node(node, &path.index(n), report, deeper)).collect()
}

fn foreach(
    fields: &mut Fields<'_, '_>,
    path: &Path<'_>,
    report: &mut Report<'_>,
    deeper: Depth,
) -> ForeachNode {
    let items = fields.take("items").map(yaml::Node::to_value);
    if items.is_none() {
        let message = "`items` is missing: write a list, or an expression for one as `${vars.files}`";
        report.refuse("missing-field", &path.key("items"), message);
    }
    let body_path = path.key("run");
    let body = match (fields.take("run"), deeper.foreach.checked_sub(1)) {
        (Some(node), Some(foreach)) => {
            let deeper = Depth { foreach, ..deeper };
            let mut body = Fields::of(node, &body_path, report).of_kind(Unknown::Node);
            let kind = kind(&mut body, &body_path, report, deeper);
            // A node that would do something other than what was written, for each item, is more than a
            // warning.
            body.finish_strict(&["id", "name", "description", "isDefault", "protected", "source"], report);
            Some(kind)
        }
        (Some(_), None) => {
            let message = format!("`foreach` is nested more than {DEEPEST_FOREACH} deep");
            report.refuse("too-deep", &body_path, message);
            None
        }
        (None, _) => {
            let message = "`run` is missing: write the node that works on each item, or a `graph` of several";
            report.refuse("missing-field", &body_path, message);
            None
        }
    };
    let modes = [("sequential", Mode::Sequential), ("parallel", Mode::Parallel)];
    ForeachNode {
        items: items.unwrap_or_default(),
        mode: fields.choice("mode", &modes, report),
        concurrency: fields.whole("concurrency", report),
        when: fields.text("when", report),
        run: Box::new(body.unwrap_or_else(|| Node::Run(Box::default()))),
    }
}

fn run(fields: &mut Fields<'_, '_>, path: &Path<'_>, report: &mut Report<'_>) -> RunNode {
    let with = options(fields, report);
    RunNode {
        provider: fields.text("provider", report),
        role: fields.text("role", report),
        prompt: fields.text("prompt", report),
        template: template(fields, report),
        inputs: fields.list("inputs", report).iter().map(yaml::Node::to_value).collect(),
        with,
        when: fields.text("when", report),
        output: output(fields, report),
        output_schema: output_schema(fields, report),
        repairs: fields.whole("repairs", report),
        skills: fields.texts("skills", report),
        timeout: fields.period("timeout", report),
        idle_timeout: fields.period("idle_timeout", report),
        env: env(fields, path, report),
        cwd: fields.text("cwd", report),
        session: session(fields, report),
        on_interrupt: on_interrupt(fields, report),
        approval: fields.text("approval", report),
        budget: budget(fields, path, report),
    }
}

fn arms(fields: &mut Fields<'_, '_>, path: &Path<'_>, report: &mut Report<'_>) -> Vec<Arm> {
    let path = path.key("when");
    let items = fields.list("when", report);
    if items.is_empty() {
        let message = "`when` is missing or empty: list conditions, as `- { condition: \"$.nodes.x.output.ok\", then: y }`";
        report.refuse("missing-field", &path, message);
    }
    let arm = |(n, node)| {
        let path = path.index(n);
        let mut fields = Fields::of(node, &path, report);
        let arm = Arm {
            condition: required(&mut fields, "condition", "when the arm is taken", &path, report),
            then: names(&mut fields, "then", "the node that it leads to", &path, report),
        };
        fields.finish(report);
        arm
    };
    items.iter().enumerate().map(arm).collect()
}

/// One name, or a list of them.
fn names(
    fields: &mut Fields<'_, '_>,
    key: &'static str,
    what: &str,
    path: &Path<'_>,
    report: &mut Report<'_>,
) -> Vec<String> {
    let path = path.key(key);
    let Some(node) = fields.take(key) else {
        report.refuse("missing-field", &path, format!("`{key}` is missing: name {what}"));
        return Vec::new();
    };
    match &node.kind {
        Kind::List(items) if items.is_empty() => {
            report.refuse("missing-field", &path, format!("`{key}` is empty: name {what}"));
            Vec::new()
        }
        Kind::List(items) => {
            let items = items.iter().enumerate();
            items.filter_map(|(n, item)| text(item, &path.index(n), report).map(str::to_owned)).collect()
        }
        Kind::Scalar(_, Value::String(name)) => vec![name.clone()],
        _ => {
            wrong_type(node, "the name of a node, or a list of names", &path, report);
            Vec::new()
        }
    }
}

fn required(
    fields: &mut Fields<'_, '_>,
    key: &'static str,
    what: &str,
    path: &Path<'_>,
    report: &mut Report<'_>,
) -> String {
    let is_there = fields.take(key).is_some();
    let found = fields.text(key, report);
    if !is_there {
        report.refuse("missing-field", &path.key(key), format!("`{key}` is missing: write {what}"));
    }
    found.unwrap_or_default()
}

fn values(
    fields: &mut Fields<'_, '_>,
    key: &'static str,
    report: &mut Report<'_>,
) -> IndexMap<String, Value> {
    let entries = fields.map(key, report).unwrap_or_default();
    entries.iter().map(|entry| (entry.key.clone(), entry.value.to_value())).collect()
}
