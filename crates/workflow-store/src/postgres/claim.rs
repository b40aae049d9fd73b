//! Claiming the leases of runs.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;
use workflow_core::bundle::{Bundle, BundleHash};
use workflow_core::ids::{RunId, WorkflowId};
use workflow_core::priority::Priority;
use workflow_core::store::order::{check_numbers, control_of, run_not_found};
use workflow_core::store::{Lease, NewRun, RunSlot, StoreError};

use super::database::{Fault, Query};
use super::row::{HeadRow, nanoseconds, nanoseconds_of_the_past, run_id, signed, text};
use super::service::Service;

/// How often a claim is retried when the row changed in the meantime.
pub(super) const TRIES: usize = 5;

/// The start of every statement that gives a lease to the worker `$1`: checks whether the worker is alive,
/// and extends its life to `$2` seconds if a part of them has passed, so that a new lease has its full time.
macro_rules! alive {
    ($rest:literal) => {
        concat!(
            "WITH RECURSIVE time AS MATERIALIZED (SELECT @.clock() AS now), \
             me AS MATERIALIZED ( \
                 SELECT FROM @.worker w, time WHERE w.worker_id = $1 AND w.expires_at > time.now), \
             longer AS ( \
                 UPDATE @.worker w SET expires_at = time.now + make_interval(secs => $2) FROM time \
                 WHERE w.worker_id = $1 AND w.expires_at > time.now \
                     AND w.expires_at < time.now + make_interval(secs => $2 * 31 / 32)), ",
            $rest
        )
    };
}
pub(super) use alive;

const CREATE: Query = Query::new(
    alive!(
        "bundle AS ( \
             INSERT INTO @.bundle (hash, body) SELECT $3, $4 WHERE $4 IS NOT NULL ON CONFLICT DO NOTHING), \
         run AS ( \
             INSERT INTO @.run \
                 (run_id, workflow, status, created, ended, head, last_event, obeyed, epoch, owner, wakes, priority, labels) \
             SELECT $5, $6, $7, $8, $9, $10, $11, $12, nextval('@.epoch'), $1, $14, $15, $16::jsonb FROM me \
             ON CONFLICT (run_id) DO NOTHING RETURNING key, epoch), \
         stored AS ( \
             INSERT INTO @.event (key, seq, body) SELECT run.key, e.seq, e.body \
             FROM run, unnest($13::text[]) WITH ORDINALITY AS e (body, seq)) \
         SELECT epoch FROM run"
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
        Type::INT2,
        Type::TEXT,
    ],
);

/// Comparing the epoch detects a concurrent claim: a statement cannot check whether the owner of a row that
/// has changed since is alive.
const CLAIM: Query = Query::new(
    alive!(
        "free AS ( \
             SELECT r.key, r.epoch, r.owner FROM @.run r, time, me WHERE r.run_id = $3 AND (r.owner IS NULL \
                 OR (r.owner = $1 AND $4) \
                 OR NOT EXISTS ( \
                     SELECT FROM @.worker w WHERE w.worker_id = r.owner AND w.expires_at > time.now))) \
         UPDATE @.run r SET owner = $1, epoch = nextval('@.epoch'), died_at = r.last_event, \
             deaths = CASE WHEN r.died_at = r.last_event THEN r.deaths ELSE 0 END + CASE WHEN EXISTS ( \
                 SELECT FROM @.worker w WHERE w.worker_id = free.owner AND w.worker_id <> $1 \
                     AND w.expires_at > '-infinity') THEN 1 ELSE 0 END \
         FROM free WHERE r.key = free.key AND r.epoch = free.epoch \
         RETURNING r.epoch, r.obeyed, free.epoch, r.deaths, r.slot, \
             CASE WHEN r.slot IS NOT NULL THEN (SELECT s.runs[1] FROM @.slot s WHERE s.name = r.slot) END"
    ),
    &[Type::UUID, Type::FLOAT8, Type::TEXT, Type::BOOL],
);

/// The inner query reads the epoch as of the start of the statement. `coalesce` is for the planner: it takes a comparison
/// with a subquery for rarely true, and would sort the whole queue for a few runs while the table has no statistics.
///
/// `turn` has the parts of the queue in the order in which they are claimed, each a range of the index: see [`turns`].
const CLAIM_NEXT: Query = Query::new(
    alive!(
        "dead AS MATERIALIZED ( \
             SELECT w.worker_id, CASE WHEN w.expires_at > '-infinity' THEN 1 ELSE 0 END AS died \
             FROM @.worker w, time WHERE w.expires_at <= time.now), \
         unowned AS ( \
             SELECT r.* FROM me, unnest($5::smallint[], $6::bigint[], $7::bigint[]) AS turn (priority, low, high) \
             CROSS JOIN LATERAL ( \
                 SELECT r.key, r.epoch, NULL::uuid AS owner, r.priority, r.wakes FROM @.run r \
                 WHERE r.owner IS NULL AND r.wakes IS NOT NULL AND r.priority = turn.priority \
                     AND r.wakes BETWEEN turn.low AND turn.high \
                     AND coalesce(r.epoch = (SELECT s.epoch FROM @.run s WHERE s.key = r.key), false) \
                 ORDER BY r.wakes, r.key LIMIT $3 FOR UPDATE OF r SKIP LOCKED) r \
             LIMIT $3), \
         orphaned AS ( \
             SELECT r.key, r.epoch, r.owner, r.priority, r.wakes FROM @.run r, me \
             WHERE r.owner IN (SELECT worker_id FROM dead) AND r.wakes IS NOT NULL AND r.wakes <= $4 \
                 AND r.epoch = (SELECT s.epoch FROM @.run s WHERE s.key = r.key) \
             ORDER BY r.priority DESC, r.key LIMIT $3 FOR UPDATE OF r SKIP LOCKED), \
         free AS ( \
             SELECT * FROM (SELECT * FROM unowned UNION ALL SELECT * FROM orphaned) f \
             ORDER BY f.priority DESC, f.wakes = $8, f.wakes, f.key LIMIT $3), \
         taken AS ( \
             UPDATE @.run r SET owner = $1, epoch = nextval('@.epoch'), died_at = r.last_event, \
                 deaths = CASE WHEN r.died_at = r.last_event THEN r.deaths ELSE 0 END \
                     + coalesce((SELECT died FROM dead WHERE worker_id = free.owner), 0) \
             FROM free WHERE r.key = free.key \
             RETURNING r.run_id, r.epoch, r.obeyed, free.epoch AS previous, r.deaths, r.slot, \
                 r.priority, r.wakes, r.key) \
         SELECT EXISTS (SELECT FROM me), taken.run_id, taken.epoch, taken.obeyed, taken.previous, taken.deaths, \
             taken.slot \
         FROM (SELECT) one LEFT JOIN taken ON true \
         ORDER BY taken.priority DESC, taken.wakes = $8, taken.wakes, taken.key"
    ),
    &[
        Type::UUID,
        Type::FLOAT8,
        Type::INT8,
        Type::INT8,
        Type::INT2_ARRAY,
        Type::INT8_ARRAY,
        Type::INT8_ARRAY,
        Type::INT8,
    ],
);

const LOOK: Query = Query::new(
    "SELECT EXISTS (SELECT FROM @.worker WHERE worker_id = $1 AND expires_at > @.clock()), \
         r.epoch, r.last_event, r.owner, w.name, r.slot \
     FROM (SELECT) one LEFT JOIN @.run r ON r.run_id = $2 \
     LEFT JOIN @.worker w ON w.worker_id = r.owner AND w.expires_at > @.clock()",
    &[Type::UUID, Type::TEXT],
);

/// The labels of a run as JSON, if there are any. The database cannot keep a null character.
fn labels(labels: &BTreeMap<String, String>) -> Option<String> {
    let mut labels = labels.clone();
    labels.retain(|name, value| !name.contains('\0') && !value.contains('\0'));
    if labels.is_empty() { None } else { serde_json::to_string(&labels).ok() }
}

/// A new run, encoded for the database.
pub(super) struct Create {
    pub(super) run: RunId,
    pub(super) workflow: WorkflowId,
    pub(super) created: i64,
    pub(super) head: HeadRow,
    bundle: Arc<Bundle>,
    pub(super) hash: BundleHash,
    pub(super) obeyed: i64,
    pub(super) bodies: Vec<String>,
    pub(super) place: String,
    pub(super) priority: i16,
    pub(super) labels: Option<String>,
    slot: Option<Arc<RunSlot>>,
}

impl Create {
    pub(super) fn new(run: NewRun, place: &str) -> Result<Self, StoreError> {
        check_numbers(&run.id, 0, &run.events)?;
        let bodies = run.events.iter().map(|event| text(event, place)).collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            created: nanoseconds(run.head.created_at),
            head: HeadRow::new(&run.head, place)?,
            obeyed: signed(run.events.iter().filter_map(|event| control_of(&event.body)).max().unwrap_or(0)),
            workflow: run.head.workflow_id,
            hash: run.head.bundle,
            priority: run.head.priority.get().into(),
            labels: labels(&run.head.labels),
            bundle: run.bundle,
            run: run.id,
            bodies,
            place: place.to_owned(),
            slot: run.head.slot,
        })
    }

    /// The bundle, encoded as it is stored.
    fn bundle(&self) -> Result<String, StoreError> {
        let corrupt = |message: String| StoreError::Corrupt { place: self.place.clone(), message };
        let json = self.bundle.to_json().map_err(|error| corrupt(error.to_string()))?;
        if BundleHash::of(&json) == self.hash {
            Ok(json)
        } else {
            Err(corrupt("the hash of the bundle differs from the hash that the run names".to_owned()))
        }
    }
}

/// The state of a run after a statement had no effect.
pub(super) struct Found {
    /// Whether other stores consider this store alive.
    pub(super) alive: bool,
    pub(super) run: Option<FoundRun>,
}

pub(super) struct FoundRun {
    epoch: i64,
    pub(super) last_event: i64,
    owner: Option<Uuid>,
    /// The living holder.
    pub(super) holder: Option<String>,
    /// The slot that it has or waits for.
    pub(super) slot: Option<String>,
}

impl FoundRun {
    pub(super) fn held_by(&self, worker: Uuid, epoch: u64) -> bool {
        self.owner == Some(worker) && self.epoch == signed(epoch)
    }
}

/// The parts of the queue, in the order in which they are claimed: for each priority the runs whose time to wait for is due,
/// and those that can continue at any time. Returns the priorities, and from which to which times the runs can continue.
fn turns(now: i64) -> (Vec<i16>, Vec<i64>, Vec<i64>) {
    let past = nanoseconds_of_the_past();
    let (mut priorities, mut lows, mut highs) = (Vec::new(), Vec::new(), Vec::new());
    for priority in Priority::all() {
        for (low, high) in [(past + 1, now), (past, past)] {
            priorities.push(priority.get().into());
            lows.push(low);
            highs.push(high);
        }
    }
    (priorities, lows, highs)
}

impl Service {
    pub(super) async fn look(&self, run: &RunId) -> Result<Found, StoreError> {
        let rows = self.database.read(&LOOK, &[&self.worker.get(), &run.as_str()]).await?;
        let row = self.database.one(&rows)?;
        let found = row.get::<_, Option<i64>>(1).map(|epoch| FoundRun {
            epoch,
            last_event: row.get(2),
            owner: row.get(3),
            holder: row.get(4),
            slot: row.get(5),
        });
        Ok(Found { alive: row.get(0), run: found })
    }

    /// The bundle of a new run, unless the database has it.
    pub(super) fn bundle_of(&self, create: &Create) -> Result<Option<String>, StoreError> {
        let known = self.bundles.borrow().contains(&create.hash);
        if known { Ok(None) } else { create.bundle().map(Some) }
    }

    pub(super) async fn create(&self, create: Create) -> Result<Lease, StoreError> {
        if let Some(slot) = create.slot.clone() {
            return self.create_with_slot(create, &slot.key, slot.mode).await;
        }
        let bundle = self.bundle_of(&create)?;
        for _ in 0..TRIES {
            let rows = self
                .database
                .change(
                    &CREATE,
                    &[
                        &self.worker.get(),
                        &self.seconds(),
                        &create.hash.as_str(),
                        &bundle,
                        &create.run.as_str(),
                        &create.workflow.as_str(),
                        &create.head.status,
                        &create.created,
                        &create.head.ended,
                        &create.head.text,
                        &signed(create.bodies.len() as u64),
                        &create.obeyed,
                        &create.bodies,
                        &create.head.wakes,
                        &create.priority,
                        &create.labels,
                    ],
                )
                .await
                .map_err(|fault| self.in_doubt(fault))?;
            if let Some(row) = rows.first() {
                self.bundles.borrow_mut().insert(create.hash.clone());
                return Ok(self.leases.borrow_mut().add(create.run, (row.get(0), 0), create.obeyed, 0, None));
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

    pub(super) async fn claim(&self, run: &RunId) -> Result<Lease, StoreError> {
        for _ in 0..TRIES {
            // A lease that the database assigns to this store, but whose response was lost, may be claimed
            // again.
            let again = !self.leases.borrow().holds(run);
            let rows = self
                .database
                .change(&CLAIM, &[&self.worker.get(), &self.seconds(), &run.as_str(), &again])
                .await
                .map_err(|fault| self.in_doubt(fault))?;
            if let Some(row) = rows.first() {
                let (epochs, obeyed, deaths) = ((row.get(0), row.get(2)), row.get(1), row.get(3));
                let slot = row.get::<_, Option<String>>(4);
                let first = row.get::<_, Option<&str>>(5).map(run_id).transpose()?;
                let slot = slot.map(|slot| (slot, first));
                return Ok(self.leases.borrow_mut().add(run.clone(), epochs, obeyed, deaths, slot));
            }
            let found = self.look(run).await?;
            if !found.alive {
                self.revive().await?;
                continue;
            }
            match found.run {
                None => return Err(run_not_found(run)),
                Some(FoundRun { holder: Some(holder), .. }) => {
                    return Err(StoreError::Held { run: run.clone(), holder });
                }
                // It has just been released.
                Some(_) => {}
            }
        }
        Err(StoreError::Held { run: run.clone(), holder: "several stores in turn".to_owned() })
    }

    pub(super) async fn claim_next(&self, most: usize, now: Timestamp) -> Result<Vec<Lease>, StoreError> {
        self.settle().await?;
        let (most, now) = (signed(most as u64), nanoseconds(now));
        let (priorities, lows, highs) = turns(now);
        for _ in 0..TRIES {
            let rows = self
                .database
                .change(
                    &CLAIM_NEXT,
                    &[
                        &self.worker.get(),
                        &self.seconds(),
                        &most,
                        &now,
                        &priorities,
                        &lows,
                        &highs,
                        &nanoseconds_of_the_past(),
                    ],
                )
                .await
                .map_err(|fault| self.in_doubt(fault))?;
            if !self.database.one(&rows)?.get::<_, bool>(0) {
                self.revive().await?;
                continue;
            }
            return self.taken(&rows);
        }
        Ok(Vec::new())
    }

    /// The leases that a claim of any runs was given.
    pub(super) fn taken(&self, rows: &[Row]) -> Result<Vec<Lease>, StoreError> {
        let mut leases = self.leases.borrow_mut();
        let taken = rows.iter().filter_map(|row| {
            let run: Option<String> = row.get(1);
            let run = run_id(&run?);
            // One that waits for its slot is not claimed here.
            let slot = row.get::<_, Option<String>>(6).map(|slot| (slot, None));
            Some(run.map(|run| leases.add(run, (row.get(2), row.get(4)), row.get(3), row.get(5), slot)))
        });
        taken.collect()
    }

    /// Records that the database may have given out a lease whose response was lost.
    pub(super) fn in_doubt(&self, fault: Fault) -> StoreError {
        if !fault.refused {
            self.leases.borrow_mut().unsettled = true;
        }
        fault.error
    }
}
