//! Notices of events.

use jiff::Timestamp;
use tokio_postgres::types::Type;
use workflow_core::store::order::run_not_found;
use workflow_core::store::{NoticeClaim, NoticeId, StoreError};

use super::database::Query;
use super::row::{nanoseconds, signed, timestamp};
use super::service::Service;

/// Claims a notice, and returns its try if that succeeded, whether the run exists, whether the notice does, and
/// until when it was claimed. A claim that is refused at a glance locks and writes nothing; of several that see no
/// other, the conflict lets one through.
const CLAIM: Query = Query::new(
    "WITH run AS (SELECT r.key, n.key IS NOT NULL AS noticed, n.until FROM @.run r LEFT JOIN @.notice n \
             ON n.key = r.key AND n.event = $2 AND n.target = $3 WHERE r.run_id = $1), \
     free AS ( \
         SELECT r.key FROM @.run r WHERE r.run_id = $1 AND NOT EXISTS ( \
             SELECT FROM @.notice n WHERE n.key = r.key AND n.event = $2 AND n.target = $3 \
                 AND (n.until IS NULL OR n.until > $4)) \
         FOR KEY SHARE OF r), \
     claimed AS ( \
         INSERT INTO @.notice AS n (key, event, target, tries, until) \
         SELECT key, $2, $3, 1, $5 FROM free \
         ON CONFLICT (key, event, target) DO UPDATE SET tries = n.tries + 1, until = excluded.until \
             WHERE n.until <= $4 \
         RETURNING n.tries) \
     SELECT (SELECT tries FROM claimed), EXISTS (SELECT FROM run), \
         coalesce((SELECT noticed FROM run), false), (SELECT until FROM run)",
    &[Type::TEXT, Type::INT8, Type::TEXT, Type::INT8, Type::INT8],
);

const SETTLE: Query = Query::new(
    "UPDATE @.notice n SET until = $5 FROM @.run r \
     WHERE r.run_id = $1 AND n.key = r.key AND n.event = $2 AND n.target = $3 \
         AND ($5 IS NULL OR (n.tries = $4 AND n.until IS NOT NULL))",
    &[Type::TEXT, Type::INT8, Type::TEXT, Type::INT4, Type::INT8],
);

impl Service {
    pub(super) async fn claim_notice(
        &self,
        notice: &NoticeId,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<NoticeClaim, StoreError> {
        let NoticeId { run, event, target } = notice;
        let (event, now, wanted) = (signed(*event), nanoseconds(now), nanoseconds(until));
        let rows = self.database.change(&CLAIM, &[&run.as_str(), &event, target, &now, &wanted]).await?;
        let row = self.database.one(&rows)?;
        if !row.get::<_, bool>(1) {
            return Err(run_not_found(run));
        }
        Ok(match (row.get::<_, Option<i32>>(0), row.get::<_, bool>(2), row.get::<_, Option<i64>>(3)) {
            (Some(tries), ..) => NoticeClaim::Try(u32::try_from(tries).unwrap_or(u32::MAX)),
            (None, true, None) => NoticeClaim::Settled,
            (None, true, Some(held)) if held > now => NoticeClaim::Until(timestamp(held)),
            // Another process was faster. Its claim is not older than this one.
            (None, ..) => NoticeClaim::Until(until),
        })
    }

    pub(super) async fn settle_notice(
        &self,
        notice: &NoticeId,
        attempt: u32,
        retry_at: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let NoticeId { run, event, target } = notice;
        let (event, attempt) = (signed(*event), i32::try_from(attempt).unwrap_or(i32::MAX));
        let until = retry_at.map(nanoseconds);
        self.database.change(&SETTLE, &[&run.as_str(), &event, target, &attempt, &until]).await?;
        Ok(())
    }
}
