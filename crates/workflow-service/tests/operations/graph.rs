//! Workflows as drawings: what is in them, and texts that would be syntax there.

use serde_json::{Value, json};

use crate::host::Host;

const ROUND: &str = "\
workflow:
  name: Round
  stages: [plan, test, report]
  loop: { max_iters: 3, fallback_next_stage: test, stop_when: \"$.done == true\" }
plan: { provider: echo, prompt: Hi, approval: \"Plan?\" }
test: { profile: deep, providers: [{ provider: echo }, { provider: demo, role: judge }], on_failure: continue }
report: { provider: echo, prompt: Hi, on_failure: retry, when: \"$.vars.tell == true\" }
";
const DEEP: &str = "\
graph:
  - { id: draft, type: run, prompt: Hi }
  - { id: pick, type: branch, when: [{ condition: \"$.vars.x == 1\", then: left }, { condition: \"true\", then: right }] }
  - { id: left, type: run, prompt: \"${nodes.draft.output}\" }
  - { id: right, type: run, prompt: Hi }
  - { id: all, type: reduce, from: [left, right], strategy: last }
";

/// A host with a workflow that has a loop, failures of each kind and a stage with a graph.
fn host() -> Host {
    let host = Host::new();
    host.write("workflows/round.workflow.yml", ROUND);
    host.write("workflows/stages/test.deep.yml", DEEP);
    host.write("roles/judge.md", "Judge.");
    host
}

fn graph(host: &Host, more: &Value) -> Value {
    let mut request = json!({ "id": "round" });
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    host.data("workflow:graph", &request.to_string())
}

#[test]
fn a_graph_has_the_stages_in_order_and_the_ways_between_them() {
    let graph = graph(&host(), &json!({}));
    let boxes: Vec<_> = graph["boxes"].as_array().unwrap().iter().map(|found| &found["id"]).collect();
    assert_eq!(boxes, ["(start)", "plan", "test", "report", "(end)"]);
    assert_eq!(graph["boxes"][1]["notes"], json!(["asks a person first", "echo"]));
    assert_eq!(graph["boxes"][2]["notes"], json!(["echo", "demo as judge"]));
    assert_eq!(graph["boxes"][3]["notes"], json!(["only if $.vars.tell == true", "echo"]));
    let until = "until $.done == true, at most 3 times, then fails";
    assert_eq!(
        graph["lines"],
        json!([
            { "from": "(start)", "to": "plan", "kind": "next" },
            { "from": "plan", "to": "test", "kind": "next" },
            { "from": "test", "to": "report", "kind": "next" },
            { "from": "report", "to": "(end)", "kind": "next" },
            { "from": "test", "to": "report", "kind": "failure", "label": "also after a failure" },
            { "from": "report", "to": "report", "kind": "failure", "label": "retries after a failure" },
            { "from": "report", "to": "test", "kind": "loop", "label": until },
        ])
    );
    assert_eq!(graph.get("drawing"), None);
}

#[test]
fn the_nodes_of_a_stage_are_drawn_inside_it_when_they_are_asked_for() {
    let host = host();
    let graph = graph(&host, &json!({ "nodes": true, "format": "mermaid" }));
    let nodes: Vec<_> =
        graph["boxes"].as_array().unwrap().iter().filter(|found| found["kind"] == "node").collect();
    assert!(nodes.iter().all(|node| node["stage"] == "test"));
    let ids: Vec<_> = nodes.iter().map(|node| node["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["test/draft", "test/pick", "test/left", "test/right", "test/all"]);
    let inner: Vec<_> = graph["lines"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|line| line["kind"] == "needs" || line["kind"] == "arm")
        .map(|line| format!("{} {} {}", line["from"], line["kind"], line["to"]).replace("test/", ""))
        .collect();
    let expected = [
        r#""draft" "needs" "left""#,
        r#""pick" "arm" "left""#,
        r#""pick" "arm" "right""#,
        r#""left" "needs" "all""#,
        r#""right" "needs" "all""#,
    ];
    assert_eq!(inner, expected);
    assert_eq!(
        graph["drawing"].as_str().unwrap(),
        "flowchart TD
  n0([\"start\"])
  n1[\"plan<br/>asks a person first<br/>echo\"]
  subgraph n2[\"test<br/>echo<br/>demo as judge\"]
    n3[\"draft<br/>run\"]
    n4[\"pick<br/>branch\"]
    n5[\"left<br/>run\"]
    n6[\"right<br/>run\"]
    n7[\"all<br/>reduce, last\"]
  end
  n8[\"report<br/>only if #36;.vars.tell == true<br/>echo\"]
  n9([\"end\"])
  n0 --> n1
  n1 --> n2
  n2 --> n8
  n8 --> n9
  n2 -.->|\"also after a failure\"| n8
  n3 --> n5
  n4 -.-> n5
  n4 -.-> n6
  n5 --> n7
  n6 --> n7
  n8 -.->|\"retries after a failure\"| n8
  n8 -.->|\"until #36;.done == true, at most 3 times, then fails\"| n2
"
    );
}

#[test]
fn dot_and_svg_have_every_box_and_every_line() {
    let host = host();
    let dot = graph(&host, &json!({ "nodes": true, "format": "dot" }))["drawing"].clone();
    let dot = dot.as_str().unwrap();
    assert!(dot.starts_with("digraph workflow {\n  label=\"Round\";\n") && dot.ends_with("}\n"), "{dot}");
    assert!(dot.contains("  n1 [label=\"plan\\nasks a person first\\necho\"];\n"), "{dot}");
    assert!(dot.contains("  subgraph cluster_n2 {\n    n2 [label=\"test\\n"), "{dot}");
    assert!(
        dot.contains(
            "  n8 -> n2 [label=\"until $.done == true, at most 3 times, then fails\", style=dashed, "
        )
    );
    assert_eq!(dot.matches(" -> ").count(), 12, "{dot}");

    let svg = graph(&host, &json!({ "nodes": true, "format": "svg" }))["drawing"].clone();
    let picture = roxmltree::Document::parse(svg.as_str().unwrap()).unwrap();
    let count = |name: &str| picture.descendants().filter(|node| node.has_tag_name(name)).count();
    // The head of a line is a path too.
    assert_eq!((count("rect"), count("path")), (10, 13));
    // No box lies on another one, but for nodes in their stage.
    let number =
        |node: &roxmltree::Node<'_, '_>, name| node.attribute(name).unwrap().parse::<usize>().unwrap();
    let boxes: Vec<_> = picture
        .descendants()
        .filter(|node| node.has_tag_name("rect"))
        .map(|node| {
            let (x, y) = (number(&node, "x"), number(&node, "y"));
            let inside = node.attribute("class").is_some();
            (inside, x..x + number(&node, "width"), y..y + number(&node, "height"))
        })
        .collect();
    for (n, (inside, x, y)) in boxes.iter().enumerate() {
        for (other, other_x, other_y) in &boxes[n + 1..] {
            let apart = x.end <= other_x.start
                || other_x.end <= x.start
                || y.end <= other_y.start
                || other_y.end <= y.start;
            assert!(apart || inside != other, "{x:?} {y:?} and {other_x:?} {other_y:?}");
        }
    }
}

#[test]
fn a_line_to_a_node_further_down_goes_around_the_nodes_between() {
    let host = Host::new();
    host.write(
        "workflows/stages/chain.long.yml",
        "graph:\n  - { id: a, type: run, prompt: Hi }\n  - { id: b, type: run, prompt: \"${nodes.a.output}\" }\n  \
         - { id: c, type: reduce, from: [a, b], strategy: last }\n",
    );
    let text = "workflow: { name: Chain, stages: [chain] }\nchain: { profile: long, provider: echo }\n";
    let request = json!({ "id": "chain", "text": text, "nodes": true, "format": "svg" });
    let graph = host.data("workflow:graph", &request.to_string());
    let picture = roxmltree::Document::parse(graph["drawing"].as_str().unwrap()).unwrap();
    let number =
        |node: &roxmltree::Node<'_, '_>, name| node.attribute(name).unwrap().parse::<usize>().unwrap();
    let nodes = || picture.descendants().filter(|node| node.attribute("class") == Some("in"));
    let around: Vec<_> = picture
        .descendants()
        .filter_map(|node| node.attribute("d"))
        .filter_map(|way| way.split_once('H'))
        .map(|(_, way)| way.split('V').next().unwrap().parse::<usize>().unwrap())
        .collect();
    let [aside] = around.try_into().unwrap();
    assert_eq!(nodes().count(), 3);
    assert!(nodes().all(|node| number(&node, "x") + number(&node, "width") < aside));
    let stage = picture.descendants().filter(|node| node.has_tag_name("rect")).nth(1).unwrap();
    assert!(aside < number(&stage, "x") + number(&stage, "width"));
}

#[test]
fn texts_of_a_definition_are_never_syntax_of_a_drawing() {
    let hostile = "\"]; click n0 \"javascript:x\" %%{init: {}}%% </text><script>&\\\u{1b}[2J\u{202e}`|end";
    let host = Host::new();
    let condition = format!("$.vars.x == {}", json!(hostile));
    let text = json!({
        "workflow": { "name": hostile, "stages": ["one"] },
        "one": { "provider": "echo", "prompt": "Hi", "when": condition },
    });
    let drawing = |format: &str| {
        let request = json!({ "id": "hostile", "text": text.to_string(), "format": format });
        host.data("workflow:graph", &request.to_string())["drawing"].as_str().unwrap().to_owned()
    };
    let mermaid = drawing("mermaid");
    // What is between the quotes of a label has nothing that Mermaid reads, but for character references.
    let labels: Vec<_> = mermaid.split('"').skip(1).step_by(2).collect();
    assert_eq!(labels.len(), 3, "{mermaid}");
    for label in labels {
        let plain = label.replace("<br/>", "");
        assert!(!plain.contains(['<', '>', '[', ']', '{', '}', '%', '`', '\\', '|', '&']), "{label}");
    }
    let dot = drawing("dot");
    let mut quoted = false;
    let mut characters = dot.chars();
    while let Some(c) = characters.next() {
        match c {
            '\\' => drop(characters.next()),
            '"' => quoted = !quoted,
            // Outside of the quotes are only names that the drawing chose, and its own options.
            c if !quoted => assert!(c.is_ascii() && c != '%' && c != '<', "{dot}"),
            _ => {}
        }
    }
    assert!(!quoted, "{dot}");
    let svg = drawing("svg");
    let picture = roxmltree::Document::parse(&svg).unwrap();
    assert!(!picture.descendants().any(|node| node.has_tag_name("script")), "{svg}");
    let title = picture.descendants().find(|node| node.has_tag_name("title")).unwrap().text().unwrap();
    assert!(title.contains("</text><script>&\\"), "{title}");
    for drawing in [mermaid, dot, svg] {
        assert!(!drawing.contains(['\u{1b}', '\u{202e}']), "{drawing:?}");
    }
}
