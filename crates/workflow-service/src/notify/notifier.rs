//! The notifier: looks, delivers, and looks again.

use std::fmt;
use std::pin::pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt as _, select};
use futures::stream::{FuturesUnordered, StreamExt as _};
use jiff::Timestamp;
use workflow_core::catalog::{Catalog, Part, Version};
use workflow_core::definition::{Diagnostic, parse_notifications};
use workflow_core::provider::async_trait;
use workflow_core::store::RunStore;

use crate::error::ServiceError;
use crate::notify::environment::Environment;
use crate::notify::hints::Hints;
use crate::notify::look::Look;
use crate::notify::notice::Notice;
use crate::notify::pick::Picked;
use crate::notify::queue::{Job, Queue};
use crate::notify::target::{Target, defined};
use crate::test_notices::{TestNotice, TestNotices};

/// The shortest time between two looks.
const GAP: Duration = Duration::from_millis(500);
/// A look is repeated after this many times as long as it took.
const SHARE: u32 = 20;

/// Tells targets of what happens to the runs of a store; see the [module](super). Cheap to clone; all clones are one
/// notifier.
#[derive(Clone)]
pub struct Notifier(Arc<Inner>);

pub(super) struct Inner {
    pub store: Arc<dyn RunStore>,
    pub catalog: Option<Arc<dyn Catalog>>,
    /// The targets of the host.
    pub fixed: Vec<Target>,
    /// The targets of the catalog.
    pub read: RwLock<Read>,
    pub environment: Arc<Environment>,
    pub hints: Hints,
    pub poll_every: Duration,
    pub max_age: Duration,
}

/// What was read from the catalog.
#[derive(Default)]
pub(super) struct Read {
    version: Option<Version>,
    targets: Vec<Target>,
    /// Whether the file was empty when it was last read.
    was_empty: bool,
}

impl Notifier {
    pub(super) fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    /// Looks and delivers until `stop` completes; then deliveries that are under way complete. Needs a tokio runtime
    /// with time and I/O.
    ///
    /// Dropping the future stops deliveries that are under way: another notifier, or this one when it runs again,
    /// repeats them after their claims have ended.
    pub async fn run(&self, stop: impl Future<Output = ()>) {
        let inner = &*self.0;
        let mut stop = pin!(stop);
        let mut queue = Queue::default();
        let mut deliveries = FuturesUnordered::new();
        let mut looking: BoxFuture<'_, _> = inner.look(Look::default()).boxed();
        let mut is_looking = true;
        loop {
            for job in queue.start(inner.now()) {
                deliveries.push(async move {
                    let again = inner.attempt(&job).await;
                    (job, again)
                });
            }
            let due = queue.next().map(|due| {
                let wait = Duration::try_from(due.duration_since(inner.now())).unwrap_or_default();
                inner.environment.timer.sleep(wait)
            });
            tokio::select! {
                () = &mut stop => break,
                Some((job, again)) = deliveries.next() => {
                    queue.ended(&job.target);
                    if let Some(again) = again {
                        queue.add(job, again);
                    }
                }
                (look, found, took) = &mut looking, if is_looking => {
                    let now = inner.now();
                    for job in inner.jobs(&found) {
                        queue.add(job, now);
                    }
                    is_looking = true;
                    looking = async move {
                        inner.pause(took).await;
                        inner.look(look).await
                    }.boxed();
                }
                () = async { match due { Some(due) => due.await, None => std::future::pending().await } } => {}
            }
        }
        drop(looking);
        while deliveries.next().await.is_some() {}
    }
}

impl fmt::Debug for Notifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notifier").finish_non_exhaustive()
    }
}

#[async_trait]
impl TestNotices for Notifier {
    async fn test(&self, target: &str) -> Result<TestNotice, ServiceError> {
        let inner = &*self.0;
        inner.refresh().await;
        let Some(target) = inner.target(target) else {
            let mut names = inner.names();
            names.sort();
            let known = if names.is_empty() { "there are none".to_owned() } else { names.join(", ") };
            return Err(ServiceError::not_found(format!("there is no target `{target}` (targets: {known})")));
        };
        let notice = Notice::test(&target.name, inner.now());
        let problem = inner.deliver(&target, &notice).await.err().map(|error| error.message);
        Ok(TestNotice { id: notice.id, delivered: problem.is_none(), problem })
    }
}

impl Inner {
    pub(super) fn now(&self) -> Timestamp {
        self.environment.clock.now()
    }

    /// The target of that name.
    pub(super) fn target(&self, name: &str) -> Option<Target> {
        let read = self.read.read().unwrap_or_else(PoisonError::into_inner);
        self.fixed.iter().chain(&read.targets).find(|target| target.name == name).cloned()
    }

    fn names(&self) -> Vec<String> {
        let read = self.read.read().unwrap_or_else(PoisonError::into_inner);
        self.fixed.iter().chain(&read.targets).map(|target| target.name.clone()).collect()
    }

    /// What targets are to be told.
    fn jobs(&self, found: &[Arc<Picked>]) -> Vec<Job> {
        let read = self.read.read().unwrap_or_else(PoisonError::into_inner);
        let mut jobs = Vec::new();
        for picked in found {
            for target in self.fixed.iter().chain(&read.targets).filter(|target| target.wants(picked)) {
                jobs.push(Job { target: target.name.clone(), picked: picked.clone() });
            }
        }
        jobs
    }

    /// Reads `config/notify.yml` if it has changed.
    async fn refresh(&self) {
        let Some(catalog) = &self.catalog else { return };
        let text = match catalog.part(&Part::Notifications).await {
            Ok(text) => text,
            Err(error) => {
                tracing::warn!(%error, "cannot read the targets of notifications");
                return;
            }
        };
        let version = text.as_ref().map(|text| text.version.clone());
        let is_empty = text.as_ref().is_some_and(|text| text.text.is_empty());
        {
            let mut read = self.read.write().unwrap_or_else(PoisonError::into_inner);
            let was_empty = std::mem::replace(&mut read.was_empty, is_empty);
            // A program that writes a file in place empties it first: what it had counts until it is found empty twice.
            if read.version == version || (is_empty && !was_empty) {
                return;
            }
        }
        let parsed = text.as_ref().map(|text| parse_notifications(text.text.as_bytes()));
        let mut targets = Some(Vec::new());
        if let (Some(text), Some(parsed)) = (&text, parsed) {
            for found in parsed.diagnostics.iter().filter(|found| found.is_error()) {
                let Diagnostic { line, column, message, .. } = found;
                tracing::error!("{}:{line}:{column}: {message}", text.origin);
            }
            targets = parsed.notifications.map(|notifications| {
                let targets = notifications.targets.iter();
                targets.map(|(name, target)| defined(name, target, &self.environment)).collect()
            });
        }
        let mut read = self.read.write().unwrap_or_else(PoisonError::into_inner);
        read.version = version;
        if let Some(targets) = targets {
            read.targets = targets;
        }
    }

    /// Looks for new events once. Returns what was found and how long that took.
    async fn look(&self, mut look: Look) -> (Look, Vec<Arc<Picked>>, Duration) {
        let began = self.elapsed();
        let mut found = Vec::new();
        self.refresh().await;
        // Without targets the store is not read.
        if !self.names().is_empty()
            && let Err(error) = look.run(&*self.store, self.now(), self.max_age, &mut found).await
        {
            tracing::warn!(%error, "cannot look for events to notify of");
        }
        (look, found, self.elapsed().saturating_sub(began))
    }

    /// Waits until it is time to look again after a look that took so long.
    async fn pause(&self, took: Duration) {
        let shortest = took.saturating_mul(SHARE).max(GAP.min(self.poll_every));
        self.environment.timer.sleep(shortest).await;
        let rest = self.environment.timer.sleep(self.poll_every.saturating_sub(shortest));
        drop(select(rest, pin!(self.hints.wait())).await);
    }

    /// The time since some moment.
    fn elapsed(&self) -> Duration {
        let clock = &self.environment.clock;
        clock.monotonic().unwrap_or_else(|| {
            let since = clock.now().duration_since(Timestamp::UNIX_EPOCH);
            Duration::try_from(since).unwrap_or_default()
        })
    }
}
