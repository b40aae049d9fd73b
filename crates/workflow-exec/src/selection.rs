//! Which runs a worker takes, as its options say.

use std::sync::Arc;
use std::time::Duration;

use workflow_core::ids::WorkflowId;
use workflow_core::plan::Plan;
use workflow_core::store::LabelLimit;

/// Which runs a worker drives, and how many. Made by [`Default`], and changed field by field.
///
/// ```
/// use workflow_exec::WorkOptions;
///
/// let mut options = WorkOptions::default();
/// options.runs = 8;
/// options.providers = vec!["claude-code".to_owned()];
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct WorkOptions {
    /// How many runs are driven at a time; 64 unless set.
    pub runs: usize,
    /// How often the worker polls a store that does not notify it of runs, and after an error; one second
    /// unless set.
    pub poll: Duration,
    /// A run that could not be driven is left alone for twice as long each time, up to this; five
    /// minutes unless set.
    pub longest_pause: Duration,
    /// Only runs of these workflows are driven; an empty list means all workflows.
    pub workflows: Vec<WorkflowId>,
    /// Only runs all of whose providers are among these, none of them named by an expression; all when there are none.
    pub providers: Vec<String>,
    /// How many runs with the same value of a label may be driven at a time, by all engines of the store together. A run that is
    /// driven otherwise, such as one that a person resumes, counts, and is not held back. A worker that selects runs, or has a
    /// [run key](crate::EngineBuilder::run_key), counts before it claims: several of them can exceed the limit by what they claim
    /// at the same moment.
    pub per_label: Option<LabelLimit>,
    /// Only runs are driven whose definition is that of the workflow as the engine's catalog has it.
    pub only_catalog: bool,
}

impl Default for WorkOptions {
    fn default() -> Self {
        Self {
            runs: 64,
            poll: Duration::from_secs(1),
            longest_pause: Duration::from_secs(300),
            workflows: Vec::new(),
            providers: Vec::new(),
            only_catalog: false,
            per_label: None,
        }
    }
}

impl WorkOptions {
    /// Whether there are runs that the worker does not take.
    pub(crate) fn is_selective(&self) -> bool {
        !self.workflows.is_empty() || !self.providers.is_empty() || self.only_catalog
    }

    /// Why a worker does not take a run of that workflow and plan, as far as the catalog does not matter.
    pub(crate) fn refusal(&self, workflow: &WorkflowId, plan: &Plan) -> Option<String> {
        if !self.workflows.is_empty() && !self.workflows.contains(workflow) {
            return Some(format!("it takes no runs of the workflow `{workflow}`"));
        }
        if self.providers.is_empty() {
            return None;
        }
        if !plan.has_known_providers() {
            return Some(
                "an expression chooses a provider, so it is not known which providers the run \
                         calls"
                    .to_owned(),
            );
        }
        let other = |name: &Arc<str>| self.providers.iter().all(|known| **known != **name);
        let other = plan.providers().into_iter().find(other)?;
        Some(format!("it takes no runs that call the provider `{other}`"))
    }
}
