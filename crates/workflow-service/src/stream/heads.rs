//! The heads of all runs, for clients that show a list.

use std::collections::HashMap;

use workflow_core::ids::RunId;
use workflow_core::runs::{EngineError, Runs};
use workflow_core::store::RunRecord;

use crate::message::Message;

/// What a client knows of the heads.
#[derive(Default)]
pub(super) struct KnownHeads {
    known: HashMap<RunId, RunRecord>,
}

impl KnownHeads {
    /// What has changed in the list since the last time: at first all heads.
    pub(super) async fn changes(
        &mut self,
        runs: &dyn Runs,
        listed: &[RunRecord],
    ) -> Result<Vec<Message>, EngineError> {
        let mut messages = Vec::new();
        let mut known = HashMap::with_capacity(listed.len());
        for record in listed {
            if known.contains_key(&record.run_id) {
                continue;
            }
            if self.known.get(&record.run_id) != Some(record) {
                messages.push(Message::head(record));
            }
            known.insert(record.run_id.clone(), record.clone());
        }
        // A run that is in neither list any more has ended, or was deleted.
        for run in std::mem::replace(&mut self.known, known).into_keys() {
            if self.known.contains_key(&run) {
                continue;
            }
            match runs.get(&run).await {
                Ok(record) => messages.push(Message::head(&record)),
                Err(error) if error.is_not_found() => messages.push(Message::deleted(&run)),
                Err(error) => return Err(error),
            }
        }
        Ok(messages)
    }
}
