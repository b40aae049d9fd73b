//! The runs of a home, and the operations on them. All methods block.

use std::collections::HashMap;
use std::fs::{self, DirEntry, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use workflow_core::event::Event;
use workflow_core::ids::RunId;
use workflow_core::store::order::{check_numbers, page, run_not_found};
use workflow_core::store::{
    Control, ControlRecord, ControlRequest, LabelLimit, Lease, NewRun, NoticeClaim, NoticeId, OutputFilter,
    OutputWindow, Room, RunFilter, RunHead, RunRecord, RunSlot, SlotMode, StoreError,
};

use super::bundles::Bundles;
use super::foreign::{self, is_foreign};
use super::held::{EVENTS, HeldRun, no_event, state};
use super::lock::{RunLock, Taken, holder, is_abandoned};
use super::record::Record;
use super::signal::Signal;
use super::slots::{Line, Slots};
use super::{controls, log, notices, output};
use crate::disk::{
    UNFINISHED, at, create_dir, create_dir_all, fault, sync_dir, unfinished, writable_by_owner_alone,
};
use crate::host::host_name;
use crate::sync::lock;

/// The lock of those who claim runs within a limit.
const LIMITS: &str = "limits";

/// The minimum age of a temporary file before it is removed, if no lock shows whether its creator is alive.
const ABANDONED: Duration = Duration::from_secs(60);

pub(super) struct Home {
    runs: PathBuf,
    pub(super) bundles: Bundles,
    pub(super) signal: Signal,
    slots: Slots,
    host: Option<String>,
    held: Mutex<HashMap<RunId, Arc<HeldRun>>>,
    /// The highest epoch that this store gave out. The epochs of a deleted run are deleted with it, so a new
    /// run with the same id starts above every epoch that a process may still hold.
    highest: AtomicU64,
}

impl Home {
    pub(super) fn open(home: &Path) -> Result<Self, StoreError> {
        let home = std::path::absolute(home).map_err(at(home))?;
        let (runs, bundles) = (home.join("runs"), home.join("bundles"));
        for directory in [&runs, &bundles] {
            create_dir_all(directory).map_err(at(directory))?;
            writable_by_owner_alone(directory)?;
        }
        Ok(Self {
            signal: Signal::new(runs.join(".controls")),
            bundles: Bundles::new(bundles),
            slots: Slots::new(home.join("slots")),
            runs,
            host: host_name(),
            held: Mutex::default(),
            highest: AtomicU64::new(0),
        })
    }

    /// The directory of a run, if it is one of ours and not a symbolic link to another place.
    fn directory(&self, run: &RunId) -> Result<PathBuf, StoreError> {
        let directory = self.runs.join(run.as_str());
        let ours = fs::symlink_metadata(&directory).is_ok_and(|metadata| metadata.is_dir());
        if ours && is_foreign(&directory) {
            Err(foreign::refused(&directory))
        } else if ours && directory.join(EVENTS).try_exists().map_err(at(&directory))? {
            Ok(directory)
        } else {
            Err(run_not_found(run))
        }
    }

    fn holding(&self, run: &RunId) -> Option<Arc<HeldRun>> {
        lock(&self.held).get(run).cloned()
    }

    /// The run of a valid lease.
    pub(super) fn held(&self, lease: &Lease) -> Result<Arc<HeldRun>, StoreError> {
        let held = self.holding(&lease.run).filter(|held| held.epoch() == lease.epoch);
        held.ok_or_else(|| StoreError::Fenced(lease.run.clone()))
    }

    fn hold(&self, run: &RunId, held: HeldRun, behind: Option<RunId>) -> Lease {
        let lease =
            Lease { run: run.clone(), epoch: held.epoch(), previous: 0, deaths: held.deaths(), behind };
        self.highest.fetch_max(lease.epoch, Ordering::Relaxed);
        lock(&self.held).insert(run.clone(), Arc::new(held));
        lease
    }

    pub(super) fn create(&self, run: &NewRun, buffer: &mut Vec<u8>) -> Result<Lease, StoreError> {
        check_numbers(&run.id, 0, &run.events)?;
        let directory = self.runs.join(run.id.as_str());
        if fs::symlink_metadata(&directory).is_ok() {
            return Err(self.in_the_way(&run.id, &directory));
        }
        self.bundles.store(&run.head.bundle, &run.bundle)?;
        let place = run.head.slot.as_ref().map(|slot| self.take_place(&run.id, slot)).transpose()?;
        // A run becomes visible as a whole or not at all. Its lock is held from the start, which tells other
        // processes that its creator is alive.
        let unfinished = self.runs.join(unfinished(run.id.as_str()));
        let mut prepare = || {
            create_dir(&unfinished).map_err(at(&unfinished))?;
            let taken = self.lock(&unfinished).map_err(at(&unfinished))?;
            let Taken::Lock(lock) = taken else {
                return Err(fault(&unfinished, io::ErrorKind::Other, "another process locked it"));
            };
            let held = HeldRun::create(run, &unfinished, directory.clone(), lock, buffer)?;
            sync_dir(&unfinished).map_err(at(&unfinished))?;
            fs::rename(&unfinished, &directory).map_err(|error| match error.kind() {
                io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists => {
                    self.in_the_way(&run.id, &directory)
                }
                _ => at(&directory)(error),
            })?;
            Ok(held)
        };
        let held = prepare().inspect_err(|_| drop(fs::remove_dir_all(&unfinished)))?;
        sync_dir(&self.runs).map_err(at(&self.runs))?;
        let behind = place.and_then(|(_line, behind)| behind);
        Ok(self.hold(&run.id, held, behind))
    }

    pub(super) fn append(
        &self,
        lease: &Lease,
        expected: u64,
        events: &[Event],
        head: Option<&RunHead>,
        buffer: &mut Vec<u8>,
    ) -> Result<Vec<ControlRecord>, StoreError> {
        let held = self.held(lease)?;
        let Some(slot) = held.slot() else { return held.append(expected, events, head, buffer) };
        let ends = head.is_some_and(|head| head.status.is_terminal());
        let only_checks = events.is_empty() && head.is_none();
        if !ends && !only_checks && !slot.is_had() {
            if let Some(behind) = self.behind(&lease.run, &slot.slot)? {
                held.check(expected, events)?;
                return Err(StoreError::Queued { run: lease.run.clone(), behind });
            }
            slot.had();
        }
        let controls = held.append(expected, events, head, buffer)?;
        if ends {
            self.free_slot(&slot.slot);
        }
        Ok(controls)
    }

    /// Why a run cannot be created where a file or directory exists.
    fn in_the_way(&self, run: &RunId, directory: &Path) -> StoreError {
        match self.directory(run) {
            Ok(_) => StoreError::Exists(run.clone()),
            Err(_) => fault(
                directory,
                io::ErrorKind::AlreadyExists,
                "a file or directory that is not a run has this name",
            ),
        }
    }

    pub(super) fn claim(&self, run: &RunId) -> Result<Lease, StoreError> {
        let (directory, lock) = self.take(run)?;
        writable_by_owner_alone(&directory)?;
        for entry in fs::read_dir(&directory).map_err(at(&directory))? {
            writable_by_owner_alone(&entry.map_err(at(&directory))?.path())?;
        }
        let held = HeldRun::open(run, directory, lock)?;
        let behind = match held.slot() {
            Some(slot) => self.behind(run, &slot.slot).inspect_err(|_| drop(held.release()))?,
            None => None,
        };
        Ok(self.hold(run, held, behind))
    }

    fn lock(&self, directory: &Path) -> io::Result<Taken> {
        let length = || match fs::metadata(directory.join(EVENTS)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            log => Ok(log?.len()),
        };
        RunLock::take(directory, self.host.as_deref(), self.highest.load(Ordering::Relaxed), length)
    }

    /// Takes the lock of a run, unless a living process holds it.
    fn take(&self, run: &RunId) -> Result<(PathBuf, RunLock), StoreError> {
        let held = |holder: String| StoreError::Held { run: run.clone(), holder };
        if let Some(run) = self.holding(run) {
            return Err(held(run.holder().to_owned()));
        }
        loop {
            let directory = self.directory(run)?;
            match self.lock(&directory) {
                Ok(Taken::Lock(lock)) => return Ok((directory, lock)),
                Ok(Taken::Held(holder)) => return Err(held(holder)),
                // The run was deleted; another run with its id may exist by now.
                Ok(Taken::Deleted) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(run_not_found(run)),
                Err(error) => return Err(at(&directory)(error)),
            }
        }
    }

    pub(super) fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        let Ok(held) = self.held(lease) else { return Ok(()) };
        lock(&self.held).remove(&lease.run);
        held.release()
    }

    pub(super) fn delete(&self, run: &RunId) -> Result<(), StoreError> {
        let (directory, lock) = self.take(run)?;
        let slot = Record::load(run, &directory).and_then(|record| record.head.slot);
        let removed = self.runs.join(unfinished(run.as_str()));
        fs::rename(&directory, &removed).map_err(at(&directory))?;
        sync_dir(&self.runs).map_err(at(&self.runs))?;
        lock.release_deleted().map_err(at(&removed))?;
        if let Some(slot) = slot {
            self.free_slot(&slot);
        }
        fs::remove_dir_all(&removed).map_err(at(&removed))
    }

    pub(super) fn events(&self, run: &RunId, after: u64, limit: usize) -> Result<Vec<Event>, StoreError> {
        let directory = self.directory(run)?;
        let path = directory.join(EVENTS);
        let durable = self.holding(run).map(|held| held.durable());
        let file = File::open(&path).map_err(at(&path))?;
        let length = file.metadata().map_err(at(&path))?.len();
        let events = log::read(&path, &file, durable.unwrap_or(length), after, limit)?;
        if durable.is_none() && !events.is_empty() {
            // The holder, in another process, may not have synced these events yet: readers must not see what
            // a crash could undo.
            file.sync_data().map_err(at(&path))?;
        }
        Ok(events)
    }

    pub(super) fn output(
        &self,
        run: &RunId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<workflow_core::output::OutputEntry>, StoreError> {
        output::read(&self.directory(run)?, after, limit)
    }

    pub(super) fn output_window(
        &self,
        run: &RunId,
        filter: &OutputFilter,
    ) -> Result<OutputWindow, StoreError> {
        output::window(&self.directory(run)?, filter)
    }

    pub(super) fn last_output(&self, run: &RunId) -> Result<u64, StoreError> {
        match self.holding(run).and_then(|held| held.last_output()) {
            Some(last) => Ok(last),
            None => output::last(&self.directory(run)?),
        }
    }

    pub(super) fn request(&self, run: &RunId, request: ControlRequest) -> Result<u64, StoreError> {
        let number = controls::request(&self.directory(run)?, request)?;
        self.signal.send(run);
        Ok(number)
    }

    pub(super) fn controls(&self, run: &RunId, after: u64) -> Result<Vec<ControlRecord>, StoreError> {
        controls::controls(&self.directory(run)?, after)
    }

    pub(super) fn claim_notice(
        &self,
        notice: &NoticeId,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<NoticeClaim, StoreError> {
        let directory = self.directory(&notice.run)?;
        notices::claim(&directory, notice, now, until)?.ok_or_else(|| run_not_found(&notice.run))
    }

    pub(super) fn settle_notice(
        &self,
        notice: &NoticeId,
        attempt: u32,
        retry_at: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        match self.directory(&notice.run) {
            Err(StoreError::NotFound(_)) => Ok(()),
            directory => notices::settle(&directory?, notice, attempt, retry_at),
        }
    }

    pub(super) fn get(&self, run: &RunId) -> Result<RunRecord, StoreError> {
        self.look(run, &self.directory(run)?)
    }

    fn look(&self, run: &RunId, directory: &Path) -> Result<RunRecord, StoreError> {
        if let Some(held) = self.holding(run) {
            return Ok(held.record());
        }
        let path = directory.join(EVENTS);
        let holder = holder(directory).map_err(at(directory))?;
        let saved = Record::load(run, directory);
        let length = fs::metadata(&path).map_err(at(&path))?.len();
        let head = match saved {
            // A living holder keeps it up to date.
            Some(saved) if holder.is_some() || saved.log.bytes == length => saved.head,
            saved => {
                let file = File::open(&path).map_err(at(&path))?;
                let (facts, _) = state(&path, &file, saved.as_ref())?;
                file.sync_data().map_err(at(&path))?;
                facts.head.ok_or_else(|| no_event(&path))?
            }
        };
        Ok(RunRecord { run_id: run.clone(), head, holder, behind: None })
    }

    pub(super) fn list(&self, filter: &RunFilter) -> Result<Vec<RunRecord>, StoreError> {
        let mut records = Vec::new();
        for entry in fs::read_dir(&self.runs).map_err(at(&self.runs))? {
            let entry = entry.map_err(at(&self.runs))?;
            if let Some(run) = run_of(&entry)
                && !is_foreign(&entry.path())
                && let Some(record) = self.listed(&run, &entry.path())?
            {
                records.push(record);
            }
        }
        page(records, filter)
    }

    /// The runs that can continue by themselves and that no process drives, the oldest first.
    pub(super) fn claimable(&self, now: Timestamp) -> Result<Vec<RunId>, StoreError> {
        let mut runs = self.list(&RunFilter::unfinished())?;
        runs.retain(|run| run.holder.is_none() && run.head.goes_on(now));
        runs.sort_by_cached_key(|run| run.head.turn());
        let mut claimable = Vec::with_capacity(runs.len());
        for run in runs {
            let behind = run.head.slot.as_ref().map(|slot| self.behind(&run.run_id, slot)).transpose()?;
            if behind.flatten().is_none() {
                claimable.push(run.run_id);
            }
        }
        Ok(claimable)
    }

    /// Claims runs within a limit. Of several processes that do this at once, each waits for the others.
    pub(super) fn claim_within(
        &self,
        most: usize,
        now: Timestamp,
        limit: &LabelLimit,
    ) -> Result<Vec<Lease>, StoreError> {
        let _turn = self.slots.turn(LIMITS)?;
        let mut runs = self.list(&RunFilter::unfinished())?;
        let mut room = Room::new(limit);
        runs.iter().filter(|run| run.holder.is_some()).for_each(|run| room.held(&run.head));
        runs.retain(|run| run.holder.is_none() && run.head.goes_on(now));
        runs.sort_by_cached_key(|run| run.head.turn());
        let mut leases: Vec<Lease> = Vec::new();
        let undo = |leases: Vec<Lease>| leases.iter().for_each(|lease| drop(self.release(lease)));
        for run in runs {
            if leases.len() >= most {
                break;
            }
            if !room.is_for(&run.head) {
                continue;
            }
            match self.claim(&run.run_id) {
                Ok(lease) if lease.behind.is_none() => {
                    leases.push(lease);
                    room.held(&run.head);
                }
                Ok(lease) => self.release(&lease)?,
                // Another process has claimed it.
                Err(StoreError::Held { .. } | StoreError::NotFound(_)) => {}
                Err(error) => {
                    undo(leases);
                    return Err(error);
                }
            }
        }
        Ok(leases)
    }

    /// The list entry of a run. A damaged run must not hide the others, and is listed too if possible.
    /// Claiming or reading it reports the damage.
    fn listed(&self, run: &RunId, directory: &Path) -> Result<Option<RunRecord>, StoreError> {
        match self.look(run, directory) {
            Ok(record) => Ok(Some(record)),
            Err(error @ StoreError::Corrupt { .. }) => {
                tracing::error!(%run, %error, "a run is damaged");
                let record = Record::load(run, directory);
                Ok(record.map(|record| RunRecord {
                    run_id: run.clone(),
                    head: record.head,
                    holder: None,
                    behind: None,
                }))
            }
            // Not ours, or deleted in the meantime.
            Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Removes temporary files whose creators died.
    pub(super) fn sweep(&self) {
        for directory in [&*self.runs, self.bundles.directory(), self.slots.directory()] {
            let Ok(entries) = fs::read_dir(directory) else { continue };
            for entry in entries.flatten() {
                if entry.file_name().to_string_lossy().starts_with(UNFINISHED) && is_left_behind(&entry) {
                    let path = entry.path();
                    let removed =
                        if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
                    tracing::info!(path = %path.display(), ?removed, "removed temporary files of a process that died");
                }
            }
        }
    }
}

/// The operations of a home on slots.
impl Home {
    /// Puts a new run in line. Returns the line, which must live until the run exists, and the run that has the slot.
    fn take_place(&self, run: &RunId, slot: &RunSlot) -> Result<(Line, Option<RunId>), StoreError> {
        let mut line = self.slots.line(&slot.key, |run| self.head(run))?;
        let holder = line.first().cloned();
        if let Some(holder) = &holder {
            match slot.mode {
                SlotMode::Queue => {}
                // If this process dies now, the other run is cancelled for a run that is never created.
                SlotMode::Cancel => drop(self.request(holder, Control::Cancel.into())?),
                SlotMode::Reject => {
                    return Err(StoreError::Busy { key: slot.key.clone(), holder: holder.clone() });
                }
            }
        }
        line.add(run)?;
        Ok((line, holder))
    }

    /// The run that has the slot, if `run` waits for it.
    fn behind(&self, run: &RunId, slot: &RunSlot) -> Result<Option<RunId>, StoreError> {
        let mut line = self.slots.line(&slot.key, |run| self.head(run))?;
        if !line.contains(run) && self.head(run)?.is_some_and(|head| !head.status.is_terminal()) {
            // The list was deleted.
            line.add(run)?;
        }
        Ok(line.first().filter(|first| *first != run && line.contains(run)).cloned())
    }

    /// Removes a run that has ended or was deleted, and notifies the watchers of the run that has the slot now.
    fn free_slot(&self, slot: &RunSlot) {
        let line = self.slots.line(&slot.key, |run| self.head(run));
        match line.and_then(|line| line.save().map(|()| line)) {
            Ok(line) => {
                if let Some(next) = line.first() {
                    self.signal.send(next);
                }
            }
            // The slot is free all the same.
            Err(error) => tracing::warn!(%error, key = slot.key, "cannot update the list of a slot"),
        }
    }

    /// The head of a run, if it exists. A damaged run without `run.json` cannot be driven, so it has no slot.
    fn head(&self, run: &RunId) -> Result<Option<RunHead>, StoreError> {
        match self.directory(run) {
            Ok(directory) => Ok(self.listed(run, &directory)?.map(|record| record.head)),
            Err(StoreError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn run_of(entry: &DirEntry) -> Option<RunId> {
    let directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
    directory.then(|| RunId::new(entry.file_name().to_str()?).ok())?
}

fn is_left_behind(entry: &DirEntry) -> bool {
    let old = || {
        let modified = entry.metadata().and_then(|metadata| metadata.modified());
        modified.is_ok_and(|time| time.elapsed().is_ok_and(|age| age > ABANDONED))
    };
    match is_abandoned(&entry.path()) {
        Ok(Some(abandoned)) => abandoned,
        Ok(None) | Err(_) => old(),
    }
}
