//! Defects of the order and the number in which runs are claimed or deleted.

use std::cmp::Reverse;

use jiff::{SignedDuration, Timestamp};
use workflow_core::store::{LabelLimit, Lease, MemoryStore, Room, RunFilter, RunStore, StoreError};

use crate::defects::Defect;

/// The leases that a store with the defect gives out.
pub(crate) async fn given(
    defect: Defect,
    inner: &MemoryStore,
    most: usize,
    now: Timestamp,
) -> Result<Vec<Lease>, StoreError> {
    let mut free = inner.list(&RunFilter::unfinished()).await?;
    free.retain(|run| run.holder.is_none() && run.head.goes_on_from().is_some());
    match defect {
        Defect::IgnoresPriorities => free.sort_by_key(|run| run.head.created_at),
        Defect::GivesTheNewestFirst => {
            free.sort_by_key(|run| (Reverse(run.head.priority), Reverse(run.head.created_at)));
        }
        Defect::TakesTheFirstThatWait => {
            // Whether they are due is looked at too late.
            free.sort_by_key(|run| (Reverse(run.head.priority), run.head.created_at));
            free.truncate(most);
        }
        _ => return inner.claim_next(most, now).await,
    }
    free.retain(|run| run.head.goes_on(now));
    let mut leases = Vec::new();
    for run in free.into_iter().take(most) {
        leases.push(inner.claim(&run.run_id).await?);
    }
    Ok(leases)
}

/// The leases that a store gives out that does not count what is held already.
async fn alone(
    inner: &MemoryStore,
    most: usize,
    now: Timestamp,
    limit: &LabelLimit,
) -> Result<Vec<Lease>, StoreError> {
    let mut free = inner.list(&RunFilter::unfinished()).await?;
    free.retain(|run| run.holder.is_none() && run.head.goes_on(now));
    free.sort_by_cached_key(|run| run.head.turn());
    let mut room = Room::new(limit);
    let mut leases = Vec::new();
    for run in free {
        if leases.len() < most && room.is_for(&run.head) {
            leases.push(inner.claim(&run.run_id).await?);
            room.held(&run.head);
        }
    }
    Ok(leases)
}

/// The leases that a store with the defect gives out within a limit, of whose runs `given` were ever given out.
pub(crate) async fn within(
    defect: Defect,
    inner: &MemoryStore,
    given: usize,
    (most, now): (usize, Timestamp),
    limit: &LabelLimit,
) -> Result<Vec<Lease>, StoreError> {
    match defect {
        Defect::IgnoresLimits => inner.claim_next(most, now).await,
        Defect::LimitsEachClaimAlone => alone(inner, most, now, limit).await,
        Defect::LimitsWholeClaims => inner.claim_within(most.min(limit.most()), now, limit).await,
        Defect::CountsTheDead => {
            let room = limit.most().saturating_sub(given);
            inner.claim_within(most.min(room), now, limit).await
        }
        _ => inner.claim_within(most, now, limit).await,
    }
}

/// Deletes runs as a store with the defect does.
pub(crate) async fn prune(
    defect: Defect,
    inner: &MemoryStore,
    ended_before: Timestamp,
    most: usize,
) -> Result<usize, StoreError> {
    match defect {
        Defect::PrunesWhatHasJustEnded => {
            inner.prune(ended_before + SignedDuration::from_nanos(1), most).await
        }
        Defect::PrunesMoreThanAsked => inner.prune(ended_before, usize::MAX).await,
        Defect::PrunesTheNewestFirst => {
            let mut ended = inner.list(&RunFilter::all()).await?;
            ended.retain(|run| run.head.completed_at.is_some_and(|ended| ended < ended_before));
            ended.sort_by_key(|run| Reverse(run.head.completed_at));
            ended.truncate(most);
            for run in &ended {
                inner.delete(&run.run_id).await?;
            }
            Ok(ended.len())
        }
        _ => inner.prune(ended_before, most).await,
    }
}
