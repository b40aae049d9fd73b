//! `.controls`: one file that changes whenever any process sends a control request to any run.
//!
//! With it, one thread that polls one file notices the control requests of all runs.

use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, SystemTime};

use workflow_core::ids::RunId;
use workflow_core::store::{Watcher, Watchers, Watching};

use crate::disk::private;
use crate::sync::lock;

/// How often the file is polled while there are watchers.
const EVERY: Duration = Duration::from_millis(25);

/// The file grows by a byte with each control request up to this size, and is truncated then.
const LARGEST: u64 = 64 << 10;

/// Notifies watchers of control requests, including those of other processes.
pub(super) struct Signal {
    shared: Arc<Shared>,
}

struct Shared {
    path: PathBuf,
    watchers: Watchers,
    look: Mutex<Look>,
    changed: Condvar,
}

#[derive(Default)]
struct Look {
    /// The state of the file at the last poll.
    seen: Seen,
    polling: bool,
    closed: bool,
}

type Seen = Option<(u64, SystemTime)>;

impl Signal {
    pub(super) fn new(path: PathBuf) -> Self {
        let shared =
            Shared { path, watchers: Watchers::default(), look: Mutex::default(), changed: Condvar::new() };
        Self { shared: Arc::new(shared) }
    }

    pub(super) fn watch(&self, watcher: Watcher) -> Watching {
        let watching = self.shared.watchers.add(watcher);
        let mut look = lock(&self.shared.look);
        if !look.polling {
            look.seen = self.shared.stat();
            let shared = Arc::clone(&self.shared);
            let thread = thread::Builder::new().name("workflow-controls".to_owned());
            match thread.spawn(move || shared.poll()) {
                Ok(_) => look.polling = true,
                Err(error) => {
                    tracing::error!(%error, "cannot watch for control requests of other processes; they are noticed late");
                }
            }
        }
        watching
    }

    /// Notifies all watchers of a control request for `run`.
    pub(super) fn send(&self, run: &RunId) {
        if let Err(error) = self.shared.bump() {
            let path = self.shared.path.display();
            tracing::warn!(%path, %error, "cannot signal a control request; other processes notice it late");
        }
        self.shared.watchers.call(Some(run));
    }
}

impl Drop for Signal {
    fn drop(&mut self) {
        lock(&self.shared.look).closed = true;
        self.shared.changed.notify_all();
    }
}

impl Shared {
    fn stat(&self) -> Seen {
        let metadata = fs::metadata(&self.path).ok()?;
        Some((metadata.len(), metadata.modified().ok()?))
    }

    fn bump(&self) -> io::Result<()> {
        let mut look = lock(&self.look);
        let before = self.stat();
        let mut file = private().append(true).create(true).open(&self.path)?;
        if before.is_some_and(|(length, _)| length >= LARGEST) {
            file.set_len(0)?;
        }
        file.write_all(b".")?;
        let after = self.stat();
        // If no other process wrote in between, the watchers of this process need no second notification.
        let length = |seen: Seen| seen.map_or(0, |(length, _)| length);
        if before == look.seen && length(after) == length(before) + 1 {
            look.seen = after;
        }
        Ok(())
    }

    fn poll(&self) {
        loop {
            {
                let look = lock(&self.look);
                let (mut look, _) =
                    self.changed.wait_timeout(look, EVERY).unwrap_or_else(std::sync::PoisonError::into_inner);
                if look.closed || self.watchers.is_empty() {
                    look.polling = false;
                    return;
                }
                let now = self.stat();
                if now == look.seen {
                    continue;
                }
                look.seen = now;
            }
            self.watchers.call(None);
        }
    }
}
