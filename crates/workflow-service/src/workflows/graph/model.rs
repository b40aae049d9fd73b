//! The boxes and lines of a workflow.

use std::collections::HashMap;

use schemars::JsonSchema;
use serde::Serialize;
use workflow_core::bundle::Bundle;
use workflow_core::definition::{Exhausted, LoopSpec, OnFailure};
use workflow_core::ids::StageId;

use crate::planned::{PlannedStage, Replaced};

/// How many characters of a text are in a graph.
const TEXT: usize = 60;

/// A workflow as a graph.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct WorkflowGraph {
    /// The name of the workflow for people.
    pub name: String,
    /// The boxes: the start, the stages in order with the nodes of each behind it, and the end.
    pub boxes: Vec<GraphBox>,
    /// The lines between them.
    pub lines: Vec<GraphLine>,
    /// The graph in the language that was asked for. Texts of the definition are escaped in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drawing: Option<String>,
}

/// A box of a graph.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct GraphBox {
    /// By what lines name it: `(start)`, `(end)`, a stage as `plan`, a node as `plan/draft`.
    pub id: String,
    /// What it stands for.
    pub kind: BoxKind,
    /// The stage that a node is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<StageId>,
    /// What it is called.
    pub label: String,
    /// What else is to be known of it, for people.
    pub notes: Vec<String>,
}

/// What a box stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum BoxKind {
    /// The start of the run.
    Start,
    /// A stage.
    Stage,
    /// A node inside a stage.
    Node,
    /// The end of the run.
    End,
}

/// A line of a graph.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct GraphLine {
    /// The box where it begins.
    pub from: String,
    /// The box where it ends.
    pub to: String,
    /// What it stands for.
    pub kind: LineKind,
    /// When this way is taken, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

/// What a line stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum LineKind {
    /// The second stage follows the first.
    Next,
    /// What follows the failure of a stage. The run fails where a stage has no such line.
    Failure,
    /// The next iteration of the loop.
    Loop,
    /// The second node needs the first.
    Needs,
    /// The second node is an arm of the first, which is a branch.
    Arm,
}

impl WorkflowGraph {
    pub(super) fn of(bundle: &Bundle, replaced: Replaced, with_nodes: bool) -> Self {
        let workflow = &bundle.workflow;
        let stages = replaced.stages(bundle);
        let ids = || stages.iter().map(|stage| stage.id.to_string());
        let mut graph =
            Self { name: workflow.name.clone(), boxes: Vec::new(), lines: Vec::new(), drawing: None };
        let end = |id: &str, kind, label: &str| GraphBox {
            id: id.to_owned(),
            kind,
            stage: None,
            label: label.to_owned(),
            notes: Vec::new(),
        };
        graph.boxes.push(end("(start)", BoxKind::Start, "start"));
        let way: Vec<_> =
            std::iter::once("(start)".to_owned()).chain(ids()).chain(["(end)".to_owned()]).collect();
        graph.lines.extend(way.windows(2).map(|pair| line(&pair[0], &pair[1], LineKind::Next, None)));
        for (n, stage) in stages.iter().enumerate() {
            graph.stage(stage, &way[n + 2]);
            if with_nodes && let Some(profile) = bundle.profiles.get(&stage.id) {
                graph.nodes(stage);
                for edge in profile.edges() {
                    let id = |place: usize| format!("{}/{}", stage.id, profile.graph[place].id);
                    let kind = if edge.is_arm { LineKind::Arm } else { LineKind::Needs };
                    graph.lines.push(line(&id(edge.from), &id(edge.to), kind, None));
                }
            }
        }
        graph.boxes.push(end("(end)", BoxKind::End, "end"));
        if let (Some(repeat), Some(first), Some(last)) =
            (&replaced.repeat(bundle), stages.first(), stages.iter().rfind(|stage| !stage.finally))
        {
            let to = repeat.fallback_next_stage.as_ref().unwrap_or(&first.id);
            let label = Some(until(repeat));
            graph.lines.push(line(last.id.as_str(), to.as_str(), LineKind::Loop, label));
        }
        graph
    }

    fn stage(&mut self, stage: &PlannedStage, next: &str) {
        let mut notes = Vec::new();
        notes.extend(stage.when.as_ref().map(|when| format!("only if {}", short(when))));
        if stage.finally {
            notes.push("runs in any case".to_owned());
        }
        if stage.asks {
            notes.push("asks a person first".to_owned());
        }
        for lane in stage.lanes.iter().take(4) {
            let role = lane.role.as_ref().map(|role| format!(" as {}", short(role))).unwrap_or_default();
            notes.push(format!("{}{role}", short(&lane.provider)));
        }
        if stage.lanes.len() > 4 {
            notes.push(format!("… {} more providers", stage.lanes.len() - 4));
        }
        let id = stage.id.to_string();
        match stage.on_failure {
            OnFailure::Continue => {
                let label = Some("also after a failure".to_owned());
                self.lines.push(line(&id, next, LineKind::Failure, label));
            }
            OnFailure::Retry => {
                let label = Some("retries after a failure".to_owned());
                self.lines.push(line(&id, &id, LineKind::Failure, label));
            }
            OnFailure::Stop => {}
        }
        self.boxes.push(GraphBox { label: id.clone(), id, kind: BoxKind::Stage, stage: None, notes });
    }

    fn nodes(&mut self, stage: &PlannedStage) {
        self.boxes.extend(stage.nodes.iter().map(|node| GraphBox {
            id: format!("{}/{}", stage.id, node.id),
            kind: BoxKind::Node,
            stage: Some(stage.id.clone()),
            label: node.id.clone(),
            notes: vec![node.about()],
        }));
    }

    /// The start, the stages and the end, each with its nodes and the lines between these.
    pub(super) fn outer(&self) -> Vec<Outer<'_>> {
        let mut outer: Vec<Outer<'_>> = Vec::new();
        // The nodes of a stage are behind it.
        for found in &self.boxes {
            match outer.last_mut() {
                Some(stage) if found.kind == BoxKind::Node => stage.nodes.push(found),
                _ => outer.push(Outer { found, nodes: Vec::new(), lines: Vec::new() }),
            }
        }
        let places: HashMap<_, _> =
            outer.iter().enumerate().map(|(place, stage)| (stage.found.id.as_str(), place)).collect();
        for line in &self.lines {
            if let (LineKind::Needs | LineKind::Arm, Some(place)) = (line.kind, places.get(line.stage())) {
                outer[*place].lines.push(line);
            }
        }
        outer
    }
}

/// A box that is not inside another one, with what is inside it.
pub(super) struct Outer<'g> {
    pub found: &'g GraphBox,
    pub nodes: Vec<&'g GraphBox>,
    pub lines: Vec<&'g GraphLine>,
}

impl GraphLine {
    /// The stage where the line begins.
    pub(super) fn stage(&self) -> &str {
        self.from.split('/').next().unwrap_or_default()
    }
}

fn until(LoopSpec { max_iters, stop_when, on_exhausted, .. }: &LoopSpec) -> String {
    let then = match on_exhausted {
        Exhausted::Fail => "fails",
        Exhausted::Complete => "completes",
    };
    format!("until {}, at most {max_iters} times, then {then}", short(stop_when))
}

fn line(from: &str, to: &str, kind: LineKind, label: Option<String>) -> GraphLine {
    GraphLine { from: from.to_owned(), to: to.to_owned(), kind, label }
}

/// The beginning of a text of a definition.
fn short(text: &str) -> String {
    let mut short: String = text.chars().take(TEXT).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
