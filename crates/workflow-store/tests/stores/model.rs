//! Durable stores behave like the store in memory, whatever operations are applied.

use std::path::Path;
use std::sync::Arc;

use futures::executor::block_on;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use workflow_core::actor::Actor;
use workflow_core::event::{Event, EventBody};
use workflow_core::failure::{Failure, FailureClass};
use workflow_core::status::{RunStatus, Wait};
use workflow_core::store::{Control, Lease, RunFilter, RunHead, RunStore, StoreError};
use workflow_store::MemoryStore;

use crate::fixture::*;

const RUNS: [&str; 2] = ["a", "b"];

#[derive(Debug, Clone)]
enum Op {
    Create(usize),
    Claim(usize),
    ClaimNext,
    Renew,
    Release(usize),
    Append {
        run: usize,
        lease: Use,
        off: u64,
        bodies: Vec<Body>,
    },
    Output {
        run: usize,
        lease: Use,
        skip: u64,
        count: u64,
    },
    Request(usize, Control),
    Delete(usize),
    Prune(u64),
    Read {
        run: usize,
        after: u64,
        limit: usize,
    },
    /// The process dies, and another one continues.
    Reopen,
}

/// Which lease is used.
#[derive(Debug, Clone, Copy)]
enum Use {
    Newest,
    Former,
}

#[derive(Debug, Clone, Copy)]
enum Body {
    Work,
    Start,
    /// Applies the newest control request but a few.
    Pause(u64),
    Paused,
    Resume(u64),
    Fail,
}

fn op() -> impl Strategy<Value = Op> {
    let run = || 0..RUNS.len();
    let lease = || prop_oneof![6 => Just(Use::Newest), 1 => Just(Use::Former)];
    let control = || 0..2_u64;
    let body = prop_oneof![
        4 => Just(Body::Work),
        1 => Just(Body::Start),
        1 => control().prop_map(Body::Pause),
        1 => Just(Body::Paused),
        1 => control().prop_map(Body::Resume),
        1 => Just(Body::Fail),
    ];
    let asked = prop_oneof![Just(Control::Pause), Just(Control::Resume), Just(Control::Cancel)];
    prop_oneof![
        1 => run().prop_map(Op::Create),
        4 => run().prop_map(Op::Claim),
        2 => Just(Op::ClaimNext),
        1 => Just(Op::Renew),
        3 => run().prop_map(Op::Release),
        9 => (run(), lease(), prop_oneof![5 => Just(0), 1 => 1..3_u64], vec(body, 0..4))
            .prop_map(|(run, lease, off, bodies)| Op::Append { run, lease, off, bodies }),
        4 => (run(), lease(), prop_oneof![4 => Just(1), 1 => 0..4_u64], 0..3_u64)
            .prop_map(|(run, lease, skip, count)| Op::Output { run, lease, skip, count }),
        3 => (run(), asked).prop_map(|(run, control)| Op::Request(run, control)),
        1 => run().prop_map(Op::Delete),
        1 => (0..12_u64).prop_map(Op::Prune),
        2 => (run(), 0..9_u64, 0..5_usize).prop_map(|(run, after, limit)| Op::Read { run, after, limit }),
        1 => Just(Op::Reopen),
    ]
}

/// Opens the store of a home that persists.
type Open = fn(&Path) -> Box<dyn RunStore>;

/// Both stores, and what their user knows.
struct Pair {
    memory: MemoryStore,
    lasting: Option<Box<dyn RunStore>>,
    open: Open,
    home: tempfile::TempDir,
    runs: [Known; RUNS.len()],
}

#[derive(Default)]
struct Known {
    /// The newest lease, and the one before it, of each store.
    leases: Vec<[Lease; 2]>,
    head: Option<RunHead>,
    last: u64,
    last_output: u64,
    asked: u64,
}

impl Pair {
    fn new(open: Open) -> Self {
        let home = tempfile::tempdir().unwrap();
        let lasting = Some(open(home.path()));
        Self { memory: MemoryStore::new(), lasting, open, home, runs: Default::default() }
    }

    /// Applies the same operation to both, and checks that the results are equal.
    fn both<T: PartialEq + std::fmt::Debug>(
        &self,
        what: &str,
        call: impl Fn(&dyn RunStore, usize) -> Result<T, StoreError>,
    ) -> Option<T> {
        let memory = call(&self.memory, 0);
        let lasting = call(self.lasting.as_ref().unwrap(), 1);
        match (memory, lasting) {
            (Ok(memory), Ok(lasting)) => {
                assert_eq!(memory, lasting, "{what}");
                Some(memory)
            }
            (Err(memory), Err(lasting)) => {
                assert_eq!(kind(&memory), kind(&lasting), "{what}");
                None
            }
            (memory, lasting) => panic!("{what}: {memory:?} in memory, {lasting:?} in the other"),
        }
    }

    fn lease(&self, run: usize, which: Use) -> Option<&[Lease; 2]> {
        let mut leases = self.runs[run].leases.iter().rev();
        match which {
            Use::Newest => leases.next(),
            Use::Former => leases.nth(1),
        }
    }

    fn take(&mut self, run: usize, what: &str, call: impl Fn(&dyn RunStore) -> Result<Lease, StoreError>) {
        let leases = std::sync::Mutex::new(Vec::new());
        let taken = self.both(what, |store, _| {
            leases.lock().unwrap().push(call(store)?);
            Ok(())
        });
        if taken.is_some() {
            self.runs[run].leases.push(leases.into_inner().unwrap().try_into().unwrap());
        }
    }

    fn apply(&mut self, op: &Op) {
        let what = format!("{op:?}");
        match *op {
            Op::Create(run) => {
                let new = new_run(RUNS[run]);
                let before = self.runs[run].leases.len();
                self.take(run, &what, |store| block_on(store.create(new.clone())));
                let known = &mut self.runs[run];
                if known.leases.len() > before {
                    *known = Known { leases: known.leases.split_off(before), ..Known::default() };
                    (known.head, known.last) = (Some(new.head), 1);
                }
            }
            Op::Claim(run) => self.take(run, &what, |store| block_on(store.claim(&id(RUNS[run])))),
            Op::ClaimNext => {
                let taken = std::sync::Mutex::new(Vec::new());
                let runs = self.both(&what, |store, _| {
                    let mut leases = block_on(store.claim_next(RUNS.len(), at(0)))?;
                    leases.sort_by(|a, b| a.run.cmp(&b.run));
                    let runs: Vec<_> = leases.iter().map(|lease| lease.run.clone()).collect();
                    taken.lock().unwrap().push(leases);
                    Ok(runs)
                });
                let taken: [Vec<Lease>; 2] = taken.into_inner().unwrap().try_into().unwrap();
                let [memory, files] = taken.map(Vec::into_iter);
                for (run, pair) in runs.unwrap().iter().zip(memory.zip(files)) {
                    let run = RUNS.iter().position(|name| *name == run.as_str()).unwrap();
                    self.runs[run].leases.push(pair.into());
                }
            }
            Op::Renew => {
                self.both(&what, |store, _| block_on(store.renew())).unwrap();
            }
            Op::Release(run) => {
                if let Some(leases) = self.lease(run, Use::Newest) {
                    self.both(&what, |store, n| block_on(store.release(leases[n].clone())));
                }
            }
            Op::Append { run, lease, off, ref bodies } => {
                let Some(leases) = self.lease(run, lease) else { return };
                let known = &self.runs[run];
                let (expected, mut head) = (known.last + off, known.head.clone().unwrap());
                let events: Arc<[Event]> = bodies
                    .iter()
                    .zip(expected + 1..)
                    .map(|(body, seq)| body.event(seq, known.asked))
                    .collect();
                for event in &*events {
                    follow(&mut head, event);
                }
                let changed = Some(&head).filter(|_| events.iter().any(|event| event.body.changes_head()));
                let stored = self
                    .both(&what, |store, n| block_on(store.append(&leases[n], expected, &events, changed)));
                if stored.is_some() {
                    let known = &mut self.runs[run];
                    (known.last, known.head) = (expected + events.len() as u64, Some(head));
                }
            }
            Op::Output { run, lease, skip, count } => {
                let Some(leases) = self.lease(run, lease) else { return };
                let first = self.runs[run].last_output + skip;
                let entries: Vec<_> = (first..first + count).map(|number| entry(number, "text")).collect();
                let stored = self.both(&what, |store, n| block_on(store.append_output(&leases[n], &entries)));
                if let (Some(()), Some(last)) = (stored, entries.last()) {
                    self.runs[run].last_output = last.number;
                }
            }
            Op::Request(run, ref control) => {
                // The requests to one of the runs name who sent them.
                let sent = control.clone();
                let sent = if run == 0 { sent.by(Actor::new("ann").via("http")) } else { sent.into() };
                let request = |store: &dyn RunStore| block_on(store.request(&id(RUNS[run]), sent.clone()));
                let number = self.both(&what, |store, _| request(store));
                self.runs[run].asked = number.unwrap_or(self.runs[run].asked);
            }
            Op::Delete(run) => {
                if self.both(&what, |store, _| block_on(store.delete(&id(RUNS[run])))).is_some() {
                    self.runs[run] = Known::default();
                }
            }
            Op::Prune(before) => {
                self.both(&what, |store, _| block_on(store.prune(at(before), 1))).unwrap();
                for (known, name) in self.runs.iter_mut().zip(RUNS) {
                    if block_on(self.memory.get(&id(name))).is_err() {
                        *known = Known::default();
                    }
                }
            }
            Op::Read { run, after, limit } => self.compare(&what, run, after, limit),
            Op::Reopen => {
                self.memory = self.memory.reopen();
                self.lasting = None;
                self.lasting = Some((self.open)(self.home.path()));
            }
        }
    }

    fn compare(&self, what: &str, run: usize, after: u64, limit: usize) {
        let run = id(RUNS[run]);
        self.both(what, |store, _| block_on(store.events(&run, after, limit)));
        self.both(what, |store, _| block_on(store.output(&run, after, limit)));
        self.both(what, |store, _| block_on(store.last_output(&run)));
        self.both(what, |store, _| block_on(store.controls(&run, after)));
        self.both(what, |store, _| block_on(store.get(&run)).map(|r| (r.head, r.holder.is_some())));
        let mut filter = RunFilter::unfinished();
        filter.limit = Some(limit);
        self.both(what, |store, _| {
            let list = block_on(store.list(&filter))?;
            Ok(list.into_iter().map(|r| (r.run_id, r.head, r.holder.is_some())).collect::<Vec<_>>())
        });
    }
}

impl Body {
    /// An event; it applies only control requests that were `asked` for.
    fn event(self, seq: u64, asked: u64) -> Event {
        match self {
            Self::Work => succeeded(seq),
            Self::Start => event(seq, EventBody::RunStarted),
            Self::Pause(control) => {
                event(seq, EventBody::PauseRequested { control: asked.saturating_sub(control), by: None })
            }
            Self::Paused => event(seq, EventBody::RunPaused),
            Self::Resume(control) => {
                event(seq, EventBody::RunResumed { control: asked.saturating_sub(control), by: None })
            }
            Self::Fail => {
                let error = Failure::new(FailureClass::Stage, "it failed").into();
                event(seq, EventBody::RunFailed { error })
            }
        }
    }
}

/// Updates the head of the run after an event, as a driver does.
fn follow(head: &mut RunHead, event: &Event) {
    let status = match &event.body {
        EventBody::RunStarted => {
            head.started_at = Some(event.at);
            RunStatus::Running
        }
        EventBody::RunResumed { .. } => RunStatus::Running,
        EventBody::RunPaused => RunStatus::Paused,
        EventBody::RunFailed { error } => {
            head.error = Some(error.clone());
            RunStatus::Failed
        }
        _ => return,
    };
    head.status = status;
    head.wait = (status == RunStatus::Paused).then(|| Box::new(Wait::paused()));
    head.completed_at = (status == RunStatus::Failed).then_some(event.at);
}

fn kind(error: &StoreError) -> String {
    match error {
        StoreError::Conflict { expected, actual, .. } => format!("conflict: {actual}, not {expected}"),
        StoreError::Held { run, .. } => format!("{run} is held"),
        error => error.to_string(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::with_cases(48)
    })]

    #[test]
    #[cfg(feature = "files")]
    fn files_do_the_same(ops in vec(op(), 1..60)) {
        check(|home| Box::new(workflow_store::FileStore::open(home).unwrap()), &ops);
    }

    #[test]
    #[cfg(feature = "sqlite")]
    fn sqlite_does_the_same(ops in vec(op(), 1..60)) {
        check(|home| Box::new(workflow_store::SqliteStore::open(home.join("runs.db")).unwrap()), &ops);
    }
}

fn check(open: Open, ops: &[Op]) {
    let mut pair = Pair::new(open);
    let created = [Op::Create(0), Op::Create(1)];
    for op in created.iter().chain(ops) {
        pair.apply(op);
    }
    for run in 0..RUNS.len() {
        pair.compare("at the end", run, 0, usize::MAX);
        pair.apply(&Op::Reopen);
        pair.compare("after a restart", run, 0, usize::MAX);
    }
}
