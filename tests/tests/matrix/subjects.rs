//! The nodes under test: one of each type, and a `foreach` of each.

use serde_json::{Value, json};
use workflow_core::failure::FailureClass;

/// A node named `subject`, with its dependencies. `CALL` stands for the call under test: its own, or that of
/// the node before it.
pub(crate) struct Subject {
    pub name: String,
    /// The nodes, as the lines of a profile.
    pub graph: String,
    /// The call's regular answer.
    pub reply: Value,
    /// The node's output.
    pub output: Value,
    /// How many items make the call.
    pub calls: usize,
    /// An answer that makes the node fail, if there is one.
    pub unfit: Option<(Value, FailureClass)>,
    /// The nodes after it.
    pub next: &'static str,
}

/// A graph as the body of items.
const GRAPH: &str =
    "type: graph, graph: [{ id: inner, type: run, CALL }, { id: last, type: export, from: inner }]";

/// The bodies of items: `(kind, body, item, output)`. Without a `CALL` the items are the output of one.
fn bodies() -> Vec<(&'static str, &'static str, Value, Value)> {
    let done = || json!({ "done": true });
    let list = || json!([{ "a": 1 }, { "b": 2 }, { "b": 2 }]);
    vec![
        ("run", "type: run, CALL", json!(1), done()),
        ("summary", "type: reduce, from: item, strategy: summarize, CALL", list(), done()),
        ("concat", "type: reduce, from: item, strategy: concat", json!([["a"], ["b"]]), json!(["a", "b"])),
        ("merge", "type: reduce, from: item, strategy: merge", list(), json!({ "a": 1, "b": 2 })),
        ("first", "type: reduce, from: item, strategy: first", list(), json!({ "a": 1 })),
        ("last", "type: reduce, from: item, strategy: last", list(), json!({ "b": 2 })),
        ("vote", "type: reduce, from: item, strategy: vote", list(), json!({ "b": 2 })),
        ("branch", "type: branch, when: [{ condition: $.item.done, then: x }]", done(), json!(["x"])),
        ("export", "type: export, from: item, output_schema: done.json", done(), done()),
        ("question", "type: ask, question: 'What of ${item}?'", json!(1), json!("this")),
        ("wait", "type: wait, until: '${item}'", json!("2001-01-01T00:00:00Z"), Value::Null),
        ("approval", "type: run, CALL, approval: 'Do ${item}?'", json!(1), done()),
        ("graph", GRAPH, json!(1), done()),
        ("workflow", "type: workflow, workflow: other, vars: { x: '${item}' }", json!(1), json!(1)),
    ]
}

/// Single nodes: `(kind, node, reply, output, unfit)`. Without a `CALL` it uses `source`, which has it.
#[expect(clippy::type_complexity, reason = "a table")]
fn singles() -> Vec<(&'static str, &'static str, Value, Value, Option<(Value, FailureClass)>)> {
    let done = || json!({ "done": true });
    let no_object = || Some((json!(["text"]), FailureClass::Expression));
    let no_list = || Some((done(), FailureClass::Expression));
    let no_done = || Some((json!({ "done": "no" }), FailureClass::InvalidOutput));
    vec![
        ("run", "type: run, CALL, inputs: [before]", done(), done(), None),
        ("run in a form", "type: run, CALL, output_schema: done.json", done(), done(), no_done()),
        ("summary", "type: reduce, from: [before], strategy: summarize, CALL", done(), done(), None),
        (
            "summary in a form",
            "type: reduce, from: before, strategy: summarize, CALL, output_schema: done.json",
            done(),
            done(),
            no_done(),
        ),
        ("concat", "type: reduce, from: [source, source], strategy: concat", json!([1]), json!([1, 1]), None),
        ("merge", "type: reduce, from: source, strategy: merge", json!([done(), {}]), done(), no_object()),
        ("first", "type: reduce, from: [source, before], strategy: first", done(), done(), None),
        ("last", "type: reduce, from: [before, source], strategy: last", done(), done(), None),
        ("vote", "type: reduce, from: [before, source, source], strategy: vote", done(), done(), None),
        (
            "branch",
            "type: branch, when: [{ condition: $.nodes.source.output.done, then: yes }, { condition: 'true', then: no }]",
            done(),
            json!(["yes"]),
            None,
        ),
        ("export", "type: export, from: source, output_schema: done.json", done(), done(), no_done()),
        (
            "set",
            "type: set, value: '${nodes.source.output.done}'",
            done(),
            json!(true),
            Some((json!("text"), FailureClass::Expression)),
        ),
        (
            "end",
            "type: end, reason: Enough, output: '${nodes.source.output.done}'",
            done(),
            json!({ "status": "completed", "reason": "Enough", "output": true }),
            Some((json!("text"), FailureClass::Expression)),
        ),
        ("wait", "type: wait, for: 1h, after: source", done(), Value::Null, None),
        (
            "wait until",
            "type: wait, until: '${nodes.source.output.at}'",
            json!({ "at": "2001-01-01T00:00:00Z" }),
            Value::Null,
            Some((json!("text"), FailureClass::Expression)),
        ),
        (
            "workflow",
            "type: workflow, workflow: other, vars: { x: '${nodes.source.output.done}' }",
            done(),
            json!(true),
            Some((json!("text"), FailureClass::Expression)),
        ),
        (
            "loop",
            "type: loop, max_iters: 2, graph: [{ id: inner, type: set, value: '${nodes.source.output}' }]",
            done(),
            done(),
            None,
        ),
        (
            "node after any",
            "type: set, value: this, after: [source, before], join: any",
            done(),
            json!("this"),
            None,
        ),
        ("question", "type: ask, question: 'What of ${nodes.source.output}?'", json!(3), json!("this"), None),
        (
            "choice",
            "type: ask, question: Which?, choices: ['${nodes.source.output}', 4]",
            json!(3),
            json!(3),
            None,
        ),
        ("approval", "type: run, CALL, approval: 'Do it?', inputs: [before]", done(), done(), None),
        ("export of what it is", "type: export, from: source", json!(3), json!(3), None),
        (
            "foreach over a node",
            "type: foreach, items: source, run: { type: export, from: item }",
            json!([1, 2]),
            json!([1, 2]),
            no_list(),
        ),
        (
            "foreach of nothing",
            "type: foreach, items: source, run: { type: run }",
            json!([]),
            json!([]),
            no_list(),
        ),
    ]
}

pub(crate) fn all() -> Vec<Subject> {
    let mut all: Vec<_> =
        singles().into_iter().map(|row| single(row.0, row.1, row.2, row.3, row.4)).collect();
    for (what, body, item, output) in bodies() {
        let calls = body.contains("CALL");
        let twice = |value: &Value| json!([value, value]);
        for (how, mode) in [("", "mode: sequential"), ("parallel ", "mode: parallel, concurrency: 2")] {
            let items = json!([item, item, item]);
            let shown = if calls { items.to_string() } else { "source".to_owned() };
            let node = format!("type: foreach, {mode}, items: {shown}, run: {{ {body} }}");
            let outputs = json!([output, output, output]);
            let reply = if calls { output.clone() } else { items };
            let name = format!("{how}foreach of {what}");
            let unfit = (!calls).then(|| (json!("text"), FailureClass::Expression));
            all.push(Subject {
                calls: if calls { 3 } else { 1 },
                ..single(&name, &node, reply, outputs, unfit)
            });
        }
        if body == GRAPH {
            // Only the body of an outermost `foreach`.
            continue;
        }
        let items = json!([twice(&item), [], [item]]);
        let shown = if calls { items.to_string() } else { "source".to_owned() };
        let inner = format!("type: foreach, mode: parallel, items: item, run: {{ {body} }}");
        let node = format!("type: foreach, mode: parallel, items: {shown}, run: {{ {inner} }}");
        let outputs = json!([twice(&output), [], [output]]);
        let reply = if calls { output.clone() } else { items };
        let unfit = (!calls).then(|| (json!([1]), FailureClass::Expression));
        let subject = single(&format!("foreach of foreach of {what}"), &node, reply, outputs, unfit);
        all.push(Subject { calls: if calls { 3 } else { 1 }, ..subject });
    }
    all
}

fn single(
    name: &str,
    node: &str,
    reply: Value,
    output: Value,
    unfit: Option<(Value, FailureClass)>,
) -> Subject {
    let mut graph = format!("  - {{ id: subject, {node}SETNODE }}\n");
    if !node.contains("CALL") {
        graph += "  - { id: source, type: run, CALL, inputs: [before]NODE }\n";
    }
    let mut next = "[subject, before]";
    if name == "branch" {
        graph += "  - { id: yes, type: run, provider: dot, prompt: yes }\n";
        graph += "  - { id: no, type: run, provider: dot, prompt: no }\n";
        next = "[yes, no, before]";
    }
    Subject { name: name.to_owned(), graph, reply, output, calls: 1, unfit, next }
}
