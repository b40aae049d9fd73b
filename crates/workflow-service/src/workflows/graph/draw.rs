//! Graphs as Mermaid and DOT. Boxes get names of their own, and texts of definitions are only in quoted labels.

use std::collections::HashMap;
use std::fmt::Write as _;

use super::model::{BoxKind, GraphBox, GraphLine, LineKind, Outer, WorkflowGraph};
use crate::text::harmless;

/// The names of the boxes in a drawing: `n0`, `n1`, …
struct Names<'g>(HashMap<&'g str, usize>);

impl<'g> Names<'g> {
    fn of(graph: &'g WorkflowGraph) -> Self {
        Self(graph.boxes.iter().enumerate().map(|(n, found)| (found.id.as_str(), n)).collect())
    }

    fn get(&self, id: &str) -> String {
        self.0.get(id).map_or_else(|| "n".to_owned(), |n| format!("n{n}"))
    }
}

/// The label and the notes of a box, one line each.
fn label(found: &GraphBox, escape: fn(&str) -> String, line_break: &str) -> String {
    let lines: Vec<_> = std::iter::once(&found.label).chain(&found.notes).map(|text| escape(text)).collect();
    lines.join(line_break)
}

/// A Mermaid flowchart.
pub(super) fn mermaid(graph: &WorkflowGraph) -> String {
    let names = Names::of(graph);
    let mut text = "flowchart TD\n".to_owned();
    // Writing to a `String` cannot fail.
    for Outer { found, nodes, .. } in graph.outer() {
        let (name, label) = (names.get(&found.id), label(found, for_mermaid, "<br/>"));
        if !nodes.is_empty() {
            let _ = writeln!(text, "  subgraph {name}[\"{label}\"]");
            for node in nodes {
                let (name, label) = (names.get(&node.id), self::label(node, for_mermaid, "<br/>"));
                let _ = writeln!(text, "    {name}[\"{label}\"]");
            }
            text.push_str("  end\n");
        } else if found.kind == BoxKind::Stage {
            let _ = writeln!(text, "  {name}[\"{label}\"]");
        } else {
            let _ = writeln!(text, "  {name}([\"{label}\"])");
        }
    }
    for GraphLine { from, to, kind, label } in &graph.lines {
        let (from, to) = (names.get(from), names.get(to));
        let arrow = if is_dashed(*kind) { "-.->" } else { "-->" };
        let label = label.as_ref().map(|label| format!("|\"{}\"|", for_mermaid(label))).unwrap_or_default();
        let _ = writeln!(text, "  {from} {arrow}{label} {to}");
    }
    text
}

/// A directed graph for Graphviz.
pub(super) fn dot(graph: &WorkflowGraph) -> String {
    let names = Names::of(graph);
    let mut text = format!("digraph workflow {{\n  label=\"{}\";\n  compound=true;\n", for_dot(&graph.name));
    text.push_str("  node [shape=box, style=rounded, fontname=\"sans-serif\"];\n");
    text.push_str("  edge [fontname=\"sans-serif\", fontsize=10];\n");
    for Outer { found, nodes, .. } in graph.outer() {
        let (name, label) = (names.get(&found.id), label(found, for_dot, "\\n"));
        if nodes.is_empty() {
            let shape = if found.kind == BoxKind::Stage { "" } else { ", shape=oval" };
            let _ = writeln!(text, "  {name} [label=\"{label}\"{shape}];");
        } else {
            // The lines of a stage begin and end at a box of its own.
            let _ = writeln!(
                text,
                "  subgraph cluster_{name} {{\n    {name} [label=\"{label}\", shape=plaintext];"
            );
            for node in nodes {
                let (inner, label) = (names.get(&node.id), self::label(node, for_dot, "\\n"));
                let _ = writeln!(text, "    {inner} [label=\"{label}\"];");
            }
            text.push_str("  }\n");
        }
    }
    for GraphLine { from, to, kind, label } in &graph.lines {
        let mut options = Vec::new();
        options.extend(label.as_ref().map(|label| format!("label=\"{}\"", for_dot(label))));
        if is_dashed(*kind) {
            options.push("style=dashed".to_owned());
        }
        if *kind == LineKind::Loop {
            options.push("constraint=false".to_owned());
        }
        let options = if options.is_empty() { String::new() } else { format!(" [{}]", options.join(", ")) };
        let _ = writeln!(text, "  {} -> {}{options};", names.get(from), names.get(to));
    }
    text.push_str("}\n");
    text
}

/// Whether a line is dashed: after a failure, back to an earlier stage, or to an arm of a branch.
pub(super) fn is_dashed(kind: LineKind) -> bool {
    matches!(kind, LineKind::Failure | LineKind::Loop | LineKind::Arm)
}

/// A text in a quoted label: everything that could be syntax, a directive or HTML becomes a character reference.
fn for_mermaid(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in harmless(text).chars() {
        if c.is_alphanumeric() || !c.is_ascii() || " _-.,:/()+*=!?".contains(c) {
            escaped.push(c);
        } else {
            let _ = write!(escaped, "#{};", u32::from(c));
        }
    }
    escaped
}

/// A text in a quoted label, in which Graphviz reads backslashes and character references.
fn for_dot(text: &str) -> String {
    harmless(text).replace('\\', "\\\\").replace('"', "\\\"").replace('&', "&amp;")
}
