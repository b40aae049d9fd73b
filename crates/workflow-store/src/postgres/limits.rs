//! Claims within a limit: of the runs with the same value of a label, only so many are held.

use jiff::Timestamp;
use tokio_postgres::types::Type;
use workflow_core::bundle::BundleHash;
use workflow_core::store::{LabelLimit, Lease, StoreError};

use super::claim::{TRIES, alive};
use super::database::Query;
use super::row::{nanoseconds, signed};
use super::service::Service;

/// Taken before runs are counted and claimed: no other process claims within a limit of the same label meanwhile.
const TURN: Query = Query::new("SELECT pg_advisory_xact_lock(2037413, hashtext($1))", &[Type::TEXT]);

/// `{value}` is the value of the label of the row `r`, and `{turn}` the order of claims. `value` has the values that unclaimed runs
/// have, found one after the other in an index; of each value as many runs are read as there is room. So the time grows with the
/// number of values and not with that of runs. `OFFSET 0` is for the planner: it looks up the runs of each worker, and does not read the
/// whole table for them while that has no statistics.
const CLAIM: &str = alive!(
    "dead AS MATERIALIZED ( \
         SELECT w.worker_id, CASE WHEN w.expires_at > '-infinity' THEN 1 ELSE 0 END AS died \
         FROM @.worker w, time WHERE w.expires_at <= time.now), \
     held AS MATERIALIZED ( \
         SELECT r.v, count(*) AS count FROM time, @.worker w CROSS JOIN LATERAL ( \
             SELECT {value} AS v FROM @.run r WHERE r.owner = w.worker_id OFFSET 0) r \
         WHERE w.expires_at > time.now GROUP BY 1), \
     value AS ( \
         (SELECT {value} AS v FROM @.run r \
             WHERE r.owner IS NULL AND r.wakes IS NOT NULL AND {value} IS NOT NULL ORDER BY {value} LIMIT 1) \
         UNION ALL \
         SELECT (SELECT {value} FROM @.run r \
             WHERE r.owner IS NULL AND r.wakes IS NOT NULL AND {value} > value.v ORDER BY {value} LIMIT 1) \
         FROM value WHERE value.v IS NOT NULL), \
     room AS MATERIALIZED ( \
         SELECT value.v, greatest($5 - coalesce(held.count, 0), 0) AS free \
         FROM value LEFT JOIN held ON held.v = value.v WHERE value.v IS NOT NULL), \
     candidate AS ( \
         SELECT c.* FROM room CROSS JOIN LATERAL ( \
             SELECT r.key, r.epoch, NULL::uuid AS owner, r.priority, r.wakes, room.v FROM @.run r \
             WHERE r.owner IS NULL AND r.wakes IS NOT NULL AND {value} = room.v AND r.wakes <= $4 \
             ORDER BY {turn} LIMIT room.free) c \
         UNION ALL \
         (SELECT r.key, r.epoch, NULL::uuid, r.priority, r.wakes, NULL::text FROM @.run r \
             WHERE r.owner IS NULL AND r.wakes IS NOT NULL AND {value} IS NULL AND r.wakes <= $4 \
             ORDER BY {turn} LIMIT $3) \
         UNION ALL \
         SELECT o.* FROM dead CROSS JOIN LATERAL ( \
             SELECT r.key, r.epoch, r.owner, r.priority, r.wakes, {value} FROM @.run r \
             WHERE r.owner = dead.worker_id AND r.wakes IS NOT NULL AND r.wakes <= $4 OFFSET 0) o), \
     ranked AS ( \
         SELECT r.*, row_number() OVER (PARTITION BY r.v ORDER BY {turn}) AS place FROM candidate r), \
     free AS ( \
         SELECT r.* FROM ranked r LEFT JOIN held ON held.v = r.v, me \
         WHERE r.v IS NULL OR r.place <= $5 - coalesce(held.count, 0) ORDER BY {turn} LIMIT $3), \
     taken AS ( \
         UPDATE @.run r SET owner = $1, epoch = nextval('@.epoch'), died_at = r.last_event, \
             deaths = CASE WHEN r.died_at = r.last_event THEN r.deaths ELSE 0 END \
                 + coalesce((SELECT died FROM dead WHERE worker_id = free.owner), 0) \
         FROM free WHERE r.key = free.key AND r.epoch = free.epoch AND r.wakes IS NOT NULL \
         RETURNING r.run_id, r.epoch, r.obeyed, free.epoch AS previous, r.deaths, r.slot, \
             r.priority, r.wakes, r.key) \
     SELECT EXISTS (SELECT FROM me), r.run_id, r.epoch, r.obeyed, r.previous, r.deaths, r.slot \
     FROM (SELECT) one LEFT JOIN taken r ON true ORDER BY {turn}"
);

/// An expression and not a parameter, so that an index can have it.
const TURN_OF_RUN: &str = "r.priority DESC, (r.wakes = '-9223372036854775808'::bigint), r.wakes, r.key";

const INDEX: &str = "CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON @.run (({value}), {turn}) \
     WHERE owner IS NULL AND wakes IS NOT NULL";

/// Finds the index if building it was broken off, and no process builds it now. The server keeps it, and does not use it.
const BROKEN_OFF: &str = "SELECT FROM pg_index i WHERE i.indexrelid = to_regclass('@.{name}') AND NOT i.indisvalid \
     AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.index_relid = i.indexrelid)";

impl Service {
    pub(super) async fn claim_within(
        &self,
        most: usize,
        now: Timestamp,
        limit: &LabelLimit,
    ) -> Result<Vec<Lease>, StoreError> {
        self.settle().await?;
        self.index_label(limit.label()).await;
        // A label has only letters, digits, `-` and `_`.
        let value = format!("(r.labels ->> '{}')", limit.label());
        let text = CLAIM.replace("{value}", &value).replace("{turn}", TURN_OF_RUN);
        let turn = format!("{}.{}", self.database.schema(), limit.label());
        let (most, now, limit) = (signed(most as u64), nanoseconds(now), signed(limit.most() as u64));
        for _ in 0..TRIES {
            let (worker, seconds) = (self.worker.get(), self.seconds());
            let params = [
                (&worker as &(dyn tokio_postgres::types::ToSql + Sync), Type::UUID),
                (&seconds, Type::FLOAT8),
                (&most, Type::INT8),
                (&now, Type::INT8),
                (&limit, Type::INT8),
            ];
            let rows = self
                .database
                .change_once_in_turn((&TURN, &[&turn]), &text, &params)
                .await
                .map_err(|fault| self.in_doubt(fault))?;
            if self.database.one(&rows)?.get::<_, bool>(0) {
                return self.taken(&rows);
            }
            self.revive().await?;
        }
        Ok(Vec::new())
    }

    /// Makes the index that claims within a limit of this label need to be fast. They also work without it.
    async fn index_label(&self, label: &str) {
        if !self.limited.borrow_mut().insert(label.to_owned()) {
            return;
        }
        let name = format!("run_label_{}", &BundleHash::of(label).as_str()[..16]);
        let text = INDEX
            .replace("{name}", &name)
            .replace("{value}", &format!("labels ->> '{label}'"))
            .replace("{turn}", &TURN_OF_RUN.replace("r.", ""));
        let broken_off = BROKEN_OFF.replace("{name}", &name);
        let built = async {
            if !self.database.read_once(&broken_off, &[]).await?.is_empty() {
                let drop = format!("DROP INDEX CONCURRENTLY IF EXISTS @.{name}");
                self.database.read_once(&drop, &[]).await?;
            }
            self.database.read_once(&text, &[]).await
        };
        if let Err(error) = built.await {
            tracing::warn!(
                label, %error,
                "no index for the limit of runs per label: claims read all pending runs until there is one"
            );
        }
    }
}
