//! Builds a notifier.

use std::path::PathBuf;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use workflow_core::catalog::Catalog;
use workflow_core::definition::{NoticeKind, NotifyTarget};
use workflow_core::machine::Secrets;
use workflow_core::store::RunStore;
use workflow_exec::{Clock, SystemClock, ThreadTimer, Timer};

use crate::notify::deliver::Deliver;
use crate::notify::environment::Environment;
use crate::notify::hints::Hints;
use crate::notify::notifier::{Inner, Notifier};
use crate::notify::target::{TIMEOUT, Target, defined};
use crate::notify::tls::Tls;

/// Builds a [`Notifier`].
#[must_use]
pub struct NotifierBuilder {
    store: Arc<dyn RunStore>,
    catalog: Option<Arc<dyn Catalog>>,
    defined: Vec<(String, NotifyTarget)>,
    channels: Vec<Target>,
    clock: Arc<dyn Clock>,
    timer: Arc<dyn Timer>,
    secrets: Arc<dyn Secrets>,
    hints: Hints,
    directory: PathBuf,
    poll_every: Duration,
    max_age: Duration,
}

/// The environment variables of the process.
struct Variables;

impl Secrets for Variables {
    fn secret(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }
}

impl Notifier {
    /// A builder of a notifier for the runs of a store.
    pub fn builder(store: Arc<dyn RunStore>) -> NotifierBuilder {
        NotifierBuilder::new(store)
    }
}

impl NotifierBuilder {
    fn new(store: Arc<dyn RunStore>) -> Self {
        Self {
            store,
            catalog: None,
            defined: Vec::new(),
            channels: Vec::new(),
            clock: Arc::new(SystemClock),
            timer: Arc::new(ThreadTimer),
            secrets: Arc::new(Variables),
            hints: Hints::default(),
            directory: ".".into(),
            poll_every: Duration::from_secs(5),
            max_age: Duration::from_secs(3_600),
        }
    }

    /// Reads targets from `config/notify.yml` of a catalog, again before each look. While the file has errors, the
    /// targets that were read before stay.
    pub fn catalog(mut self, catalog: Arc<dyn Catalog>) -> Self {
        self.catalog = Some(catalog);
        self
    }

    /// Adds a webhook or a command. The name tells its notices from those of other targets, also in other processes.
    pub fn target(mut self, name: impl Into<String>, target: NotifyTarget) -> Self {
        self.defined.push((name.into(), target));
        self
    }

    /// Adds a target that the host tells itself, of some kinds of notices.
    pub fn channel(
        mut self,
        name: impl Into<String>,
        on: impl IntoIterator<Item = NoticeKind>,
        channel: impl Deliver + 'static,
    ) -> Self {
        self.channels.push(Target {
            name: name.into(),
            on: on.into_iter().collect(),
            workflows: Vec::new(),
            timeout: TIMEOUT,
            channel: Arc::new(channel),
        });
        self
    }

    /// Looks at once when the engine that has a clone of `hints` as a sink stores something that matters.
    pub fn hints(mut self, hints: Hints) -> Self {
        self.hints = hints;
        self
    }

    /// Where secrets of webhooks come from, by the names in `secret_env`; environment variables unless set.
    pub fn secrets(mut self, secrets: impl Secrets + 'static) -> Self {
        self.secrets = Arc::new(secrets);
        self
    }

    /// Where commands run; the current directory unless set.
    pub fn directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = directory.into();
        self
    }

    /// Reads the time from `clock`.
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Waits with `timer`.
    pub fn timer(mut self, timer: impl Timer + 'static) -> Self {
        self.timer = Arc::new(timer);
        self
    }

    /// How often the store is looked at for what other processes did; 5 s unless set. A look that takes long is
    /// repeated less often, so that looking takes at most a twentieth of the time.
    pub fn poll_every(mut self, interval: Duration) -> Self {
        self.poll_every = interval;
        self
    }

    /// How old an event may be of which targets are told; an hour unless set. It matters after all notifiers were
    /// stopped for a while.
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = age;
        self
    }

    /// The notifier.
    pub fn build(self) -> Notifier {
        let environment = Arc::new(Environment {
            clock: self.clock,
            timer: self.timer,
            secrets: self.secrets,
            directory: self.directory,
            tls: Tls::default(),
        });
        let defined = self.defined.iter().map(|(name, target)| defined(name, target, &environment));
        let fixed = defined.chain(self.channels).collect();
        Notifier::new(Inner {
            store: self.store,
            catalog: self.catalog,
            fixed,
            read: RwLock::default(),
            environment,
            hints: self.hints,
            poll_every: self.poll_every,
            max_age: self.max_age,
        })
    }
}
