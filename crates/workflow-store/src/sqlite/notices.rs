//! Notices of events.

use jiff::Timestamp;
use rusqlite::OptionalExtension as _;
use workflow_core::store::order::run_not_found;
use workflow_core::store::{NoticeClaim, NoticeId};

use super::column::{key, nanoseconds, signed, timestamp};
use super::fault::Outcome;
use super::writing::Writing;

/// Claims a notice until `until`. A refused claim writes nothing.
pub(super) fn claim(
    writing: &Writing,
    notice: &NoticeId,
    now: Timestamp,
    until: Timestamp,
) -> Outcome<NoticeClaim> {
    let run = key(&writing.connection, &notice.run)?.ok_or_else(|| run_not_found(&notice.run))?;
    let sql = "INSERT INTO notice (run, event, target, tries, until) VALUES (?1, ?2, ?3, 1, ?5)
        ON CONFLICT DO UPDATE SET tries = tries + 1, until = excluded.until WHERE until <= ?4
        RETURNING tries";
    let params = (run, signed(notice.event), &notice.target, nanoseconds(now), nanoseconds(until));
    if let Some(tries) = writing.statement(sql)?.query_row(params, |row| row.get(0)).optional()? {
        return Ok(NoticeClaim::Try(tries));
    }
    let sql = "SELECT until FROM notice WHERE run = ?1 AND event = ?2 AND target = ?3";
    let params = (run, signed(notice.event), &notice.target);
    let until: Option<i64> = writing.statement(sql)?.query_row(params, |row| row.get(0))?;
    Ok(until.map_or(NoticeClaim::Settled, |until| NoticeClaim::Until(timestamp(until))))
}

/// Ends a claim.
pub(super) fn settle(
    writing: &Writing,
    notice: &NoticeId,
    attempt: u32,
    retry_at: Option<Timestamp>,
) -> Outcome<()> {
    let Some(run) = key(&writing.connection, &notice.run)? else { return Ok(()) };
    let sql = "UPDATE notice SET until = ?5 WHERE run = ?1 AND event = ?2 AND target = ?3
        AND (?5 IS NULL OR (tries = ?4 AND until IS NOT NULL))";
    let params = (run, signed(notice.event), &notice.target, attempt, retry_at.map(nanoseconds));
    writing.execute(sql, params)?;
    Ok(())
}
