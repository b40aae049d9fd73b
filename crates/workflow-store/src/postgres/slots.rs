//! Slots: of the runs with the same key, one is in progress.
//!
//! A transaction that changes the list of runs that wait for a slot locks the row of the slot first. A run that has its
//! slot keeps it until it ends, so all its appends but the last are stored like those of other runs.

use std::rc::Rc;

use tokio_postgres::types::{ToSql, Type};
use workflow_core::ids::RunId;
use workflow_core::store::{Control, ControlRecord, ControlRequest, Lease, SlotMode, StoreError};

use super::append::Append;
use super::claim::{Create, alive};
use super::database::Query;
use super::row::{controls, nanoseconds_of_the_past, run_id, signed, text};
use super::service::{Service, Turn};

/// How often a creation is tried again when the row changed in the meantime.
const TRIES: usize = 5;

/// Locks the row of a slot, which it makes if there is none.
const LOCK_NEW: Query = Query::new(
    "INSERT INTO @.slot (name, runs) VALUES ($1, '{}') ON CONFLICT (name) DO UPDATE SET name = excluded.name",
    &[Type::TEXT],
);

const LOCK: Query = Query::new("SELECT FROM @.slot WHERE name = $1 FOR UPDATE", &[Type::TEXT]);

/// Returns the epoch, if the run was created, and the run that has the slot, if there was one before. `$16` is whether the run may wait,
/// and `$17` the control request for the run that has the slot.
const CREATE: Query = Query::new(
    alive!(
        "line AS MATERIALIZED ( \
             SELECT s.runs FROM @.slot s, me \
             WHERE s.name = $15 AND NOT EXISTS (SELECT FROM @.run WHERE run_id = $5)), \
         bundle AS ( \
             INSERT INTO @.bundle (hash, body) SELECT $3, $4 WHERE $4 IS NOT NULL ON CONFLICT DO NOTHING), \
         run AS ( \
             INSERT INTO @.run \
                 (run_id, workflow, status, created, ended, head, last_event, obeyed, epoch, owner, wakes, slot, priority, labels) \
             SELECT $5, $6, $7, $8, $9, $10, $11, $12, nextval('@.epoch'), $1, \
                 CASE WHEN cardinality(line.runs) = 0 THEN $14 END, $15, $18, $19::jsonb \
             FROM line WHERE $16 OR cardinality(line.runs) = 0 \
             ON CONFLICT (run_id) DO NOTHING RETURNING key, epoch), \
         stored AS ( \
             INSERT INTO @.event (key, seq, body) SELECT run.key, e.seq, e.body \
             FROM run, unnest($13::text[]) WITH ORDINALITY AS e (body, seq)), \
         queued AS ( \
             UPDATE @.slot s SET runs = array_append(s.runs, $5) FROM run WHERE s.name = $15), \
         asked AS ( \
             UPDATE @.run r SET controls = array_append(r.controls, $17) FROM line, run \
             WHERE $17 IS NOT NULL AND r.run_id = line.runs[1]) \
         SELECT run.epoch, line.runs[1] FROM line LEFT JOIN run ON true"
    ),
    &[
        Type::UUID,
        Type::FLOAT8,
        Type::TEXT,
        Type::TEXT,
        Type::TEXT,
        Type::TEXT,
        Type::TEXT,
        Type::INT8,
        Type::INT8,
        Type::TEXT,
        Type::INT8,
        Type::INT8,
        Type::TEXT_ARRAY,
        Type::INT8,
        Type::TEXT,
        Type::BOOL,
        Type::TEXT,
        Type::INT2,
        Type::TEXT,
    ],
);

/// Removes the run `$1`, which the query named `over` returns, from the slot `$2`. `next` is the run that has the slot now, if
/// `$1` had it; `$3` says that it continues at once.
macro_rules! freed {
    ($before:literal, $result:literal) => {
        concat!(
            $before,
            ", line AS MATERIALIZED ( \
                 SELECT s.name, array_remove(s.runs, $1) AS runs, s.runs[1] = $1 AS had \
                 FROM @.slot s, over WHERE s.name = $2), \
             moved AS ( \
                 UPDATE @.slot s SET runs = line.runs FROM line \
                 WHERE s.name = line.name AND cardinality(line.runs) > 0), \
             emptied AS ( \
                 DELETE FROM @.slot s USING line WHERE s.name = line.name AND cardinality(line.runs) = 0), \
             next AS ( \
                 UPDATE @.run r SET wakes = CASE WHEN r.status IN ('pending', 'running') THEN $3 END FROM line \
                 WHERE line.had AND r.run_id = line.runs[1] RETURNING r.run_id) ",
            $result
        )
    };
}

/// The append that ends a run.
const END: Query = Query::new(
    freed!(
        "WITH me AS MATERIALIZED ( \
             SELECT FROM @.worker WHERE worker_id = $4 AND expires_at > @.clock()), \
         over AS ( \
             UPDATE @.run r SET last_event = r.last_event + cardinality($12::text[]), \
                 obeyed = greatest(r.obeyed, $8), head = $9, status = $10, ended = $11, wakes = NULL, slot = NULL \
             FROM me \
             WHERE r.run_id = $1 AND r.epoch = $5 AND r.owner = $4 AND r.last_event = $6 AND r.slot = $2 \
             RETURNING r.key, r.controls[($7 + 1)::integer:] AS controls), \
         stored AS ( \
             INSERT INTO @.event (key, seq, body) SELECT over.key, $6 + e.number, e.body \
             FROM over, unnest($12::text[]) WITH ORDINALITY AS e (body, number))",
        "SELECT over.controls, next.run_id FROM over LEFT JOIN next ON true"
    ),
    &[
        Type::TEXT,
        Type::TEXT,
        Type::INT8,
        Type::UUID,
        Type::INT8,
        Type::INT8,
        Type::INT8,
        Type::INT8,
        Type::TEXT,
        Type::TEXT,
        Type::INT8,
        Type::TEXT_ARRAY,
    ],
);

/// See [`claim`](super::claim) for the epoch.
const DELETE: Query = Query::new(
    freed!(
        "WITH time AS MATERIALIZED (SELECT @.clock() AS now), \
         free AS ( \
             SELECT r.key FROM @.run r, time WHERE r.run_id = $1 AND r.slot = $2 \
                 AND (r.owner IS NULL OR (r.owner = $4 AND $5) \
                     OR NOT EXISTS ( \
                         SELECT FROM @.worker w WHERE w.worker_id = r.owner AND w.expires_at > time.now)) \
                 AND r.epoch = (SELECT s.epoch FROM @.run s WHERE s.key = r.key) \
             FOR UPDATE OF r), \
         events AS (DELETE FROM @.event e USING free WHERE e.key = free.key), \
         chunks AS (DELETE FROM @.chunk c USING free WHERE c.key = free.key), \
         logs AS (DELETE FROM @.log l USING free WHERE l.key = free.key), \
         over AS (DELETE FROM @.run r USING free WHERE r.key = free.key RETURNING 1)",
        "SELECT next.run_id FROM over LEFT JOIN next ON true"
    ),
    &[Type::TEXT, Type::TEXT, Type::INT8, Type::UUID, Type::BOOL],
);

const FIRST: Query = Query::new("SELECT runs[1] FROM @.slot WHERE name = $1", &[Type::TEXT]);

impl Service {
    /// Creates a run that needs a slot.
    pub(super) async fn create_with_slot(
        &self,
        create: Create,
        name: &str,
        mode: SlotMode,
    ) -> Result<Lease, StoreError> {
        let request = ControlRequest::from(Control::Cancel);
        let cancel = (mode == SlotMode::Cancel).then(|| text(&request, &create.place)).transpose()?;
        let waits = mode != SlotMode::Reject;
        for _ in 0..TRIES {
            let bundle = self.bundle_of(&create)?;
            let (worker, seconds) = (self.worker.get(), self.seconds());
            let count = signed(create.bodies.len() as u64);
            let params: [&(dyn ToSql + Sync); 19] = [
                &worker,
                &seconds,
                &create.hash.as_str(),
                &bundle,
                &create.run.as_str(),
                &create.workflow.as_str(),
                &create.head.status,
                &create.created,
                &create.head.ended,
                &create.head.text,
                &count,
                &create.obeyed,
                &create.bodies,
                &create.head.wakes,
                &name,
                &waits,
                &cancel,
                &create.priority,
                &create.labels,
            ];
            let rows = self.database.change_in_turn((&LOCK_NEW, &[&name]), (&CREATE, &params)).await;
            let rows = rows.map_err(|fault| self.in_doubt(fault))?;
            let row = rows.first();
            let holder = row.and_then(|row| row.get::<_, Option<&str>>(1)).map(run_id).transpose()?;
            if let Some(epoch) = row.and_then(|row| row.get::<_, Option<i64>>(0)) {
                self.bundles.borrow_mut().insert(create.hash.clone());
                if let Some(holder) = holder.as_ref().filter(|_| cancel.is_some()) {
                    self.hints.tell(Some(holder));
                }
                let slot = Some((name.to_owned(), holder));
                return Ok(self.leases.borrow_mut().add(create.run, (epoch, 0), create.obeyed, 0, slot));
            }
            if let Some(holder) = holder.filter(|_| !waits) {
                return Err(StoreError::Busy { key: name.to_owned(), holder });
            }
            let found = self.look(&create.run).await?;
            if found.run.is_some() {
                return Err(StoreError::Exists(create.run));
            }
            if !found.alive {
                self.revive().await?;
            }
        }
        Err(self.database.fault("a run could not be created for a reason that no longer holds: try again"))
    }

    /// Stores an append of a run with a slot that ends the run, or that a run which waits cannot make.
    pub(super) async fn append_with_slot(self: Rc<Self>, append: Append, turn: Turn) {
        let result = if append.ends() {
            self.end(&append).await
        } else if let Some(error) = self.queued(&append).await {
            Err(error)
        } else {
            self.leases.borrow_mut().got_slot(append.run());
            self.push_append(append, turn);
            return;
        };
        self.answer(append, result, turn);
    }

    async fn first(&self, name: &str) -> Result<Option<RunId>, StoreError> {
        let rows = self.database.read(&FIRST, &[&name]).await?;
        rows.first().and_then(|row| row.get::<_, Option<&str>>(0)).map(run_id).transpose()
    }

    /// Why an append of a run that waits is refused; `None` if the run has its slot by now.
    async fn queued(&self, append: &Append) -> Option<StoreError> {
        let name = self.leases.borrow().slot_of(append.lease()).map(|slot| slot.name.clone())?;
        let behind = match self.first(&name).await {
            Ok(first) => first.filter(|first| first != append.run())?,
            Err(error) => return Some(error),
        };
        match self.refusal(append).await {
            Ok(None) => Some(StoreError::Queued { run: append.run().clone(), behind }),
            Ok(reason) => reason,
            Err(error) => Some(error),
        }
    }

    async fn end(&self, append: &Append) -> Result<Vec<ControlRecord>, StoreError> {
        let lease = append.lease();
        let (given, name) = {
            let leases = self.leases.borrow();
            let name = leases.slot_of(lease).map(|slot| slot.name.clone());
            leases.given(lease).zip(name).ok_or_else(|| StoreError::Fenced(lease.run.clone()))?
        };
        if let Some(error) = append.misnumbered() {
            return Err(self.refusal(append).await?.unwrap_or(error));
        }
        let Some(head) = append.head() else { return Err(self.why_not(append).await) };
        let (worker, epoch, expected) = (self.worker.get(), signed(lease.epoch), signed(append.expected()));
        let params: [&(dyn ToSql + Sync); 12] = [
            &lease.run.as_str(),
            &name,
            &nanoseconds_of_the_past(),
            &worker,
            &epoch,
            &expected,
            &signed(given),
            &signed(append.obeyed()),
            &head.text,
            &head.status,
            &head.ended,
            &append.bodies(),
        ];
        let rows = self.database.change_in_turn((&LOCK, &[&name]), (&END, &params)).await?;
        let Some(row) = rows.first() else { return Err(self.why_not(append).await) };
        self.leases.borrow_mut().lose_slot(&lease.run);
        self.tell_next(row.get(1))?;
        controls(&lease.run, given, &row.get::<_, Vec<String>>(0))
    }

    /// Deletes a run that has a slot, or waits for it.
    pub(super) async fn delete_with_slot(
        &self,
        run: &RunId,
        name: &str,
        again: bool,
    ) -> Result<bool, StoreError> {
        let worker = self.worker.get();
        let params: [&(dyn ToSql + Sync); 5] =
            [&run.as_str(), &name, &nanoseconds_of_the_past(), &worker, &again];
        let rows = self.database.change_in_turn((&LOCK, &[&name]), (&DELETE, &params)).await?;
        let Some(row) = rows.first() else { return Ok(false) };
        self.tell_next(row.get(0))?;
        Ok(true)
    }

    /// Notifies the watchers that a run has its slot now.
    fn tell_next(&self, next: Option<String>) -> Result<(), StoreError> {
        if let Some(next) = next {
            self.hints.tell(Some(&run_id(&next)?));
        }
        Ok(())
    }
}
