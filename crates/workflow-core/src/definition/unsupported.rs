//! Fields that a definition may have and this version cannot act on yet. They are refused when a
//! run starts; a field that is ignored would be a promise broken without a word.

use super::graph::{Node, Profile, RunNode};
use super::model::{SessionMode, Stage, Workflow};
use super::path::Path;

/// Calls `found` with the path of each such field, and what it is that is not supported.
pub(super) fn find(workflow: &Workflow, mut found: impl FnMut(&Path<'_>, &str)) {
    if workflow.budget.is_some() {
        found(&Path::Root.key("workflow").key("budget"), "budgets");
    }
    for (id, stage) in &workflow.stages {
        find_in_stage(stage, &Path::Root.key(id.as_str()), &mut found);
    }
}

fn find_in_stage(stage: &Stage, path: &Path<'_>, found: &mut impl FnMut(&Path<'_>, &str)) {
    let Stage { session, budget, .. } = stage;
    find_in_call(*session, budget.is_some(), path, found);
}

/// The same for the nodes of a profile.
pub(super) fn find_in_profile(profile: &Profile, mut found: impl FnMut(&Path<'_>, &str)) {
    let graph = Path::Root.key("graph");
    for (n, node) in profile.graph.iter().enumerate() {
        find_in_node(&node.node, &graph.index(n), &mut found);
    }
}

fn find_in_node(node: &Node, path: &Path<'_>, found: &mut impl FnMut(&Path<'_>, &str)) {
    let run = match node {
        Node::Run(run) => run,
        Node::Reduce(reduce) => &reduce.run,
        Node::Foreach(foreach) => return find_in_node(&foreach.run, &path.key("run"), found),
        Node::Branch(_) | Node::Export(_) | Node::Ask(_) => return,
    };
    let RunNode { session, budget, .. } = &**run;
    find_in_call(*session, budget.is_some(), path, found);
}

fn find_in_call(
    session: Option<SessionMode>,
    budget: bool,
    path: &Path<'_>,
    found: &mut impl FnMut(&Path<'_>, &str),
) {
    for (is_there, field, what) in [
        (session == Some(SessionMode::Continue), "session", "going on in a session"),
        (budget, "budget", "budgets"),
    ] {
        if is_there {
            found(&path.key(field), what);
        }
    }
}

pub(super) fn message(what: &str) -> String {
    format!("this version does not support {what} yet, and does not start a run with this field: remove it")
}
