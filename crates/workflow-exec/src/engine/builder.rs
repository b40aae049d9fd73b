//! The builder of an engine.

use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use foldhash::HashMap;
use workflow_core::catalog::Catalog;
use workflow_core::definition::Defaults;
use workflow_core::machine::Secrets;
use workflow_core::provider::Provider;
use workflow_core::sink::EventSink;
use workflow_core::store::{MemoryStore, RunStore};

use crate::active::Active;
use crate::engine::{Engine, children};
use crate::heartbeat::Heartbeat;
use crate::key::RunKey;
use crate::limits::Limits;
use crate::panics::{GuardedClock, GuardedTimer};
use crate::parking::Parked;
use crate::runtime::{Clock, Spawn, SystemClock, ThreadTimer, Timer};
use crate::shared::Shared;
use crate::sinks::Sinks;
use crate::steady::Steady;
use workflow_core::runs::BuildError;

/// Builds an [`Engine`]. Only the providers that the workflows name are required.
///
/// ```
/// use std::time::Duration;
///
/// use workflow_core::store::MemoryStore;
/// use workflow_exec::{Engine, Limits};
///
/// let engine = Engine::builder()
///     .store(MemoryStore::new())
///     .limits(Limits::new().limit("claude-code", 2))
///     .stop_grace(Duration::from_secs(5))
///     .build()?;
/// assert!(futures::executor::block_on(engine.unfinished())?.is_empty());
/// # Ok::<(), workflow_exec::EngineError>(())
/// ```
#[must_use]
pub struct EngineBuilder {
    store: Arc<dyn RunStore>,
    catalog: Option<Arc<dyn Catalog>>,
    providers: HashMap<Arc<str>, Arc<dyn Provider>>,
    /// The first problem with what was registered.
    wrong: Option<BuildError>,
    defaults: Defaults,
    sinks: Sinks,
    secrets: Arc<dyn Secrets>,
    limits: Arc<Limits>,
    clock: Arc<Steady>,
    timer: Arc<dyn Timer>,
    spawn: Option<Arc<dyn Spawn>>,
    stop_grace: Duration,
    store_patience: Duration,
    max_output: usize,
    run_key: Option<RunKey>,
}

struct NoSecrets;

impl Secrets for NoSecrets {
    fn secret(&self, _: &str) -> Option<String> {
        None
    }
}

impl Default for EngineBuilder {
    fn default() -> Self {
        Self {
            store: Arc::new(MemoryStore::new()),
            catalog: None,
            providers: HashMap::default(),
            wrong: None,
            defaults: Defaults::default(),
            sinks: Sinks::default(),
            secrets: Arc::new(NoSecrets),
            limits: Arc::new(Limits::new()),
            clock: Arc::new(Steady::new(SystemClock)),
            timer: Arc::new(ThreadTimer),
            spawn: None,
            stop_grace: Duration::from_secs(30),
            store_patience: Duration::from_secs(600),
            max_output: 8 << 20,
            run_key: None,
        }
    }
}

impl Engine {
    /// A builder with the defaults: runs in memory, no catalog, no providers.
    pub fn builder() -> EngineBuilder {
        EngineBuilder::default()
    }
}

impl EngineBuilder {
    /// Keeps runs in `store`; in memory unless set.
    pub fn store(mut self, store: impl RunStore + 'static) -> Self {
        self.store = Arc::new(store);
        self
    }

    /// Looks workflows up in `catalog`.
    pub fn catalog(mut self, catalog: impl Catalog + 'static) -> Self {
        self.catalog = Some(Arc::new(catalog));
        self
    }

    /// Registers a provider under the name that definitions use. [`build`](Self::build) refuses a name that
    /// is registered already, is empty or longer than 100 characters, begins or ends with white space, or has
    /// control characters.
    pub fn provider(mut self, name: impl Into<Arc<str>>, provider: impl Provider + 'static) -> Self {
        let name = name.into();
        if let Some(problem) = problem_with(&name) {
            self.wrong.get_or_insert(BuildError::InvalidProviderName { name, problem });
        } else if self.providers.insert(name.clone(), Arc::new(provider)).is_some() {
            self.wrong.get_or_insert(BuildError::DuplicateProvider(name));
        }
        self
    }

    /// The provider of stages that name none. [`build`](Self::build) refuses one that is not registered.
    pub fn default_provider(mut self, name: impl Into<String>) -> Self {
        self.defaults.provider = Some(name.into());
        self
    }

    /// The defaults for what workflows do not specify, for instance [`Defaults::coding_agents`]. Replaces the
    /// default provider too.
    pub fn defaults(mut self, defaults: Defaults) -> Self {
        self.defaults = defaults;
        self
    }

    /// Shows events and output to `sink`. One that panics is switched off; see [`Engine::sinks`].
    pub fn sink(mut self, sink: impl EventSink + 'static) -> Self {
        self.sinks.add(sink);
        self
    }

    /// Looks `${secrets.x}` up in `secrets`.
    pub fn secrets(mut self, secrets: impl Secrets + 'static) -> Self {
        self.secrets = Arc::new(secrets);
        self
    }

    /// Limits how many calls of a provider run at once. An `Arc` can be shared.
    pub fn limits(mut self, limits: impl Into<Arc<Limits>>) -> Self {
        self.limits = limits.into();
        self
    }

    /// Reads the time from `clock` instead of the system's clock. Within an engine time never goes back: a
    /// clock that is [set](Clock::monotonic) back is followed from where it was.
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Arc::new(Steady::new(GuardedClock::new(clock)));
        self
    }

    /// Waits with `timer` instead of a thread of the engine.
    pub fn timer(mut self, timer: impl Timer + 'static) -> Self {
        self.timer = Arc::new(GuardedTimer(timer));
        self
    }

    /// Drives runs that were [started](Engine::start) in the background.
    pub fn spawner(mut self, spawn: impl Spawn + 'static) -> Self {
        self.spawn = Some(Arc::new(spawn));
        self
    }

    /// How long a call of a provider that [needs a grace period](Provider::needs_grace) may take to end after it
    /// was told to stop, before its future is dropped; 30 s unless set. Longer than the grace period that
    /// providers give their processes.
    pub fn stop_grace(mut self, grace: Duration) -> Self {
        self.stop_grace = grace;
        self
    }

    /// How long a driver waits for a store that fails with [`StoreError::Io`] before it gives its run up: a database
    /// that is down or locked, a disk that is full; ten minutes unless set.
    ///
    /// Calls that are under way continue meanwhile, and their results are stored as soon as possible; no new
    /// call is started. If the store's [leases](RunStore::lease_time) expire, calls are stopped before the
    /// lease ends, and made again once the driver has claimed the run again. Otherwise they continue for as
    /// long as the driver waits.
    ///
    /// [`StoreError::Io`]: workflow_core::store::StoreError::Io
    pub fn store_patience(mut self, patience: Duration) -> Self {
        self.store_patience = patience;
        self
    }

    /// The largest output of a node, in bytes of JSON; 8 MiB unless set.
    pub fn max_output(mut self, bytes: usize) -> Self {
        self.max_output = bytes;
        self
    }

    /// Signs the runs that the engine creates, and drives only runs that are signed with the same key:
    /// driving another run is [`EngineError::NotSigned`](crate::EngineError::NotSigned), and workers do not
    /// claim it. Without a key, anyone who can write to the store can execute commands here.
    pub fn run_key(mut self, key: RunKey) -> Self {
        self.run_key = Some(key);
        self
    }

    /// Builds the engine.
    ///
    /// # Errors
    ///
    /// [`BuildError`] for the first problem with what was registered.
    pub fn build(mut self) -> Result<Engine, BuildError> {
        if let Some(wrong) = self.wrong {
            return Err(wrong);
        }
        if let Some(name) = &self.defaults.provider
            && !self.providers.contains_key(name.as_str())
        {
            let mut known: Vec<_> = self.providers.keys().map(ToString::to_string).collect();
            known.sort_unstable();
            return Err(BuildError::UnknownDefaultProvider { name: name.clone(), known });
        }
        self.defaults.providers = Some(Arc::new(self.providers.keys().map(ToString::to_string).collect()));
        let store = self.store;
        let active = Arc::new(Active::default());
        let woken = Arc::downgrade(&active);
        let watching = store.watch(Arc::new(move |run| {
            if let Some(active) = woken.upgrade() {
                active.look_for_controls(run);
                active.hint.notify(usize::MAX);
            }
        }));
        Ok(Engine {
            shared: Arc::new(Shared {
                store,
                catalog: self.catalog,
                providers: self.providers,
                defaults: self.defaults,
                sinks: self.sinks,
                secrets: self.secrets,
                limits: self.limits,
                clock: self.clock,
                timer: self.timer,
                spawn: self.spawn,
                stop_grace: self.stop_grace,
                store_patience: self.store_patience,
                max_output: self.max_output,
                run_key: self.run_key,
                active,
                heartbeat: Heartbeat::default(),
                parked: Parked::default(),
                look_at: children::look_at,
                workers: AtomicUsize::new(0),
                plans: Mutex::default(),
                _watching: watching,
            }),
        })
    }
}

/// What is wrong with a provider's name.
fn problem_with(name: &str) -> Option<&'static str> {
    /// The longest name, in characters.
    const LONGEST: usize = 100;
    if name.is_empty() {
        Some("it is empty")
    } else if name.chars().count() > LONGEST {
        Some("it is longer than 100 characters")
    } else if name.trim() != name {
        Some("it begins or ends with white space")
    } else if name.contains(char::is_control) {
        Some("it has control characters")
    } else {
        None
    }
}
