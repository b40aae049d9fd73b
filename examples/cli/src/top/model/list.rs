//! The list of runs: which are shown, and which one is selected.

use workflow_core::ids::RunId;
use workflow_core::status::Wait;
use workflow_core::store::RunRecord;

use super::input::Input;
use crate::top::look::Look;
use crate::top::message::Listed;

/// The runs, those that wait for a person first, the newest first.
#[derive(Debug, Default)]
pub(crate) struct List {
    listed: Listed,
    /// The runs were read.
    pub is_read: bool,
    selected: Option<RunId>,
    pub filter: Input,
    /// The filter is being typed.
    pub is_typing: bool,
}

/// The first wait of a run.
pub(crate) fn wait(run: &RunRecord) -> Option<&Wait> {
    run.head.wait.as_deref()
}

/// The look of a run in the list.
pub(crate) fn look(run: &RunRecord) -> Look {
    Look::of_run(run.head.status, wait(run), run.holder.is_some())
}

/// Whether a person has to do something, so that the run continues.
pub(crate) fn waits_for_person(run: &RunRecord) -> bool {
    let waits = run.head.progress.iter().flat_map(|progress| &progress.waits).chain(wait(run));
    !run.head.status.is_terminal() && waits.into_iter().any(|wait| wait.reason.is_for_a_person())
}

impl List {
    pub(crate) fn take(&mut self, mut listed: Listed) {
        listed.runs.sort_by(|a, b| {
            let first = |run: &RunRecord| (!waits_for_person(run), std::cmp::Reverse(run.head.created_at));
            first(a).cmp(&first(b)).then_with(|| b.run_id.as_str().cmp(a.run_id.as_str()))
        });
        (self.listed, self.is_read) = (listed, true);
    }

    /// How many runs the store has.
    pub(crate) fn total(&self) -> u64 {
        self.listed.total
    }

    /// How many runs were read.
    pub(crate) fn read(&self) -> usize {
        self.listed.runs.len()
    }

    /// All runs that were read.
    pub(crate) fn all(&self) -> &[RunRecord] {
        &self.listed.runs
    }

    /// The runs that the filter selects.
    pub(crate) fn shown(&self) -> Vec<&RunRecord> {
        let wanted = self.filter.text().trim().to_lowercase();
        let has = |text: &str| text.to_lowercase().contains(&wanted);
        let is_wanted = |run: &&RunRecord| {
            wanted.is_empty()
                || has(run.run_id.as_str())
                || has(run.head.workflow_id.as_str())
                || has(look(run).word())
                || run.head.labels.values().any(|value| has(value))
        };
        self.listed.runs.iter().filter(is_wanted).collect()
    }

    /// The place of the selected run among the shown ones; the first, if it is not among them.
    pub(crate) fn place(&self) -> usize {
        let shown = self.shown();
        let place = |id: &RunId| shown.iter().position(|run| run.run_id == *id);
        self.selected.as_ref().and_then(place).unwrap_or(0)
    }

    /// The selected run.
    pub(crate) fn selected(&self) -> Option<&RunRecord> {
        self.shown().get(self.place()).copied()
    }

    /// Selects the run so many places further down, or up.
    pub(crate) fn step(&mut self, by: isize) {
        let last = self.shown().len().saturating_sub(1);
        self.select(self.place().saturating_add_signed(by).min(last));
    }

    pub(crate) fn select(&mut self, place: usize) {
        self.selected = self.shown().get(place).map(|run| run.run_id.clone());
    }

    /// Selects the next run that waits for a person or has failed.
    pub(crate) fn next_problem(&mut self) {
        let shown = self.shown();
        let is_problem = |place: &usize| {
            shown.get(*place).is_some_and(|run| waits_for_person(run) || look(run) == Look::Failed)
        };
        let after = self.place() + 1;
        let next = (after..shown.len()).chain(0..after.min(shown.len())).find(is_problem);
        if let Some(next) = next {
            self.select(next);
        }
    }
}
