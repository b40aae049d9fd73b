//! Deletes runs.

use jiff::Timestamp;
use tokio_postgres::types::Type;
use workflow_core::ids::RunId;
use workflow_core::store::StoreError;
use workflow_core::store::order::run_not_found;

use super::claim::FoundRun;
use super::database::Query;
use super::row::{nanoseconds, signed};
use super::service::Service;

/// How many runs one statement deletes at most.
const AT_ONCE: usize = 64;

/// A statement deletes no further run once its runs have so many events: it holds up no vacuum for long, and ends within the limit of
/// time.
const EVENTS: i64 = 10_000;

/// Deletes the runs that a query named `free` selects, and all their rows.
macro_rules! delete {
    ($free:literal) => {
        concat!(
            "WITH time AS MATERIALIZED (SELECT @.clock() AS now), free AS (",
            $free,
            "), \
             events AS (DELETE FROM @.event e USING free WHERE e.key = free.key), \
             chunks AS (DELETE FROM @.chunk c USING free WHERE c.key = free.key), \
             logs AS (DELETE FROM @.log l USING free WHERE l.key = free.key), \
             gone AS (DELETE FROM @.run r USING free WHERE r.key = free.key RETURNING 1) \
             SELECT count(*) FROM gone"
        )
    };
}

/// See [`claim`](super::claim) for the epoch.
const DELETE: Query = Query::new(
    delete!(
        "SELECT r.key FROM @.run r, time WHERE r.run_id = $1 AND r.slot IS NULL AND (r.owner IS NULL OR (r.owner = $2 AND $3) \
             OR NOT EXISTS (SELECT FROM @.worker w WHERE w.worker_id = r.owner AND w.expires_at > time.now)) \
             AND r.epoch = (SELECT s.epoch FROM @.run s WHERE s.key = r.key) \
         FOR UPDATE OF r"
    ),
    &[Type::TEXT, Type::UUID, Type::BOOL],
);

const PRUNE: Query = Query::new(
    delete!(
        "SELECT s.key FROM ( \
             SELECT o.key, sum(o.last_event) OVER (ORDER BY o.ended, o.key) - o.last_event AS before FROM ( \
                 SELECT r.key, r.ended, r.last_event FROM @.run r, time WHERE r.ended < $1 AND NOT EXISTS ( \
                     SELECT FROM @.worker w WHERE w.worker_id = r.owner AND w.expires_at > time.now) \
                     AND r.epoch = (SELECT s.epoch FROM @.run s WHERE s.key = r.key) \
                 ORDER BY r.ended LIMIT $2 FOR UPDATE OF r SKIP LOCKED) o) s \
         WHERE s.before < $3"
    ),
    &[Type::INT8, Type::INT8, Type::INT8],
);

impl Service {
    pub(super) async fn delete(&self, run: &RunId) -> Result<(), StoreError> {
        let _one = self.any_run.read().await;
        let again = !self.leases.borrow().holds(run);
        let rows = self.database.change(&DELETE, &[&run.as_str(), &self.worker.get(), &again]).await?;
        if self.database.one(&rows)?.get::<_, i64>(0) > 0 {
            return Ok(());
        }
        match self.look(run).await?.run {
            None => Err(run_not_found(run)),
            Some(FoundRun { slot: Some(slot), holder: None, .. })
                if self.delete_with_slot(run, &slot, again).await? =>
            {
                Ok(())
            }
            Some(FoundRun { holder, .. }) => {
                let holder = holder.unwrap_or_else(|| "a process that has released it since".to_owned());
                Err(StoreError::Held { run: run.clone(), holder })
            }
        }
    }

    pub(super) async fn prune(&self, ended_before: Timestamp, most: usize) -> Result<usize, StoreError> {
        let mut deleted = 0;
        while deleted < most {
            let some = AT_ONCE.min(most - deleted);
            let params: [&(dyn tokio_postgres::types::ToSql + Sync); 3] =
                [&nanoseconds(ended_before), &signed(some as u64), &EVENTS];
            let rows = self.database.change(&PRUNE, &params).await?;
            let gone = usize::try_from(self.database.one(&rows)?.get::<_, i64>(0)).unwrap_or(0);
            deleted += gone;
            if gone == 0 {
                break;
            }
        }
        Ok(deleted)
    }
}
