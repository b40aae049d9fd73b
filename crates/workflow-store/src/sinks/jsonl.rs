//! A sink that writes JSON lines.

use std::fmt;
use std::io::{self, BufWriter, Write};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde::Serialize;
use workflow_core::event::Event;
use workflow_core::ids::RunId;
use workflow_core::output::OutputEntry;
use workflow_core::sink::EventSink;

use crate::sync::lock;
use crate::worker::Worker;

/// Writes a line for each event and output entry of all runs: `{"run":"…","event":{…}}` or
/// `{"run":"…","output":{…}}`.
///
/// A thread writes them, and flushes when nothing waits. At most as many wait as the sink was made
/// for; what comes beyond that is left out, and a line `{"dropped":{"events":1,"output":2}}` tells
/// how much is missing there. Dropping the sink waits until everything is written.
pub struct JsonlSink {
    worker: Worker,
    shared: Arc<Shared>,
    capacity: usize,
    /// What was left out since the last line that was taken.
    gap: Mutex<Gap>,
}

struct Shared {
    waiting: AtomicUsize,
    lost: AtomicU64,
    out: Mutex<Out>,
}

struct Out {
    writer: BufWriter<Box<dyn Write + Send>>,
    /// How many events and entries are in the writer's buffer.
    unflushed: u64,
    failed: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
struct Gap {
    events: u64,
    output: u64,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Line<'a> {
    Event { run: &'a RunId, event: &'a Event },
    Output { run: &'a RunId, output: &'a OutputEntry },
    Dropped { dropped: Gap },
}

impl JsonlSink {
    /// Writes to `writer`. At most `capacity` events and entries wait to be written.
    ///
    /// # Errors
    ///
    /// When the thread cannot be started.
    pub fn new(writer: impl Write + Send + 'static, capacity: usize) -> io::Result<Self> {
        let out = Out { writer: BufWriter::new(Box::new(writer)), unflushed: 0, failed: false };
        Ok(Self {
            worker: Worker::spawn("workflow-jsonl")?,
            shared: Arc::new(Shared {
                waiting: AtomicUsize::new(0),
                lost: AtomicU64::new(0),
                out: Mutex::new(out),
            }),
            capacity,
            gap: Mutex::default(),
        })
    }

    /// How many events and entries will never be written: because too many waited, or because
    /// writing failed.
    pub fn lost(&self) -> u64 {
        self.shared.lost.load(Ordering::Relaxed)
    }

    /// Has `write` write `count` events or entries, unless too many wait.
    fn push(
        &self,
        count: usize,
        missing: Gap,
        write: impl FnOnce(&mut Out) -> io::Result<()> + Send + 'static,
    ) {
        let gap = {
            let mut gap = lock(&self.gap);
            let waiting = self.shared.waiting.load(Ordering::Acquire);
            if waiting + count > self.capacity {
                gap.events += missing.events;
                gap.output += missing.output;
                self.shared.lost.fetch_add(count as u64, Ordering::Relaxed);
                return;
            }
            self.shared.waiting.fetch_add(count, Ordering::AcqRel);
            std::mem::take(&mut *gap)
        };
        let shared = Arc::clone(&self.shared);
        self.worker.submit(move |_| {
            let mut out = lock(&shared.out);
            let idle = shared.waiting.fetch_sub(count, Ordering::AcqRel) == count;
            let lost = out.write(count as u64, gap, idle, write);
            shared.lost.fetch_add(lost, Ordering::Relaxed);
        });
    }
}

impl Out {
    /// Returns how many events and entries are lost, these or earlier ones.
    fn write(
        &mut self,
        count: u64,
        gap: Gap,
        flush: bool,
        write: impl FnOnce(&mut Self) -> io::Result<()>,
    ) -> u64 {
        if self.failed {
            return count;
        }
        self.unflushed += count;
        let mut result =
            if gap == Gap::default() { Ok(()) } else { self.line(&Line::Dropped { dropped: gap }) };
        result = result.and_then(|()| write(self));
        if flush {
            result = result.and_then(|()| self.writer.flush());
        }
        match result {
            Ok(()) => {
                if flush {
                    self.unflushed = 0;
                }
                0
            }
            Err(error) => {
                tracing::error!(%error, "cannot write events; all further ones are dropped");
                self.failed = true;
                // What is in the buffer must not come later without what was before it.
                let none = BufWriter::new(Box::new(io::sink()) as Box<dyn Write + Send>);
                drop(std::mem::replace(&mut self.writer, none).into_parts());
                self.unflushed
            }
        }
    }

    fn line(&mut self, line: &Line<'_>) -> io::Result<()> {
        serde_json::to_writer(&mut self.writer, line)?;
        self.writer.write_all(b"\n")
    }
}

impl EventSink for JsonlSink {
    fn events(&self, run: &RunId, events: &[Event]) {
        let (run, events) = (run.clone(), events.to_vec());
        let missing = Gap { events: events.len() as u64, output: 0 };
        self.push(events.len(), missing, move |out| {
            events.iter().try_for_each(|event| out.line(&Line::Event { run: &run, event }))
        });
    }

    fn output(&self, run: &RunId, entries: &[OutputEntry]) {
        let (run, entries) = (run.clone(), entries.to_vec());
        let missing = Gap { events: 0, output: entries.len() as u64 };
        self.push(entries.len(), missing, move |out| {
            entries.iter().try_for_each(|output| out.line(&Line::Output { run: &run, output }))
        });
    }
}

impl Drop for JsonlSink {
    fn drop(&mut self) {
        // What was left out last is told too.
        let gap = std::mem::take(&mut *lock(&self.gap));
        let shared = Arc::clone(&self.shared);
        self.worker.submit(move |_| {
            lock(&shared.out).write(0, gap, true, |_| Ok(()));
        });
    }
}

impl fmt::Debug for JsonlSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonlSink").field("lost", &self.lost()).finish_non_exhaustive()
    }
}
