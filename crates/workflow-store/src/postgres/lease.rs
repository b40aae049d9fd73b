//! Leases: which runs this store holds, its heartbeat, and the release of leases.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::rc::Rc;

use futures::channel::oneshot;
use tokio::sync::mpsc;
use tokio::task::spawn_local;
use tokio_postgres::types::Type;
use workflow_core::ids::RunId;
use workflow_core::store::{Lease, StoreError};

use super::database::Query;
use super::row::{signed, unsigned};
use super::service::Service;
use super::thread::Request;
use crate::host;

/// Registers a worker; the row of a worker that has long been dead is deleted when no run refers to it.
const REGISTER: Query = Query::new(
    "WITH gone AS ( \
         DELETE FROM @.worker w WHERE w.expires_at < @.clock() - interval '1 day' \
             AND NOT EXISTS (SELECT FROM @.run r WHERE r.owner = w.worker_id)) \
     INSERT INTO @.worker (worker_id, name, expires_at) \
     VALUES (gen_random_uuid(), $1 || coalesce(' at ' || host(inet_client_addr()), ''), \
         @.clock() + make_interval(secs => $2)) \
     RETURNING worker_id",
    &[Type::TEXT, Type::FLOAT8],
);

const RENEW: Query = Query::new(
    "UPDATE @.worker SET expires_at = @.clock() + make_interval(secs => $2) \
     WHERE worker_id = $1 AND expires_at > @.clock() RETURNING 1",
    &[Type::UUID, Type::FLOAT8],
);

const LEAVE: Query =
    Query::new("UPDATE @.worker SET expires_at = '-infinity' WHERE worker_id = $1", &[Type::UUID]);

const RELEASE: Query = Query::new(
    "UPDATE @.run SET owner = NULL WHERE run_id = $2 AND epoch = $3 AND owner = $1 \
     RETURNING status IN ('pending', 'running') AND wakes IS NOT NULL",
    &[Type::UUID, Type::TEXT, Type::INT8],
);

/// Releases the leases that the database assigns to this store, but the store does not know of.
const SETTLE: Query = Query::new(
    "UPDATE @.run SET owner = NULL WHERE owner = $1 AND NOT run_id = ANY($2)",
    &[Type::UUID, Type::TEXT_ARRAY],
);

/// The leases that this store gave out and that were not released.
#[derive(Default)]
pub(super) struct Leases {
    runs: HashMap<RunId, Held>,
    /// The slots of those that have one or wait for one.
    slots: HashMap<RunId, HeldSlot>,
    /// Whether the database may have stored a lease of which the store was not told.
    pub(super) unsettled: bool,
}

struct Held {
    epoch: u64,
    /// The number of the last control request that was delivered to the holder.
    given: u64,
}

/// The slot of a run that this store holds.
pub(super) struct HeldSlot {
    pub(super) name: String,
    /// Whether another run has it, as far as this store knows.
    pub(super) waits: bool,
}

impl Leases {
    pub(super) fn add(
        &mut self,
        run: RunId,
        (epoch, previous): (i64, i64),
        obeyed: i64,
        deaths: i32,
        slot: Option<(String, Option<RunId>)>,
    ) -> Lease {
        let (name, first) = slot.map_or((None, None), |(name, first)| (Some(name), first));
        let behind = first.filter(|first| *first != run);
        match name {
            Some(name) => {
                self.slots.insert(run.clone(), HeldSlot { name, waits: behind.is_some() });
            }
            None => self.lose_slot(&run),
        }
        let (epoch, previous) = (unsigned(epoch), unsigned(previous));
        let deaths = u32::try_from(deaths).unwrap_or(0);
        self.runs.insert(run.clone(), Held { epoch, given: unsigned(obeyed) });
        Lease { run, epoch, previous, deaths, behind }
    }

    /// The slot of a run, if the lease is held.
    pub(super) fn slot_of(&self, lease: &Lease) -> Option<&HeldSlot> {
        if self.slots.is_empty() {
            return None;
        }
        self.given(lease).and_then(|_| self.slots.get(&lease.run))
    }

    pub(super) fn got_slot(&mut self, run: &RunId) {
        if let Some(slot) = self.slots.get_mut(run) {
            slot.waits = false;
        }
    }

    /// Records that a run does not need a slot any more.
    pub(super) fn lose_slot(&mut self, run: &RunId) {
        if !self.slots.is_empty() {
            self.slots.remove(run);
        }
    }

    /// Forgets all leases.
    fn clear(&mut self) {
        self.runs.clear();
        self.slots.clear();
    }

    pub(super) fn holds(&self, run: &RunId) -> bool {
        self.runs.contains_key(run)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// The last control request that was delivered to the holder of a lease, if the lease is held.
    pub(super) fn given(&self, lease: &Lease) -> Option<u64> {
        self.runs.get(&lease.run).filter(|held| held.epoch == lease.epoch).map(|held| held.given)
    }

    pub(super) fn give(&mut self, lease: &Lease, controls: usize) {
        if let Some(held) = self.runs.get_mut(&lease.run).filter(|held| held.epoch == lease.epoch) {
            held.given += controls as u64;
        }
    }

    fn remove(&mut self, lease: &Lease) -> bool {
        match self.runs.entry(lease.run.clone()) {
            Entry::Occupied(held) if held.get().epoch == lease.epoch => {
                held.remove();
                self.lose_slot(&lease.run);
                true
            }
            _ => false,
        }
    }
}

/// One lease or several.
pub(super) trait Lent: Send + Sized + 'static {
    fn into_leases(self) -> Vec<Lease>;
}

impl Lent for Lease {
    fn into_leases(self) -> Vec<Lease> {
        vec![self]
    }
}

impl Lent for Vec<Lease> {
    fn into_leases(self) -> Vec<Lease> {
        self
    }
}

/// Leases on their way to a caller. They are released if the caller's future was dropped.
pub(super) struct Loan<T: Lent> {
    lent: Option<T>,
    back: mpsc::WeakUnboundedSender<Request>,
}

impl<T: Lent> Loan<T> {
    pub(super) fn take(mut self) -> Result<T, StoreError> {
        self.lent.take().ok_or_else(|| StoreError::Closed("the lease was released already".to_owned()))
    }
}

impl<T: Lent> Drop for Loan<T> {
    fn drop(&mut self) {
        // A store that is closed has released all its leases.
        let Some((lent, back)) = self.lent.take().zip(self.back.upgrade()) else { return };
        for lease in lent.into_leases() {
            let run = lease.run.clone();
            let release = async move |service: Rc<Service>| {
                if let Err(error) = service.release(&lease).await {
                    tracing::warn!(run = %lease.run, %error, "cannot release a lease whose caller is gone");
                }
            };
            let _ = back.send(Request::job(Some(run), release));
        }
    }
}

impl Service {
    /// Executes `job` while it may change the lease of one run or of any, and hands its result over.
    pub(super) async fn lend<T: Lent>(
        self: Rc<Self>,
        any: bool,
        job: impl AsyncFnOnce(Rc<Self>) -> Result<T, StoreError>,
        answer: oneshot::Sender<Result<Loan<T>, StoreError>>,
    ) {
        let _any = if any { Some(self.any_run.write().await) } else { None };
        let _one = if any { None } else { Some(self.any_run.read().await) };
        let result = job(Rc::clone(&self)).await;
        let loan = result.map(|lent| Loan { lent: Some(lent), back: self.back.clone() });
        if let Err(Ok(mut loan)) = answer.send(loan) {
            for lease in loan.lent.take().map(Lent::into_leases).unwrap_or_default() {
                // On an error, `settle` releases it later.
                let _ = self.give_back(&lease).await;
            }
        }
    }

    pub(super) async fn register(&self) -> Result<(), StoreError> {
        let name = self
            .name
            .clone()
            .unwrap_or_else(|| host::describe(std::process::id(), host::host_name().as_deref()));
        let rows = self.database.change(&REGISTER, &[&name, &self.seconds()]).await?;
        self.worker.set(self.database.one(&rows)?.get(0));
        Ok(())
    }

    /// The lease time.
    pub(super) fn seconds(&self) -> f64 {
        self.lease_time.as_secs_f64()
    }

    pub(super) async fn renew(self: &Rc<Self>) -> Result<(), StoreError> {
        let worker = self.worker.get();
        let is_lapsed = self.lapsed.replace(false);
        if is_lapsed || self.database.write(&RENEW, &[&worker, &self.seconds()]).await?.is_empty() {
            self.expire().await;
            return Err(StoreError::Expired);
        }
        if self.leases.borrow().unsettled {
            // It waits for its turn, which the heartbeat must not.
            let service = Rc::clone(self);
            spawn_local(async move {
                let _any = service.any_run.write().await;
                if let Err(error) = service.settle().await {
                    tracing::warn!(%error, "cannot release leases that the store does not hold; trying again later");
                }
            });
        }
        Ok(())
    }

    /// All leases of this store have expired: continues as a new worker.
    async fn expire(&self) {
        self.leases.borrow_mut().clear();
        let _one = self.registering.lock().await;
        // Runs that were claimed after the expiry are free now, not only when this worker's time is over.
        if let Err(fault) = self.database.write(&LEAVE, &[&self.worker.get()]).await {
            tracing::warn!(error = %fault.error, "cannot end the leases of this store; they expire on their own");
        }
        self.hints.tell(None);
        if let Err(error) = self.register().await {
            // The next claim tries again.
            tracing::warn!(%error, "cannot register again after the leases of this store expired; trying again later");
        }
    }

    /// Continues as a new worker after other stores presumed this store dead. Holders of leases learn it from
    /// the next renewal, or from an earlier append.
    pub(super) async fn revive(&self) -> Result<(), StoreError> {
        let worker = self.worker.get();
        let _one = self.registering.lock().await;
        if self.worker.get() != worker {
            return Ok(());
        }
        if !self.leases.borrow().is_empty() {
            self.leases.borrow_mut().clear();
            self.lapsed.set(true);
        }
        // The store did not die, so the next claims of its runs must not count a death.
        if let Err(fault) = self.database.write(&LEAVE, &[&worker]).await {
            tracing::warn!(error = %fault.error, "cannot report that this store is alive after its leases expired");
        }
        self.register().await
    }

    /// Releases leases that the database gave to this store without its knowledge.
    pub(super) async fn settle(&self) -> Result<(), StoreError> {
        if self.leases.borrow().unsettled {
            let runs: Vec<String> = self.leases.borrow().runs.keys().map(ToString::to_string).collect();
            self.database.change(&SETTLE, &[&self.worker.get(), &runs]).await?;
            self.leases.borrow_mut().unsettled = false;
        }
        Ok(())
    }

    pub(super) async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        let _one = self.any_run.read().await;
        self.give_back(lease).await
    }

    async fn give_back(&self, lease: &Lease) -> Result<(), StoreError> {
        if !self.leases.borrow_mut().remove(lease) {
            return Ok(());
        }
        let params: [&(dyn tokio_postgres::types::ToSql + Sync); 3] =
            [&self.worker.get(), &lease.run.as_str(), &signed(lease.epoch)];
        match self.database.change(&RELEASE, &params).await {
            Ok(rows) => {
                if rows.first().is_some_and(|row| row.get(0)) {
                    self.hints.tell(Some(&lease.run));
                }
                Ok(())
            }
            Err(fault) => {
                self.leases.borrow_mut().unsettled = true;
                Err(fault.error)
            }
        }
    }

    /// The last step of the store: ends its leases, and notifies others.
    pub(super) async fn leave(&self) {
        if !self.leases.borrow().is_empty() {
            self.hints.tell(None);
        }
        if let Err(fault) = self.database.write(&LEAVE, &[&self.worker.get()]).await {
            tracing::warn!(error = %fault.error, "cannot end the leases of a dropped store; they expire on their own");
        }
        self.flush_hints().await;
    }
}
