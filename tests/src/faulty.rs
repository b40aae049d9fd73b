//! A store that fails, or dies with its host, at chosen appends.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

use async_trait::async_trait;
use workflow_core::bundle::{Bundle, BundleHash};
use workflow_core::event::Event;
use workflow_core::ids::RunId;
use workflow_core::output::OutputEntry;
use workflow_core::store::{
    Control, ControlRecord, Lease, MemoryStore, NewRun, RunFilter, RunHead, RunRecord, RunStore, StoreError,
    Watcher, Watching,
};

/// What happens at an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It works.
    None,
    /// The host dies before anything is stored.
    DieBefore,
    /// The host dies when all is stored, before it hears of it.
    DieAfter,
    /// An error, and nothing is stored.
    Lose,
    /// An error, although all is stored.
    LoseAnswer,
    /// The same, and the next try to read events back fails too.
    LoseAnswerAndRead,
}

/// Keeps runs in memory, and does at each append, counted from 1, what its script says.
#[derive(Clone)]
pub struct Faulty {
    inner: MemoryStore,
    script: Arc<dyn Fn(u64) -> Fault + Send + Sync>,
    appends: Arc<AtomicU64>,
    death: Arc<Death>,
    unreadable: Arc<AtomicBool>,
    reads: Arc<AtomicU64>,
    fails_to_read: Arc<dyn Fn(u64) -> bool + Send + Sync>,
    unwatched: bool,
}

#[derive(Default)]
struct Death {
    has_come: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Faulty {
    /// A store whose append number `n` meets with `script(n)`.
    pub fn new(inner: &MemoryStore, script: impl Fn(u64) -> Fault + Send + Sync + 'static) -> Self {
        let (inner, script) = (inner.clone(), Arc::new(script));
        Self {
            inner,
            script,
            appends: Arc::default(),
            death: Arc::default(),
            unreadable: Arc::default(),
            reads: Arc::default(),
            fails_to_read: Arc::new(|_| false),
            unwatched: false,
        }
    }

    /// The same, without ever telling anybody of a control that was requested.
    #[must_use]
    pub fn unwatched(self) -> Self {
        Self { unwatched: true, ..self }
    }

    /// The same, whose reads of events fail that `fails` names; they are counted from 1.
    #[must_use]
    pub fn unreadable(self, fails: impl Fn(u64) -> bool + Send + Sync + 'static) -> Self {
        Self { fails_to_read: Arc::new(fails), ..self }
    }

    /// How many appends there were.
    pub fn appends(&self) -> u64 {
        self.appends.load(Ordering::SeqCst)
    }

    /// Ready when the host has died.
    pub async fn death(&self) {
        std::future::poll_fn(|cx| {
            *self.death.waker.lock().unwrap() = Some(cx.waker().clone());
            if self.death.has_come.load(Ordering::SeqCst) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    async fn die<T>(&self) -> T {
        self.death.has_come.store(true, Ordering::SeqCst);
        if let Some(waker) = self.death.waker.lock().unwrap().take() {
            waker.wake();
        }
        std::future::pending().await
    }

    /// The store, as long as its host lives.
    async fn alive(&self) -> &MemoryStore {
        if self.death.has_come.load(Ordering::SeqCst) {
            return std::future::pending().await;
        }
        &self.inner
    }
}

fn unknown() -> StoreError {
    StoreError::Io { place: "the medium".to_owned(), source: Arc::new(io::Error::other("is faulty")) }
}

#[async_trait]
impl RunStore for Faulty {
    async fn append(
        &self,
        lease: &Lease,
        expected: u64,
        events: &[Event],
        head: Option<&RunHead>,
    ) -> Result<Vec<ControlRecord>, StoreError> {
        let store = self.alive().await;
        let number = self.appends.fetch_add(1, Ordering::SeqCst) + 1;
        let fault = (self.script)(number);
        match fault {
            Fault::None => store.append(lease, expected, events, head).await,
            Fault::DieBefore => self.die().await,
            Fault::DieAfter => {
                store.append(lease, expected, events, head).await?;
                self.die().await
            }
            Fault::Lose => Err(unknown()),
            Fault::LoseAnswer | Fault::LoseAnswerAndRead => {
                store.append(lease, expected, events, head).await?;
                self.unreadable.store(fault == Fault::LoseAnswerAndRead, Ordering::SeqCst);
                Err(unknown())
            }
        }
    }

    async fn create(&self, run: NewRun) -> Result<Lease, StoreError> {
        self.alive().await.create(run).await
    }

    async fn append_output(&self, lease: &Lease, entries: &[OutputEntry]) -> Result<(), StoreError> {
        self.alive().await.append_output(lease, entries).await
    }

    async fn events(&self, run: &RunId, after: u64, limit: usize) -> Result<Vec<Event>, StoreError> {
        let read = self.reads.fetch_add(1, Ordering::SeqCst) + 1;
        if self.unreadable.swap(false, Ordering::SeqCst) || (self.fails_to_read)(read) {
            return Err(unknown());
        }
        self.alive().await.events(run, after, limit).await
    }

    async fn output(&self, run: &RunId, after: u64, limit: usize) -> Result<Vec<OutputEntry>, StoreError> {
        self.alive().await.output(run, after, limit).await
    }

    async fn last_output(&self, run: &RunId) -> Result<u64, StoreError> {
        self.alive().await.last_output(run).await
    }

    async fn get(&self, run: &RunId) -> Result<RunRecord, StoreError> {
        self.alive().await.get(run).await
    }

    async fn list(&self, filter: &RunFilter) -> Result<Vec<RunRecord>, StoreError> {
        self.alive().await.list(filter).await
    }

    async fn claim(&self, run: &RunId) -> Result<Lease, StoreError> {
        self.alive().await.claim(run).await
    }

    async fn release(&self, lease: Lease) -> Result<(), StoreError> {
        self.alive().await.release(lease).await
    }

    async fn request(&self, run: &RunId, control: Control) -> Result<u64, StoreError> {
        self.alive().await.request(run, control).await
    }

    async fn controls(&self, run: &RunId, after: u64) -> Result<Vec<ControlRecord>, StoreError> {
        self.alive().await.controls(run, after).await
    }

    async fn delete(&self, run: &RunId) -> Result<(), StoreError> {
        self.alive().await.delete(run).await
    }

    async fn bundle(&self, hash: &BundleHash) -> Result<Arc<Bundle>, StoreError> {
        self.alive().await.bundle(hash).await
    }

    fn watch(&self, watcher: Watcher) -> Watching {
        if self.unwatched { Watching::new(()) } else { self.inner.watch(watcher) }
    }
}
