//! The heads of all runs, for clients that show a list.

use std::collections::HashMap;

use workflow_core::ids::RunId;
use workflow_core::runs::{EngineError, Runs};
use workflow_core::store::{RunFilter, RunRecord};

use crate::message::Message;

/// How many of the newest runs a client is told of, besides all that have not ended.
const NEWEST: usize = 200;

/// What a client knows of the heads.
#[derive(Default)]
pub(super) struct Heads {
    known: HashMap<RunId, RunRecord>,
}

impl Heads {
    /// What has changed since the last time: at first all heads.
    pub(super) async fn read(&mut self, runs: &dyn Runs) -> Result<Vec<Message>, EngineError> {
        let mut listed = runs.list(&RunFilter::unfinished()).await?;
        listed.extend(runs.list(&RunFilter::all().limit(NEWEST)).await?);
        let mut messages = Vec::new();
        let mut known = HashMap::with_capacity(listed.len());
        for record in listed {
            if known.contains_key(&record.run_id) {
                continue;
            }
            if self.known.get(&record.run_id) != Some(&record) {
                messages.push(Message::head(&record));
            }
            known.insert(record.run_id.clone(), record);
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
