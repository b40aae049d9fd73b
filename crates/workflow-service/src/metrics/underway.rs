//! The calls that are under way in this process.

use std::collections::HashMap;

use jiff::Timestamp;
use workflow_core::ids::{NodePath, RunId};

/// The providers of the calls that are under way, and since when.
#[derive(Default)]
pub(super) struct Underway(HashMap<RunId, HashMap<NodePath, (String, Timestamp)>>);

impl Underway {
    pub(super) fn begin(&mut self, run: &RunId, path: &NodePath, provider: String, at: Timestamp) {
        self.0.entry(run.clone()).or_default().insert(path.clone(), (provider, at));
    }

    /// The provider of a call that ended, and when it began; nothing if it began in another process.
    pub(super) fn end(&mut self, run: &RunId, path: &NodePath) -> Option<(String, Timestamp)> {
        let calls = self.0.get_mut(run)?;
        let ended = calls.remove(path);
        if calls.is_empty() {
            self.0.remove(run);
        }
        ended
    }

    /// Forgets the calls of a run, and returns their providers.
    pub(super) fn leave(&mut self, run: &RunId) -> Vec<String> {
        let calls = self.0.remove(run).unwrap_or_default();
        calls.into_values().map(|(provider, _)| provider).collect()
    }
}
