//! A run that this store holds, with its open files.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use workflow_core::event::Event;
use workflow_core::ids::RunId;
use workflow_core::output::OutputEntry;
use workflow_core::store::order::{check_numbers, control_of};
use workflow_core::store::{ControlRecord, NewRun, RunHead, RunRecord, StoreError};

use super::controls::Delivery;
use super::facts::Facts;
use super::lock::RunLock;
use super::log::{self, Mark};
use super::output::Output;
use super::record::Record;
use super::slots::HeldSlot;
use crate::disk::{at, private};
use crate::sync::lock;

/// How many events are read at a time.
const PAGE: usize = 1_000;

/// The event log in a run's directory. Its existence makes the directory a run.
pub(super) const EVENTS: &str = "events.jsonl";

/// A run that this store holds.
pub(super) struct HeldRun {
    run: RunId,
    directory: PathBuf,
    epoch: u64,
    /// How many holders before this one died since the last event.
    deaths: u32,
    holder: String,
    slot: Option<HeldSlot>,
    /// How many bytes of events are known to be durable.
    durable: AtomicU64,
    head: Mutex<RunHead>,
    log: Mutex<Log>,
    output: Mutex<Output>,
}

struct Log {
    file: File,
    mark: Mark,
    /// The content of `run.json`.
    record: Record,
    obeyed: u64,
    delivery: Delivery,
    /// Why nothing can be appended any more.
    broken: Option<String>,
    lock: RunLock,
}

impl HeldRun {
    /// Writes the files of a new run into a temporary directory whose lock is held.
    pub(super) fn create(
        run: &NewRun,
        unfinished: &Path,
        directory: PathBuf,
        lock: RunLock,
        buffer: &mut Vec<u8>,
    ) -> Result<Self, StoreError> {
        let path = unfinished.join(EVENTS);
        let mut file = private().read(true).append(true).create_new(true).open(&path).map_err(at(&path))?;
        log::encode(&run.events, buffer).map_err(at(&path))?;
        file.write_all(buffer).and_then(|()| file.sync_data()).map_err(at(&path))?;
        let mark = Mark { events: run.events.len() as u64, bytes: buffer.len() as u64 };
        let obeyed = obeyed(0, &run.events);
        let record = Record::new(&run.id, run.head.clone(), obeyed, mark);
        record.save(unfinished).map_err(at(unfinished))?;
        Ok(Self::new(run.id.clone(), directory, file, mark, record, lock))
    }

    /// Opens the files of a run whose lock is held, and repairs what a crash left behind.
    pub(super) fn open(run: &RunId, directory: PathBuf, lock: RunLock) -> Result<Self, StoreError> {
        let path = directory.join(EVENTS);
        let file = private().read(true).append(true).open(&path).map_err(at(&path))?;
        let saved = Record::load(run, &directory);
        let (facts, mark) = state(&path, &file, saved.as_ref())?;
        let head = facts.head.clone().ok_or_else(|| no_event(&path))?;
        let length = file.metadata().map_err(at(&path))?.len();
        if mark.bytes < length {
            let bytes = length - mark.bytes;
            tracing::warn!(path = %path.display(), bytes, "removed an unfinished append");
            file.set_len(mark.bytes).map_err(at(&path))?;
        }
        // The last holder may have died before it synced its writes.
        file.sync_data().map_err(at(&path))?;
        let record = Record::new(run, head, facts.obeyed, mark);
        if saved.as_ref() != Some(&record) {
            record.save(&directory).map_err(at(&directory))?;
        }
        Ok(Self::new(run.clone(), directory, file, mark, record, lock))
    }

    fn new(run: RunId, directory: PathBuf, file: File, mark: Mark, record: Record, lock: RunLock) -> Self {
        let obeyed = record.facts().obeyed;
        Self {
            run,
            directory,
            epoch: lock.epoch(),
            deaths: lock.deaths(),
            holder: lock.holder(),
            slot: record.head.slot.as_ref().map(HeldSlot::new),
            durable: AtomicU64::new(mark.bytes),
            head: Mutex::new(record.head.clone()),
            log: Mutex::new(Log {
                file,
                mark,
                record,
                obeyed,
                delivery: Delivery::after(obeyed),
                broken: None,
                lock,
            }),
            output: Mutex::new(Output::Unopened),
        }
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    pub(super) fn deaths(&self) -> u32 {
        self.deaths
    }

    pub(super) fn holder(&self) -> &str {
        &self.holder
    }

    /// The slot that the run needs.
    pub(super) fn slot(&self) -> Option<&HeldSlot> {
        self.slot.as_ref()
    }

    pub(super) fn record(&self) -> RunRecord {
        let head = lock(&self.head).clone();
        RunRecord { run_id: self.run.clone(), head, holder: Some(self.holder.clone()), behind: None }
    }

    /// How many bytes of events readers may see.
    pub(super) fn durable(&self) -> u64 {
        self.durable.load(Ordering::Acquire)
    }

    pub(super) fn append(
        &self,
        expected: u64,
        events: &[Event],
        head: Option<&RunHead>,
        buffer: &mut Vec<u8>,
    ) -> Result<Vec<ControlRecord>, StoreError> {
        let mut log = lock(&self.log);
        self.check_log(&log, expected, events)?;
        if !events.is_empty() {
            let path = self.directory.join(EVENTS);
            log::encode(events, buffer).map_err(at(&path))?;
            log.write(buffer, events.len()).map_err(at(&path))?;
            if is_deleted(&log.file).map_err(at(&path))? {
                let reason = format!(
                    "{} was deleted while it was in use: further events of the run would be lost",
                    path.display()
                );
                log.broken = Some(reason.clone());
                return Err(StoreError::Closed(reason));
            }
            log.obeyed = obeyed(log.obeyed, events);
            self.durable.store(log.mark.bytes, Ordering::Release);
        }
        if let Some(head) = head {
            lock(&self.head).clone_from(head);
            log.save(&self.run, &self.directory, head.clone());
        }
        // The events are stored, so an error while reading control requests must not fail the append. The
        // next read of the control requests returns the error.
        Ok(log.delivery.next(&self.directory).unwrap_or_else(|error| {
            tracing::error!(run = %self.run, %error, "cannot read the control requests");
            Vec::new()
        }))
    }

    /// Checks whether these events could be appended.
    pub(super) fn check(&self, expected: u64, events: &[Event]) -> Result<(), StoreError> {
        self.check_log(&lock(&self.log), expected, events)
    }

    fn check_log(&self, log: &Log, expected: u64, events: &[Event]) -> Result<(), StoreError> {
        if let Some(reason) = &log.broken {
            return Err(StoreError::Closed(reason.clone()));
        }
        if log.mark.events != expected {
            let actual = log.mark.events;
            return Err(StoreError::Conflict { run: self.run.clone(), expected, actual });
        }
        check_numbers(&self.run, expected, events)
    }

    pub(super) fn append_output(
        &self,
        entries: &[OutputEntry],
        buffer: &mut Vec<u8>,
    ) -> Result<(), StoreError> {
        lock(&self.output).append(&self.run, &self.directory, entries, buffer)
    }

    /// The number of the last output entry, if it is known without reading.
    pub(super) fn last_output(&self) -> Option<u64> {
        lock(&self.output).last()
    }

    /// Releases the run, after writes in progress.
    pub(super) fn release(&self) -> Result<(), StoreError> {
        let mut log = lock(&self.log);
        *lock(&self.output) = Output::Closed;
        if log.record.log != log.mark {
            let head = lock(&self.head).clone();
            log.save(&self.run, &self.directory, head);
        }
        log.broken.get_or_insert_with(|| "the run was released".to_owned());
        log.lock.release().map_err(at(&self.directory))
    }
}

impl Log {
    /// Writes the lines of one append: all of them, or none.
    fn write(&mut self, lines: &[u8], events: usize) -> io::Result<()> {
        let result = self.file.write_all(lines).and_then(|()| self.file.sync_data());
        if let Err(error) = result {
            // The next append must not follow a partial one.
            let cut = self.file.set_len(self.mark.bytes).and_then(|()| self.file.sync_data());
            if let Err(cut) = cut {
                self.broken = Some(format!("an append failed ({error}) and could not be undone ({cut})"));
            }
            return Err(error);
        }
        self.mark.events += events as u64;
        self.mark.bytes += lines.len() as u64;
        Ok(())
    }

    fn save(&mut self, run: &RunId, directory: &Path, head: RunHead) {
        let record = Record::new(run, head, self.obeyed, self.mark);
        match record.save(directory) {
            Ok(()) => self.record = record,
            // It is derived from the events again when it is needed.
            Err(error) => tracing::warn!(%run, %error, "cannot write run.json"),
        }
    }
}

/// Whether an open file was deleted. Data written to it would be lost with the process.
fn is_deleted(file: &File) -> io::Result<bool> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        Ok(file.metadata()?.nlink() == 0)
    }
    #[cfg(not(unix))]
    {
        // On other platforms an open file cannot be deleted.
        let _ = file;
        Ok(false)
    }
}

/// The facts that follow from the events: read from `saved` on if that can be trusted, else from the first
/// event.
pub(super) fn state(path: &Path, file: &File, saved: Option<&Record>) -> Result<(Facts, Mark), StoreError> {
    let saved = match saved {
        Some(saved) if log::is_line_end(file, saved.log).map_err(at(path))? => Some(saved),
        _ => None,
    };
    let (facts, from) = saved.map(|saved| (saved.facts(), saved.log)).unwrap_or_default();
    let (mut facts, mark) = log::scan(path, file, facts, from)?;
    // Only a crash leaves a head that is older than the events.
    if mark != from && facts.rests() {
        facts.refine(|after| log::read(path, file, mark.bytes, after, PAGE))?;
    }
    Ok((facts, mark))
}

pub(super) fn no_event(path: &Path) -> StoreError {
    StoreError::Corrupt {
        place: path.display().to_string(),
        message: "the log does not begin with a run_created event".to_owned(),
    }
}

fn obeyed(before: u64, events: &[Event]) -> u64 {
    events.iter().filter_map(|event| control_of(&event.body)).fold(before, u64::max)
}
