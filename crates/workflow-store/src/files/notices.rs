//! `notices.jsonl`: which notices of a run's events were claimed and settled, by any process.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use workflow_core::store::{NoticeClaim, NoticeId, StoreError};

use super::lines::{Lines, line_number};
use crate::disk::{at, private, sync_dir, take_turn};

const FILE: &str = "notices.jsonl";

/// The state of a notice: its last line counts.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    event: u64,
    target: String,
    /// How often it was claimed.
    tries: u32,
    /// When the claim ends; absent once it is settled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
}

/// Claims a notice of the run in `directory`; `None` if the run was deleted.
pub(super) fn claim(
    directory: &Path,
    notice: &NoticeId,
    now: Timestamp,
    until: Timestamp,
) -> Result<Option<NoticeClaim>, StoreError> {
    let Some(mut notices) = Notices::open(directory, true)? else { return Ok(None) };
    let last = notices.last(notice)?;
    match last.as_ref().map(|last| last.until) {
        Some(None) => return Ok(Some(NoticeClaim::Settled)),
        Some(Some(until)) if until > now => return Ok(Some(NoticeClaim::Until(until))),
        _ => {}
    }
    let tries = last.map_or(0, |last| last.tries).saturating_add(1);
    notices.add(notice, tries, Some(until))?;
    Ok(Some(NoticeClaim::Try(tries)))
}

/// Ends a claim of a notice of the run in `directory`.
pub(super) fn settle(
    directory: &Path,
    notice: &NoticeId,
    attempt: u32,
    retry_at: Option<Timestamp>,
) -> Result<(), StoreError> {
    let Some(mut notices) = Notices::open(directory, false)? else { return Ok(()) };
    match notices.last(notice)? {
        Some(last) if retry_at.is_none() || (last.tries == attempt && last.until.is_some()) => {
            notices.add(notice, last.tries, retry_at)
        }
        _ => Ok(()),
    }
}

/// The file, locked.
struct Notices<'a> {
    directory: &'a Path,
    path: PathBuf,
    file: File,
    /// Where the last complete line ends.
    end: u64,
}

impl<'a> Notices<'a> {
    /// `None` if the directory does not exist, or the file does not and is not to be created.
    fn open(directory: &'a Path, create: bool) -> Result<Option<Self>, StoreError> {
        let path = directory.join(FILE);
        let file = match private().read(true).append(true).create(create).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file.map_err(at(&path))?,
        };
        take_turn(&file).map_err(at(&path))?;
        Ok(Some(Self { directory, path, file, end: 0 }))
    }

    fn last(&mut self, notice: &NoticeId) -> Result<Option<Line>, StoreError> {
        let length = self.file.metadata().map_err(at(&self.path))?.len();
        let mut lines = Lines::new(&self.file, 0, length).map_err(at(&self.path))?;
        let mut last = None;
        while let Some(text) = lines.next().map_err(at(&self.path))? {
            let line: Line = serde_json::from_slice(text.bytes).map_err(|error| StoreError::Corrupt {
                place: format!("{}:{}", self.path.display(), line_number(&self.file, text.start)),
                message: error.to_string(),
            })?;
            self.end = text.end();
            if line.event == notice.event && line.target == notice.target {
                last = Some(line);
            }
        }
        Ok(last)
    }

    fn add(&mut self, notice: &NoticeId, tries: u32, until: Option<Timestamp>) -> Result<(), StoreError> {
        let line = Line { event: notice.event, target: notice.target.clone(), tries, until };
        let mut write = || {
            let length = self.file.metadata()?.len();
            // A line that another process did not finish was not acknowledged.
            if length > self.end {
                self.file.set_len(self.end)?;
            }
            let mut text = serde_json::to_vec(&line)?;
            text.push(b'\n');
            self.file.write_all(&text)?;
            self.file.sync_data()?;
            if length == 0 { sync_dir(self.directory) } else { Ok(()) }
        };
        write().map_err(at(&self.path))
    }
}
