//! The thread that reads new events and output, and shows them.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use futures::executor::block_on;
use workflow_core::event::{Event, EventBody};
use workflow_core::ids::RunId;
use workflow_core::output::OutputEntry;
use workflow_core::sink::EventSink;
use workflow_core::store::{RunStore, StoreError};

use super::Display;
use crate::error::Error;
use crate::print;

/// How many events or output entries are read at once.
const PAGE: usize = 256;
/// How often a display is refreshed when nothing happens.
const FRAME: Duration = Duration::from_millis(100);

/// Wakes the display when something was stored for a run that this process drives.
#[derive(Default)]
pub(crate) struct Bell {
    state: Mutex<Rung>,
    changed: Condvar,
}

#[derive(Default)]
struct Rung {
    news: bool,
    closing: bool,
    notes: Vec<String>,
}

impl EventSink for Bell {
    fn events(&self, _: &RunId, _: &[Event]) {
        self.news();
    }

    fn output(&self, _: &RunId, _: &[OutputEntry]) {
        self.news();
    }
}

impl Bell {
    /// Wakes the display: another process may have stored something.
    pub(crate) fn news(&self) {
        self.ring(|state| state.news = true);
    }

    /// Prints a message where runs are shown.
    pub(crate) fn say(&self, text: impl Into<String>) {
        self.ring(|state| state.notes.push(text.into()));
    }

    fn ring(&self, how: impl FnOnce(&mut Rung)) {
        how(&mut self.lock());
        self.changed.notify_all();
    }

    /// Waits for news, or for a frame's time.
    fn wait(&self) -> Rung {
        let quiet = |state: &mut Rung| !state.news && !state.closing && state.notes.is_empty();
        let (mut state, _) = self
            .changed
            .wait_timeout_while(self.lock(), FRAME, quiet)
            .unwrap_or_else(PoisonError::into_inner);
        let closing = state.closing;
        std::mem::replace(&mut *state, Rung { closing, ..Rung::default() })
    }

    fn lock(&self) -> MutexGuard<'_, Rung> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A run to show, and how far it has been shown.
pub(crate) struct Shown {
    run: RunId,
    /// The last event that is not new.
    known: u64,
    /// Whether the first event is shown too: it has the id of the run.
    first: bool,
    /// The last event and output entry that the display was given.
    event: u64,
    output: u64,
    /// Events that were read already and follow output that was not: they can be large, and are read once.
    waiting: VecDeque<Event>,
    failed: bool,
}

impl Shown {
    /// Shows all of a run.
    pub(crate) fn new(run: &RunId) -> Self {
        let waiting = VecDeque::new();
        Self { run: run.clone(), known: 0, first: false, event: 0, output: 0, waiting, failed: false }
    }

    /// The number of the last event that is not new.
    pub(crate) fn known(&self) -> u64 {
        self.known
    }

    /// The number of the last output entry that is not new.
    pub(crate) fn known_output(&self) -> u64 {
        self.output
    }

    /// Shows what is stored from now on.
    pub(crate) async fn from_now(store: &dyn RunStore, run: &RunId) -> Result<Self, StoreError> {
        let mut known = 0;
        while let Some(last) = store.events(run, known, PAGE).await?.last() {
            known = last.seq;
        }
        Ok(Self { known, output: store.last_output(run).await?, ..Self::new(run) })
    }

    /// Shows a run that was just forked, from the event of the fork on, and for programs (`first`) also the first event,
    /// which has its id.
    pub(crate) async fn from_fork(
        store: &dyn RunStore,
        run: &RunId,
        first: bool,
    ) -> Result<Self, StoreError> {
        let (mut known, mut last) = (0, 0);
        loop {
            let page = store.events(run, last, PAGE).await?;
            let Some(event) = page.last() else { break };
            last = event.seq;
            let forked = page.iter().rev().find(|event| matches!(event.body, EventBody::RunForked(_)));
            known = forked.map_or(known, |event| event.seq - 1);
        }
        Ok(Self { known, first, output: store.last_output(run).await?, ..Self::new(run) })
    }
}

/// Shows runs until it is closed.
pub(crate) struct Feed {
    bell: Arc<Bell>,
    thread: JoinHandle<bool>,
}

impl Feed {
    /// Starts to show `runs`, with what is stored already.
    pub(crate) fn begin(
        bell: &Arc<Bell>,
        store: Arc<dyn RunStore>,
        runs: Vec<Shown>,
        display: Box<dyn Display>,
    ) -> Result<Self, Error> {
        let reader = Reader { store, runs, display };
        let rung = bell.clone();
        bell.news();
        let named = thread::Builder::new().name("display".into());
        let thread = named.spawn(move || reader.show(&rung)).map_err(Error::System)?;
        Ok(Self { bell: bell.clone(), thread })
    }

    /// Shows the rest, and ends. Returns whether everything could be written; a closed pipe counts as written.
    pub(crate) fn close(self) -> bool {
        self.bell.ring(|state| state.closing = true);
        // A panic of a display has been reported, and does not affect the run.
        self.thread.join().unwrap_or(false)
    }
}

struct Reader {
    store: Arc<dyn RunStore>,
    runs: Vec<Shown>,
    display: Box<dyn Display>,
}

impl Reader {
    fn show(mut self, bell: &Bell) -> bool {
        loop {
            let rung = bell.wait();
            if let Err(error) = self.react(&rung) {
                // A closed pipe does not stop the run.
                return !print::failed(&error);
            }
            if rung.closing {
                return true;
            }
        }
    }

    fn react(&mut self, rung: &Rung) -> io::Result<()> {
        rung.notes.iter().try_for_each(|note| self.display.note(note))?;
        if rung.news || rung.closing {
            self.read()?;
        }
        self.display.refresh()
    }

    fn read(&mut self) -> io::Result<()> {
        for shown in &mut self.runs {
            while !shown.failed {
                match shown.page(&*self.store) {
                    Ok(entries) => {
                        if !shown.give(&entries, &mut *self.display)? {
                            break;
                        }
                    }
                    // The run is still being created.
                    Err(StoreError::NotFound(_)) => break,
                    Err(error) => {
                        shown.failed = true;
                        self.display.note(&format!("error: {error}"))?;
                    }
                }
            }
        }
        Ok(())
    }
}

impl Shown {
    /// Reads the next events, and then the output: the output of a call is mostly stored before the event of its end.
    fn page(&mut self, store: &dyn RunStore) -> Result<Vec<OutputEntry>, StoreError> {
        block_on(async {
            if self.waiting.is_empty() {
                self.waiting = store.events(&self.run, self.event, PAGE).await?.into();
            }
            store.output(&self.run, self.output, PAGE).await
        })
    }

    /// Passes output entries on after the event that they follow, and before the next. Returns whether there was
    /// anything.
    fn give(&mut self, entries: &[OutputEntry], to: &mut dyn Display) -> io::Result<bool> {
        let before = (self.event, self.output);
        // Behind a full page there can be more entries that come before the later events.
        let last = entries.last().filter(|_| entries.len() == PAGE).map_or(u64::MAX, |last| last.after_event);
        let mut entries = entries.iter().peekable();
        while self.waiting.front().is_some_and(|event| event.seq <= last)
            && let Some(event) = self.waiting.pop_front()
        {
            while let Some(entry) = entries.next_if(|entry| entry.after_event < event.seq) {
                to.output(&self.run, entry)?;
                self.output = entry.number;
            }
            let new = event.seq > self.known || (self.first && event.seq == 1);
            to.event(&self.run, &event, new)?;
            self.event = event.seq;
        }
        for entry in entries.take_while(|entry| entry.after_event <= self.event) {
            to.output(&self.run, entry)?;
            self.output = entry.number;
        }
        Ok((self.event, self.output) != before)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use async_trait::async_trait;
    use jiff::Timestamp;
    use serde_json::json;
    use workflow_core::bundle::{Bundle, BundleHash};
    use workflow_core::store::{
        ControlRecord, ControlRequest, Lease, NewRun, NoticeClaim, NoticeId, RunFilter, RunHead, RunRecord,
        Watcher, Watching,
    };

    use super::*;

    /// A store with a run of one event, which follows its output, that counts how often the event is read.
    struct Counting {
        entries: Vec<OutputEntry>,
        event: Event,
        read: AtomicUsize,
    }

    #[async_trait]
    impl RunStore for Counting {
        async fn events(&self, _: &RunId, after: u64, _: usize) -> Result<Vec<Event>, StoreError> {
            let events: Vec<_> =
                Some(self.event.clone()).filter(|event| event.seq > after).into_iter().collect();
            self.read.fetch_add(events.len(), Ordering::Relaxed);
            Ok(events)
        }

        async fn output(&self, _: &RunId, after: u64, limit: usize) -> Result<Vec<OutputEntry>, StoreError> {
            Ok(self.entries.iter().filter(|entry| entry.number > after).take(limit).cloned().collect())
        }

        async fn create(&self, _: NewRun) -> Result<Lease, StoreError> {
            unreachable!()
        }
        async fn append(
            &self,
            _: &Lease,
            _: u64,
            _: &Arc<[Event]>,
            _: Option<&RunHead>,
        ) -> Result<Vec<ControlRecord>, StoreError> {
            unreachable!()
        }
        async fn append_output(&self, _: &Lease, _: &[OutputEntry]) -> Result<(), StoreError> {
            unreachable!()
        }
        async fn last_output(&self, _: &RunId) -> Result<u64, StoreError> {
            unreachable!()
        }
        async fn get(&self, _: &RunId) -> Result<RunRecord, StoreError> {
            unreachable!()
        }
        async fn list(&self, _: &RunFilter) -> Result<Vec<RunRecord>, StoreError> {
            unreachable!()
        }
        async fn claim(&self, _: &RunId) -> Result<Lease, StoreError> {
            unreachable!()
        }
        async fn claim_next(&self, _: usize, _: Timestamp) -> Result<Vec<Lease>, StoreError> {
            unreachable!()
        }
        async fn renew(&self) -> Result<(), StoreError> {
            unreachable!()
        }
        async fn release(&self, _: Lease) -> Result<(), StoreError> {
            unreachable!()
        }
        async fn request(&self, _: &RunId, _: ControlRequest) -> Result<u64, StoreError> {
            unreachable!()
        }
        async fn controls(&self, _: &RunId, _: u64) -> Result<Vec<ControlRecord>, StoreError> {
            unreachable!()
        }
        async fn delete(&self, _: &RunId) -> Result<(), StoreError> {
            unreachable!()
        }
        async fn claim_notice(
            &self,
            _: &NoticeId,
            _: Timestamp,
            _: Timestamp,
        ) -> Result<NoticeClaim, StoreError> {
            unreachable!()
        }
        async fn settle_notice(&self, _: &NoticeId, _: u32, _: Option<Timestamp>) -> Result<(), StoreError> {
            unreachable!()
        }
        async fn bundle(&self, _: &BundleHash) -> Result<Arc<Bundle>, StoreError> {
            unreachable!()
        }
        fn watch(&self, _: Watcher) -> Watching {
            unreachable!()
        }
    }

    /// Records the numbers of the events and entries that it is given.
    #[derive(Default)]
    struct Given(Arc<Mutex<Vec<String>>>);

    impl Display for Given {
        fn event(&mut self, _: &RunId, event: &Event, _: bool) -> io::Result<()> {
            self.0.lock().unwrap().push(format!("event {}", event.seq));
            Ok(())
        }

        fn output(&mut self, _: &RunId, entry: &OutputEntry) -> io::Result<()> {
            self.0.lock().unwrap().push(entry.number.to_string());
            Ok(())
        }

        fn note(&mut self, _: &str) -> io::Result<()> {
            Ok(())
        }

        fn refresh(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_event_behind_many_pages_of_output_is_read_once() {
        let last = 4 * PAGE as u64;
        let entry = |number| {
            let entry = json!({
                "number": number, "after_event": 0, "at": "2026-01-01T00:00:00Z", "path": "1/plan[0]/run",
                "attempt": 1, "kind": "stdout", "text": "",
            });
            serde_json::from_value(entry).unwrap()
        };
        let store = Arc::new(Counting {
            entries: (1..=last).map(entry).collect(),
            event: Event { seq: 1, at: Timestamp::UNIX_EPOCH, body: EventBody::RunStarted },
            read: AtomicUsize::new(0),
        });
        let given = Arc::default();
        let runs = vec![Shown::new(&RunId::new("r1").unwrap())];
        let display = Box::new(Given(Arc::clone(&given)));
        Reader { store: store.clone(), runs, display }.read().unwrap();
        let expected: Vec<_> = (1..=last).map(|n| n.to_string()).chain(["event 1".to_owned()]).collect();
        assert_eq!(*given.lock().unwrap(), expected);
        assert_eq!(store.read.load(Ordering::Relaxed), 1);
    }
}
