//! `output.jsonl`: one output entry per line.
//!
//! It is not synced: a crash of the machine may lose the newest entries. An unreadable line is skipped; gaps
//! in the numbers show that entries are missing.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use workflow_core::ids::RunId;
use workflow_core::output::OutputEntry;
use workflow_core::store::order::check_output;
use workflow_core::store::window::WindowScan;
use workflow_core::store::{OutputFilter, OutputWindow, StoreError};

use super::lines::{Lines, number, seek};
use crate::disk::{at, private};

const FILE: &str = "output.jsonl";
const KEY: &str = "number";

/// The output file of a held run.
#[derive(Debug)]
pub(super) enum Output {
    Unopened,
    Open(Writer),
    /// The run was released.
    Closed,
}

#[derive(Debug)]
pub(super) struct Writer {
    path: PathBuf,
    file: File,
    end: Tail,
    /// A write failed, and may have left partial lines after the end.
    torn: bool,
}

/// The end of the readable part.
#[derive(Debug, Clone, Copy, Default)]
struct Tail {
    number: u64,
    bytes: u64,
}

impl Output {
    /// Appends entries to the file of `run`.
    pub(super) fn append(
        &mut self,
        run: &RunId,
        directory: &Path,
        entries: &[OutputEntry],
        buffer: &mut Vec<u8>,
    ) -> Result<(), StoreError> {
        let writer = match self {
            Self::Open(writer) => writer,
            Self::Unopened => {
                let writer = Writer::open(directory.join(FILE))?;
                *self = Self::Open(writer);
                return self.append(run, directory, entries, buffer);
            }
            Self::Closed => return Err(StoreError::Fenced(run.clone())),
        };
        check_output(run, writer.end.number, entries)?;
        writer.write(entries, buffer).map_err(at(&writer.path))
    }

    /// The number of the last entry, if it is known without reading.
    pub(super) fn last(&self) -> Option<u64> {
        match self {
            Self::Open(writer) => Some(writer.end.number),
            Self::Unopened | Self::Closed => None,
        }
    }
}

impl Writer {
    fn open(path: PathBuf) -> Result<Self, StoreError> {
        let open = || {
            let file = private().read(true).append(true).create(true).open(&path)?;
            let length = file.metadata()?.len();
            let end = tail(&file, length)?;
            if end.bytes < length {
                tracing::warn!(path = %path.display(), bytes = length - end.bytes, "removed incomplete output");
                file.set_len(end.bytes)?;
            }
            Ok((file, end))
        };
        let (file, end) = open().map_err(at(&path))?;
        Ok(Self { path, file, end, torn: false })
    }

    fn write(&mut self, entries: &[OutputEntry], buffer: &mut Vec<u8>) -> io::Result<()> {
        for entry in entries {
            serde_json::to_writer(&mut *buffer, entry)?;
            buffer.push(b'\n');
        }
        // On a full disk only the first of several lines may be written: all of them count as not stored.
        if std::mem::replace(&mut self.torn, true) {
            self.file.set_len(self.end.bytes)?;
        }
        self.file.write_all(buffer)?;
        self.torn = false;
        self.end.bytes += buffer.len() as u64;
        self.end.number = entries.last().map_or(self.end.number, |entry| entry.number);
        Ok(())
    }
}

/// Reads up to `limit` entries with numbers above `after` of the run in `directory`.
pub(super) fn read(directory: &Path, after: u64, limit: usize) -> Result<Vec<OutputEntry>, StoreError> {
    let path = directory.join(FILE);
    let Some((file, length)) = open(&path)? else { return Ok(Vec::new()) };
    let read = || {
        let mut entries = Vec::new();
        let from = seek(&file, length, KEY, after)?;
        let mut lines = Lines::new(&file, from, length)?;
        while entries.len() < limit
            && let Some(line) = lines.next()?
        {
            if number(line.bytes, KEY).is_some_and(|number| number <= after) {
                continue;
            }
            match serde_json::from_slice::<OutputEntry>(line.bytes) {
                Ok(entry) if entry.number > after => entries.push(entry),
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(path = %path.display(), offset = line.start, %error, "skipped damaged output");
                }
            }
        }
        Ok(entries)
    };
    read().map_err(at(&path))
}

/// How many bytes are read at a time from the end.
const BLOCK: u64 = 256 << 10;

/// Reads a window of the output of the run in `directory`.
pub(super) fn window(directory: &Path, filter: &OutputFilter) -> Result<OutputWindow, StoreError> {
    let path = directory.join(FILE);
    let mut scan = WindowScan::new(filter);
    let Some((file, length)) = open(&path)? else { return Ok(scan.finish()) };
    let damaged = |error: &serde_json::Error| {
        tracing::warn!(path = %path.display(), %error, "skipped damaged output");
    };
    let read = |scan: &mut WindowScan<'_>| {
        let (after, before) = scan.range();
        if scan.is_backwards() {
            let end = if before == u64::MAX {
                tail(&file, length)?.bytes
            } else {
                end_before(&file, length, before)?
            };
            return scan_back(&file, end, scan, damaged);
        }
        let mut lines = Lines::new(&file, seek(&file, length, KEY, after)?, length)?;
        while !scan.is_done()
            && let Some(line) = lines.next()?
        {
            scan.add_lines(line.bytes, damaged);
        }
        Ok(())
    };
    read(&mut scan).map_err(at(&path))?;
    Ok(scan.finish())
}

/// Where the first line starts that has a number from `before` on.
fn end_before(file: &File, length: u64, before: u64) -> io::Result<u64> {
    let from = seek(file, length, KEY, before.saturating_sub(1))?;
    let mut lines = Lines::new(file, from, length)?;
    let mut end = from;
    while let Some(line) = lines.next()? {
        if number(line.bytes, KEY).is_some_and(|number| number >= before) {
            break;
        }
        end = line.end();
    }
    Ok(end)
}

/// Passes the lines before the byte `end`, where one ends, from the last to the first.
fn scan_back(
    mut file: &File,
    mut end: u64,
    scan: &mut WindowScan<'_>,
    damaged: impl Fn(&serde_json::Error),
) -> io::Result<()> {
    let mut size = BLOCK;
    while end > 0 && !scan.is_done() {
        let from = end.saturating_sub(size);
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(from))?;
        file.take(end - from).read_to_end(&mut bytes)?;
        let line = bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |before| before + 1);
        let start = if from == 0 { 0 } else { line };
        if from > 0 && start >= bytes.len() {
            // The whole block is a part of one line.
            size *= 4;
            continue;
        }
        scan.add_lines(&bytes[start..], &damaged);
        (end, size) = (from + start as u64, BLOCK);
    }
    Ok(())
}

/// The number of the last entry of the run in `directory`.
pub(super) fn last(directory: &Path) -> Result<u64, StoreError> {
    let path = directory.join(FILE);
    let Some((file, length)) = open(&path)? else { return Ok(0) };
    Ok(tail(&file, length).map_err(at(&path))?.number)
}

fn open(path: &Path) -> Result<Option<(File, u64)>, StoreError> {
    match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        file => {
            let file = file.map_err(at(path))?;
            let length = file.metadata().map_err(at(path))?.len();
            Ok(Some((file, length)))
        }
    }
}

/// The last readable line, searched from the end.
fn tail(mut file: &File, length: u64) -> io::Result<Tail> {
    let mut size = 64 << 10;
    loop {
        let from = length.saturating_sub(size);
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(from))?;
        file.take(length - from).read_to_end(&mut bytes)?;
        let mut rest = &bytes[..];
        // Each pass reads the line before the last line ending.
        while let Some(end) = rest.iter().rposition(|byte| *byte == b'\n') {
            let start = rest[..end].iter().rposition(|byte| *byte == b'\n').map(|before| before + 1);
            if start.is_none() && from > 0 {
                break;
            }
            let start = start.unwrap_or(0);
            if let Ok(entry) = serde_json::from_slice::<OutputEntry>(&rest[start..end]) {
                return Ok(Tail { number: entry.number, bytes: from + end as u64 + 1 });
            }
            rest = &rest[..start];
        }
        if from == 0 {
            return Ok(Tail::default());
        }
        size *= 4;
    }
}
