//! Records the guarantees of the store, and checks what must hold beside it: which process may write, which
//! events were acknowledged, and which calls are running.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::channel::oneshot;
use jiff::Timestamp;
use workflow_core::bundle::Bundle;
use workflow_core::event::{Event, EventBody};
use workflow_core::ids::{NodePath, RunId};
use workflow_core::provider::CallId;
use workflow_core::store::{Control, ControlRecord, ControlRequest, Lease};

use super::counts::Counts;
use super::fork;
use super::person::Asked;
use super::process::Process;
use crate::rules;

/// The lease time.
pub const LEASE: Duration = Duration::from_secs(10);

/// The clock for the expiry of leases.
pub type StoreClock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The journal of a world, which outlives all of its processes. Clones are the same journal.
#[derive(Clone)]
pub struct Journal(Arc<Mutex<Entries>>);

/// The content of a [`Journal`].
pub struct Entries {
    clock: StoreClock,
    /// Whether a valid lease prevents calls of other processes; see
    /// [`Plot::leases_are_kept`](super::plot::Plot).
    strict: bool,
    /// The runs that were created.
    pub runs: BTreeMap<RunId, Told>,
    /// When the leases of each process expire.
    until: BTreeMap<u64, Timestamp>,
    /// The running calls, and the processes that began them.
    calls: BTreeMap<(RunId, NodePath, u32), Process>,
    /// The running calls of runs that another process has held since they began.
    left: BTreeSet<(RunId, NodePath, u32)>,
    /// Stops the calls whose processes are reclaimed.
    stops: BTreeMap<(RunId, NodePath, u32), oneshot::Sender<()>>,
    /// The calls that panicked.
    pub panicked: BTreeSet<(RunId, NodePath, u32)>,
    /// How many lines of output the calls of each run had.
    pub said: BTreeMap<RunId, u64>,
    /// The answers that were reported as accepted: the run and the number of the question.
    taken: BTreeSet<(RunId, u64)>,
    /// The run that is in progress with each key.
    working: BTreeMap<String, RunId>,
    /// The violations.
    pub violations: Vec<String>,
    /// The counts of events.
    pub counts: Counts,
}

/// What the store reported of a run.
#[derive(Default)]
pub struct Told {
    /// All events whose append was acknowledged.
    pub events: Vec<Event>,
    /// The log of its source at the time of the fork.
    pub source: Option<String>,
    /// The control requests.
    pub controls: Vec<Asked>,
    /// The process and the epoch of the newest lease, unless it was released.
    holder: Option<(u64, u64)>,
    /// Whether its last holder lost it.
    left: bool,
    epoch: u64,
    /// When events were last appended.
    pub last: Timestamp,
    /// The process that appended them, and the time of its last event.
    written: Option<(u64, Timestamp)>,
}

impl Journal {
    /// An empty journal.
    pub fn new(clock: StoreClock, strict: bool) -> Self {
        Self(Arc::new(Mutex::new(Entries {
            clock,
            strict,
            runs: BTreeMap::new(),
            until: BTreeMap::new(),
            calls: BTreeMap::new(),
            left: BTreeSet::new(),
            stops: BTreeMap::new(),
            panicked: BTreeSet::new(),
            said: BTreeMap::new(),
            taken: BTreeSet::new(),
            working: BTreeMap::new(),
            violations: Vec::new(),
            counts: Counts::default(),
        })))
    }

    /// Its content.
    pub fn entries(&self) -> MutexGuard<'_, Entries> {
        // What panicked is reported by itself.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The runs, the violations, and the counts.
    pub fn close(&self) -> (BTreeMap<RunId, Told>, Vec<String>, Counts) {
        let mut entries = self.entries();
        (std::mem::take(&mut entries.runs), std::mem::take(&mut entries.violations), entries.counts)
    }
}

impl Entries {
    /// Records a violation.
    pub fn violated(&mut self, what: String) {
        // The first ones are the most useful.
        if self.violations.len() < 20 {
            self.violations.push(what);
        }
    }

    fn is_good(&self, process: u64) -> bool {
        self.until.get(&process).is_some_and(|until| (self.clock)() < *until)
    }

    /// A run was created and claimed.
    pub fn created(&mut self, process: u64, lease: &Lease, events: Vec<Event>) {
        self.counts.runs += 1;
        self.counts.events += events.len() as u64;
        let last = (self.clock)();
        let source = fork::forked(&events).and_then(|(_, forked)| self.runs.get(&forked.from));
        let source = source.map(|source| fork::written(&source.events));
        let told = Told { events, source, last, ..Told::default() };
        if self.runs.insert(lease.run.clone(), told).is_some() {
            self.violated(format!("run {} was created twice", lease.run));
        }
        self.granted(process, lease);
    }

    /// A lease was given out.
    pub fn granted(&mut self, process: u64, lease: &Lease) {
        if !self.is_good(process) {
            self.lost(process);
        }
        let until = (self.clock)() + LEASE;
        self.until.insert(process, until);
        let Some(told) = self.runs.get(&lease.run) else { return };
        let (epoch, former) = (told.epoch, told.holder);
        if let Some((holder, epoch)) = former.filter(|(holder, _)| self.is_good(*holder)) {
            let (run, new) = (&lease.run, lease.epoch);
            self.violated(format!(
                "run {run} was given to process {process} (epoch {new}) while process {holder} held it (epoch {epoch})"
            ));
        }
        if lease.epoch <= epoch {
            self.violated(format!("epoch {} of run {} comes after {epoch}", lease.epoch, lease.run));
        }
        if let Some(told) = self.runs.get_mut(&lease.run) {
            self.counts.takeovers += u64::from(told.left || former.is_some());
            told.epoch = lease.epoch;
            (told.holder, told.left) = (Some((process, lease.epoch)), false);
        }
        let others = self.calls.iter().filter(|((run, ..), by)| *run == lease.run && by.number() != process);
        self.left.extend(others.map(|(call, _)| call.clone()));
    }

    /// The leases of a process were renewed.
    pub fn renewed(&mut self, process: u64) {
        let until = (self.clock)() + LEASE;
        self.until.insert(process, until);
    }

    /// A process was told that its leases have expired.
    pub fn expired(&mut self, process: u64) {
        self.counts.expired += 1;
        self.lost(process);
    }

    /// The leases of a process have expired.
    fn lost(&mut self, process: u64) {
        for told in self.runs.values_mut() {
            told.left |= told.holder.take_if(|(holder, _)| *holder == process).is_some();
        }
    }

    /// Leases that have expired by the clock stay invalid, even if the clock is set back.
    pub fn clock_goes_back(&mut self) {
        let gone: Vec<_> = self.until.keys().copied().filter(|process| !self.is_good(*process)).collect();
        for process in gone {
            self.lost(process);
        }
    }

    /// A sender was told that its answer was accepted.
    pub fn told_taken(&mut self, run: &RunId, wait: u64) {
        self.counts.taken += 1;
        if !self.taken.insert((run.clone(), wait)) {
            self.violated(format!("two answers to {wait} of run {run} were both reported as accepted"));
        }
        let answered =
            |event: &Event| matches!(event.body, EventBody::Answered { wait: of, .. } if of == wait);
        if !self.runs.get(run).is_some_and(|told| told.events.iter().any(answered)) {
            self.violated(format!("an answer to {wait} of run {run} was reported as accepted, but was not"));
        }
    }

    /// A call outputs a line.
    pub fn says(&mut self, run: &RunId) {
        *self.said.entry(run.clone()).or_default() += 1;
    }

    /// A lease was released.
    pub fn released(&mut self, process: u64, lease: &Lease) {
        if let Some(told) = self.runs.get_mut(&lease.run) {
            told.holder.take_if(|holder| *holder == (process, lease.epoch));
        }
    }

    /// A control request was sent to a run.
    pub fn requested(&mut self, run: &RunId, number: u64, request: ControlRequest) {
        self.counts.controls += 1;
        let at = (self.clock)();
        if let Some(told) = self.runs.get_mut(run) {
            told.controls.push(Asked {
                number,
                control: request.control,
                by: request.by,
                before: told.events.len(),
                at,
            });
        }
    }

    /// Events were stored, and control requests delivered.
    pub fn appended(&mut self, process: u64, lease: &Lease, expected: u64, events: &[Event]) {
        let run = &lease.run;
        self.counts.appends += 1;
        self.counts.events += events.len() as u64;
        let good = self.is_good(process);
        let now = (self.clock)();
        let Some(told) = self.runs.get_mut(run) else { return };
        let mut wrong = Vec::new();
        if told.holder != Some((process, lease.epoch)) || !good {
            wrong.push(format!(
                "process {process} (epoch {}) wrote to run {run} without holding it",
                lease.epoch
            ));
        }
        if expected != told.events.len() as u64 {
            let count = told.events.len();
            wrong
                .push(format!("{expected} events of run {run} were expected, and {count} were acknowledged"));
        }
        if told.events.last().is_some_and(|event| event.body.is_terminal()) && !events.is_empty() {
            wrong.push(format!("run {run} was written to after its end"));
        }
        let before = told.written.filter(|(writer, _)| *writer == process).map(|(_, at)| at);
        let times: Vec<_> = before.into_iter().chain(events.iter().map(|event| event.at)).collect();
        if !times.is_sorted() {
            wrong.push(format!("time went back in run {run}, within process {process}: {times:?}"));
        }
        told.events.extend_from_slice(events);
        let ends = events.iter().any(|event| event.body.is_terminal());
        if let Some(EventBody::RunCreated(created)) = told.events.first().map(|event| &event.body)
            && let Some(slot) = created.slot.as_ref().filter(|_| !events.is_empty())
        {
            match self.working.get(&slot.key) {
                Some(other) if other == run && ends => drop(self.working.remove(&slot.key)),
                Some(other) if other != run && !ends => {
                    wrong.push(format!("runs {other} and {run} with the same key are in progress"));
                }
                Some(_) => {}
                None if ends => {}
                None => drop(self.working.insert(slot.key.clone(), run.clone())),
            }
        }
        if let Some(event) = events.last() {
            told.last = now;
            told.written = Some((process, event.at));
        }
        if events.iter().any(|event| event.body.is_terminal()) && self.strict {
            for (of, path, attempt) in self.calls.keys() {
                if of == run {
                    wrong.push(format!("{path} #{attempt} of run {run} outlives it"));
                }
            }
        }
        for what in wrong {
            self.violated(what);
        }
    }

    /// A call begins.
    pub fn call_begins(&mut self, id: &CallId, process: &Process) {
        self.counts.calls += 1;
        let Some(told) = self.runs.get(&id.run) else { return };
        let (mut started, mut result) = (false, None);
        for event in &told.events {
            match &event.body {
                EventBody::AttemptStarted { path, attempt, .. } if *path == id.path => {
                    started |= *attempt == id.attempt;
                }
                EventBody::AttemptSucceeded { path, .. } if *path == id.path => {
                    result = Some(event.body.kind());
                }
                EventBody::AttemptFailed { path, attempt, .. }
                | EventBody::AttemptCancelled { path, attempt, .. }
                | EventBody::AttemptInterrupted { path, attempt, .. }
                    if *path == id.path && *attempt == id.attempt =>
                {
                    result = Some(event.body.kind());
                }
                _ => {}
            }
        }
        let CallId { run, path, attempt, .. } = id;
        let what = format!("{path} #{attempt} of run {run} by process {}", process.number());
        if !started {
            self.violated(format!("{what} was called before its start was recorded"));
        }
        if let Some(kind) = result.filter(|_| self.strict) {
            self.violated(format!("{what} was called after {kind}"));
        }
        let other = self.calls.iter().find(|((of, node, _), _)| of == run && node == path);
        if let Some(((_, _, other), by)) = other.filter(|_| self.strict) {
            let by = by.number();
            self.violated(format!("{what} was called while #{other} by process {by} was running"));
        }
        let call = (run.clone(), path.clone(), *attempt);
        if self.runs.get(run).and_then(|told| told.holder).is_none_or(|(by, _)| by != process.number()) {
            self.left.insert(call.clone());
        }
        self.calls.insert(call, process.clone());
    }

    /// A call resumes a session, or begins one. It must resume the one that was recorded last if the
    /// definition says so, or if the previous attempt was interrupted in one.
    pub fn goes_on_in(&mut self, id: &CallId, session: Option<&str>, bundle: &Bundle) {
        let Some(told) = self.runs.get(&id.run) else { return };
        let continues =
            rules::continues(bundle, &id.path) || rules::resumes(&told.events, &id.path, id.attempt);
        let last = rules::session(&told.events, &id.path, id.attempt).filter(|_| continues);
        self.counts.continued += u64::from(session.is_some());
        if last.as_deref() != session {
            let CallId { run, path, attempt, .. } = id;
            self.violated(format!("{path} #{attempt} of run {run} resumes {session:?} instead of {last:?}"));
        }
    }

    /// A call is about to panic.
    pub fn panics(&mut self, id: &CallId) {
        self.counts.panics += 1;
        self.panicked.insert((id.run.clone(), id.path.clone(), id.attempt));
    }

    /// A call has ended. A call whose process died keeps running until it is [reclaimed](Self::reclaimed).
    pub fn call_ends(&mut self, id: &CallId) {
        let key = (id.run.clone(), id.path.clone(), id.attempt);
        self.calls.remove(&key);
        self.left.remove(&key);
        self.stops.remove(&key);
    }

    /// Ready when another driver has stopped the processes of a call.
    pub fn stopped(&mut self, id: &CallId) -> oneshot::Receiver<()> {
        let (stop, stopped) = oneshot::channel();
        self.stops.insert((id.run.clone(), id.path.clone(), id.attempt), stop);
        stopped
    }

    /// A driver stops what is left of a call of another process: of a dead process, and, on the same machine,
    /// of a living process that has lost the run.
    pub fn reclaimed(&mut self, id: &CallId, is_near: bool) {
        let key = (id.run.clone(), id.path.clone(), id.attempt);
        let Some(process) = self.calls.get(&key) else { return };
        if process.is_dead() {
            self.counts.reclaimed += 1;
            self.calls.remove(&key);
            return;
        }
        if !self.left.contains(&key) {
            let (CallId { run, path, attempt, .. }, by) = (id, process.number());
            let what = format!(
                "{path} #{attempt} of run {run} was reclaimed, although process {by} never lost the run"
            );
            self.violated(what);
        }
        if let Some(stop) = self.stops.remove(&key).filter(|_| is_near) {
            self.counts.stopped_alive += 1;
            // It may be ending at the same time.
            let _ = stop.send(());
        }
    }

    /// Whether the holder was told of a cancel and has not applied it.
    pub fn owes_a_cancel(&self, run: &RunId, handed: &[ControlRecord]) -> bool {
        let is_asked = |what| handed.iter().any(|it| it.control == what);
        let (cancel, kill) = (is_asked(Control::Cancel), is_asked(Control::Kill));
        let Some(told) = self.runs.get(run).filter(|_| cancel || kill) else { return false };
        !told.events.iter().any(|event| match event.body {
            // Its stages of `finally` run to their end.
            EventBody::RunEnding(_) => !kill,
            EventBody::CancelRequested { .. } => true,
            _ => event.body.is_terminal(),
        })
    }
}
