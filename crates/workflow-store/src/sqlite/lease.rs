//! Leases: which store drives a run, and the epoch that fences off former holders.

use jiff::Timestamp;
use rusqlite::OptionalExtension as _;
use workflow_core::ids::RunId;
use workflow_core::store::order::run_not_found;
use workflow_core::store::{LabelLimit, Lease, StoreError};

use super::column::{AT_ONCE, nanoseconds, signed, unsigned};
use super::fault::Outcome;
use super::holder::is_claimable;
use super::limits;
use super::slots;
use super::writing::{Held, SlotPlace, Writing};

/// Gives out the lease of a run that no living process holds, unless the caller is gone.
pub(super) fn claim(writing: &mut Writing, run: &RunId, wanted: bool) -> Outcome<Vec<Lease>> {
    settle(writing)?;
    let (key, _) = free(writing, run)?;
    if !wanted {
        return Ok(Vec::new());
    }
    let holder = writing.register()?;
    let epoch = writing.epochs(1)?;
    Ok(vec![lend(writing, run, key, holder, epoch)?])
}

/// Gives out leases of up to `most` runs that can continue by themselves.
pub(super) fn claim_next(
    writing: &mut Writing,
    most: usize,
    now: Timestamp,
    limit: Option<&LabelLimit>,
    wanted: bool,
) -> Outcome<Vec<Lease>> {
    if !wanted || most == 0 {
        return Ok(Vec::new());
    }
    settle(writing)?;
    let holder = writing.register()?;
    writing.bury()?;
    let runs = match limit {
        None => next(writing, most, nanoseconds(now))?,
        Some(limit) => limits::next(writing, most, nanoseconds(now), limit)?,
    };
    if runs.is_empty() {
        return Ok(Vec::new());
    }
    let mut leases = Vec::with_capacity(runs.len());
    let first = writing.epochs(runs.len())?;
    for ((key, id), epoch) in runs.into_iter().zip(first..) {
        // A run with a damaged id cannot be driven.
        let Ok(run) = RunId::new(&id) else { continue };
        leases.push(lend(writing, &run, key, holder, epoch)?);
    }
    Ok(leases)
}

/// The runs that no process holds, in the order in which they are claimed: see [`RunHead::turn`].
fn next(writing: &Writing, most: usize, now: i64) -> rusqlite::Result<Vec<(i64, String)>> {
    // Uses the index that contains only unclaimed runs; SQLite would choose the index by status, which contains
    // claimed runs too.
    let mut priorities = writing.statement(
        "SELECT priority FROM run INDEXED BY run_by_turn
            WHERE holder IS NULL AND wakes IS NOT NULL AND priority < ?1 ORDER BY priority DESC LIMIT 1",
    )?;
    let mut free = writing.statement(
        "SELECT key, id FROM run INDEXED BY run_by_turn
            WHERE holder IS NULL AND wakes IS NOT NULL AND priority = ?1 AND wakes BETWEEN ?2 AND ?3
            ORDER BY wakes, created_at LIMIT ?4",
    )?;
    let mut runs = Vec::new();
    let mut above = i64::MAX;
    while runs.len() < most
        && let Some(priority) = priorities.query_row([above], |row| row.get::<_, i64>(0)).optional()?
    {
        // Those whose time is due, and then those that can continue at any time.
        for (from, until) in [(AT_ONCE + 1, now), (AT_ONCE, AT_ONCE)] {
            let room = i64::try_from(most - runs.len()).unwrap_or(i64::MAX);
            let rows = free.query_map([priority, from, until, room], |row| Ok((row.get(0)?, row.get(1)?)))?;
            for row in rows {
                runs.push(row?);
            }
        }
        above = priority;
    }
    Ok(runs)
}

/// The key of a run that no living process holds, and what it has to do with a slot.
pub(super) fn free(writing: &mut Writing, run: &RunId) -> Outcome<(i64, SlotPlace)> {
    if writing.registration.is_some() && writing.good_registration().is_none() {
        // The leases that it had are no longer its own.
        writing.register()?;
    }
    let sql = "SELECT key, holder, (SELECT held FROM slot WHERE run = key) FROM run WHERE id = ?1";
    let row = writing
        .statement(sql)?
        .query_row([run.as_str()], |row| Ok((row.get(0)?, row.get(1)?, SlotPlace::of(row.get(2)?))));
    let (key, holder, slot): (i64, Option<i64>, SlotPlace) =
        row.optional()?.ok_or_else(|| run_not_found(run))?;
    if let Some(holder) = holder {
        if let Some(holder) = writing.living(holder)? {
            return Err(StoreError::Held { run: run.clone(), holder }.into());
        }
        writing.bury()?;
    }
    Ok((key, slot))
}

fn lend(writing: &mut Writing, run: &RunId, key: i64, holder: i64, epoch: u64) -> rusqlite::Result<Lease> {
    let sql = "SELECT epoch, (SELECT max(number) FROM control WHERE run = key), (SELECT held FROM slot WHERE run = key)
        FROM run WHERE key = ?1";
    let (previous, asked, slot) = writing.statement(sql)?.query_row([key], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, Option<i64>>(1)?, SlotPlace::of(row.get(2)?)))
    })?;
    let behind = if slot == SlotPlace::Queued { slots::behind_of(writing, key)? } else { None };
    let sql = "UPDATE run SET holder = ?2, epoch = ?3 WHERE key = ?1
        RETURNING obeyed, (SELECT max(number) FROM event WHERE run = key), deaths, died_at";
    let row = writing.statement(sql)?.query_row((key, holder, signed(epoch)), |row| {
        Ok((
            row.get::<_, i64>(0)?,
            row.get::<_, Option<i64>>(1)?,
            row.get::<_, u32>(2)?,
            row.get::<_, i64>(3)?,
        ))
    });
    let (obeyed, last, deaths, died_at) = row?;
    let deaths = if last == Some(died_at) { deaths } else { 0 };
    let held = Held {
        key,
        epoch,
        last: last.map_or(0, unsigned),
        asked: asked.map_or(0, unsigned),
        given: unsigned(obeyed),
        output: None,
        slot,
        generation: writing.generation(),
    };
    writing.keep(run, held);
    Ok(Lease { run: run.clone(), epoch, previous: unsigned(previous), deaths, behind })
}

/// Renews the leases of this store, or fails if they have expired.
pub(super) fn renew(writing: &mut Writing) -> Outcome<()> {
    settle(writing)?;
    writing.renew()
}

/// Releases the leases that could not be released before.
fn settle(writing: &mut Writing) -> Outcome<()> {
    writing.pay().iter().try_for_each(|lease| release(writing, lease))
}

/// Releases a lease, if it is still valid.
pub(super) fn release(writing: &mut Writing, lease: &Lease) -> Outcome<()> {
    let Some(held) = writing.holding(&lease.run).filter(|held| held.epoch == lease.epoch) else {
        return Ok(());
    };
    writing.forget(&lease.run);
    let Some(own) = writing.registration.as_ref().map(|own| own.id) else { return Ok(()) };
    let sql = "UPDATE run SET holder = NULL WHERE key = ?1 AND epoch = ?2 AND holder = ?3
        RETURNING CASE WHEN wakes IS NOT NULL THEN status END";
    // A run that waits for its slot has no `wakes`.
    let status: Option<Option<String>> = {
        let mut release = writing.statement(sql)?;
        release.query_row((held.key, signed(held.epoch), own), |row| row.get(0)).optional()?
    };
    if status.flatten().is_some_and(|status| is_claimable(&status)) {
        writing.after.claimable = true;
        writing.signal()?;
    }
    Ok(())
}
