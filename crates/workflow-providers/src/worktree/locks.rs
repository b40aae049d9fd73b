//! Locks in the directory of the worktrees, across threads and processes. A lock ends with the process that
//! holds it.

use std::fs::{self, File, TryLockError};
use std::io::Write as _;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use workflow_core::ids::RunId;
use workflow_core::provider::ProviderError;
use workflow_core::stop::Stop;

use super::folder::{private_file, unable};
use crate::process::Control;

const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Held by the host that creates, commits or removes a worktree.
pub(super) struct Turn<'c> {
    file: File,
    timeout: Duration,
    control: &'c Control,
}

/// Held, together with others, by the calls of a run that are in progress.
pub(super) struct InUse(File);

/// Waits until `lock` succeeds, unless the call is told to stop or it takes too long.
fn wait(
    path: &Path,
    timeout: Duration,
    control: &Control,
    mut lock: impl FnMut() -> Result<(), TryLockError>,
) -> Result<(), ProviderError> {
    let began = Instant::now();
    loop {
        match lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(unable(path, &error)),
            Err(TryLockError::WouldBlock) if control.asked() != Stop::None => {
                return Err(ProviderError::cancelled());
            }
            Err(TryLockError::WouldBlock) if began.elapsed() >= timeout => return Err(held(path, timeout)),
            Err(TryLockError::WouldBlock) => thread::sleep(LOOK_AGAIN),
        }
    }
}

fn held(path: &Path, timeout: Duration) -> ProviderError {
    let last = fs::read_to_string(path).unwrap_or_default();
    let last = match last.trim().parse::<u32>() {
        Ok(process) => format!("; the last host that held it is process {process}"),
        Err(_) => String::new(),
    };
    let path = path.display();
    ProviderError::transient(format!(
        "{path} was locked for more than {timeout:?} by another process, which creates, commits or removes a \
         worktree{last}: wait for it, or find it with `fuser {path}`, and kill it if it hangs"
    ))
}

impl<'c> Turn<'c> {
    /// Waits for the turn.
    pub(super) fn wait(
        directory: &Path,
        timeout: Duration,
        control: &'c Control,
    ) -> Result<Self, ProviderError> {
        let path = directory.join(".lock");
        let wrong = |error| unable(&path, &error);
        let mut file = private_file(&path).map_err(wrong)?;
        wait(&path, timeout, control, || file.try_lock())?;
        // A host that times out names this process in its error.
        file.set_len(0).and_then(|()| write!(file, "{}", std::process::id())).map_err(wrong)?;
        Ok(Self { file, timeout, control })
    }
}

impl InUse {
    /// Records, in its turn, that a call of the run is in progress. Returns whether it is the only one.
    pub(super) fn begin(
        turn: &Turn<'_>,
        directory: &Path,
        run: &RunId,
    ) -> Result<(Self, bool), ProviderError> {
        let path = directory.join(format!("{run}.lock"));
        let wrong = |error| unable(&path, &error);
        let file = private_file(&path).map_err(wrong)?;
        let is_alone = file.try_lock().is_ok();
        file.unlock().map_err(wrong)?;
        // The exclusive lock is held by the host that has the turn, or by another program.
        wait(&path, turn.timeout, turn.control, || file.try_lock_shared())?;
        // The most recently used worktrees are kept longest.
        file.set_modified(SystemTime::now()).map_err(wrong)?;
        Ok((Self(file), is_alone))
    }

    /// Ends the use by this call. Returns whether, in this turn, no other call of the run is in progress.
    pub(super) fn end(self, _turn: &Turn<'_>) -> bool {
        self.0.unlock().is_ok() && self.0.try_lock().is_ok()
    }

    /// Executes `remove` unless a call of the run is in progress, and deletes the lock file of the run if
    /// `remove` returns `true`.
    pub(super) fn unless(
        _turn: &Turn<'_>,
        directory: &Path,
        run: &RunId,
        remove: impl FnOnce() -> Result<bool, ProviderError>,
    ) -> Result<bool, ProviderError> {
        let path = directory.join(format!("{run}.lock"));
        let file = Self(private_file(&path).map_err(|error| unable(&path, &error))?);
        let removed = file.0.try_lock().is_ok() && remove()?;
        if removed {
            fs::remove_file(&path).map_err(|error| unable(&path, &error))?;
        }
        Ok(removed)
    }
}

// Written by hand: a program that is being started has a copy of the file for a moment, which would keep the
// lock.
impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let _ = self.file.unlock();
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}
