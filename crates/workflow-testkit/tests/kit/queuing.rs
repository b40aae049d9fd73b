//! Defects of slots.

use std::sync::Arc;

use workflow_core::event::EventBody;
use workflow_core::store::{Lease, MemoryStore, NewRun, RunFilter, RunSlot, RunStore, SlotMode, StoreError};

use crate::defects::Defect;

/// A new run, as a store with the defect stores it.
pub(crate) fn new_run(defect: Defect, mut run: NewRun) -> NewRun {
    let Some(slot) = run.head.slot.take() else { return run };
    run.head.slot = match defect {
        Defect::IgnoresSlots => None,
        Defect::EveryRunQueues => Some(Arc::new(RunSlot { mode: SlotMode::Queue, ..(*slot).clone() })),
        Defect::ComparesKeysWithoutCase => {
            Some(Arc::new(RunSlot { key: slot.key.to_lowercase(), ..(*slot).clone() }))
        }
        _ => Some(slot),
    };
    if let Some(EventBody::RunCreated(created)) = run.events.first_mut().map(|event| &mut event.body) {
        Arc::make_mut(created).slot.clone_from(&run.head.slot);
    }
    run
}

/// The leases that a store with the defect gives to the next who asks, instead of `leases`.
pub(crate) async fn given(
    defect: Defect,
    inner: &MemoryStore,
    mut leases: Vec<Lease>,
) -> Result<Vec<Lease>, StoreError> {
    let mut waiting = inner.list(&RunFilter::unfinished()).await?;
    waiting.retain(|run| run.head.slot.is_some() && run.holder.is_none());
    match defect {
        Defect::GivesRunsThatWait => {
            for run in waiting {
                leases.push(inner.claim(&run.run_id).await?);
            }
        }
        Defect::GivesTheSlotToAnother => {
            if let Some((run, lease)) = waiting.first().zip(leases.pop()) {
                inner.release(lease).await?;
                leases.push(inner.claim(&run.run_id).await?);
            }
        }
        _ => {}
    }
    Ok(leases)
}
