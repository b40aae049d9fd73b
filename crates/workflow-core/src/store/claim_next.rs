//! Claiming whatever can be driven, for stores that have no quicker way.

use jiff::Timestamp;

use super::{Lease, RunFilter, RunStore, StoreError};

/// Lists what could be claimed, and tries one after the other.
pub(super) async fn one_by_one<S: RunStore + ?Sized>(
    store: &S,
    most: usize,
    now: Timestamp,
) -> Result<Vec<Lease>, StoreError> {
    let runs = store.list(&RunFilter::unfinished()).await?;
    let mut leases = Vec::new();
    // The oldest first.
    for run in runs.into_iter().rev().filter(|run| run.holder.is_none() && run.head.goes_on(now)) {
        if leases.len() >= most {
            break;
        }
        match store.claim(&run.run_id).await {
            Ok(lease) => leases.push(lease),
            // Somebody else was quicker.
            Err(StoreError::Held { .. } | StoreError::NotFound(_)) => {}
            Err(error) => {
                for lease in leases {
                    // What is told is the error that came first.
                    let _ = store.release(lease).await;
                }
                return Err(error);
            }
        }
    }
    Ok(leases)
}
