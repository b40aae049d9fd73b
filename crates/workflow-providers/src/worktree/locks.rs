//! Who may do what in the directory of the worktrees, across threads and processes. A lock goes with the process that
//! holds it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, SystemTime};

use workflow_core::ids::RunId;
use workflow_core::provider::ProviderError;
use workflow_core::stop::Stop;

use crate::process::Control;

const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Held by whoever makes, commits or removes.
pub(super) struct Turn(File);

/// Held, together with others, by the calls of a run that are under way.
pub(super) struct InUse(File);

fn file(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).write(true).truncate(false).open(path)
}

pub(super) fn unable(what: &Path, error: &io::Error) -> ProviderError {
    ProviderError::transient(format!("{}: {error}", what.display()))
}

impl Turn {
    /// Waits for the turn, unless the call is told to stop.
    pub(super) fn wait(directory: &Path, control: &Control) -> Result<Self, ProviderError> {
        let path = directory.join(".lock");
        let file = file(&path).map_err(|error| unable(&path, &error))?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self(file)),
                Err(TryLockError::WouldBlock) if control.asked() == Stop::None => thread::sleep(LOOK_AGAIN),
                Err(TryLockError::WouldBlock) => return Err(ProviderError::cancelled()),
                Err(TryLockError::Error(error)) => return Err(unable(&path, &error)),
            }
        }
    }
}

impl InUse {
    /// Notes, in its turn, that a call of the run is under way. Tells whether it is the only one.
    pub(super) fn begin(_turn: &Turn, directory: &Path, run: &RunId) -> Result<(Self, bool), ProviderError> {
        let path = directory.join(format!("{run}.lock"));
        let begin = || {
            let file = file(&path)?;
            let is_alone = file.try_lock().is_ok();
            file.unlock()?;
            file.lock_shared()?;
            // The worktrees that were used last are kept longest.
            file.set_modified(SystemTime::now())?;
            io::Result::Ok((Self(file), is_alone))
        };
        begin().map_err(|error| unable(&path, &error))
    }

    /// Whether, in this turn, no other call of the run is under way. This one no longer is.
    pub(super) fn end(self, _turn: &Turn) -> bool {
        self.0.unlock().is_ok() && self.0.try_lock().is_ok()
    }

    /// Does `remove` unless a call of the run is under way, and forgets the run when it says so.
    pub(super) fn unless(
        _turn: &Turn,
        directory: &Path,
        run: &RunId,
        remove: impl FnOnce() -> Result<bool, ProviderError>,
    ) -> Result<bool, ProviderError> {
        let path = directory.join(format!("{run}.lock"));
        let file = Self(file(&path).map_err(|error| unable(&path, &error))?);
        let removed = file.0.try_lock().is_ok() && remove()?;
        if removed {
            fs::remove_file(&path).map_err(|error| unable(&path, &error))?;
        }
        Ok(removed)
    }
}

// By hand: a program that is being started has a copy of the file for a moment, which would keep the lock.
impl Drop for Turn {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}
