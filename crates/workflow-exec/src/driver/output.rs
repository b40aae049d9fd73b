//! Buffers the output of calls on its way to the store: bounded, and without delaying state changes.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::channel::oneshot;
use futures::future::{BoxFuture, ready};
use futures::task::AtomicWaker;
use jiff::Timestamp;
use workflow_core::ids::{NodePath, RunId};
use workflow_core::machine::State;
use workflow_core::output::{OutputEntry, OutputKind};
use workflow_core::provider::{CallHost, CallId, SessionLost};
use workflow_core::redact::{Piece, Redactor, Stream};
use workflow_core::stop::StopState;
use workflow_core::usage::Usage;

use crate::active::{Inbox, SessionNote, UsageNote};
use crate::redact::Known;
use crate::runtime::Timer;
use crate::shared::Shared;
use crate::steady::Steady;

/// A run buffers at most this many entries, and this many bytes of text, that are not stored yet.
const MOST_ENTRIES: usize = 8_192;
const MOST_BYTES: usize = 4 << 20;

/// Providers split longer lines, between two characters: the next entry may continue the same line.
const LONG_LINE: usize = 64 * 1024 - 3;

/// The output buffer of a run, shared by its calls.
pub(crate) struct RunIo {
    run: RunId,
    seed: u64,
    clock: Arc<Steady>,
    timer: Arc<dyn Timer>,
    inbox: Arc<Inbox>,
    pub secrets: Known,
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

/// One call's connection to its run.
pub(crate) struct CallIo {
    run: Arc<RunIo>,
    pub attempt: u32,
    pub stop: StopState,
    /// How long the call may take to end after it was told to stop. `None`: its future is dropped at once.
    pub grace: Option<Duration>,
    /// When the call last showed activity, in milliseconds of the monotonic clock.
    heard: AtomicU64,
    abandoned: AtomicBool,
    waker: AtomicWaker,
    /// A redactor for each kind of output, if there are secrets: one can begin in one entry and end in the
    /// next.
    said: Mutex<Vec<(OutputKind, Stream)>>,
}

impl RunIo {
    pub(crate) fn new(engine: &Shared, inbox: Arc<Inbox>, state: &State) -> Self {
        Self {
            run: state.created().run.clone(),
            seed: state.created().seed,
            clock: engine.clock.clone(),
            timer: engine.timer.clone(),
            inbox,
            secrets: Known::default(),
            stored: AtomicU64::new(state.last_event()),
            buffer: Mutex::default(),
            is_used: AtomicBool::new(false),
        }
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
            at: self.clock.now(),
            path: path.clone(),
            attempt,
            kind,
            text,
        });
        buffer.next += 1;
    }
}

impl AsRef<StopState> for CallIo {
    fn as_ref(&self) -> &StopState {
        &self.stop
    }
}

impl CallIo {
    pub(crate) fn new(run: Arc<RunIo>, attempt: u32, grace: Option<Duration>) -> Self {
        Self {
            run,
            attempt,
            stop: StopState::default(),
            grace,
            heard: AtomicU64::new(0),
            abandoned: AtomicBool::new(false),
            waker: AtomicWaker::new(),
            said: Mutex::default(),
        }
    }

    /// Which call it is; its node is at `path`.
    pub(crate) fn id(&self, path: &NodePath) -> CallId {
        let RunIo { run, seed, .. } = &*self.run;
        CallId { run: run.clone(), seed: *seed, path: path.clone(), attempt: self.attempt }
    }

    /// Ends the call without its provider, whose grace period is over.
    pub(crate) fn abandon(&self) {
        self.abandoned.store(true, Ordering::Release);
        self.waker.wake();
    }

    /// Ready when the call is to end without its provider.
    pub(crate) fn poll_abandoned(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.waker.register(cx.waker());
        if self.abandoned.load(Ordering::Acquire) { Poll::Ready(()) } else { Poll::Pending }
    }

    pub(crate) fn hear(&self) {
        self.heard.store(milliseconds(self.run.clock.elapsed()), Ordering::Release);
    }

    /// How long the call has shown no activity.
    pub(crate) fn quiet(&self) -> Duration {
        let now = milliseconds(self.run.clock.elapsed());
        Duration::from_millis(now.saturating_sub(self.heard.load(Ordering::Acquire)))
    }

    /// The host's monotonic clock, if it has one.
    pub(crate) fn monotonic(&self) -> Option<Duration> {
        self.run.clock.monotonic()
    }

    pub(crate) fn secrets(&self) -> &Known {
        &self.run.secrets
    }

    /// Passes on text that was held back because it could have been the beginning of a secret.
    #[inline]
    pub(crate) fn last_words(&self, path: &NodePath) {
        if self.run.secrets.are_any() {
            self.finish_streams(path);
        }
    }

    fn finish_streams(&self, path: &NodePath) {
        for (kind, mut stream) in std::mem::take(&mut *lock(&self.said)) {
            stream.finish(|text| self.push(path, kind, text));
        }
    }

    fn push(&self, path: &NodePath, kind: OutputKind, text: String) {
        let mut buffer = lock(&self.run.buffer);
        let was_empty = buffer.entries.is_empty();
        if buffer.entries.len() >= MOST_ENTRIES || buffer.bytes + text.len() > MOST_BYTES {
            buffer.dropped += 1;
            return;
        }
        self.run.push_dropped(&mut buffer, path, self.attempt);
        self.run.push(&mut buffer, path, self.attempt, kind, text);
        drop(buffer);
        if was_empty {
            self.run.inbox.wake();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl CallHost for CallIo {
    fn output(&self, call: &CallId, kind: OutputKind, text: String) {
        self.hear();
        let Some(redactor) = self.run.secrets.redactor() else {
            return self.push(&call.path, kind, text);
        };
        let piece = match kind {
            OutputKind::TextDelta => Piece::Delta,
            _ if text.len() >= LONG_LINE => Piece::Part,
            _ => Piece::Line,
        };
        let mut said = lock(&self.said);
        let known = said.iter().position(|(said, _)| *said == kind);
        let number = known.unwrap_or_else(|| {
            said.push((kind, redactor.stream()));
            said.len() - 1
        });
        if let Some((_, stream)) = said.get_mut(number) {
            stream.push(text, piece, |text| self.push(&call.path, kind, text));
        }
    }

    fn now(&self) -> Timestamp {
        self.run.clock.now()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.run.timer.sleep(duration)
    }

    fn alive(&self) {
        self.hear();
    }

    fn usage(&self, call: &CallId, usage: Usage) {
        self.hear();
        let note = UsageNote { path: call.path.clone(), attempt: call.attempt, usage };
        self.run.inbox.note_usage(note);
    }

    fn redactor(&self) -> Redactor {
        self.run.secrets.redactor().unwrap_or_default()
    }

    fn record_session<'a>(
        &'a self,
        call: &'a CallId,
        session: &'a str,
    ) -> BoxFuture<'a, Result<(), SessionLost>> {
        let (done, stored) = oneshot::channel();
        self.hear();
        if self.run.secrets.is_in_session(session) {
            return Box::pin(ready(Ok(())));
        }
        self.run.inbox.note_session(SessionNote {
            path: call.path.clone(),
            attempt: call.attempt,
            session: session.into(),
            done,
        });
        Box::pin(async move { stored.await.map_err(|_| SessionLost) })
    }
}
