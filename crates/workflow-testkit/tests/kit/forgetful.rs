//! A wrapper that was written before the trait had one of its methods: it uses the default implementation.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use workflow_core::bundle::{Bundle, BundleHash};
use workflow_core::event::Event;
use workflow_core::ids::RunId;
use workflow_core::output::OutputEntry;
use workflow_core::provider::async_trait;
use workflow_core::store::*;

pub(crate) struct Forgetful<S> {
    old: Old<S>,
    forgets: &'static str,
}

impl<S> Forgetful<S> {
    pub(crate) fn new(store: S, forgets: &'static str) -> Self {
        Self { old: Old(store), forgets }
    }

    /// Which store executes a method: the inner store, or a wrapper with the default.
    fn of(&self, method: &str) -> &dyn RunStore
    where
        S: RunStore,
    {
        if self.forgets == method { &self.old } else { &self.old.0 }
    }
}

/// Lacks all methods with a default.
struct Old<S>(S);

type Answer<T> = Result<T, StoreError>;

/// Forwards the methods without a default to `$inner` of `$self`, and adds `$more`.
macro_rules! hand_on {
    ($wrapper:ident, $self:ident => $inner:expr, { $($more:tt)* }) => {
        #[async_trait]
        impl<S: RunStore> RunStore for $wrapper<S> {
            async fn create(&$self, run: NewRun) -> Answer<Lease> {
                $inner.create(run).await
            }

            async fn append(
                &$self,
                lease: &Lease,
                expected: u64,
                events: &Arc<[Event]>,
                head: Option<&RunHead>,
            ) -> Answer<Vec<ControlRecord>> {
                $inner.append(lease, expected, events, head).await
            }

            async fn append_output(&$self, lease: &Lease, entries: &[OutputEntry]) -> Answer<()> {
                $inner.append_output(lease, entries).await
            }

            async fn events(&$self, run: &RunId, after: u64, limit: usize) -> Answer<Vec<Event>> {
                $inner.events(run, after, limit).await
            }

            async fn output(&$self, run: &RunId, after: u64, limit: usize) -> Answer<Vec<OutputEntry>> {
                $inner.output(run, after, limit).await
            }

            async fn last_output(&$self, run: &RunId) -> Answer<u64> {
                $inner.last_output(run).await
            }

            async fn get(&$self, run: &RunId) -> Answer<RunRecord> {
                $inner.get(run).await
            }

            async fn list(&$self, filter: &RunFilter) -> Answer<Vec<RunRecord>> {
                $inner.list(filter).await
            }

            async fn claim(&$self, run: &RunId) -> Answer<Lease> {
                $inner.claim(run).await
            }

            async fn release(&$self, lease: Lease) -> Answer<()> {
                $inner.release(lease).await
            }

            async fn request(&$self, run: &RunId, request: ControlRequest) -> Answer<u64> {
                $inner.request(run, request).await
            }

            async fn controls(&$self, run: &RunId, after: u64) -> Answer<Vec<ControlRecord>> {
                $inner.controls(run, after).await
            }

            async fn delete(&$self, run: &RunId) -> Answer<()> {
                $inner.delete(run).await
            }

            async fn claim_notice(
                &$self,
                notice: &NoticeId,
                now: Timestamp,
                until: Timestamp,
            ) -> Answer<NoticeClaim> {
                $inner.claim_notice(notice, now, until).await
            }

            async fn settle_notice(
                &$self,
                notice: &NoticeId,
                attempt: u32,
                retry_at: Option<Timestamp>,
            ) -> Answer<()> {
                $inner.settle_notice(notice, attempt, retry_at).await
            }

            async fn bundle(&$self, hash: &BundleHash) -> Answer<Arc<Bundle>> {
                $inner.bundle(hash).await
            }

            fn watch(&$self, watcher: Watcher) -> Watching {
                $inner.watch(watcher)
            }

            $($more)*
        }
    };
}

hand_on!(Old, self => self.0, {});

hand_on!(Forgetful, self => self.old.0, {
    async fn output_window(&self, run: &RunId, filter: &OutputFilter) -> Answer<OutputWindow> {
        self.of("output_window").output_window(run, filter).await
    }

    async fn count(&self, filter: &RunFilter) -> Answer<u64> {
        self.of("count").count(filter).await
    }

    async fn claim_next(&self, most: usize, now: Timestamp) -> Answer<Vec<Lease>> {
        self.of("claim_next").claim_next(most, now).await
    }

    async fn claim_within(&self, most: usize, now: Timestamp, limit: &LabelLimit) -> Answer<Vec<Lease>> {
        self.of("claim_within").claim_within(most, now, limit).await
    }

    fn lease_time(&self) -> Option<Duration> {
        self.of("lease_time").lease_time()
    }

    async fn renew(&self) -> Answer<()> {
        self.of("renew").renew().await
    }

    async fn prune(&self, ended_before: Timestamp, most: usize) -> Answer<usize> {
        self.of("prune").prune(ended_before, most).await
    }
});
