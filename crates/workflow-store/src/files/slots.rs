//! `slots`: which runs share a slot, and in which order they came.
//!
//! A file for each key lists the runs; the first of them that has not ended has the slot. So the event that ends a run frees its
//! slot, and a process that dies before it has removed the run from the list leaves nothing to repair.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};
use workflow_core::bundle::BundleHash;
use workflow_core::ids::RunId;
use workflow_core::store::{RunHead, RunSlot, StoreError};

use crate::disk::{
    Content, at, create_dir_all, private, replace, take_turn, unfinished, writable_by_owner_alone,
};

/// Held by whoever changes a list, or has to know that it does not change.
const LOCK: &str = "lock";

/// Where the lists are.
pub(super) struct Slots {
    directory: PathBuf,
}

/// The content of a list.
#[derive(Debug, Serialize, Deserialize)]
struct List {
    key: String,
    runs: Vec<RunId>,
}

/// The list of a key, which no other process or thread changes meanwhile.
pub(super) struct Line {
    path: PathBuf,
    list: List,
    _lock: File,
}

impl Slots {
    pub(super) fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Waits until no other process or thread has the lock of that name, and takes it.
    pub(super) fn turn(&self, name: &str) -> Result<File, StoreError> {
        create_dir_all(&self.directory).map_err(at(&self.directory))?;
        writable_by_owner_alone(&self.directory)?;
        let path = self.directory.join(name);
        let lock = private().write(true).create(true).truncate(false).open(&path).map_err(at(&path))?;
        take_turn(&lock).map_err(at(&path))?;
        Ok(lock)
    }

    /// Reads the list of a key. `head` returns the head of a run that exists.
    pub(super) fn line(
        &self,
        key: &str,
        head: impl Fn(&RunId) -> Result<Option<RunHead>, StoreError>,
    ) -> Result<Line, StoreError> {
        let lock = self.turn(LOCK)?;
        let path = self.directory.join(format!("{}.json", BundleHash::of(key)));
        let mut list = read(&path, key)?;
        let mut waiting = Vec::with_capacity(list.runs.len());
        for run in list.runs {
            // A run of that id may have been created again, and need another slot.
            if head(&run)?.is_some_and(|head| {
                !head.status.is_terminal() && head.slot.is_some_and(|slot| slot.key == key)
            }) {
                waiting.push(run);
            }
        }
        list.runs = waiting;
        Ok(Line { path, list, _lock: lock })
    }
}

impl Line {
    /// The run that has the slot.
    pub(super) fn first(&self) -> Option<&RunId> {
        self.list.runs.first()
    }

    pub(super) fn contains(&self, run: &RunId) -> bool {
        self.list.runs.contains(run)
    }

    /// Adds a run that is about to be created.
    pub(super) fn add(&mut self, run: &RunId) -> Result<(), StoreError> {
        self.list.runs.push(run.clone());
        self.save()
    }

    /// Stores the list without the runs that have ended.
    pub(super) fn save(&self) -> Result<(), StoreError> {
        if self.list.runs.is_empty() {
            return match fs::remove_file(&self.path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(&self.path)(error)),
                _ => Ok(()),
            };
        }
        let mut text = serde_json::to_vec(&self.list).map_err(|error| at(&self.path)(error.into()))?;
        text.push(b'\n');
        let temporary = self.path.with_file_name(unfinished("slot"));
        replace(&self.path, &temporary, &text, Content::Private).map_err(at(&self.path))
    }
}

fn read(path: &Path, key: &str) -> Result<List, StoreError> {
    let text = match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(List { key: key.to_owned(), runs: Vec::new() });
        }
        text => text.map_err(at(path))?,
    };
    serde_json::from_slice(&text).map_err(|error| StoreError::Corrupt {
        place: path.display().to_string(),
        message: format!(
            "{error}. The file was changed or damaged: delete it when no run with the key `{key}` is in progress"
        ),
    })
}

/// The slot of a run that this store holds.
pub(super) struct HeldSlot {
    pub(super) slot: Arc<RunSlot>,
    /// Whether the run has it. Then it has it until it ends.
    has: AtomicBool,
}

impl HeldSlot {
    pub(super) fn new(slot: &Arc<RunSlot>) -> Self {
        Self { slot: Arc::clone(slot), has: AtomicBool::new(false) }
    }

    pub(super) fn is_had(&self) -> bool {
        self.has.load(Ordering::Relaxed)
    }

    pub(super) fn had(&self) {
        self.has.store(true, Ordering::Relaxed);
    }
}
