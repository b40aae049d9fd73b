//! Retention, for stores that have no quicker way.

use jiff::Timestamp;

use super::{RunFilter, RunStore, StoreError};
use crate::status::RunStatus;

/// Lists what has ended, and deletes one after the other.
pub(super) async fn one_by_one<S: RunStore + ?Sized>(
    store: &S,
    ended_before: Timestamp,
    most: usize,
) -> Result<usize, StoreError> {
    let mut filter = RunFilter::all();
    filter.statuses = vec![RunStatus::Completed, RunStatus::Failed, RunStatus::Cancelled];
    let mut runs = store.list(&filter).await?;
    runs.retain(|run| run.head.completed_at.is_some_and(|ended| ended < ended_before));
    runs.sort_unstable_by_key(|run| run.head.completed_at);
    let mut deleted = 0;
    for run in runs {
        if deleted >= most {
            break;
        }
        match store.delete(&run.run_id).await {
            Ok(()) => deleted += 1,
            // Somebody has it in hand, or was quicker.
            Err(StoreError::Held { .. } | StoreError::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(deleted)
}
