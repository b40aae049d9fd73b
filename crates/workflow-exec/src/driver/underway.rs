//! What a run waits for: its calls, its timers, and slots for calls.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use foldhash::HashMap;
use futures::future::{BoxFuture, FutureExt as _};
use futures::stream::{FuturesUnordered, StreamExt as _};
use workflow_core::data::Data;
use workflow_core::failure::Failure;
use workflow_core::ids::NodePath;
use workflow_core::stop::Stop;
use workflow_core::store::StoreError;

use crate::call::{self, Admission, Ended};
use crate::children::Seen;
use crate::driver::output::RunIo;
use crate::runtime::Timer;
use workflow_core::runs::EngineError;

type Call<'e> = call::Call<'e, RunIo>;
type CallIo = call::CallIo<RunIo>;

/// Something that the run waited for has happened.
pub(super) enum Arrival<'e> {
    Ended(Ended),
    Place(NodePath, Arc<str>, Admission<'e>),
    Due(NodePath),
    /// The run that a node has started was looked at.
    Seen(NodePath, u32, Stop, Result<Seen, EngineError>),
    /// It is time to look at it again.
    Look(NodePath, u32, Stop),
    /// The outputs of a `foreach` node's items were read.
    Collected(NodePath, Result<Result<Data, Failure>, StoreError>),
    /// The grace period of a call that was told to stop is over.
    Overdue(NodePath, u32),
}

/// All that a run waits for.
#[derive(Default)]
pub(super) struct Underway<'e> {
    /// Calls that have not been polled yet.
    begun: VecDeque<Call<'e>>,
    awaited: FuturesUnordered<Awaited<'e>>,
    /// How many of the awaited futures are calls.
    calls: usize,
    /// The calls in progress by node path. Built when a call is first told to stop, because few runs ever need it.
    by_node: Option<HashMap<NodePath, Arc<CallIo>>>,
    arrived: VecDeque<Arrival<'e>>,
}

enum Awaited<'e> {
    Call(Call<'e>),
    Other(BoxFuture<'e, Arrival<'e>>),
}

impl<'e> Underway<'e> {
    /// Adds a call.
    pub(super) fn call(&mut self, call: Call<'e>) {
        self.begun.push_back(call);
    }

    /// Adds anything else.
    pub(super) fn expect(&mut self, arrival: impl Future<Output = Arrival<'e>> + Send + 'e) {
        self.awaited.push(Awaited::Other(arrival.boxed()));
    }

    /// Adds an input that is available at once.
    pub(super) fn arrive(&mut self, arrival: Arrival<'e>) {
        self.arrived.push_back(arrival);
    }

    /// Polls everything that is waited for, until this many inputs are ready and not taken.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, most: usize) {
        while self.arrived.len() < most
            && let Some(mut call) = self.begun.pop_front()
        {
            // Many calls are ready at once, and need not be added to the set of futures that are woken one by
            // one and can be stopped.
            match call.poll_unpin(cx) {
                Poll::Ready(ended) => self.ended(ended),
                Poll::Pending => {
                    if let Some(by_node) = &mut self.by_node {
                        by_node.insert(call.path().clone(), call.io().clone());
                    }
                    self.calls += 1;
                    self.awaited.push(Awaited::Call(call));
                }
            }
        }
        while self.arrived.len() < most
            && !self.awaited.is_empty()
            && let Poll::Ready(Some(arrival)) = self.awaited.poll_next_unpin(cx)
        {
            match arrival {
                Arrival::Ended(ended) => {
                    self.calls -= 1;
                    self.ended(ended);
                }
                Arrival::Overdue(path, attempt) => self.abandon(&path, attempt),
                other => self.arrived.push_back(other),
            }
        }
    }

    /// Inlined: what ended is large, and is copied once less.
    #[inline]
    fn ended(&mut self, ended: Ended) {
        if let Some(by_node) = &mut self.by_node {
            by_node.remove(&ended.path);
        }
        self.arrived.push_back(Arrival::Ended(ended));
    }

    /// Takes the oldest input.
    pub(super) fn take(&mut self) -> Option<Arrival<'e>> {
        self.arrived.pop_front()
    }

    pub(super) fn has_arrivals(&self) -> bool {
        !self.arrived.is_empty()
    }

    /// Whether any call is under way.
    pub(super) fn has_calls(&self) -> bool {
        self.calls > 0 || !self.begun.is_empty()
    }

    /// All calls by their nodes.
    fn by_node(&mut self) -> &HashMap<NodePath, Arc<CallIo>> {
        let of = |call: &Call<'e>| (call.path().clone(), call.io().clone());
        let by_node = self.by_node.get_or_insert_with(|| {
            let awaited = self.awaited.iter().filter_map(|awaited| match awaited {
                Awaited::Call(call) => Some(of(call)),
                Awaited::Other(_) => None,
            });
            awaited.collect()
        });
        by_node.extend(self.begun.iter().map(of));
        by_node
    }

    /// Tells a call to stop. When it has not ended after its grace period, or after `most`, it is dropped.
    pub(super) fn stop(&mut self, path: &NodePath, how: Stop, most: Duration, timer: &dyn Timer) {
        let known = self.by_node.as_ref().and_then(|by_node| by_node.get(path));
        let call = match known {
            Some(call) => Some(call),
            None => self.by_node().get(path),
        };
        let Some(call) = call else { return };
        let Some(grace) = call.tell_to_stop(how) else { return };
        let (path, attempt) = (path.clone(), call.attempt);
        self.expect(timer.sleep(grace.min(most)).map(move |()| Arrival::Overdue(path, attempt)));
    }

    /// Tells every call to stop that was not told so already.
    pub(super) fn stop_all(&mut self, how: Stop, most: Duration, timer: &dyn Timer) {
        let unasked = self.by_node().iter().filter(|(_, call)| call.stopping() < how);
        let mut paths: Vec<_> = unasked.map(|(path, _)| path.clone()).collect();
        // In a fixed order, so that the log is deterministic.
        paths.sort_unstable();
        for path in paths {
            self.stop(&path, how, most, timer);
        }
    }

    /// Drops a call whose grace period is over.
    fn abandon(&self, path: &NodePath, attempt: u32) {
        let call = self.by_node.as_ref().and_then(|by_node| by_node.get(path));
        if let Some(call) = call.filter(|call| call.attempt == attempt) {
            call.overdue(path);
        }
    }

    /// Waits until no call is under way, and drops everything else.
    pub(super) async fn end(&mut self) {
        std::future::poll_fn(|cx| {
            self.poll(cx, usize::MAX);
            self.arrived.clear();
            if self.has_calls() { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
    }

    /// Frees the memory that is not needed while the run waits.
    pub(super) fn rest(&mut self) {
        self.begun = VecDeque::new();
        self.arrived = VecDeque::new();
    }
}

impl<'e> Future for Awaited<'e> {
    type Output = Arrival<'e>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Arrival<'e>> {
        match &mut *self {
            Self::Call(call) => call.poll_unpin(cx).map(Arrival::Ended),
            Self::Other(future) => future.poll_unpin(cx),
        }
    }
}
