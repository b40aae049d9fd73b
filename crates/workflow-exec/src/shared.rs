//! What all drivers of one engine share, and the runs that the engine holds.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use foldhash::HashMap;
use futures::future::{BoxFuture, FutureExt as _};
use workflow_core::bundle::BundleHash;
use workflow_core::catalog::Catalog;
use workflow_core::definition::{self, Defaults, ProviderSettings};
use workflow_core::ids::RunId;
use workflow_core::machine::Secrets;
use workflow_core::plan::Plan;
use workflow_core::provider::Provider;
use workflow_core::store::{Lease, RunStore, StoreError, Watching};

use crate::active::{Active, Entered};
use crate::children::{Look, Seen};
use crate::heartbeat::Heartbeat;
use crate::key::RunKey;
use crate::limits::Limits;
use crate::panics::caught;
use crate::parking::Parked;
use crate::runtime::{Spawn, Timer};
use crate::selection::WorkOptions;
use crate::sinks::Sinks;
use crate::steady::Steady;
use workflow_core::runs::EngineError;

pub(crate) struct Shared {
    pub store: Arc<dyn RunStore>,
    pub catalog: Option<Arc<dyn Catalog>>,
    pub providers: HashMap<Arc<str>, Arc<dyn Provider>>,
    pub defaults: Defaults,
    pub sinks: Sinks,
    pub secrets: Arc<dyn Secrets>,
    pub limits: Arc<Limits>,
    pub clock: Arc<Steady>,
    pub timer: Arc<dyn Timer>,
    pub spawn: Option<Arc<dyn Spawn>>,
    pub stop_grace: Duration,
    pub store_patience: Duration,
    pub max_output: usize,
    pub run_key: Option<RunKey>,
    pub active: Arc<Active>,
    pub heartbeat: Heartbeat,
    pub parked: Parked,
    pub plans: Mutex<HashMap<BundleHash, Weak<Plan>>>,
    /// Looks at the runs that nodes have started: a driver does not know the engine.
    pub look_at: fn(Arc<Shared>, Look) -> BoxFuture<'static, Result<Seen, EngineError>>,
    /// How many workers claim runs for the engine.
    pub workers: AtomicUsize,
    pub _watching: Watching,
}

impl Shared {
    /// Whether new runs are claimed by workers of the engine.
    pub(crate) fn has_workers(&self) -> bool {
        self.workers.load(Ordering::Acquire) > 0
    }

    pub(crate) fn unknown_provider(&self, name: &str) -> String {
        self.unknown_provider_among(name, &ProviderSettings::default())
    }

    /// The same where the home has names of its own.
    pub(crate) fn unknown_provider_among(&self, name: &str, settings: &ProviderSettings) -> String {
        let mut known: Vec<_> = self.providers.keys().map(|name| &**name).collect();
        known.sort_unstable();
        let suggestion = definition::did_you_mean(name, self.names_among(settings));
        let name: String = name.chars().take(80).collect();
        format!("no provider is registered as `{name}`{suggestion} (registered: {})", known.join(", "))
    }

    /// The provider that a name may be a slip of.
    pub(crate) fn near_provider<'n>(&'n self, name: &str, settings: &'n ProviderSettings) -> Option<&'n str> {
        definition::nearest(name, self.names_among(settings))
    }

    /// The registered names, and those of the home that stand for others.
    fn names_among<'n>(&'n self, settings: &'n ProviderSettings) -> Vec<&'n str> {
        let stands_for = settings.providers.iter().filter(|(_, setting)| setting.provider.is_some());
        let stands_for = stands_for.map(|(name, _)| name.as_str());
        let mut known: Vec<_> = self.providers.keys().map(|name| &**name).chain(stands_for).collect();
        known.sort_unstable();
        known.dedup();
        known
    }
}

/// A run that is driven here. Dropping it releases the lease, and then unregisters the run.
pub(crate) struct Hold {
    shared: Arc<Shared>,
    run: RunId,
    /// The epoch of the newest lease.
    epoch: AtomicU64,
    deaths: u32,
    /// The run that had its slot when it was claimed.
    behind: Option<RunId>,
    /// Whether another driver had the run between two of the leases.
    taken: AtomicBool,
    held: bool,
    entered: Entered,
    /// Where a worker claimed it: the flag that tells the worker whether it is driven.
    pub(crate) selected_by: Option<Arc<WorkOptions>>,
}

impl Hold {
    /// Registers a run that was just claimed as driven here, unless it is registered already.
    pub(crate) fn new(shared: &Arc<Shared>, lease: Lease) -> Option<Self> {
        let (entered, lease) = shared.active.enter(lease)?;
        let Lease { run, epoch, deaths, behind, .. } = lease;
        let (epoch, taken) = (AtomicU64::new(epoch), AtomicBool::new(false));
        let shared = shared.clone();
        Some(Self { shared, run, epoch, deaths, behind, taken, held: true, entered, selected_by: None })
    }

    /// How many drivers of the run had died in a row when it was claimed.
    pub(crate) fn deaths(&self) -> u32 {
        self.deaths
    }

    /// The run that had the slot of this one when it was claimed.
    pub(crate) fn behind(&self) -> Option<&RunId> {
        self.behind.as_ref()
    }

    /// Whether the run waited for its slot when it was claimed.
    pub(crate) fn waits(&self) -> bool {
        self.behind.is_some()
    }

    pub(crate) fn lease(&self) -> Lease {
        Lease {
            run: self.run.clone(),
            epoch: self.epoch.load(Ordering::Acquire),
            previous: 0,
            deaths: 0,
            behind: None,
        }
    }

    pub(crate) fn run(&self) -> &RunId {
        &self.run
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(crate) fn entered(&self) -> &Entered {
        &self.entered
    }

    /// The run was claimed again.
    pub(crate) fn renew(&self, lease: &Lease) {
        let before = self.epoch.swap(lease.epoch, Ordering::AcqRel);
        if lease.previous != before {
            self.taken.store(true, Ordering::Release);
        }
    }

    /// Whether another driver may have had the run since the last call of this method.
    pub(crate) fn was_taken(&self) -> bool {
        self.taken.swap(false, Ordering::AcqRel)
    }

    /// Records the error that ends the driver, for callers that wait for the run.
    pub(crate) fn failed(&self, error: impl Into<EngineError>) -> EngineError {
        let error = error.into();
        self.shared.active.driver_failed(&self.run, error.clone());
        error
    }

    /// Releases the lease, and stays registered.
    pub(crate) async fn give_back(&mut self) -> Result<(), StoreError> {
        self.held = false;
        self.give_back_offered();
        self.shared.store.release(self.lease()).await
    }

    /// Gives the lease back.
    pub(crate) async fn release(mut self) -> Result<(), StoreError> {
        self.give_back().await
    }

    fn give_back_offered(&self) {
        if let Some(lease) = self.entered.inbox.end_driving() {
            // A store submits a release on the first poll, and carries it out by itself.
            let _ = self.shared.store.release(lease).now_or_never();
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let what = format!("driving run `{}`", self.run);
            let message = "see this program's panic report for the text of the panic".to_owned();
            self.failed(EngineError::Panicked { what, message });
        }
        if self.held {
            self.give_back_offered();
            let _ = caught(|| self.shared.store.release(self.lease()).now_or_never());
        }
    }
}
