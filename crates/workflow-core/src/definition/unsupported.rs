//! Fields that a definition may have and this version cannot act on yet. They are refused when a
//! run starts; a field that is ignored would be a promise broken without a word.

use super::model::{OnInterrupt, SessionMode, Stage, Workflow};
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
    let has_profile = stage.profile.as_deref().is_some_and(|profile| profile != "simple");
    for (is_there, field, what) in [
        (stage.role.is_some(), "role", "roles"),
        (has_profile, "profile", "profiles other than `simple`"),
        (!stage.skills.is_empty(), "skills", "skills"),
        (stage.output.is_some(), "output", "reading a provider's text as JSON"),
        (stage.output_schema.is_some(), "output_schema", "output schemas"),
        (stage.session == Some(SessionMode::Continue), "session", "going on in a session"),
        (stage.on_interrupt == Some(OnInterrupt::Ask), "on_interrupt", "asking after an interruption"),
        (stage.approval.is_some(), "approval", "approvals"),
        (stage.budget.is_some(), "budget", "budgets"),
    ] {
        if is_there {
            found(&path.key(field), what);
        }
    }
    let providers = path.key("providers");
    for (n, lane) in stage.providers.iter().enumerate() {
        if lane.role.is_some() {
            found(&providers.index(n).key("role"), "roles");
        }
    }
}

pub(super) fn message(what: &str) -> String {
    format!("this version does not support {what} yet, and does not start a run with this field: remove it")
}
