//! A sink that writes JSON lines.

use std::fmt;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde::Serialize;
use workflow_core::event::Event;
use workflow_core::ids::RunId;
use workflow_core::output::OutputEntry;
use workflow_core::sink::EventSink;

use crate::job_thread::JobThread;
use crate::sync::lock;

/// Writes a line for each event and output entry of all runs: `{"run":"…","event":{…}}` or
/// `{"run":"…","output":{…}}`.
///
/// A thread writes them, and flushes when the queue is empty. The queue has a limited capacity; further items
/// are dropped, and a line `{"dropped":{"events":1,"output":2}}` says how many are missing at that point.
/// Dropping the sink waits until everything is written.
///
/// Items that cannot be written, because the disk is full for instance, are dropped in the same way; writing
/// continues once it is possible again. A partly written line is ended first, so a reader finds a line that
/// is not JSON before the one that says how many items are missing.
pub struct JsonlSink {
    worker: JobThread,
    shared: Arc<Shared>,
    capacity: usize,
    /// What was dropped since the last line that was queued.
    gap: Mutex<Gap>,
}

struct Shared {
    waiting: AtomicUsize,
    lost: AtomicU64,
    out: Mutex<Out>,
}

struct Out {
    writer: Box<dyn Write + Send>,
    /// Complete lines that are not written yet.
    buffer: Vec<u8>,
    /// Where each line ends, and what is missing if it is not written.
    lines: Vec<(usize, Without)>,
    /// What is missing since the last line that was written.
    missing: Gap,
    /// The last line that was written is incomplete.
    torn: bool,
    failing: bool,
}

/// What is missing without a line, and how much of it was not counted as lost before.
#[derive(Debug, Clone, Copy)]
struct Without {
    gap: Gap,
    uncounted: u64,
}

/// How many bytes are collected before they are written.
const BUFFER: usize = 8 * 1024;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
struct Gap {
    events: u64,
    output: u64,
}

impl Gap {
    const EVENT: Self = Self { events: 1, output: 0 };
    const OUTPUT: Self = Self { events: 0, output: 1 };

    fn add(&mut self, other: Self) {
        self.events += other.events;
        self.output += other.output;
    }
}

#[derive(Serialize)]
#[serde(untagged)]
enum Line<'a> {
    Event { run: &'a RunId, event: &'a Event },
    Output { run: &'a RunId, output: &'a OutputEntry },
    Dropped { dropped: Gap },
}

impl JsonlSink {
    /// Writes to `writer`. At most `capacity` events and entries are queued.
    ///
    /// # Errors
    ///
    /// If the thread cannot be started.
    pub fn new(writer: impl Write + Send + 'static, capacity: usize) -> io::Result<Self> {
        let out = Out {
            writer: Box::new(writer),
            buffer: Vec::new(),
            lines: Vec::new(),
            missing: Gap::default(),
            torn: false,
            failing: false,
        };
        Ok(Self {
            worker: JobThread::spawn("workflow-jsonl")?,
            shared: Arc::new(Shared {
                waiting: AtomicUsize::new(0),
                lost: AtomicU64::new(0),
                out: Mutex::new(out),
            }),
            capacity,
            gap: Mutex::default(),
        })
    }

    /// How many events and entries were lost because the queue was full or writing failed.
    pub fn lost(&self) -> u64 {
        self.shared.lost.load(Ordering::Relaxed)
    }

    /// Queues `count` events or entries, which `write` encodes, unless the queue is full.
    fn push(&self, count: usize, missing: Gap, write: impl FnOnce(&mut Out) -> u64 + Send + 'static) {
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
            let lost = out.write(gap, idle, write);
            shared.lost.fetch_add(lost, Ordering::Relaxed);
        });
    }
}

impl Out {
    /// Adds the lines that `write` encodes. Returns how many events and entries are lost, these or earlier
    /// ones.
    fn write(&mut self, gap: Gap, flush: bool, write: impl FnOnce(&mut Self) -> u64) -> u64 {
        self.missing.add(gap);
        let mut lost = 0;
        if self.missing != Gap::default() {
            let gap = std::mem::take(&mut self.missing);
            lost += self.line(&Line::Dropped { dropped: gap }, Without { gap, uncounted: 0 });
        }
        lost += write(self);
        if flush || self.buffer.len() >= BUFFER {
            lost += self.flush();
        }
        lost
    }

    /// Adds a line. Returns how many events and entries are lost by that.
    fn line(&mut self, line: &Line<'_>, without: Without) -> u64 {
        let start = self.buffer.len();
        if let Err(error) = serde_json::to_writer(&mut self.buffer, line) {
            tracing::error!(%error, "an event cannot be written as JSON");
            self.buffer.truncate(start);
            self.missing.add(without.gap);
            return without.uncounted;
        }
        self.buffer.push(b'\n');
        self.lines.push((self.buffer.len(), without));
        0
    }

    /// Writes the collected lines. Lines that cannot be written are dropped. Returns how many events and
    /// entries those are.
    fn flush(&mut self) -> u64 {
        let (mut written, mut lost) = (0, 0);
        let result = self.write_out(&mut written);
        for (end, Without { gap, uncounted }) in self.lines.drain(..) {
            // If only the end of a line is missing, it is written first.
            if end > written + 1 {
                self.missing.add(gap);
                lost += uncounted;
            }
        }
        if written > 0 {
            self.torn = self.buffer[written - 1] != b'\n';
        }
        self.buffer.clear();
        match result {
            Ok(()) if std::mem::take(&mut self.failing) => tracing::info!("writing events works again"),
            Err(error) if !std::mem::replace(&mut self.failing, true) => {
                tracing::error!(%error, "cannot write events; they are dropped until writing works again");
            }
            Ok(()) | Err(_) => {}
        }
        lost
    }

    /// Reports in `written` how much of the buffer was written.
    fn write_out(&mut self, written: &mut usize) -> io::Result<()> {
        if self.torn {
            self.writer.write_all(b"\n")?;
            self.torn = false;
        }
        while *written < self.buffer.len() {
            match self.writer.write(&self.buffer[*written..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(more) => *written += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.writer.flush()
    }
}

impl EventSink for JsonlSink {
    fn events(&self, run: &RunId, events: &[Event]) {
        let (run, events) = (run.clone(), events.to_vec());
        let missing = Gap { events: events.len() as u64, output: 0 };
        self.push(events.len(), missing, move |out| {
            let without = Without { gap: Gap::EVENT, uncounted: 1 };
            events.iter().map(|event| out.line(&Line::Event { run: &run, event }, without)).sum()
        });
    }

    fn output(&self, run: &RunId, entries: &[OutputEntry]) {
        let (run, entries) = (run.clone(), entries.to_vec());
        let missing = Gap { events: 0, output: entries.len() as u64 };
        self.push(entries.len(), missing, move |out| {
            let without = Without { gap: Gap::OUTPUT, uncounted: 1 };
            entries.iter().map(|output| out.line(&Line::Output { run: &run, output }, without)).sum()
        });
    }
}

impl Drop for JsonlSink {
    fn drop(&mut self) {
        // Reports what was dropped last.
        let gap = std::mem::take(&mut *lock(&self.gap));
        let shared = Arc::clone(&self.shared);
        self.worker.submit(move |_| {
            let lost = lock(&shared.out).write(gap, true, |_| 0);
            shared.lost.fetch_add(lost, Ordering::Relaxed);
        });
    }
}

impl fmt::Debug for JsonlSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonlSink").field("lost", &self.lost()).finish_non_exhaustive()
    }
}
