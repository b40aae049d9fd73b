//! `lock`: which process drives a run.
//!
//! The lease itself is the operating system's lock on the file, so it ends with the process that holds it.
//! The content of the file is for users and for the next holder: the epoch, and whether the last holder
//! released the run properly.

use std::fs::{File, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::disk::{lock, private};
use crate::host;

const FILE: &str = "lock";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum State {
    /// By the process that has the lock, if any has it.
    Held,
    Released,
    /// The run of this file was deleted; another run with its id may exist.
    Deleted,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Note {
    epoch: u64,
    state: State,
    process: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    host: Option<String>,
    /// How many holders in a row died, and the length of the log then. If the log has grown since, counting
    /// starts over.
    #[serde(default, skip_serializing_if = "is_zero")]
    deaths: u32,
    #[serde(default, skip_serializing_if = "is_zero")]
    length: u64,
}

fn is_zero<T: Default + PartialEq>(number: &T) -> bool {
    *number == T::default()
}

/// The lock of a run, held.
#[derive(Debug)]
pub(super) struct RunLock {
    file: File,
    note: Note,
}

/// The result of trying to take a lock.
pub(super) enum Taken {
    Lock(RunLock),
    /// A living process has it.
    Held(String),
    /// The run was deleted in the meantime.
    Deleted,
}

impl RunLock {
    /// Takes the lock of the run in `directory`, and records the new holder. Its epoch is higher than those
    /// of its former holders, and than `above`. `length` is the length of the run's log.
    pub(super) fn take(
        directory: &Path,
        host: Option<&str>,
        above: u64,
        length: impl FnOnce() -> io::Result<u64>,
    ) -> io::Result<Taken> {
        let mut file = private().read(true).write(true).create(true).truncate(false).open(path(directory))?;
        if !lock(&file)? {
            return Ok(Taken::Held(describe(read(&mut file).as_ref())));
        }
        // A record that cannot be read was truncated by a crash: only the lock counts.
        let before = read(&mut file);
        if before.as_ref().is_some_and(|note| note.state == State::Deleted) {
            return Ok(Taken::Deleted);
        }
        let epoch = before.as_ref().map_or(0, |note| note.epoch);
        let length = length()?;
        let deaths = before.map_or(0, |note| {
            let counted = if note.length == length { note.deaths } else { 0 };
            counted.saturating_add(u32::from(note.state == State::Held))
        });
        let note = Note {
            epoch: epoch.max(above) + 1,
            state: State::Held,
            process: std::process::id(),
            host: host.map(str::to_owned),
            deaths,
            length: if deaths > 0 { length } else { 0 },
        };
        let mut lock = Self { file, note };
        lock.write()?;
        // If a power failure loses this first record, the same one is written again: its holder is gone too.
        if epoch > 0 {
            lock.file.sync_data()?;
        }
        Ok(Taken::Lock(lock))
    }

    pub(super) fn epoch(&self) -> u64 {
        self.note.epoch
    }

    /// How many holders in a row died since the last event.
    pub(super) fn deaths(&self) -> u32 {
        self.note.deaths
    }

    /// Describes the holder, for messages.
    pub(super) fn holder(&self) -> String {
        describe(Some(&self.note))
    }

    pub(super) fn release(&mut self) -> io::Result<()> {
        self.unlock_as(State::Released)
    }

    /// Releases the lock of a run whose directory was moved away.
    pub(super) fn release_deleted(mut self) -> io::Result<()> {
        self.unlock_as(State::Deleted)
    }

    fn unlock_as(&mut self, state: State) -> io::Result<()> {
        self.note.state = state;
        let written = self.write();
        self.file.unlock()?;
        written
    }

    fn write(&mut self) -> io::Result<()> {
        let mut text = serde_json::to_vec(&self.note)?;
        text.push(b'\n');
        self.file.rewind()?;
        self.file.write_all(&text)?;
        self.file.set_len(text.len() as u64)
    }
}

/// Describes the living process that drives the run in `directory`, if there is one.
pub(super) fn holder(directory: &Path) -> io::Result<Option<String>> {
    let mut file = match File::open(path(directory)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let note = read(&mut file);
    if note.as_ref().is_some_and(|note| note.state != State::Held) {
        return Ok(None);
    }
    match file.try_lock_shared() {
        Ok(()) => Ok(None),
        Err(TryLockError::WouldBlock) => Ok(Some(describe(note.as_ref()))),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Whether no process has the lock of the directory of an unfinished run; `None` if the directory has no lock
/// file yet, or an empty one, which its creator may be about to lock.
pub(super) fn is_abandoned(directory: &Path) -> io::Result<Option<bool>> {
    match File::open(path(directory)) {
        Ok(file) if file.metadata()?.len() == 0 => Ok(None),
        Ok(file) => match file.try_lock() {
            Ok(()) => Ok(Some(true)),
            Err(TryLockError::WouldBlock) => Ok(Some(false)),
            Err(TryLockError::Error(error)) => Err(error),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn path(directory: &Path) -> PathBuf {
    directory.join(FILE)
}

fn read(file: &mut File) -> Option<Note> {
    let mut text = Vec::new();
    file.rewind().ok()?;
    file.take(4096).read_to_end(&mut text).ok()?;
    // The end of a longer former record may still follow the line.
    serde_json::from_slice(text.split(|byte| *byte == b'\n').next()?).ok()
}

fn describe(note: Option<&Note>) -> String {
    match note {
        Some(note) => host::describe(note.process, note.host.as_deref()),
        None => "another process".to_owned(),
    }
}
