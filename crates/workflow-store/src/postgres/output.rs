//! Output entries: chunks of lines, of which the oldest are dropped when there are too many.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use deadpool_postgres::Object;
use futures::channel::oneshot;
use futures::future::join_all;
use tokio::sync::Notify;
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};
use workflow_core::ids::RunId;
use workflow_core::output::{OutputEntry, OutputKind};
use workflow_core::store::order::{check_output, run_not_found};
use workflow_core::store::{Lease, StoreError};

use super::database::{Fault, Query};
use super::row::{parse, signed, text, unsigned};
use super::service::{Service, Turn};

/// How many appends of output are in flight at once.
const AT_ONCE: usize = 64;

/// Does not wait for the commit: a crash of the server may lose output.
const APPEND: Query = Query::new(
    "WITH fast AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true) AS set), \
     held AS ( \
         SELECT r.key FROM @.run r, fast WHERE r.run_id = $2 AND r.epoch = $3 AND r.owner = $1 \
             AND fast.set IS NOT NULL \
             AND EXISTS (SELECT FROM @.worker WHERE worker_id = $1 AND expires_at > @.clock())), \
     log AS ( \
         INSERT INTO @.log AS l (key, last, bytes) SELECT key, $5, $6 FROM held \
         ON CONFLICT (key) DO UPDATE SET last = excluded.last, bytes = l.bytes + excluded.bytes \
             WHERE l.last < $4 \
         RETURNING l.key, l.bytes), \
     stored AS ( \
         INSERT INTO @.chunk (key, last, bytes, entries, body) SELECT key, $5, $6, $7, $8 FROM log) \
     SELECT key, bytes FROM log",
    &[Type::UUID, Type::TEXT, Type::INT8, Type::INT8, Type::INT8, Type::INT8, Type::INT8, Type::TEXT],
);

/// Keeps the newest chunks of `$2` bytes, and at least one.
const TRIM: Query = Query::new(
    "WITH sums AS ( \
         SELECT last, sum(bytes) OVER newest AS upto, row_number() OVER newest AS place \
         FROM @.chunk WHERE key = $1 WINDOW newest AS (ORDER BY last DESC)), \
     gone AS ( \
         DELETE FROM @.chunk c USING sums WHERE c.key = $1 AND c.last = sums.last \
             AND sums.upto > $2 AND sums.place > 1 \
         RETURNING c.last, c.bytes, c.entries, c.body), \
     total AS (SELECT max(last) AS last, sum(bytes) AS bytes, sum(entries) AS entries FROM gone) \
     UPDATE @.log l SET bytes = l.bytes - total.bytes, dropped = l.dropped + total.entries, \
         dropped_to = total.last, marker = (SELECT substring(g.body from '[^\n]*$') FROM gone g \
             WHERE g.last = total.last) \
     FROM total WHERE l.key = $1 AND total.last IS NOT NULL",
    &[Type::INT8, Type::INT8],
);

/// Chunks that hold up to `$3` entries above `$2`, or a few more.
const READ: Query = Query::new(
    "SELECT l.dropped, l.marker, c.body FROM @.run r LEFT JOIN @.log l ON l.key = r.key \
     LEFT JOIN LATERAL ( \
         SELECT last, body FROM @.chunk WHERE key = r.key AND last > $2 ORDER BY last LIMIT $3) c ON true \
     WHERE r.run_id = $1 ORDER BY c.last",
    &[Type::TEXT, Type::INT8, Type::INT8],
);

const LAST: Query = Query::new(
    "SELECT coalesce(l.last, 0) FROM @.run r LEFT JOIN @.log l ON l.key = r.key WHERE r.run_id = $1",
    &[Type::TEXT],
);

/// The entry in place of those that were dropped, of a row that begins with their number and the last of them.
pub(super) fn dropped(row: &Row, place: impl FnOnce() -> String) -> Result<Option<OutputEntry>, StoreError> {
    let Some(marker) = row.get::<_, Option<&str>>(1) else { return Ok(None) };
    let mut entry: OutputEntry = parse(marker, place)?;
    entry.kind = OutputKind::Dropped;
    entry.text = row.get::<_, i64>(0).to_string();
    Ok(Some(entry))
}

/// Entries, encoded for the database.
pub(super) struct AppendOutput {
    lease: Lease,
    first: u64,
    last: u64,
    /// How many entries are lost when these are dropped.
    entries: u64,
    body: String,
    misnumbered: Option<StoreError>,
    answer: oneshot::Sender<Result<(), StoreError>>,
}

impl AppendOutput {
    /// Encodes the entries, on the caller's thread. `None` if there are none.
    pub(super) fn new(
        lease: &Lease,
        entries: &[OutputEntry],
        answer: oneshot::Sender<Result<(), StoreError>>,
        place: &str,
    ) -> Result<Option<Self>, StoreError> {
        let Some((first, last)) = entries.first().zip(entries.last()) else { return Ok(None) };
        let lines = entries.iter().map(|entry| text(entry, place)).collect::<Result<Vec<_>, _>>()?;
        let lost = |entry: &OutputEntry| match entry.kind {
            OutputKind::Dropped => entry.text.parse().unwrap_or(0),
            _ => 1,
        };
        Ok(Some(Self {
            lease: lease.clone(),
            first: first.number,
            last: last.number,
            entries: entries.iter().map(lost).sum(),
            body: lines.join("\n"),
            misnumbered: check_output(&lease.run, 0, entries).err(),
            answer,
        }))
    }
}

/// Waiting output.
#[derive(Default)]
pub(super) struct OutputQueue {
    waiting: RefCell<VecDeque<(AppendOutput, Turn)>>,
    wake: Notify,
}

impl OutputQueue {
    pub(super) fn push(&self, append: AppendOutput, turn: Turn) {
        self.waiting.borrow_mut().push_back((append, turn));
        self.wake.notify_one();
    }

    async fn next(&self) -> Vec<(AppendOutput, Turn)> {
        loop {
            {
                let mut waiting = self.waiting.borrow_mut();
                let count = waiting.len().min(AT_ONCE);
                if count > 0 {
                    return waiting.drain(..count).collect();
                }
            }
            self.wake.notified().await;
        }
    }
}

impl Service {
    /// Sends the waiting output, pipelined on one connection.
    pub(super) async fn store_output(self: Rc<Self>) {
        loop {
            let batch = self.outputs.next().await;
            let connection = match self.database.writer().await {
                Ok(connection) => connection,
                Err(error) => {
                    for (append, _turn) in batch {
                        let _ = append.answer.send(Err(error.clone()));
                    }
                    continue;
                }
            };
            let sent = batch.into_iter().map(|(append, turn)| async {
                let result = self.append_output(&connection, &append).await;
                let lost = result.as_ref().is_err_and(|fault| !fault.refused);
                let _ = append.answer.send(result.map_err(Into::into));
                drop(turn);
                lost
            });
            if join_all(sent).await.contains(&true) {
                drop(Object::take(connection));
            }
        }
    }

    async fn append_output(&self, connection: &Object, append: &AppendOutput) -> Result<(), Fault> {
        let refused = |error| Fault { error, refused: true };
        let (run, epoch) = (&append.lease.run, append.lease.epoch);
        if self.leases.borrow().given(&append.lease).is_none() {
            return Err(refused(StoreError::Fenced(run.clone())));
        }
        if let Some(error) = &append.misnumbered {
            return Err(refused(error.clone()));
        }
        let worker = self.worker.get();
        let (first, last) = (signed(append.first), signed(append.last));
        let (bytes, entries) = (signed(append.body.len() as u64), signed(append.entries));
        let params: [&(dyn ToSql + Sync); 8] =
            [&worker, &run.as_str(), &signed(epoch), &first, &last, &bytes, &entries, &append.body];
        let rows = self.database.run_on(connection, &APPEND, &params).await?;
        let Some(row) = rows.first() else {
            let found = self.look(run).await.map_err(refused)?;
            if !found.alive || !found.run.is_some_and(|found| found.held_by(worker, epoch)) {
                return Err(refused(StoreError::Fenced(run.clone())));
            }
            let actual = self.last_output(run).await.map_err(refused)?;
            let expected = append.first.saturating_sub(1);
            return Err(refused(StoreError::Conflict { run: run.clone(), expected, actual }));
        };
        let (key, bytes): (i64, i64) = (row.get(0), row.get(1));
        if bytes > self.output_limit {
            // Drops somewhat more than needed, so that it does not happen at each append.
            let keep = self.output_limit - self.output_limit / 8;
            if let Err(fault) = self.database.run_on(connection, &TRIM, &[&key, &keep]).await {
                tracing::warn!(%run, error = %fault.error, "cannot drop old output; trying again later");
            }
        }
        Ok(())
    }

    pub(super) async fn output(
        &self,
        run: &RunId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<OutputEntry>, StoreError> {
        let params: [&(dyn ToSql + Sync); 3] = [&run.as_str(), &signed(after), &signed(limit as u64)];
        let rows = self.database.read(&READ, &params).await?;
        let first = rows.first().ok_or_else(|| run_not_found(run))?;
        let place = || format!("run `{run}`, output");
        let mut entries = Vec::new();
        entries.extend(dropped(first, place)?);
        for body in rows.iter().filter_map(|row| row.get::<_, Option<&str>>(2)) {
            for line in body.split('\n') {
                entries.push(parse(line, place)?);
            }
        }
        entries.retain(|entry| entry.number > after);
        entries.truncate(limit);
        Ok(entries)
    }

    pub(super) async fn last_output(&self, run: &RunId) -> Result<u64, StoreError> {
        let rows = self.database.read(&LAST, &[&run.as_str()]).await?;
        Ok(unsigned(rows.first().ok_or_else(|| run_not_found(run))?.get(0)))
    }
}
