//! Implements the store trait for pointers to stores.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use jiff::Timestamp;

use crate::bundle::{Bundle, BundleHash};
use crate::event::Event;
use crate::ids::RunId;
use crate::output::OutputEntry;
use crate::store::control::{ControlRecord, ControlRequest};
use crate::store::error::StoreError;
use crate::store::filter::RunFilter;
use crate::store::limit::LabelLimit;
use crate::store::notice::{NoticeClaim, NoticeId};
use crate::store::output_filter::{OutputFilter, OutputWindow};
use crate::store::record::{Lease, NewRun, RunHead, RunRecord};
use crate::store::run_store::RunStore;
use crate::store::watchers::{Watcher, Watching};

macro_rules! forward {
    ($($pointer:ty),*) => {$(
        #[async_trait]
        impl<T: RunStore + ?Sized> RunStore for $pointer {
            async fn create(&self, run: NewRun) -> Result<Lease, StoreError> {
                (**self).create(run).await
            }

            // Written by hand instead of with `async_trait`: the append of a step then costs one box and not
            // two.
            fn append<'store, 'lease, 'events, 'head, 'append>(
                &'store self,
                lease: &'lease Lease,
                expected: u64,
                events: &'events Arc<[Event]>,
                head: Option<&'head RunHead>,
            ) -> BoxFuture<'append, Result<Vec<ControlRecord>, StoreError>>
            where
                'store: 'append,
                'lease: 'append,
                'events: 'append,
                'head: 'append,
                Self: 'append,
            {
                (**self).append(lease, expected, events, head)
            }

            async fn append_output(&self, lease: &Lease, entries: &[OutputEntry]) -> Result<(), StoreError> {
                (**self).append_output(lease, entries).await
            }

            async fn events(&self, run: &RunId, after: u64, limit: usize) -> Result<Vec<Event>, StoreError> {
                (**self).events(run, after, limit).await
            }

            async fn output(&self, run: &RunId, after: u64, limit: usize) -> Result<Vec<OutputEntry>, StoreError> {
                (**self).output(run, after, limit).await
            }

            async fn output_window(
                &self,
                run: &RunId,
                filter: &OutputFilter,
            ) -> Result<OutputWindow, StoreError> {
                (**self).output_window(run, filter).await
            }

            async fn last_output(&self, run: &RunId) -> Result<u64, StoreError> {
                (**self).last_output(run).await
            }

            async fn get(&self, run: &RunId) -> Result<RunRecord, StoreError> {
                (**self).get(run).await
            }

            async fn list(&self, filter: &RunFilter) -> Result<Vec<RunRecord>, StoreError> {
                (**self).list(filter).await
            }

            async fn count(&self, filter: &RunFilter) -> Result<u64, StoreError> {
                (**self).count(filter).await
            }

            async fn claim(&self, run: &RunId) -> Result<Lease, StoreError> {
                (**self).claim(run).await
            }

            async fn claim_next(&self, most: usize, now: Timestamp) -> Result<Vec<Lease>, StoreError> {
                (**self).claim_next(most, now).await
            }

            async fn claim_within(
                &self,
                most: usize,
                now: Timestamp,
                limit: &LabelLimit,
            ) -> Result<Vec<Lease>, StoreError> {
                (**self).claim_within(most, now, limit).await
            }

            fn lease_time(&self) -> Option<Duration> {
                (**self).lease_time()
            }

            async fn renew(&self) -> Result<(), StoreError> {
                (**self).renew().await
            }

            async fn release(&self, lease: Lease) -> Result<(), StoreError> {
                (**self).release(lease).await
            }

            async fn request(&self, run: &RunId, request: ControlRequest) -> Result<u64, StoreError> {
                (**self).request(run, request).await
            }

            async fn controls(&self, run: &RunId, after: u64) -> Result<Vec<ControlRecord>, StoreError> {
                (**self).controls(run, after).await
            }

            async fn delete(&self, run: &RunId) -> Result<(), StoreError> {
                (**self).delete(run).await
            }

            async fn prune(&self, ended_before: Timestamp, most: usize) -> Result<usize, StoreError> {
                (**self).prune(ended_before, most).await
            }

            async fn claim_notice(
                &self,
                notice: &NoticeId,
                now: Timestamp,
                until: Timestamp,
            ) -> Result<NoticeClaim, StoreError> {
                (**self).claim_notice(notice, now, until).await
            }

            async fn settle_notice(
                &self,
                notice: &NoticeId,
                attempt: u32,
                retry_at: Option<Timestamp>,
            ) -> Result<(), StoreError> {
                (**self).settle_notice(notice, attempt, retry_at).await
            }

            async fn bundle(&self, hash: &BundleHash) -> Result<Arc<Bundle>, StoreError> {
                (**self).bundle(hash).await
            }

            fn watch(&self, watcher: Watcher) -> Watching {
                (**self).watch(watcher)
            }
        }
    )*};
}

forward!(&T, Box<T>, Arc<T>);
