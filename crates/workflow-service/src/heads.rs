//! The heads of runs, listed once for all clients that follow them.

use std::sync::Arc;

use workflow_core::runs::{EngineError, Runs};
use workflow_core::store::{RunFilter, RunRecord};

use crate::notice::{Known, Notice, Notices};

/// How many of the newest runs are listed, besides all that have not ended.
const NEWEST: usize = 200;

/// The heads as they were listed last.
#[derive(Default)]
pub(crate) struct Heads {
    notices: Notices,
    /// The heads, and the read that they are from.
    listed: futures::lock::Mutex<(u64, Arc<Vec<RunRecord>>)>,
}

impl Heads {
    /// Completes when the status of a run may have changed.
    pub(crate) fn changed(&self, runs: &dyn Runs) -> (Notice, Known) {
        self.notices.current(|| runs.changed(None))
    }

    /// The heads of all runs that have not ended, and of the newest others. A list that was read since `known` is new
    /// enough, and the store is not asked again.
    pub(crate) async fn list(
        &self,
        runs: &dyn Runs,
        known: Known,
    ) -> Result<Arc<Vec<RunRecord>>, EngineError> {
        let mut listed = self.listed.lock().await;
        if known.is_before(listed.0) {
            return Ok(listed.1.clone());
        }
        let read = self.notices.begin_read();
        let mut heads = runs.list(&RunFilter::unfinished()).await?;
        heads.extend(runs.list(&RunFilter::all().limit(NEWEST)).await?);
        *listed = (read, Arc::new(heads));
        Ok(listed.1.clone())
    }
}
