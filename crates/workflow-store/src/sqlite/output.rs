//! Output entries: kept as they were appended, the newest of each run.

use std::path::Path;

use workflow_core::output::{OutputEntry, OutputKind};
use workflow_core::store::order::check_output;
use workflow_core::store::{Lease, StoreError};

use super::column::{signed, text, unsigned};
use super::fault::{Fault, Outcome, corrupt, unwritable};
use super::lines::{self, Row, rows};
use super::writing::{Held, Writing};

/// Encoded output entries.
pub(super) struct OutputAppend {
    lease: Lease,
    rows: Vec<Row>,
    /// How many entries each row stands for.
    entries: Vec<u64>,
    first: Option<OutputEntry>,
    misnumbered: Option<StoreError>,
}

impl OutputAppend {
    pub(super) fn new(
        path: &Path,
        lease: &Lease,
        entries: &[OutputEntry],
        limit: usize,
    ) -> Result<Self, StoreError> {
        // Rows are dropped as a whole.
        let size = (limit / 16).clamp(1, 64 << 10);
        let rows = rows(entries, size, |entry| entry.number).map_err(|error| unwritable(path, error))?;
        let mut rest = entries.iter();
        let weights = rows.iter().map(|row| rest.by_ref().take(row.lines).map(weight).sum()).collect();
        let misnumbered = entries
            .split_first()
            .and_then(|(first, others)| check_output(&lease.run, first.number, others).err());
        Ok(Self {
            lease: lease.clone(),
            rows,
            entries: weights,
            first: entries.first().cloned(),
            misnumbered,
        })
    }

    /// The number of bytes to write.
    pub(super) fn bytes(&self) -> usize {
        self.rows.iter().map(|row| row.body.len()).sum()
    }

    pub(super) fn write(&self, writing: &mut Writing) -> Outcome<()> {
        let held = writing.held(&self.lease)?;
        let (last, mut size) = if let Some(known) = held.output {
            known
        } else {
            let sql = "SELECT coalesce(max(number), 0), coalesce(sum(size), 0) FROM output WHERE run = ?1";
            writing
                .statement(sql)?
                .query_row([held.key], |row| Ok((unsigned(row.get(0)?), unsigned(row.get(1)?))))?
        };
        check_output(&self.lease.run, last, self.first.as_slice())?;
        if let Some(misnumbered) = &self.misnumbered {
            return Err(misnumbered.clone().into());
        }
        for (row, entries) in self.rows.iter().zip(&self.entries) {
            let bytes = row.body.len() as u64;
            insert(writing, held.key, row.last, *entries, &row.body)?;
            size += bytes;
        }
        let limit = writing.options.output_limit as u64;
        if size > limit {
            // Drops a little more than needed, so that the next append does not drop again.
            size -= drop_oldest(writing, &self.lease, held.key, size - (limit - limit / 16))?;
        }
        let last = self.rows.last().map_or(last, |row| row.last);
        writing.keep(&self.lease.run, Held { output: Some((last, size)), ..held });
        Ok(())
    }
}

/// How many entries an entry stands for.
fn weight(entry: &OutputEntry) -> u64 {
    match entry.kind {
        OutputKind::Dropped => entry.text.parse().unwrap_or(1),
        _ => 1,
    }
}

fn insert(writing: &Writing, run: i64, last: u64, entries: u64, body: &[u8]) -> rusqlite::Result<()> {
    let sql = "INSERT INTO output (run, number, entries, size, body) VALUES (?1, ?2, ?3, ?4, ?5)";
    let size = signed(body.len() as u64);
    writing.execute(sql, (run, signed(last), signed(entries), size, text(body)))?;
    Ok(())
}

/// Drops the oldest rows of a run, at least `bytes` bytes of them, but never the newest row; an entry in
/// their place says how many entries were dropped. Returns by how much the run's output has shrunk.
fn drop_oldest(writing: &Writing, lease: &Lease, run: i64, bytes: u64) -> Outcome<u64> {
    let (mut dropped, mut entries, mut up_to, mut newest) = (0, 0, 0, String::new());
    {
        let sql = "SELECT number, entries, size, body FROM output WHERE run = ?1
            AND number < (SELECT max(number) FROM output WHERE run = ?1) ORDER BY number";
        let mut oldest = writing.statement(sql)?;
        let mut rows = oldest.query([run])?;
        while dropped < bytes
            && let Some(row) = rows.next()?
        {
            up_to = row.get(0)?;
            entries += unsigned(row.get(1)?);
            dropped += unsigned(row.get(2)?);
            newest = row.get(3)?;
        }
    }
    let Some(line) = newest.lines().next_back() else { return Ok(0) };
    let path = &writing.place.path;
    let mut entry: OutputEntry = lines::read(line).map_err(|error| {
        let place = format!("{}, run `{}`, output entry {up_to}", path.display(), lease.run);
        Fault::Refused(corrupt(place, &error.to_string()))
    })?;
    entry.kind = OutputKind::Dropped;
    entry.text = entries.to_string();
    let body = serde_json::to_vec(&entry).map_err(|error| unwritable(path, error))?;
    writing.execute("DELETE FROM output WHERE run = ?1 AND number <= ?2", (run, up_to))?;
    insert(writing, run, unsigned(up_to), entries, &body)?;
    Ok(dropped.saturating_sub(body.len() as u64))
}
