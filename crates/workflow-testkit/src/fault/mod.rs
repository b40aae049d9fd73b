//! A store that fails, is slow, or dies with its host, according to a script.

mod script;
mod store;

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use event_listener::Event;
use futures::future::{BoxFuture, OptionFuture};
use workflow_core::output::OutputEntry;
use workflow_core::store::order::check_output;
use workflow_core::store::{Lease, RunStore, StoreError};

use crate::chance::Chance;

pub use script::{Fault, Write, WriteKind, seeded};

/// Wraps a store, and does at each write what its script says.
///
/// A host that has died gets no more responses; [`death`](FaultStore::death) tells the test, which drops the
/// host and continues with the inner store. Writes that were not acknowledged may be stored or not: a write
/// that was [delayed](Fault::Delay) is stored at once or at the end of the delay, at random. Clones are the
/// same store.
///
/// ```
/// use futures::executor::block_on;
/// use workflow_core::store::{MemoryStore, RunStore, StoreError};
/// use workflow_testkit::fault::{Fault, FaultStore};
/// use workflow_testkit::store::runs::{create, id, started};
///
/// let memory = MemoryStore::new();
/// let store = FaultStore::new(&memory, |append| if append == 1 { Fault::LoseAnswer } else { Fault::None });
/// let lease = create(&store, "r1");
/// let error = block_on(store.append(&lease, 1, &[started(2)].into(), None)).unwrap_err();
/// assert!(matches!(error, StoreError::Io { .. }));
/// assert_eq!(block_on(memory.events(&id("r1"), 0, 9))?.len(), 2);
/// # Ok::<(), StoreError>(())
/// ```
#[derive(Clone)]
pub struct FaultStore {
    inner: Arc<dyn RunStore>,
    shared: Arc<Shared>,
    unwatched: bool,
}

/// Output entries, with the lease that they were appended with.
type Unsynced = (Lease, Vec<OutputEntry>);

/// Waits for a duration.
type Sleep = Arc<dyn Fn(Duration) -> BoxFuture<'static, ()> + Send + Sync>;

struct Shared {
    script: Box<dyn Fn(Write) -> Fault + Send + Sync>,
    writes: AtomicU64,
    of_kind: [AtomicU64; WriteKind::ALL.len()],
    dead: AtomicBool,
    death: Event,
    unreadable: AtomicBool,
    reads: AtomicU64,
    fails_to_read: Box<dyn Fn(u64) -> bool + Send + Sync>,
    chance: Mutex<Chance>,
    sleep: Option<Sleep>,
    /// Output that was acknowledged and is not stored; `None`: output is stored at once.
    unsynced: Option<Mutex<Vec<Unsynced>>>,
}

impl FaultStore {
    /// Wraps `inner`; append number `n`, counted from 1, has the fault `script(n)`.
    pub fn new(
        inner: &(impl RunStore + Clone + 'static),
        script: impl Fn(u64) -> Fault + Send + Sync + 'static,
    ) -> Self {
        Self::scripted(inner, move |write| match write.kind {
            WriteKind::Append => script(write.of_its_kind),
            _ => Fault::None,
        })
    }

    /// Wraps `inner`; every write has the fault that `script` returns.
    pub fn scripted(
        inner: &(impl RunStore + Clone + 'static),
        script: impl Fn(Write) -> Fault + Send + Sync + 'static,
    ) -> Self {
        let shared = Shared {
            script: Box::new(script),
            writes: AtomicU64::new(0),
            of_kind: Default::default(),
            dead: AtomicBool::new(false),
            death: Event::new(),
            unreadable: AtomicBool::new(false),
            reads: AtomicU64::new(0),
            fails_to_read: Box::new(|_| false),
            chance: Mutex::new(Chance::new(0)),
            sleep: None,
            unsynced: None,
        };
        Self { inner: Arc::new(inner.clone()), shared: Arc::new(shared), unwatched: false }
    }

    /// Makes reads of events fail for which `fails` is true; reads are counted from 1.
    #[must_use]
    pub fn unreadable(self, fails: impl Fn(u64) -> bool + Send + Sync + 'static) -> Self {
        self.with(|shared| shared.fails_to_read = Box::new(fails))
    }

    /// Sets the seed of random decisions.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        self.with(|shared| shared.chance = Mutex::new(Chance::new(seed)))
    }

    /// Sets the timer for delayed writes. Without one, delays take no time.
    #[must_use]
    pub fn timer(self, sleep: impl Fn(Duration) -> BoxFuture<'static, ()> + Send + Sync + 'static) -> Self {
        self.with(|shared| shared.sleep = Some(Arc::new(sleep)))
    }

    /// Holds output entries back until the next write of events, or until output is read: if the host dies
    /// before, a random part of them is stored.
    #[must_use]
    pub fn unsynced_output(self) -> Self {
        self.with(|shared| shared.unsynced = Some(Mutex::default()))
    }

    /// Never notifies watchers of control requests.
    #[must_use]
    pub fn unwatched(self) -> Self {
        Self { unwatched: true, ..self }
    }

    /// Changes the settings before the store is cloned.
    fn with(mut self, change: impl FnOnce(&mut Shared)) -> Self {
        change(Arc::get_mut(&mut self.shared).expect("a store is set up before it is cloned"));
        self
    }

    /// How many appends there were.
    pub fn appends(&self) -> u64 {
        self.shared.of_kind[WriteKind::Append as usize].load(Ordering::SeqCst)
    }

    /// How many writes there were, including appends.
    pub fn writes(&self) -> u64 {
        self.shared.writes.load(Ordering::SeqCst)
    }

    /// Whether the host has died.
    pub fn is_dead(&self) -> bool {
        self.shared.dead.load(Ordering::SeqCst)
    }

    /// Ready when the host has died. Dropping it has no effect.
    pub async fn death(&self) {
        while !self.is_dead() {
            let death = self.shared.death.listen();
            if !self.is_dead() {
                death.await;
            }
        }
    }

    /// Kills the host: its pending requests never get a response.
    pub async fn kill(&self) {
        if !self.shared.dead.swap(true, Ordering::SeqCst) {
            self.lose_output().await;
            self.shared.death.notify(usize::MAX);
        }
    }

    async fn die<T>(&self) -> T {
        self.kill().await;
        std::future::pending().await
    }

    /// The inner store, as long as the host lives.
    async fn alive(&self) -> &dyn RunStore {
        if self.is_dead() {
            return std::future::pending().await;
        }
        &*self.inner
    }

    fn draw(&self, most: u64) -> u64 {
        self.shared.chance.lock().unwrap().draw(most)
    }

    /// Executes a write, as the script says. A future that is not polled does nothing.
    async fn write<T>(
        &self,
        kind: WriteKind,
        write: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        self.alive().await;
        let fault = self.next_fault(kind);
        match fault {
            Fault::None => write.await,
            Fault::Delay(time) => self.delayed(time, write).await,
            Fault::DieBefore => self.die().await,
            Fault::Die if self.draw(1) == 0 => self.die().await,
            Fault::DieAfter | Fault::Die => {
                write.await?;
                self.die().await
            }
            Fault::Lose => Err(unknown()),
            Fault::LoseAnswer | Fault::LoseAnswerAndRead => {
                write.await?;
                self.shared.unreadable.store(fault == Fault::LoseAnswerAndRead, Ordering::SeqCst);
                Err(unknown())
            }
        }
    }

    fn next_fault(&self, kind: WriteKind) -> Fault {
        let number = self.shared.writes.fetch_add(1, Ordering::SeqCst) + 1;
        let of_its_kind = self.shared.of_kind[kind as usize].fetch_add(1, Ordering::SeqCst) + 1;
        (self.shared.script)(Write { kind, number, of_its_kind })
    }

    async fn delayed<T>(
        &self,
        time: Duration,
        write: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let early = self.draw(1) == 0;
        let wait = self.shared.sleep.as_ref().map(|sleep| sleep(time));
        if early {
            let answer = write.await;
            OptionFuture::from(wait).await;
            self.alive().await;
            answer
        } else {
            OptionFuture::from(wait).await;
            self.alive().await;
            write.await
        }
    }

    /// Holds output back, after checking that it could be stored.
    async fn keep_back(&self, lease: &Lease, entries: &[OutputEntry]) -> Result<(), StoreError> {
        let store = self.alive().await;
        let Some(unsynced) = &self.shared.unsynced else { return store.append_output(lease, entries).await };
        self.sync_output().await?;
        store.append_output(lease, &[]).await?;
        check_output(&lease.run, store.last_output(&lease.run).await?, entries)?;
        unsynced.lock().unwrap().push((lease.clone(), entries.to_vec()));
        Ok(())
    }

    /// Stores the output that was held back.
    async fn sync_output(&self) -> Result<(), StoreError> {
        for (lease, entries) in self.kept_back() {
            self.inner.append_output(&lease, &entries).await?;
        }
        Ok(())
    }

    /// Stores a random part of the output that was held back.
    async fn lose_output(&self) {
        for (lease, entries) in self.kept_back() {
            let kept = usize::try_from(self.draw(entries.len() as u64)).unwrap_or_default();
            // The host is dead: no caller gets the result.
            let _ = self.inner.append_output(&lease, &entries[..kept]).await;
        }
    }

    fn kept_back(&self) -> Vec<Unsynced> {
        let unsynced = self.shared.unsynced.as_ref();
        unsynced.map(|unsynced| std::mem::take(&mut *unsynced.lock().unwrap())).unwrap_or_default()
    }
}

impl fmt::Debug for FaultStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultStore")
            .field("writes", &self.writes())
            .field("dead", &self.is_dead())
            .finish_non_exhaustive()
    }
}

fn unknown() -> StoreError {
    let source = Arc::new(std::io::Error::other("is faulty"));
    StoreError::Io { place: "the medium".to_owned(), source }
}
