//! The log of a worker: a line for each run that it acquires, and for how that run ends, pauses or is left.
//!
//! A thread of its own writes the lines, so a slow reader does not stall the runs.

use std::collections::BTreeSet;
use std::io::{self, Write as _};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use futures::executor::block_on;
use jiff::Timestamp;
use serde::Serialize;
use workflow_core::event::{Event, EventBody};
use workflow_core::failure::Failure;
use workflow_core::ids::{RunId, WorkflowId};
use workflow_core::sink::EventSink;
use workflow_core::status::Wait;
use workflow_core::store::RunStore;

use crate::error::Error;
use crate::failed::reason;
use crate::print;
use crate::text::{clock, harmless, word};
use crate::words;

/// The list of the runs that this process drives.
pub(crate) struct Roll {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    driven: BTreeSet<RunId>,
    /// The channel to the writing thread; none before the log is started and after it is closed.
    log: Option<Sender<News>>,
}

/// What happened to a run that this process drives.
struct News {
    at: Timestamp,
    run: RunId,
    what: What,
    why: Option<Why>,
}

/// The wait or the failure that a line reports.
enum Why {
    Waits(Box<Wait>),
    Failed(Arc<Failure>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum What {
    TakenUp,
    Paused,
    Waiting,
    Completed,
    Failed,
    Cancelled,
    Left,
}

impl Roll {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { state: Mutex::default() })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn tell(&self, at: Timestamp, run: &RunId, what: What, why: Option<Why>) {
        if let Some(log) = &self.log {
            // A closed pipe does not stop the runs.
            let _ = log.send(News { at, run: run.clone(), what, why });
        }
    }
}

impl EventSink for Roll {
    fn events(&self, run: &RunId, events: &[Event]) {
        let mut state = self.lock();
        for event in events {
            if !state.driven.contains(run) {
                state.driven.insert(run.clone());
                state.tell(event.at, run, What::TakenUp, None);
            }
            let (what, why) = match &event.body {
                EventBody::RunPaused => (What::Paused, None),
                EventBody::RunWaiting { wait } => (What::Waiting, Some(Why::Waits(wait.clone()))),
                EventBody::RunCompleted { .. } => (What::Completed, None),
                EventBody::RunFailed { error } => (What::Failed, Some(Why::Failed(error.clone()))),
                EventBody::RunCancelled => (What::Cancelled, None),
                _ => continue,
            };
            state.driven.remove(run);
            state.tell(event.at, run, what, why);
        }
    }
}

/// Writes what happens to the runs of a roll.
pub(crate) struct Log {
    roll: Arc<Roll>,
    store: Arc<dyn RunStore>,
    thread: JoinHandle<bool>,
}

impl Log {
    /// Starts to write.
    pub(crate) fn begin(roll: &Arc<Roll>, store: Arc<dyn RunStore>, json: bool) -> Result<Self, Error> {
        let (log, news) = channel();
        let writer = Writer { store: store.clone(), json };
        let named = thread::Builder::new().name("display".into());
        let thread = named.spawn(move || writer.write(&news)).map_err(Error::System)?;
        roll.lock().log = Some(log);
        Ok(Self { roll: roll.clone(), store, thread })
    }

    /// Logs which runs are left to other processes, writes the rest, and ends. Returns whether everything could be
    /// written.
    pub(crate) async fn close(self) -> bool {
        let driven = std::mem::take(&mut self.roll.lock().driven);
        for run in &driven {
            // A run that another process took over may have ended.
            let record = self.store.get(run).await;
            if record.is_ok_and(|record| !record.head.status.is_terminal()) {
                self.roll.lock().tell(Timestamp::now(), run, What::Left, None);
            }
        }
        self.roll.lock().log = None;
        // A panic of a display has been reported, and does not affect the runs.
        self.thread.join().unwrap_or(false)
    }
}

struct Writer {
    store: Arc<dyn RunStore>,
    json: bool,
}

/// A line for programs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    at: Timestamp,
    run_id: &'a RunId,
    workflow_id: Option<WorkflowId>,
    what: What,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a Failure>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wait: Option<&'a Wait>,
}

impl Writer {
    fn write(&self, news: &Receiver<News>) -> bool {
        let written = news.iter().try_for_each(|news| {
            let line = self.line(&news)?;
            let mut out = io::stdout().lock();
            writeln!(out, "{line}")?;
            out.flush()
        });
        !written.is_err_and(|error| print::failed(&error))
    }

    fn line(&self, News { at, run, what, why }: &News) -> io::Result<String> {
        // The run may have been deleted meanwhile.
        let workflow_id = block_on(self.store.get(run)).ok().map(|record| record.head.workflow_id);
        let (error, wait) = match why {
            Some(Why::Failed(error)) => (Some(&**error), None),
            Some(Why::Waits(wait)) => (None, Some(&**wait)),
            None => (None, None),
        };
        if self.json {
            let line = Line { at: *at, run_id: run, workflow_id, what: *what, error, wait };
            return print::object(&line);
        }
        let workflow = workflow_id.filter(|_| *what == What::TakenUp);
        let workflow = workflow.map(|workflow| format!(" of workflow {workflow}")).unwrap_or_default();
        let error = error.map(|error| format!(": {}", reason(error))).unwrap_or_default();
        let what = match what {
            What::Waiting => {
                wait.map_or_else(|| word(what), |wait| format!("waits for {}", words::asks(wait)))
            }
            What::TakenUp => "acquired".to_owned(),
            What::Left => "left to other processes".to_owned(),
            what => word(what),
        };
        Ok(harmless(&format!("{} run {run}{workflow} {what}{error}", clock(*at))))
    }
}
