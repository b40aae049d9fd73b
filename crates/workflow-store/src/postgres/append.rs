//! Appends: waiting appends are stored with one statement, each with its own outcome.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

use futures::channel::oneshot;
use tokio::sync::Notify;
use tokio::task::spawn_local;
use tokio_postgres::types::Type;
use workflow_core::event::Event;
use workflow_core::ids::RunId;
use workflow_core::store::order::{check_numbers, control_of};
use workflow_core::store::{ControlRecord, Lease, RunHead, StoreError};

use super::database::{Fault, Query};
use super::row::{HeadRow, controls, signed, text, unsigned};
use super::service::{Service, Turn};

/// The maximum number of appends in one statement.
const MOST_APPENDS: usize = 512;
const MOST_BYTES: usize = 8 << 20;

/// The update of the run's row checks the lease, locks the row, and provides the key of the events.
const APPEND: Query = Query::new(
    "WITH me AS MATERIALIZED ( \
         SELECT FROM @.worker WHERE worker_id = $1 AND expires_at > @.clock()), \
     held AS ( \
         UPDATE @.run r SET last_event = r.last_event + a.count, obeyed = greatest(r.obeyed, a.obeyed), \
             head = coalesce(a.head, r.head), status = coalesce(a.status, r.status), \
             ended = CASE WHEN a.head IS NULL THEN r.ended ELSE a.ended END, \
             wakes = CASE WHEN a.head IS NULL THEN r.wakes ELSE a.wakes END \
         FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], \
             $8::text[], $9::text[], $10::bigint[], $11::bigint[]) WITH ORDINALITY \
             AS a (run_id, epoch, expected, count, obeyed, given, head, status, ended, wakes, place) \
         WHERE r.run_id = a.run_id AND r.epoch = a.epoch AND r.owner = $1 AND r.last_event = a.expected \
             AND EXISTS (SELECT FROM me) \
         RETURNING a.place, r.key, r.controls[(a.given + 1)::integer:] AS controls), \
     stored AS ( \
         INSERT INTO @.event (key, seq, body) SELECT h.key, e.seq, e.body \
         FROM unnest($12::bigint[], $13::bigint[], $14::text[]) AS e (place, seq, body) \
         JOIN held h ON h.place = e.place) \
     SELECT place, controls FROM held",
    &[
        Type::UUID,
        Type::TEXT_ARRAY,
        Type::INT8_ARRAY,
        Type::INT8_ARRAY,
        Type::INT8_ARRAY,
        Type::INT8_ARRAY,
        Type::INT8_ARRAY,
        Type::TEXT_ARRAY,
        Type::TEXT_ARRAY,
        Type::INT8_ARRAY,
        Type::INT8_ARRAY,
        Type::INT8_ARRAY,
        Type::INT8_ARRAY,
        Type::TEXT_ARRAY,
    ],
);

/// An append, encoded for the database.
pub(super) struct Append {
    lease: Lease,
    expected: u64,
    bodies: Vec<String>,
    bytes: usize,
    obeyed: u64,
    head: Option<HeadRow>,
    /// Why the numbers of the events are inconsistent.
    misnumbered: Option<StoreError>,
    answer: oneshot::Sender<Result<Vec<ControlRecord>, StoreError>>,
}

impl Append {
    /// Encodes the events, on the caller's thread.
    pub(super) fn new(
        lease: &Lease,
        expected: u64,
        events: &[Event],
        head: Option<&RunHead>,
        answer: oneshot::Sender<Result<Vec<ControlRecord>, StoreError>>,
        place: &str,
    ) -> Result<Self, StoreError> {
        let bodies = events.iter().map(|event| text(event, place)).collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            lease: lease.clone(),
            expected,
            bytes: bodies.iter().map(String::len).sum(),
            bodies,
            obeyed: events.iter().filter_map(|event| control_of(&event.body)).max().unwrap_or(0),
            head: head.map(|head| HeadRow::new(head, place)).transpose()?,
            misnumbered: check_numbers(&lease.run, expected, events).err(),
            answer,
        })
    }

    pub(super) fn run(&self) -> &RunId {
        &self.lease.run
    }

    pub(super) fn lease(&self) -> &Lease {
        &self.lease
    }

    pub(super) fn expected(&self) -> u64 {
        self.expected
    }

    pub(super) fn bodies(&self) -> &[String] {
        &self.bodies
    }

    pub(super) fn obeyed(&self) -> u64 {
        self.obeyed
    }

    pub(super) fn head(&self) -> Option<&HeadRow> {
        self.head.as_ref()
    }

    pub(super) fn misnumbered(&self) -> Option<StoreError> {
        self.misnumbered.clone()
    }

    /// Whether the run has ended with it.
    pub(super) fn ends(&self) -> bool {
        self.head.as_ref().is_some_and(|head| head.ends)
    }

    /// Whether it only checks the lease.
    fn only_checks(&self) -> bool {
        self.bodies.is_empty() && self.head.is_none()
    }
}

/// Waiting appends, at most one of each run.
#[derive(Default)]
pub(super) struct AppendQueue {
    waiting: RefCell<VecDeque<(Append, Turn)>>,
    wake: Notify,
}

impl AppendQueue {
    /// All waiting appends, up to the limit of one statement.
    async fn next(&self) -> Vec<(Append, Turn)> {
        loop {
            {
                let mut waiting = self.waiting.borrow_mut();
                let (mut count, mut bytes) = (0, 0);
                for (append, _) in waiting.iter().take(MOST_APPENDS) {
                    bytes += append.bytes;
                    if count > 0 && bytes > MOST_BYTES {
                        break;
                    }
                    count += 1;
                }
                let batch: Vec<_> = waiting.drain(..count).collect();
                if !waiting.is_empty() {
                    self.wake.notify_one();
                }
                if !batch.is_empty() {
                    return batch;
                }
            }
            self.wake.notified().await;
        }
    }
}

/// The control requests returned with each stored append, by its position in the batch.
type Stored = HashMap<usize, Result<Vec<ControlRecord>, StoreError>>;

impl Service {
    pub(super) fn queue_append(self: &Rc<Self>, append: Append, turn: Turn) {
        let waits = self.leases.borrow().slot_of(&append.lease).map(|slot| slot.waits);
        match waits {
            Some(waits) if append.ends() || (waits && !append.only_checks()) => {
                spawn_local(Rc::clone(self).append_with_slot(append, turn));
            }
            _ => self.push_append(append, turn),
        }
    }

    pub(super) fn push_append(&self, append: Append, turn: Turn) {
        self.appends.waiting.borrow_mut().push_back((append, turn));
        self.appends.wake.notify_one();
    }

    pub(super) async fn store_appends(self: Rc<Self>) {
        loop {
            let mut batch = self.appends.next().await;
            // All statements lock rows in the same order, so that they do not deadlock.
            batch.sort_unstable_by(|(a, _), (b, _)| a.lease.run.cmp(&b.lease.run));
            self.store_batch(batch).await;
        }
    }

    async fn store_batch(&self, batch: Vec<(Append, Turn)>) {
        let good: Vec<&Append> =
            batch.iter().map(|(append, _)| append).filter(|append| append.misnumbered.is_none()).collect();
        let mut stored = match self.try_batch(&good).await {
            Ok(stored) => good_runs(&good, stored),
            // Nothing was stored. One of the appends may be at fault; the others can still succeed.
            Err(fault) if fault.refused && good.len() > 1 => {
                let mut alone = HashMap::new();
                for append in &good {
                    let result = self.try_batch(&[append]).await;
                    let result = result.map(|mut stored| stored.remove(&0));
                    if let Some(result) = result.map_err(|fault| fault.error).transpose() {
                        alone.insert(append.run().clone(), result.and_then(|controls| controls));
                    }
                }
                alone
            }
            Err(fault) => {
                good.iter().map(|append| (append.run().clone(), Err(fault.error.clone()))).collect()
            }
        };
        let mut refused = Vec::new();
        for (append, turn) in batch {
            match stored.remove(append.run()) {
                Some(result) => self.answer(append, result, turn),
                None => refused.push((append, turn)),
            }
        }
        // The other appends do not wait for those that need to be examined.
        for (append, turn) in refused {
            let error = self.why_not(&append).await;
            self.answer(append, Err(error), turn);
        }
    }

    pub(super) fn answer(&self, append: Append, result: Result<Vec<ControlRecord>, StoreError>, turn: Turn) {
        if let Ok(controls) = &result {
            self.leases.borrow_mut().give(&append.lease, controls.len());
        }
        // The caller may have dropped its future.
        let _ = append.answer.send(result);
        drop(turn);
    }

    async fn try_batch(&self, batch: &[&Append]) -> Result<Stored, Fault> {
        // Leases that this store was not given, or has released, are not searched for.
        let given: Vec<_> = {
            let leases = self.leases.borrow();
            batch.iter().map(|append| leases.given(&append.lease)).collect()
        };
        let held: Vec<_> = (0..)
            .zip(batch)
            .zip(given)
            .filter_map(|((n, append), given)| Some((n, *append, given?)))
            .collect();
        if held.is_empty() {
            return Ok(Stored::new());
        }
        let numbers = |number: &dyn Fn(&Append) -> i64| -> Vec<i64> {
            held.iter().map(|(_, append, _)| number(append)).collect()
        };
        let runs: Vec<&str> = held.iter().map(|(_, append, _)| append.lease.run.as_str()).collect();
        let epochs = numbers(&|append| signed(append.lease.epoch));
        let expected = numbers(&|append| signed(append.expected));
        let counts = numbers(&|append| signed(append.bodies.len() as u64));
        let obeyed = numbers(&|append| signed(append.obeyed));
        let given: Vec<i64> = held.iter().map(|(.., given)| signed(*given)).collect();
        let heads: Vec<_> = held.iter().map(|(_, append, _)| append.head.as_ref()).collect();
        let texts: Vec<_> = heads.iter().map(|head| head.map(|head| head.text.as_str())).collect();
        let statuses: Vec<_> = heads.iter().map(|head| head.map(|head| head.status.as_str())).collect();
        let ended: Vec<_> = heads.iter().map(|head| head.and_then(|head| head.ended)).collect();
        let wakes: Vec<_> = heads.iter().map(|head| head.and_then(|head| head.wakes)).collect();
        let (mut places, mut seqs, mut bodies) = (Vec::new(), Vec::new(), Vec::new());
        for (place, (_, append, _)) in (1_i64..).zip(&held) {
            for (seq, body) in (append.expected + 1..).zip(&append.bodies) {
                places.push(place);
                seqs.push(signed(seq));
                bodies.push(body.as_str());
            }
        }
        let rows = self
            .database
            .write(
                &APPEND,
                &[
                    &self.worker.get(),
                    &runs,
                    &epochs,
                    &expected,
                    &counts,
                    &obeyed,
                    &given,
                    &texts,
                    &statuses,
                    &ended,
                    &wakes,
                    &places,
                    &seqs,
                    &bodies,
                ],
            )
            .await?;
        let stored = rows.iter().filter_map(|row| {
            let place = usize::try_from(row.get::<_, i64>(0) - 1).ok()?;
            let (number, append, given) = held.get(place)?;
            Some((*number, controls(&append.lease.run, *given, &row.get::<_, Vec<String>>(1))))
        });
        Ok(stored.collect())
    }

    /// Why an append was not stored.
    pub(super) async fn why_not(&self, append: &Append) -> StoreError {
        // The caller could not act on a reason that no longer holds.
        let over =
            || self.database.fault("an append was refused for a reason that no longer holds: try again");
        match self.refusal(append).await {
            Ok(reason) => reason.unwrap_or_else(over),
            Err(error) => error,
        }
    }

    /// The reason for which an append would be refused now.
    pub(super) async fn refusal(&self, append: &Append) -> Result<Option<StoreError>, StoreError> {
        let (run, epoch) = (append.run(), append.lease.epoch);
        if self.leases.borrow().given(&append.lease).is_none() {
            return Ok(Some(StoreError::Fenced(run.clone())));
        }
        let found = self.look(run).await?;
        let Some(found_run) = found.run.filter(|run| found.alive && run.held_by(self.worker.get(), epoch))
        else {
            return Ok(Some(StoreError::Fenced(run.clone())));
        };
        let actual = unsigned(found_run.last_event);
        if actual != append.expected {
            let expected = append.expected;
            return Ok(Some(StoreError::Conflict { run: run.clone(), expected, actual }));
        }
        Ok(append.misnumbered.clone())
    }
}

fn good_runs(good: &[&Append], stored: Stored) -> HashMap<RunId, Result<Vec<ControlRecord>, StoreError>> {
    stored.into_iter().map(|(number, result)| (good[number].run().clone(), result)).collect()
}
