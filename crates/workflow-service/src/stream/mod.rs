//! The stream of a client: events and output of runs, and the heads of all runs, in one.

mod heads;

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;

use futures::future::{self, BoxFuture, FutureExt as _};
use futures::stream::{self, Stream};
use schemars::JsonSchema;
use serde::Deserialize;
use workflow_core::ids::RunId;

use crate::caller::{Caller, OperationMeta, Scope, Target};
use crate::error::ServiceError;
use crate::feed::{Feed, Part};
use crate::host::Host;
use crate::message::{Batch, Message};
use crate::notice::Known;

use crate::stream::heads::KnownHeads;

/// What a subscription is for a [`Policy`](crate::Policy).
pub const SUBSCRIBE: OperationMeta = OperationMeta::new(
    "workflow:runs:subscribe",
    Scope::Read,
    "Follows events and output of runs, and the heads of all runs, in one stream.",
);

/// How many runs a subscription follows at most.
const MOST_RUNS: usize = 1_000;
/// How many bytes a batch has at most, but for its last message.
const BATCH: usize = 256 << 10;

/// What a client wants to follow.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Subscribe {
    /// The runs whose events are followed; at most 1,000.
    #[serde(default)]
    pub runs: Vec<FollowRun>,
    /// Whether the heads of all runs are followed: for lists.
    #[serde(default)]
    pub heads: bool,
}

/// A run that a client follows, and what it has of it already.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FollowRun {
    /// The run.
    pub run_id: RunId,
    /// The number of the last event that the client has; 0 for none.
    #[serde(default)]
    pub after: u64,
    /// The number of the last output entry that the client has, 0 for none. Absent: no output is sent.
    #[serde(default)]
    pub after_output: Option<u64>,
}

/// A run in a subscription.
struct Followed {
    feed: Arc<Feed>,
    after: u64,
    after_output: Option<u64>,
    /// The run had ended when the client subscribed.
    was_over: bool,
    /// The event that ends the run was sent, now or to an earlier subscription.
    has_ended: bool,
    /// Everything was sent.
    is_over: bool,
}

/// The position of a client.
struct Subscription {
    host: Arc<Host>,
    runs: Vec<Followed>,
    heads: Option<KnownHeads>,
    /// What is to be sent.
    ready: VecDeque<Arc<Message>>,
    /// The run that is read first, so that one with much output does not keep the others waiting.
    next: usize,
}

/// Follows what `request` asks for. A batch has what was stored since the last one was taken, so a slow client costs
/// no memory and misses nothing; it is polled from the store.
pub(crate) async fn subscribe(
    host: Arc<Host>,
    caller: &Caller,
    request: Subscribe,
) -> Result<Pin<Box<dyn Stream<Item = Batch> + Send>>, ServiceError> {
    if request.runs.len() > MOST_RUNS {
        return Err(ServiceError::invalid_request(format!(
            "a subscription follows {MOST_RUNS} runs at most, and {} were named",
            request.runs.len()
        )));
    }
    if request.runs.is_empty() && !request.heads {
        return Err(ServiceError::invalid_request(
            "the subscription follows nothing: name `runs`, or set `heads`",
        ));
    }
    if request.heads {
        host.policy().allow(caller, &SUBSCRIBE, Target::None).await?;
    }
    let mut runs = Vec::with_capacity(request.runs.len());
    for FollowRun { run_id, after, after_output } in request.runs {
        host.policy().allow(caller, &SUBSCRIBE, Target::Run(&run_id)).await?;
        // A run that does not exist is an error at once.
        let was_over = host.runs().get(&run_id).await?.head.status.is_terminal();
        let feed = host.feeds().of(&run_id);
        runs.push(Followed { feed, after, after_output, was_over, has_ended: false, is_over: false });
    }
    let heads = request.heads.then(KnownHeads::default);
    let subscription = Subscription { host, runs, heads, ready: VecDeque::new(), next: 0 };
    let batches = stream::unfold(subscription, |mut subscription| async move {
        subscription.batch().await.map(|batch| (batch, subscription))
    });
    Ok(Box::pin(batches))
}

impl Subscription {
    /// The next batch; `None` when everything that was followed has ended.
    async fn batch(&mut self) -> Option<Batch> {
        loop {
            let changed = self.read().await;
            if !self.ready.is_empty() {
                let mut messages = Vec::new();
                let mut bytes = 0;
                while bytes < BATCH
                    && let Some(message) = self.ready.pop_front()
                {
                    bytes += message.json().len();
                    messages.push(message);
                }
                return Some(Batch { messages });
            }
            if self.heads.is_none() && self.runs.iter().all(|run| run.is_over) {
                return None;
            }
            changed.await;
        }
    }

    /// Reads what is new, unless there is something to send already. Returns what to wait for if there is nothing.
    async fn read(&mut self) -> BoxFuture<'static, ()> {
        let mut changes = Vec::new();
        if !self.ready.is_empty() {
            return future::ready(()).boxed();
        }
        let Self { host, runs, heads, ready, next } = self;
        let count = runs.len();
        let mut bytes = 0;
        for offset in 0..count {
            let run = &mut runs[(*next + offset) % count];
            if run.is_over {
                continue;
            }
            if bytes >= BATCH {
                // The rest comes with the next batch, and first.
                *next = (*next + offset) % count;
                break;
            }
            // Before reading, so that no change is missed.
            let (changed, known) = run.feed.changed(host.runs());
            let before = ready.len();
            let read = run.read(host, known, ready).await;
            if let Err(error) = read {
                ready.push_back(Arc::new(Message::failed(run.feed.run(), &error)));
                run.is_over = true;
            }
            bytes += ready.range(before..).map(|message| message.json().len()).sum::<usize>();
            changes.push(changed.boxed());
        }
        if let Some(heads) = heads {
            let (changed, known) = host.heads().changed(host.runs());
            let listed = host.heads().list(host.runs(), known).await;
            let news = match listed {
                Ok(listed) => heads.changes(host.runs(), &listed).await,
                Err(error) => Err(error),
            };
            match news {
                Ok(changed) => ready.extend(changed.into_iter().map(Arc::new)),
                // The store may be available again at the next change.
                Err(error) => tracing::warn!(%error, "the heads of runs cannot be read"),
            }
            changes.push(changed.boxed());
        }
        if changes.is_empty() {
            return future::ready(()).boxed();
        }
        future::select_all(changes).map(drop).boxed()
    }
}

impl Followed {
    /// Reads what is new of the run.
    async fn read(
        &mut self,
        host: &Host,
        known: Known,
        ready: &mut VecDeque<Arc<Message>>,
    ) -> Result<(), ServiceError> {
        if !self.has_ended {
            // Of a run that has ended nothing new is announced.
            let known = (!self.was_over).then_some(known);
            let new = self.feed.read(host.runs(), Part::Events, self.after, known).await?;
            self.has_ended = self.was_over && new.is_empty();
            for message in new {
                self.after = message.number();
                self.has_ended |= message.is_terminal();
                ready.push_back(message);
            }
        }
        let mut is_drained = true;
        if let Some(after) = &mut self.after_output {
            // After the end, what was stored with it is read too.
            let known = (!self.has_ended).then_some(known);
            for message in self.feed.read(host.runs(), Part::Output, *after, known).await? {
                *after = message.number();
                ready.push_back(message);
                is_drained = false;
            }
        }
        if self.has_ended && is_drained {
            ready.push_back(Arc::new(Message::end(self.feed.run(), self.after)));
            self.is_over = true;
        }
        Ok(())
    }
}
