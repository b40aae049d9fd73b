//! Buffers the output of calls on its way to the store: bounded, and without delaying state changes.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures::channel::oneshot;
use futures::future::BoxFuture;
use workflow_core::ids::NodePath;
use workflow_core::machine::State;
use workflow_core::output::{OutputEntry, OutputKind};
use workflow_core::provider::{CallId, SessionLost};
use workflow_core::usage::Usage;

use crate::active::{Inbox, SessionNote, UsageNote};
use crate::call::{OfRun, Outlet};
use crate::redact::Known;
use crate::shared::Shared;

/// A run buffers at most this many entries, and this many bytes of text, that are not stored yet.
const MOST_ENTRIES: usize = 8_192;
const MOST_BYTES: usize = 4 << 20;

/// The output buffer of a run, shared by its calls.
pub(crate) struct RunIo {
    of_run: OfRun,
    inbox: Arc<Inbox>,
    stored: AtomicU64,
    buffer: Mutex<Buffer>,
    /// Whether anything was ever put into the buffer, readable without its lock: many calls write nothing.
    is_used: AtomicBool,
}

#[derive(Default)]
struct Buffer {
    entries: Vec<OutputEntry>,
    bytes: usize,
    next: u64,
    dropped: u64,
}

impl RunIo {
    pub(crate) fn new(engine: &Shared, inbox: Arc<Inbox>, state: &State) -> Self {
        let created = state.created();
        Self {
            of_run: OfRun::new(engine, created.run.clone(), created.seed),
            inbox,
            stored: AtomicU64::new(state.last_event()),
            buffer: Mutex::default(),
            is_used: AtomicBool::new(false),
        }
    }

    /// The secrets of the run.
    pub(crate) fn secrets(&self) -> &Known {
        &self.of_run.secrets
    }

    /// Notes the number of the last stored entry. New entries are numbered after it.
    pub(crate) fn go_on_after(&self, last_output: u64) {
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner).next = last_output + 1;
    }

    /// Notes the number of the last stored event, which entries refer to.
    pub(crate) fn stored(&self, last_event: u64) {
        self.stored.store(last_event, Ordering::Release);
    }

    /// Takes the entries that are to be stored next.
    pub(crate) fn take(&self) -> Vec<OutputEntry> {
        if !self.is_used.load(Ordering::Acquire) {
            return Vec::new();
        }
        let mut buffer = self.buffer.lock().unwrap_or_else(PoisonError::into_inner);
        buffer.bytes = 0;
        std::mem::take(&mut buffer.entries)
    }

    /// Whether entries wait to be stored.
    pub(crate) fn has_entries(&self) -> bool {
        self.is_used.load(Ordering::Acquire)
            && !self.buffer.lock().unwrap_or_else(PoisonError::into_inner).entries.is_empty()
    }

    /// Puts entries that could not be stored yet before those that were added since.
    pub(crate) fn put_back(&self, mut entries: Vec<OutputEntry>) {
        let mut buffer = self.buffer.lock().unwrap_or_else(PoisonError::into_inner);
        buffer.bytes += entries.iter().map(|entry| entry.text.len()).sum::<usize>();
        entries.append(&mut buffer.entries);
        buffer.entries = entries;
    }

    /// Counts entries that could not be stored as dropped. Their numbers are used again.
    pub(crate) fn lost(&self, entries: &[OutputEntry]) {
        let mut buffer = self.buffer.lock().unwrap_or_else(PoisonError::into_inner);
        let lost: u64 = entries
            .iter()
            .map(|entry| match entry.kind {
                OutputKind::Dropped => entry.text.parse().unwrap_or(0),
                _ => 1,
            })
            .sum();
        buffer.dropped += lost;
        buffer.next -= entries.len() as u64;
        let shift = entries.len() as u64;
        buffer.entries.iter_mut().for_each(|entry| entry.number -= shift);
    }

    /// Adds an entry with the number of dropped entries that no entry has reported yet.
    pub(crate) fn finish(&self, path: &NodePath, attempt: u32) {
        if !self.is_used.load(Ordering::Acquire) {
            return;
        }
        let mut buffer = self.buffer.lock().unwrap_or_else(PoisonError::into_inner);
        self.push_dropped(&mut buffer, path, attempt);
    }

    fn push_dropped(&self, buffer: &mut Buffer, path: &NodePath, attempt: u32) {
        if buffer.dropped > 0 {
            let text = std::mem::take(&mut buffer.dropped).to_string();
            self.push(buffer, path, attempt, OutputKind::Dropped, text);
        }
    }

    fn push(&self, buffer: &mut Buffer, path: &NodePath, attempt: u32, kind: OutputKind, text: String) {
        self.is_used.store(true, Ordering::Release);
        buffer.bytes += text.len();
        buffer.entries.push(OutputEntry {
            number: buffer.next,
            after_event: self.stored.load(Ordering::Acquire),
            at: self.of_run.clock.now(),
            path: path.clone(),
            attempt,
            kind,
            text,
        });
        buffer.next += 1;
    }
}

impl Outlet for RunIo {
    #[inline]
    fn of_run(&self) -> &OfRun {
        &self.of_run
    }

    fn output(&self, path: &NodePath, attempt: u32, kind: OutputKind, text: String) {
        let mut buffer = self.buffer.lock().unwrap_or_else(PoisonError::into_inner);
        let was_empty = buffer.entries.is_empty();
        if buffer.entries.len() >= MOST_ENTRIES || buffer.bytes + text.len() > MOST_BYTES {
            buffer.dropped += 1;
            return;
        }
        self.push_dropped(&mut buffer, path, attempt);
        self.push(&mut buffer, path, attempt, kind, text);
        drop(buffer);
        if was_empty {
            self.inbox.wake();
        }
    }

    fn usage(&self, call: &CallId, usage: Usage) {
        let note = UsageNote { path: call.path.clone(), attempt: call.attempt, usage };
        self.inbox.note_usage(note);
    }

    fn record_session<'a>(
        &'a self,
        call: &'a CallId,
        session: &'a str,
    ) -> BoxFuture<'a, Result<(), SessionLost>> {
        let (done, stored) = oneshot::channel();
        self.inbox.note_session(SessionNote {
            path: call.path.clone(),
            attempt: call.attempt,
            session: session.into(),
            done,
        });
        Box::pin(async move { stored.await.map_err(|_| SessionLost) })
    }
}
