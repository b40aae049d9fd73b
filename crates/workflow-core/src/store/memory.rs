//! A store that keeps runs in memory.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};

use async_trait::async_trait;
use foldhash::HashMap;

use super::order::{check_numbers, check_output, control_of, page, run_not_found};
use super::sync::{lock, read, write};
use super::watchers::Watchers;
use super::{
    Control, ControlRecord, Lease, NewRun, RunFilter, RunHead, RunRecord, RunStore, StoreError, Watcher,
    Watching,
};
use crate::bundle::{Bundle, BundleHash};
use crate::event::Event;
use crate::ids::RunId;
use crate::output::{OutputEntry, OutputKind};

/// How much output text of a run is kept unless the host says otherwise.
const OUTPUT_LIMIT: usize = 16 << 20;

/// What a kept output entry counts for besides its text.
const ENTRY_SIZE: usize = size_of::<OutputEntry>();

/// Keeps runs in memory, as long as the store lives.
///
/// All of its methods are done when they are first polled; they never wait. A run stays until it
/// is [deleted](RunStore::delete), also after it has ended. Of a run's output the newest 16 MiB
/// are kept; what was dropped before them is told by an entry of the kind
/// [`Dropped`](OutputKind::Dropped).
///
/// A lease is good until its holder releases it: there is no other process whose death could end
/// it. A holder that is dropped releases it in its destructor, by polling
/// [`release`](RunStore::release) once.
///
/// ```
/// use workflow_core::store::{MemoryStore, RunFilter, RunStore};
///
/// let store = MemoryStore::new();
/// let runs = futures::executor::block_on(store.list(&RunFilter::all()))?;
/// assert!(runs.is_empty());
/// # Ok::<(), workflow_core::store::StoreError>(())
/// ```
#[derive(Clone, Default)]
pub struct MemoryStore {
    shared: Arc<Shared>,
}

struct Shared {
    runs: RwLock<HashMap<RunId, Box<Mutex<Run>>>>,
    bundles: RwLock<HashMap<BundleHash, Arc<Bundle>>>,
    /// Epochs are drawn for all runs together, so that no two leases are ever alike.
    epochs: AtomicU64,
    watchers: Watchers,
    output_limit: usize,
}

struct Run {
    epoch: u64,
    held: bool,
    head: RunHead,
    /// What was appended, as it was appended: a log that grows is never copied.
    appends: Vec<Box<[Event]>>,
    controls: Vec<ControlRecord>,
    /// How many controls the holder was given.
    handed: usize,
    /// The highest control that an event obeys: what a new holder need not be given.
    obeyed: u64,
    output: Option<Box<Output>>,
}

#[derive(Default)]
struct Output {
    entries: VecDeque<OutputEntry>,
    size: usize,
    dropped: u64,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            runs: RwLock::default(),
            bundles: RwLock::default(),
            epochs: AtomicU64::new(0),
            watchers: Watchers::default(),
            output_limit: OUTPUT_LIMIT,
        }
    }
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty store that keeps about `bytes` of the newest output of each run.
    pub fn with_output_limit(bytes: usize) -> Self {
        Self { shared: Arc::new(Shared { output_limit: bytes, ..Shared::default() }) }
    }

    /// The same runs as a host finds them that starts again after its death: every lease that was
    /// given out so far is fenced off, and every run can be claimed. For tests of crashes.
    #[must_use]
    pub fn reopen(&self) -> Self {
        for run in read(&self.shared.runs).values() {
            lock(run).held = false;
        }
        self.clone()
    }

    fn epoch(&self) -> u64 {
        self.shared.epochs.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn run<T>(&self, id: &RunId, look: impl FnOnce(&mut Run) -> T) -> Result<T, StoreError> {
        let runs = read(&self.shared.runs);
        let run = runs.get(id).ok_or_else(|| run_not_found(id))?;
        Ok(look(&mut lock(run)))
    }

    /// The run of a lease that is good.
    fn held<T>(
        &self,
        lease: &Lease,
        change: impl FnOnce(&mut Run) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let runs = read(&self.shared.runs);
        let fenced = || StoreError::Fenced(lease.run.clone());
        let mut run = lock(runs.get(&lease.run).ok_or_else(fenced)?);
        if run.held && run.epoch == lease.epoch { change(&mut run) } else { Err(fenced()) }
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("runs", &read(&self.shared.runs).len()).finish()
    }
}

impl Run {
    fn add_events(&mut self, events: &[Event]) {
        if events.is_empty() {
            return;
        }
        for event in events {
            if let Some(control) = control_of(&event.body) {
                self.obeyed = self.obeyed.max(control);
            }
        }
        self.appends.push(events.into());
    }

    fn last_event(&self) -> u64 {
        self.appends.last().map_or(0, |events| last_event(events))
    }

    fn record(&self, id: &RunId) -> RunRecord {
        let holder = self.held.then(|| "this process".to_owned());
        RunRecord { run_id: id.clone(), head: self.head.clone(), holder }
    }

    fn last_output(&self) -> u64 {
        self.output.as_ref().and_then(|output| output.entries.back()).map_or(0, |entry| entry.number)
    }
}

fn last_event(events: &[Event]) -> u64 {
    events.last().map_or(0, |event| event.seq)
}

impl Output {
    fn add(&mut self, entries: &[OutputEntry], limit: usize) {
        for entry in entries {
            self.size += entry.text.len() + ENTRY_SIZE;
            self.entries.push_back(entry.clone());
        }
        let mut last = None;
        // The newest entry stays, however large, so that the numbers go on.
        while self.size > limit && self.entries.len() > 1 {
            if let Some(entry) = self.entries.pop_front() {
                self.size -= entry.text.len() + ENTRY_SIZE;
                self.dropped += u64::from(entry.kind != OutputKind::Dropped);
                last = Some(entry);
            }
        }
        if let Some(mut entry) = last {
            entry.kind = OutputKind::Dropped;
            entry.text = self.dropped.to_string();
            self.size += entry.text.len() + ENTRY_SIZE;
            self.entries.push_front(entry);
        }
    }
}

#[async_trait]
impl RunStore for MemoryStore {
    async fn create(&self, run: NewRun) -> Result<Lease, StoreError> {
        check_numbers(&run.id, 0, &run.events)?;
        let mut runs = write(&self.shared.runs);
        if runs.contains_key(&run.id) {
            return Err(StoreError::Exists(run.id));
        }
        write(&self.shared.bundles).entry(run.head.bundle.clone()).or_insert(run.bundle);
        let lease = Lease { run: run.id.clone(), epoch: self.epoch() };
        let mut new = Run {
            epoch: lease.epoch,
            held: true,
            head: run.head,
            appends: Vec::new(),
            controls: Vec::new(),
            handed: 0,
            obeyed: 0,
            output: None,
        };
        new.add_events(&run.events);
        runs.insert(run.id, Box::new(Mutex::new(new)));
        Ok(lease)
    }

    async fn append(
        &self,
        lease: &Lease,
        expected: u64,
        events: &[Event],
        head: Option<&RunHead>,
    ) -> Result<Vec<ControlRecord>, StoreError> {
        self.held(lease, |run| {
            let actual = run.last_event();
            if actual != expected {
                return Err(StoreError::Conflict { run: lease.run.clone(), expected, actual });
            }
            check_numbers(&lease.run, expected, events)?;
            run.add_events(events);
            if let Some(head) = head {
                run.head = head.clone();
            }
            let new = run.controls[run.handed..].to_vec();
            run.handed = run.controls.len();
            Ok(new)
        })
    }

    async fn append_output(&self, lease: &Lease, entries: &[OutputEntry]) -> Result<(), StoreError> {
        self.held(lease, |run| {
            check_output(&lease.run, run.last_output(), entries)?;
            run.output.get_or_insert_default().add(entries, self.shared.output_limit);
            Ok(())
        })
    }

    async fn events(&self, run: &RunId, after: u64, limit: usize) -> Result<Vec<Event>, StoreError> {
        self.run(run, |run| {
            let read = run.appends.partition_point(|events| last_event(events) <= after);
            let events = run.appends[read..].iter().flatten();
            events.skip_while(|event| event.seq <= after).take(limit).cloned().collect()
        })
    }

    async fn output(&self, run: &RunId, after: u64, limit: usize) -> Result<Vec<OutputEntry>, StoreError> {
        self.run(run, |run| {
            let Some(output) = &run.output else { return Vec::new() };
            let start = output.entries.partition_point(|entry| entry.number <= after);
            output.entries.range(start..).take(limit).cloned().collect()
        })
    }

    async fn last_output(&self, run: &RunId) -> Result<u64, StoreError> {
        self.run(run, |run| run.last_output())
    }

    async fn get(&self, run: &RunId) -> Result<RunRecord, StoreError> {
        self.run(run, |state| state.record(run))
    }

    async fn list(&self, filter: &RunFilter) -> Result<Vec<RunRecord>, StoreError> {
        let records = read(&self.shared.runs).iter().map(|(id, run)| lock(run).record(id)).collect();
        page(records, filter)
    }

    async fn claim(&self, run: &RunId) -> Result<Lease, StoreError> {
        self.run(run, |state| {
            if state.held {
                return Err(StoreError::Held { run: run.clone(), holder: "this process".to_owned() });
            }
            state.held = true;
            state.epoch = self.epoch();
            state.handed = state.controls.partition_point(|control| control.number <= state.obeyed);
            Ok(Lease { run: run.clone(), epoch: state.epoch })
        })?
    }

    async fn release(&self, lease: Lease) -> Result<(), StoreError> {
        match self.held(&lease, |run| {
            run.held = false;
            Ok(())
        }) {
            Err(StoreError::Fenced(_)) => Ok(()),
            result => result,
        }
    }

    async fn request(&self, run: &RunId, control: Control) -> Result<u64, StoreError> {
        let number = self.run(run, |run| {
            let number = run.controls.len() as u64 + 1;
            run.controls.push(ControlRecord { number, control });
            number
        })?;
        self.shared.watchers.call(Some(run));
        Ok(number)
    }

    async fn controls(&self, run: &RunId, after: u64) -> Result<Vec<ControlRecord>, StoreError> {
        self.run(run, |run| {
            let after = usize::try_from(after).unwrap_or(usize::MAX);
            run.controls.get(after..).unwrap_or_default().to_vec()
        })
    }

    async fn delete(&self, run: &RunId) -> Result<(), StoreError> {
        let mut runs = write(&self.shared.runs);
        let held = lock(runs.get(run).ok_or_else(|| run_not_found(run))?).held;
        if held {
            return Err(StoreError::Held { run: run.clone(), holder: "this process".to_owned() });
        }
        runs.remove(run);
        Ok(())
    }

    async fn bundle(&self, hash: &BundleHash) -> Result<Arc<Bundle>, StoreError> {
        let bundles = read(&self.shared.bundles);
        bundles.get(hash).cloned().ok_or_else(|| StoreError::NotFound(format!("bundle `{hash}`")))
    }

    async fn put_bundle(&self, bundle: Arc<Bundle>) -> Result<(), StoreError> {
        let hash = bundle.hash().map_err(|error| StoreError::Io {
            place: "the bundle".to_owned(),
            source: Arc::new(error.into()),
        })?;
        write(&self.shared.bundles).entry(hash).or_insert(bundle);
        Ok(())
    }

    fn watch(&self, watcher: Watcher) -> Watching {
        self.shared.watchers.add(watcher)
    }
}
