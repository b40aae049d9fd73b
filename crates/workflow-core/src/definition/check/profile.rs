//! What the values of a profile have to be: one set of rules for files and for Rust.

use serde_json::Value;

use super::expressions::{self, TemplatePlace, look_up};
use super::fields::{budget, file, id, limits_of_call, provider, range, role_name, variable};
use super::needs::{self, NodeNames, named};
use super::shell;
use crate::definition::model::{
    AskNode, EndStatus, Flat, ForeachNode, GraphBody, GraphNode, Join, LoopNode, Mode, Node, OnFailure, Path,
    Profile, ReduceStrategy, RunNode, SchemaSource, WaitNode, Workflow, WorkflowNode, shorten, time,
};
use crate::definition::report::Report;
use crate::ids::is_id;
use crate::store::Signal;

/// The names that a node cannot have: they mean something else where a node is named.
const RESERVED: [&str; 1] = ["item"];

/// Reports all problems of `profile`; what it says about stages is checked only if the workflow is known.
pub(crate) fn profile(profile: &Profile, workflow: Option<&Workflow>, report: &mut Report<'_>) {
    range(profile.concurrency, 1, 1000, &Path::Root.key("concurrency"), report);
    let vars = Path::Root.key("vars");
    for name in profile.vars.keys().filter(|name| !is_id(name)) {
        let message = format!(
            "`{}` is not the name of a variable: use 1 to 64 letters, digits, `-` and `_`",
            shorten(name)
        );
        report.error("bad-id", &vars.key(name), message);
    }
    if !profile.include.is_empty() {
        // Its nodes may name those of other files.
        return;
    }
    let path = Path::Root.key("graph");
    if profile.graph.is_empty() {
        report.error("missing-field", &path, "`graph` is missing or empty: list the nodes of the stage");
    }
    let flat = Flat::of(&profile.graph);
    let names = NodeNames::of(&flat);
    for (n, node) in flat.iter().enumerate() {
        flat.at(n, &path, |path| {
            for (name, key) in [(Some(&node.id), "id"), (node.out.as_ref(), "out")] {
                let Some(name) = name else { continue };
                if RESERVED.contains(&name.as_str()) {
                    let message =
                        format!("a node cannot be called `{name}`: that is the item of a `foreach`");
                    report.error("reserved-name", &path.key(key), message);
                }
                let first = names.place(name.as_str()).unwrap_or(n);
                if first != n || (key == "out" && name == &node.id) {
                    let first = flat.path(first);
                    let message =
                        format!("`{name}` is the name of `{first}` already: names of nodes are unique");
                    report.error("duplicate-node", &path.key(key), message);
                }
            }
        });
    }
    for (at, node) in flat.iter().enumerate() {
        let checker = Checker { names: &names, graph: &flat, at, workflow };
        flat.at(at, &path, |path| checker.graph_node(node, path, report));
    }
    order(&flat, &names, &path, report);
    joins(&flat, &names, &path, report);
}

/// Reports `join` where it means nothing, or something else decides.
fn joins(graph: &Flat<'_>, names: &NodeNames, path: &Path<'_>, report: &mut Report<'_>) {
    if graph.iter().all(|node| node.join.is_none()) {
        return;
    }
    let arms = needs::arms(graph, names);
    for (n, node) in graph.iter().enumerate() {
        graph.at(n, path, |path| {
            let path = path.key("join");
            if node.join.unwrap_or_default() != Join::All
                && let Some(branch) = arms[n].first().and_then(|place| graph.get(*place))
            {
                let message =
                    format!("the branch `{}` decides whether this node runs: leave `join` out", branch.id);
                report.error("conflicting-fields", &path, message);
            } else if node.join.is_some() && node.after.is_empty() && needs::needs(graph, n, names).is_empty()
            {
                report.warning(
                    "no-effect",
                    &path,
                    "`join` does nothing here: the node does not wait for others",
                );
            }
        });
    }
}

struct Checker<'a> {
    names: &'a NodeNames,
    graph: &'a Flat<'a>,
    /// The place of the node that is checked.
    at: usize,
    workflow: Option<&'a Workflow>,
}

impl Checker<'_> {
    fn graph_node(&self, node: &GraphNode, path: &Path<'_>, report: &mut Report<'_>) {
        let set = path.key("set");
        for name in node.set.keys().filter(|name| !is_id(name)) {
            let message = format!(
                "`{}` is not the name of a variable: use 1 to 64 letters, digits, `-` and `_`",
                shorten(name)
            );
            report.error("bad-id", &set.key(name), message);
        }
        let place = self.place(false);
        expressions::set(&node.set, &place, &set, report);
        let after = path.key("after");
        for (n, name) in node.after.iter().enumerate() {
            let item = after.index(n);
            let path = if node.after.len() == 1 { &after } else { &item };
            self.order(name, "comes after", path, report);
        }
        failure(node, path, report);
        self.node(&node.node, path, false, report);
    }

    fn place(&self, in_body: bool) -> TemplatePlace<'_> {
        let Self { names, graph, at, workflow } = *self;
        let in_body = in_body || graph.foreach_of(at).is_some();
        TemplatePlace::Node { names, graph, workflow, at, in_body }
    }

    /// Checks the name of a node that this one comes after, or leads to: one of the same graph.
    fn order(&self, name: &str, what: &str, path: &Path<'_>, report: &mut Report<'_>) {
        match look_up(name, self.names, self.graph, self.at) {
            Ok(place) if self.graph.owner_of(place) == self.graph.owner_of(self.at) => {}
            Ok(_) => {
                let owner = if self.graph.repeat_of(self.at).is_some() { "loop" } else { "`foreach`" };
                let message = format!(
                    "a node in the body of a {owner} {what} nodes of the body only, and `{}` is none: write this at the \
                     {owner}",
                    shorten(name)
                );
                report.error("conflicting-fields", path, message);
            }
            Err(message) => report.error("dangling-node", path, message),
        }
    }

    fn node(&self, node: &Node, path: &Path<'_>, in_body: bool, report: &mut Report<'_>) {
        match node {
            Node::Run(run) => self.run(run, path, in_body, report),
            Node::Foreach(foreach) => self.foreach(foreach, path, in_body, report),
            Node::Loop(repeat) => self.repeat(repeat, path, in_body, report),
            Node::Graph(body) => self.graph_body(body, path, in_body, report),
            Node::Reduce(reduce) => {
                let from = path.key("from");
                for (n, name) in reduce.from.iter().enumerate() {
                    let path =
                        if reduce.from.len() == 1 { from.parent().map(|p| p.key("from")) } else { None };
                    let item = from.index(n);
                    self.name(name, path.as_ref().unwrap_or(&item), in_body, report);
                }
                self.run(&reduce.run, path, in_body, report);
                let calls = reduce.run.provider.is_some()
                    || reduce.run.role.is_some()
                    || reduce.run.prompt.is_some()
                    || !reduce.run.inputs.is_empty();
                if calls && reduce.strategy != ReduceStrategy::Summarize {
                    let message = "no provider is called here: only `strategy: summarize` calls one";
                    report.warning("no-effect", &path.key("strategy"), message);
                }
            }
            Node::Branch(branch) => {
                let when = path.key("when");
                for (n, arm) in branch.when.iter().enumerate() {
                    let path = when.index(n);
                    self.condition(&arm.condition, &path.key("condition"), in_body, report);
                    let then = path.key("then");
                    for (n, name) in arm.then.iter().enumerate() {
                        let item = then.index(n);
                        let path = if arm.then.len() == 1 { &then } else { &item };
                        if !in_body {
                            self.order(name, "leads to", path, report);
                        }
                    }
                }
            }
            Node::Export(export) => {
                self.name(&export.from, &path.key("from"), in_body, report);
                if let Some(schema) = export.output_schema.as_ref().and_then(SchemaSource::file) {
                    file(schema, &path.key("output_schema"), report);
                }
                range(export.repairs, 0, 10, &path.key("repairs"), report);
                if let Some(when) = &export.when {
                    self.condition(when, &path.key("when"), in_body, report);
                }
            }
            Node::Ask(ask) => self.ask(ask, path, in_body, report),
            Node::End(end) => {
                let place = self.place(in_body);
                if let Some(reason) = &end.reason {
                    expressions::value(&reason.as_str().into(), &place, &path.key("reason"), report);
                }
                if let Some(output) = &end.output {
                    expressions::value(output, &place, &path.key("output"), report);
                }
                if let Some(when) = &end.when {
                    self.condition(when, &path.key("when"), in_body, report);
                }
                if in_body {
                    let message = "an item cannot end the run: write the `end` node beside the `foreach`";
                    report.error("conflicting-fields", &path.key("type"), message);
                } else if self.graph.foreach_of(self.at).is_some() {
                    let message = "an item cannot end the run: write the `end` node beside the `foreach`, with a `when` that \
                                   reads its output";
                    report.error("conflicting-fields", &path.key("type"), message);
                } else if self.graph.owner_of(self.at).is_some() {
                    let message = "a node in the body of a loop cannot end the run: write the `end` node beside the \
                                   loop, with a `when` that reads the loop's output";
                    report.error("conflicting-fields", &path.key("type"), message);
                } else if end.status == Some(EndStatus::Failed) && end.output.is_some() {
                    let message = "`output` has no effect here: a run that fails has no output";
                    report.warning("no-effect", &path.key("output"), message);
                }
            }
            Node::Wait(wait) => self.wait(wait, path, in_body, report),
            Node::Workflow(workflow) => self.workflow(workflow, path, in_body, report),
            Node::Set(set) => {
                expressions::value(&set.value, &self.place(in_body), &path.key("value"), report);
                if let Some(when) = &set.when {
                    self.condition(when, &path.key("when"), in_body, report);
                }
            }
        }
    }

    /// The nodes in the body are checked like the others.
    fn repeat(&self, repeat: &LoopNode, path: &Path<'_>, in_body: bool, report: &mut Report<'_>) {
        if in_body {
            let message = "a loop cannot work on each item: write the `foreach` as a node in the body of the loop, or two \
                           nodes";
            return report.error("conflicting-fields", &path.key("type"), message);
        }
        if let Some(owner) = self.graph.owner_of(self.at) {
            let message = if self.graph.repeat_of(self.at) == Some(owner) {
                "a loop cannot be in the body of a loop: write it beside the outer one"
            } else {
                "a loop cannot be in the body of a `foreach`: write the `foreach` as a node in the body of the loop"
            };
            return report.error("too-deep", &path.key("type"), message);
        }
        range(Some(repeat.max_iters), 1, 100, &path.key("max_iters"), report);
        if repeat.graph.is_empty() {
            let message = "`graph` is missing or empty: list the nodes of the body";
            report.error("missing-field", &path.key("graph"), message);
        }
        match &repeat.stop_when {
            // It reads what the nodes of the body read.
            Some(stop_when) => {
                let at = self.graph.body(self.at).next().unwrap_or(self.at);
                Checker { at, ..*self }.condition(stop_when, &path.key("stop_when"), false, report);
            }
            None if repeat.on_exhausted.is_some() => {
                let message = "`on_exhausted` does nothing here: without `stop_when` all iterations are made";
                report.warning("no-effect", &path.key("on_exhausted"), message);
            }
            None => {}
        }
        if let Some(when) = &repeat.when {
            self.condition(when, &path.key("when"), false, report);
        }
    }

    /// The nodes in the body of a `foreach` are checked like the others.
    fn graph_body(&self, body: &GraphBody, path: &Path<'_>, in_body: bool, report: &mut Report<'_>) {
        if !in_body {
            let message = "a graph is the body of a `foreach`: write its nodes here instead, or in the `run` of a `foreach`";
            return report.error("conflicting-fields", &path.key("type"), message);
        }
        if self.graph.owner_of(self.at).is_some() {
            let message = "a `foreach` in a body cannot have a graph: write one node as its `run`, or the `foreach` beside \
                           the outer node";
            return report.error("too-deep", &path.key("graph"), message);
        }
        if self.graph.get(self.at).is_none_or(|node| node.node.body().is_none()) {
            let message = "only the outermost `foreach` can have a graph: write the inner `foreach` as a node of that graph";
            return report.error("too-deep", &path.key("graph"), message);
        }
        if body.graph.is_empty() {
            let message = "`graph` is missing or empty: list the nodes of the body";
            report.error("missing-field", &path.key("graph"), message);
        }
        if let Some(when) = &body.when {
            self.condition(when, &path.key("when"), true, report);
        }
    }

    fn foreach(&self, foreach: &ForeachNode, path: &Path<'_>, in_body: bool, report: &mut Report<'_>) {
        let items = path.key("items");
        match (&foreach.items, named(&foreach.items)) {
            (_, Some(name)) => self.name(name, &items, in_body, report),
            (Value::String(_) | Value::Array(_), None) => {
                expressions::value(&foreach.items, &self.place(in_body), &items, report);
            }
            _ => {
                let message = "`items` has to be a list, or an expression for one as `${vars.files}`";
                report.error("wrong-type", &items, message);
            }
        }
        range(foreach.concurrency, 1, 1000, &path.key("concurrency"), report);
        if foreach.concurrency.is_some() && foreach.mode.unwrap_or_default() != Mode::Parallel {
            let message = "`concurrency` does nothing here: write `mode: parallel` beside it";
            report.warning("no-effect", &path.key("concurrency"), message);
        }
        if let Some(when) = &foreach.when {
            self.condition(when, &path.key("when"), in_body, report);
        }
        self.node(&foreach.run, &path.key("run"), true, report);
    }

    fn ask(&self, ask: &AskNode, path: &Path<'_>, in_body: bool, report: &mut Report<'_>) {
        let place = self.place(in_body);
        expressions::value(&Value::String(ask.question.clone()), &place, &path.key("question"), report);
        let choices = path.key("choices");
        for (n, choice) in ask.choices.iter().enumerate() {
            expressions::value(choice, &place, &choices.index(n), report);
        }
        if let Some(schema) = &ask.output_schema {
            let path = path.key("output_schema");
            if let Some(schema) = schema.file() {
                file(schema, &path, report);
            }
            if !ask.choices.is_empty() {
                report.error("too-many-fields", &path, "write `choices` or `output_schema`, not both");
            }
        }
        if let Some(when) = &ask.when {
            self.condition(when, &path.key("when"), in_body, report);
        }
    }

    fn wait(&self, wait: &WaitNode, path: &Path<'_>, in_body: bool, report: &mut Report<'_>) {
        if let Some(until) = &wait.until {
            let path = path.key("until");
            expressions::value(&Value::String(until.clone()), &self.place(in_body), &path, report);
            if wait.duration.is_some() {
                report.error("too-many-fields", &path, "write `for` or `until`, not both");
            }
            if !until.contains("${")
                && let Err(message) = time(until)
            {
                report.error("bad-time", &path, message);
            }
        }
        if let Some(signal) = &wait.signal {
            let path = path.key("signal");
            if wait.duration.is_some() || wait.until.is_some() {
                let message =
                    "write `signal` or a time, not both: `timeout` limits how long a signal is waited for";
                report.error("too-many-fields", &path, message);
            }
            if let Err(problem) = Signal::check_name(signal) {
                report.error("bad-id", &path, problem.to_string());
            }
        } else if wait.timeout.is_some() {
            let message = "`timeout` does nothing here: it limits how long a `signal` is waited for";
            report.warning("no-effect", &path.key("timeout"), message);
        }
        if let Some(when) = &wait.when {
            self.condition(when, &path.key("when"), in_body, report);
        }
    }

    /// Whether there is such a workflow, and what it has to be given, is checked where the bundle is put together.
    fn workflow(&self, child: &WorkflowNode, path: &Path<'_>, in_body: bool, report: &mut Report<'_>) {
        // What is missing was reported when it was read.
        id(Some(child.workflow.as_str()).filter(|id| !id.is_empty()), &path.key("workflow"), report);
        let vars = path.key("vars");
        for (name, value) in &child.vars {
            let path = vars.key(name);
            if !is_id(name) {
                let message = format!(
                    "`{}` is not the name of a variable: use 1 to 64 letters, digits, `-` and `_`",
                    shorten(name)
                );
                report.error("bad-id", &path, message);
            }
            expressions::value(value, &self.place(in_body), &path, report);
        }
        if let Some(when) = &child.when {
            self.condition(when, &path.key("when"), in_body, report);
        }
    }

    fn run(&self, run: &RunNode, path: &Path<'_>, in_body: bool, report: &mut Report<'_>) {
        provider(run.provider.as_deref(), &path.key("provider"), report);
        role_name(run.role.as_deref(), &path.key("role"), report);
        range(run.repairs, 0, 10, &path.key("repairs"), report);
        let skills = path.key("skills");
        for (n, skill) in run.skills.iter().enumerate() {
            id(Some(skill), &skills.index(n), report);
        }
        limits_of_call(run.timeout, run.idle_timeout, path, report);
        let env = path.key("env");
        for (name, value) in &run.env {
            variable(name, value, &env.key(name), report);
        }
        if let Some(schema) = run.output_schema.as_ref().and_then(SchemaSource::file) {
            file(schema, &path.key("output_schema"), report);
        }
        if let Some(limits) = &run.budget {
            budget(limits, &path.key("budget"), report);
        }
        if let Some(with) = &run.with {
            let told = shell::Told { prompt: run.prompt.as_deref(), inputs: &run.inputs };
            shell::check(with, &told, path, report);
        }
        let inputs = path.key("inputs");
        for (n, input) in run.inputs.iter().enumerate() {
            if let Some(name) = named(input) {
                self.name(name, &inputs.index(n), in_body, report);
            }
        }
        expressions::run(run, &self.place(in_body), path, report);
        if let Some(when) = &run.when {
            self.condition(when, &path.key("when"), in_body, report);
        }
    }

    /// Checks the name of a node whose output is meant.
    fn name(&self, name: &str, path: &Path<'_>, in_body: bool, report: &mut Report<'_>) {
        if name == "item" && !in_body && self.graph.foreach_of(self.at).is_none() {
            report.error("dangling-node", path, "`item` is known only in the `run` of a `foreach`");
        } else if name != "item"
            && let Err(message) = look_up(name, self.names, self.graph, self.at)
        {
            report.error("dangling-node", path, message);
        }
    }

    fn condition(&self, text: &str, path: &Path<'_>, in_body: bool, report: &mut Report<'_>) {
        expressions::condition_at(text, &self.place(in_body), path, report);
    }
}

/// Reports problems of what a node says of its failures.
fn failure(node: &GraphNode, path: &Path<'_>, report: &mut Report<'_>) {
    range(node.retries, 0, 10, &path.key("retries"), report);
    let retries = [
        ("on_failure", node.on_failure == Some(OnFailure::Retry)),
        ("retries", node.retries.is_some()),
        ("retry_backoff", node.retry_backoff.is_some()),
    ];
    let other = node.on_failure.filter(|on_failure| *on_failure != OnFailure::Retry);
    for (key, _) in retries.into_iter().filter(|(_, is_written)| *is_written) {
        let message = if !makes_calls(&node.node) {
            "only calls and workflows are made again, and this node makes none"
        } else if other.is_some() {
            "write `on_failure: retry` beside it"
        } else {
            continue;
        };
        report.warning("no-effect", &path.key(key), format!("`{key}` does nothing here: {message}"));
    }
}

/// Whether a node calls providers or runs workflows, by itself or for items.
fn makes_calls(node: &Node) -> bool {
    match node {
        Node::Run(_) | Node::Workflow(_) => true,
        Node::Reduce(reduce) => reduce.strategy == ReduceStrategy::Summarize,
        Node::Foreach(foreach) => makes_calls(&foreach.run),
        Node::Loop(repeat) => repeat.graph.iter().any(|node| makes_calls(&node.node)),
        Node::Graph(body) => body.graph.iter().any(|node| makes_calls(&node.node)),
        Node::Branch(_) | Node::Export(_) | Node::Ask(_) | Node::Set(_) | Node::Wait(_) | Node::End(_) => {
            false
        }
    }
}

/// Reports cycles, and nodes that can never run.
fn order(graph: &Flat<'_>, names: &NodeNames, path: &Path<'_>, report: &mut Report<'_>) {
    let arms = needs::arms(graph, names);
    let before: Vec<Vec<usize>> = graph
        .iter()
        .zip(&arms)
        .enumerate()
        .map(|(place, (node, arm_of))| {
            let mut before = needs::needs(graph, place, names);
            before.extend(arm_of);
            before.extend(needs::after(node, names, &before));
            before
        })
        .collect();
    let mut open: Vec<usize> = before.iter().map(Vec::len).collect();
    let mut ready: Vec<usize> = (0..open.len()).filter(|place| open[*place] == 0).collect();
    let mut after = vec![Vec::new(); open.len()];
    for (place, before) in before.iter().enumerate() {
        for earlier in before {
            after[*earlier].push(place);
        }
    }
    while let Some(place) = ready.pop() {
        for later in &after[place] {
            open[*later] -= 1;
            if open[*later] == 0 {
                ready.push(*later);
            }
        }
    }
    if let Some(cycle) = cycle(&before, &open) {
        let ids: Vec<_> =
            cycle.iter().filter_map(|place| graph.get(*place)).map(|node| node.id.as_str()).collect();
        let first = ids.first().copied().unwrap_or_default();
        let message = format!("these nodes wait for each other: {} → {first}", ids.join(" → "));
        graph.at(cycle[0], path, |path| report.error("cycle", path, message));
        return;
    }
    unreachable(graph, names, &arms, path, report);
}

/// A cycle among the nodes that never get ready, in the order in which they run.
fn cycle(before: &[Vec<usize>], open: &[usize]) -> Option<Vec<usize>> {
    let mut place = (0..open.len()).find(|place| open[*place] > 0)?;
    let mut way = Vec::new();
    // Each node that never gets ready waits for another such.
    while !way.contains(&place) {
        way.push(place);
        place = *before[place].iter().find(|earlier| open[**earlier] > 0)?;
    }
    let start = way.iter().position(|known| *known == place)?;
    let mut cycle = way.split_off(start);
    cycle.reverse();
    // Where the file begins it.
    let least = cycle.iter().enumerate().min_by_key(|(_, place)| **place).map_or(0, |(n, _)| n);
    cycle.rotate_left(least);
    Some(cycle)
}

/// Arms after one that is always taken, where nothing else leads to their nodes.
fn unreachable(
    graph: &Flat<'_>,
    names: &NodeNames,
    arms: &[Vec<usize>],
    path: &Path<'_>,
    report: &mut Report<'_>,
) {
    let mut taken = vec![false; graph.len()];
    for node in graph.iter() {
        let Node::Branch(branch) = &node.node else { continue };
        for arm in &branch.when {
            for place in arm.then.iter().filter_map(|name| names.place(name)) {
                taken[place] = true;
            }
            if arm.condition.trim() == "true" {
                break;
            }
        }
    }
    for (place, (arm_of, node)) in arms.iter().zip(graph.iter()).enumerate() {
        if !arm_of.is_empty() && !taken[place] {
            let message = format!(
                "`{}` can never run: the branches that lead to it have an arm before that is always taken",
                node.id
            );
            graph.at(place, path, |path| report.error("unreachable-node", path, message));
        }
    }
}
