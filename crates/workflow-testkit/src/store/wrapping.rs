//! Checks that a store that wraps another one forwards every method.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures::executor::block_on;
use jiff::Timestamp;
use workflow_core::actor::Actor;
use workflow_core::bundle::{Bundle, BundleHash};
use workflow_core::event::Event;
use workflow_core::ids::RunId;
use workflow_core::output::OutputEntry;
use workflow_core::status::RunStatus;
use workflow_core::store::{
    Control, ControlRecord, ControlRequest, LabelLimit, Lease, NewRun, NoticeClaim, NoticeId, OutputFilter,
    OutputWindow, RunFilter, RunHead, RunRecord, RunStore, StoreError, Watcher, Watching,
};

use super::runs::{at, entry, head, id, new_run, started};
use super::{Damage, Fixture};

/// A fixture whose stores are wrapped.
///
/// ```
/// use std::sync::Arc;
/// use workflow_testkit::store::{Fixture, wrapping::Wrapped};
///
/// fn behind_an_arc(fixture: impl Fixture) -> impl Fixture {
///     Wrapped::new(fixture, |store| Box::new(Arc::new(store)))
/// }
/// ```
#[derive(Debug)]
pub struct Wrapped<F, W> {
    fixture: F,
    wrap: W,
}

impl<F: Fixture, W: Fn(Box<dyn RunStore>) -> Box<dyn RunStore>> Wrapped<F, W> {
    /// Wraps every store that `fixture` opens.
    pub fn new(fixture: F, wrap: W) -> Self {
        Self { fixture, wrap }
    }
}

impl<F: Fixture, W: Fn(Box<dyn RunStore>) -> Box<dyn RunStore>> Fixture for Wrapped<F, W> {
    fn open(&self) -> Box<dyn RunStore> {
        (self.wrap)(self.fixture.open())
    }

    fn advance(&self, by: Duration) {
        self.fixture.advance(by);
    }

    fn damage(&self, run: &RunId, event: u64, damage: Damage) {
        self.fixture.damage(run, event, damage);
    }
}

/// The methods of [`RunStore`], in the order of the trait.
pub const METHODS: [&str; 24] = [
    "create",
    "append",
    "append_output",
    "events",
    "output",
    "output_window",
    "last_output",
    "get",
    "list",
    "count",
    "claim",
    "claim_next",
    "claim_within",
    "lease_time",
    "renew",
    "release",
    "request",
    "controls",
    "delete",
    "prune",
    "claim_notice",
    "settle_notice",
    "bundle",
    "watch",
];

/// A store that keeps nothing, returns a distinct answer from each method, and records which were called.
#[derive(Debug, Clone, Default)]
pub struct Recorder {
    calls: Arc<Mutex<Vec<&'static str>>>,
}

impl Recorder {
    fn called(&self, method: &'static str) {
        self.calls.lock().unwrap().push(method);
    }

    /// The calls since the last time.
    pub fn calls(&self) -> Vec<&'static str> {
        std::mem::take(&mut *self.calls.lock().unwrap())
    }
}

/// Checks that a store that wraps another one forwards every method, including those with a default
/// implementation in the trait, which are easily forgotten.
///
/// ```
/// use std::sync::Arc;
/// use workflow_testkit::store::wrapping::every_method_is_handed_on;
///
/// every_method_is_handed_on(|store| Box::new(Arc::new(store)));
/// ```
///
/// # Panics
///
/// If a method does not reach the inner store, or its answer is changed.
pub fn every_method_is_handed_on(wrap: impl FnOnce(Recorder) -> Box<dyn RunStore>) {
    let bare = Recorder::default();
    let wrapped = wrap(bare.clone());
    bare.calls();
    for method in METHODS {
        let answer = call(&*wrapped, method);
        assert_eq!(bare.calls(), [method], "what reaches the store inside of a call of `{method}`");
        assert_eq!(answer, call(&bare, method), "the answer of `{method}`");
        bare.calls();
    }
}

/// Calls a method, and formats its answer.
fn call(store: &dyn RunStore, method: &str) -> String {
    let (run, lease) = (id("r1"), Lease { run: id("r1"), epoch: 3, previous: 0, deaths: 0, behind: None });
    let notice = NoticeId { run: id("r1"), event: 2, target: "t".to_owned() };
    let head = head(RunStatus::Running);
    let limit = LabelLimit::new("tenant", 2).unwrap();
    match method {
        "create" => format!("{:?}", block_on(store.create(new_run("r1")))),
        "append" => format!("{:?}", block_on(store.append(&lease, 1, &[started(2)].into(), Some(&head)))),
        "append_output" => format!("{:?}", block_on(store.append_output(&lease, &[entry(1, "x")]))),
        "events" => format!("{:?}", block_on(store.events(&run, 1, 2))),
        "output" => format!("{:?}", block_on(store.output(&run, 1, 2))),
        "output_window" => format!("{:?}", block_on(store.output_window(&run, &OutputFilter::all()))),
        "last_output" => format!("{:?}", block_on(store.last_output(&run))),
        "get" => format!("{:?}", block_on(store.get(&run))),
        "list" => format!("{:?}", block_on(store.list(&RunFilter::all()))),
        "count" => format!("{:?}", block_on(store.count(&RunFilter::all()))),
        "claim" => format!("{:?}", block_on(store.claim(&run))),
        "claim_next" => format!("{:?}", block_on(store.claim_next(4, at(0)))),
        "claim_within" => format!("{:?}", block_on(store.claim_within(4, at(0), &limit))),
        "lease_time" => format!("{:?}", store.lease_time()),
        "renew" => format!("{:?}", block_on(store.renew())),
        "release" => format!("{:?}", block_on(store.release(lease))),
        "request" => format!("{:?}", block_on(store.request(&run, Control::Kill.by(Actor::new("a"))))),
        "controls" => format!("{:?}", block_on(store.controls(&run, 1))),
        "delete" => format!("{:?}", block_on(store.delete(&run))),
        "prune" => format!("{:?}", block_on(store.prune(at(6), 5))),
        "claim_notice" => format!("{:?}", block_on(store.claim_notice(&notice, at(1), at(2)))),
        "settle_notice" => format!("{:?}", block_on(store.settle_notice(&notice, 3, Some(at(4))))),
        "bundle" => format!("{:?}", block_on(store.bundle(&BundleHash::of("x")))),
        "watch" => format!("{:?}", store.watch(Arc::new(|_| {}))),
        _ => panic!("`{method}` is not called"),
    }
}

fn told(what: impl std::fmt::Debug) -> StoreError {
    StoreError::Closed(format!("{what:?}"))
}

#[async_trait]
impl RunStore for Recorder {
    async fn create(&self, run: NewRun) -> Result<Lease, StoreError> {
        self.called("create");
        Err(told(run))
    }

    async fn append(
        &self,
        lease: &Lease,
        expected: u64,
        events: &Arc<[Event]>,
        head: Option<&RunHead>,
    ) -> Result<Vec<ControlRecord>, StoreError> {
        self.called("append");
        Err(told((lease, expected, events, head)))
    }

    async fn append_output(&self, lease: &Lease, entries: &[OutputEntry]) -> Result<(), StoreError> {
        self.called("append_output");
        Err(told((lease, entries)))
    }

    async fn events(&self, run: &RunId, after: u64, limit: usize) -> Result<Vec<Event>, StoreError> {
        self.called("events");
        Err(told((run, after, limit)))
    }

    async fn output(&self, run: &RunId, after: u64, limit: usize) -> Result<Vec<OutputEntry>, StoreError> {
        self.called("output");
        Err(told((run, after, limit)))
    }

    async fn output_window(&self, run: &RunId, filter: &OutputFilter) -> Result<OutputWindow, StoreError> {
        self.called("output_window");
        Err(told((run, filter)))
    }

    async fn last_output(&self, run: &RunId) -> Result<u64, StoreError> {
        self.called("last_output");
        Err(told(run))
    }

    async fn get(&self, run: &RunId) -> Result<RunRecord, StoreError> {
        self.called("get");
        Err(told(run))
    }

    async fn list(&self, filter: &RunFilter) -> Result<Vec<RunRecord>, StoreError> {
        self.called("list");
        Err(told(filter))
    }

    async fn count(&self, filter: &RunFilter) -> Result<u64, StoreError> {
        self.called("count");
        Err(told(filter))
    }

    async fn claim(&self, run: &RunId) -> Result<Lease, StoreError> {
        self.called("claim");
        Err(told(run))
    }

    async fn claim_next(&self, most: usize, now: Timestamp) -> Result<Vec<Lease>, StoreError> {
        self.called("claim_next");
        Ok(vec![Lease {
            run: id("claimed"),
            epoch: most as u64 + now.as_second().unsigned_abs(),
            previous: 0,
            deaths: 2,
            behind: None,
        }])
    }

    async fn claim_within(
        &self,
        most: usize,
        now: Timestamp,
        limit: &LabelLimit,
    ) -> Result<Vec<Lease>, StoreError> {
        self.called("claim_within");
        Ok(vec![Lease {
            run: id("claimed-within"),
            epoch: (most + limit.most()) as u64 + now.as_second().unsigned_abs(),
            previous: 0,
            deaths: 2,
            behind: None,
        }])
    }

    fn lease_time(&self) -> Option<Duration> {
        self.called("lease_time");
        Some(Duration::from_secs(7))
    }

    async fn renew(&self) -> Result<(), StoreError> {
        self.called("renew");
        Err(StoreError::Expired)
    }

    async fn release(&self, lease: Lease) -> Result<(), StoreError> {
        self.called("release");
        Err(told(lease))
    }

    async fn request(&self, run: &RunId, request: ControlRequest) -> Result<u64, StoreError> {
        self.called("request");
        Err(told((run, request)))
    }

    async fn controls(&self, run: &RunId, after: u64) -> Result<Vec<ControlRecord>, StoreError> {
        self.called("controls");
        Err(told((run, after)))
    }

    async fn delete(&self, run: &RunId) -> Result<(), StoreError> {
        self.called("delete");
        Err(told(run))
    }

    async fn prune(&self, ended_before: Timestamp, most: usize) -> Result<usize, StoreError> {
        self.called("prune");
        Err(told((ended_before, most)))
    }

    async fn claim_notice(
        &self,
        notice: &NoticeId,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<NoticeClaim, StoreError> {
        self.called("claim_notice");
        Err(told((notice, now, until)))
    }

    async fn settle_notice(
        &self,
        notice: &NoticeId,
        attempt: u32,
        retry_at: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        self.called("settle_notice");
        Err(told((notice, attempt, retry_at)))
    }

    async fn bundle(&self, hash: &BundleHash) -> Result<Arc<Bundle>, StoreError> {
        self.called("bundle");
        Err(told(hash))
    }

    fn watch(&self, _: Watcher) -> Watching {
        self.called("watch");
        Watching::new(())
    }
}
