//! Hints: that there is something to read, for the watchers of this store and of others.
//!
//! A notification within the transaction of an append would hold a lock of the whole server until its
//! commit is on the disk. So hints are gathered for a moment, and are sent in a transaction of their own.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_postgres::types::Type;
use uuid::Uuid;
use workflow_core::ids::RunId;
use workflow_core::store::{StoreError, Watchers};

use super::database::Query;
use super::row::run_id;
use super::service::Service;

/// How long hints are gathered.
const GATHER: Duration = Duration::from_millis(10);

/// How many runs are named; when there are more, any may be meant.
const MOST: usize = 256;

/// The payload of a notification: who sends it, and the run, or nothing when it may be any.
const SEND: Query = Query::new(
    "WITH moved AS MATERIALIZED (SELECT nextval('@.signal')) \
     SELECT pg_notify($1, payload) FROM moved, unnest($2::text[]) payload",
    &[Type::TEXT, Type::TEXT_ARRAY],
);

/// How far the signal has moved, 0 before it ever did; which runs of this worker were asked something that no event obeys; and
/// which runs can be claimed.
const POLL: Query = Query::new(
    "SELECT (SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM @.signal), \
         ARRAY(SELECT run_id FROM @.run \
             WHERE owner = $1 AND owner IS NOT NULL AND cardinality(controls) > obeyed), \
         ARRAY(SELECT run_id FROM @.run WHERE owner IS NULL AND status IN ('pending', 'running') \
             ORDER BY key LIMIT $2), \
         ARRAY(SELECT run_id FROM @.run WHERE status IN ('pending', 'running') \
             AND owner IN (SELECT worker_id FROM @.worker WHERE expires_at <= @.clock()) LIMIT $2)",
    &[Type::UUID, Type::INT8],
);

pub(super) struct Hints {
    pub(super) watchers: Watchers,
    /// Whether notifications come.
    pub(super) listening: Cell<bool>,
    gathered: RefCell<BTreeSet<String>>,
    wake: Notify,
}

impl Hints {
    pub(super) fn new(watchers: Watchers) -> Self {
        Self { watchers, listening: Cell::new(false), gathered: RefCell::default(), wake: Notify::new() }
    }

    /// Tells the watchers of this store now, and those of others soon: there is something to read of a
    /// run, or of any.
    pub(super) fn tell(&self, run: Option<&RunId>) {
        self.watchers.call(run);
        let mut gathered = self.gathered.borrow_mut();
        if gathered.len() >= MOST {
            gathered.clear();
            gathered.insert(String::new());
        } else if !gathered.contains("") {
            gathered.insert(run.map(ToString::to_string).unwrap_or_default());
        }
        self.wake.notify_one();
    }
}

impl Service {
    /// What notifications are sent and listened to as.
    pub(super) fn channel(&self) -> &str {
        self.database.schema().trim_matches('"')
    }

    pub(super) async fn send_hints(self: Rc<Self>) {
        loop {
            self.hints.wake.notified().await;
            tokio::time::sleep(GATHER).await;
            self.flush_hints().await;
        }
    }

    pub(super) async fn flush_hints(&self) {
        let gathered = self.hints.gathered.take();
        if gathered.is_empty() {
            return;
        }
        let payloads: Vec<String> =
            gathered.iter().map(|run| format!("{} {run}", self.worker.get())).collect();
        if let Err(fault) = self.database.change(&SEND, &[&self.channel(), &payloads]).await {
            tracing::warn!(error = %fault.error, "others see late what was asked of runs");
        }
    }

    /// Takes a notification in. One that this store has sent is no news.
    pub(super) fn heard(&self, payload: &str) {
        let Some((sender, run)) = payload.split_once(' ') else { return };
        if sender.parse::<Uuid>().is_ok_and(|sender| sender == self.worker.get()) {
            return;
        }
        self.hints.watchers.call(RunId::new(run).ok().as_ref());
    }

    /// Looks for what no notification tells of, while somebody watches.
    pub(super) async fn poll(self: Rc<Self>, every: Duration) {
        let mut seen = None;
        loop {
            tokio::time::sleep(every).await;
            if self.hints.watchers.is_empty() {
                seen = None;
                continue;
            }
            match self.look_around(&mut seen).await {
                Ok(()) => {}
                Err(error) => {
                    tracing::warn!(%error, "the database could not be asked for controls");
                    seen = None;
                }
            }
        }
    }

    async fn look_around(&self, seen: &mut Option<(i64, BTreeSet<String>)>) -> Result<(), StoreError> {
        let rows = self.database.read(&POLL, &[&self.worker.get(), &64_i64]).await?;
        let row = self.database.one(&rows)?;
        let signal: i64 = row.get(0);
        let mut runs = BTreeSet::new();
        for column in 1..=3 {
            runs.extend(row.get::<_, Vec<String>>(column));
        }
        match seen {
            // Whatever came before the first look.
            None => self.hints.watchers.call(None),
            Some((before, _)) if *before != signal && !self.hints.listening.get() => {
                self.hints.watchers.call(None);
            }
            // Each is told of once.
            Some((_, before)) => {
                for run in runs.difference(before) {
                    self.hints.watchers.call(Some(&run_id(run)?));
                }
            }
        }
        *seen = Some((signal, runs));
        Ok(())
    }
}
