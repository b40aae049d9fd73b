//! Hints: notifications that there is something to read, for the watchers of this store and of others.
//!
//! A notification within the transaction of an append would hold a server-wide lock until the commit is on
//! disk. So hints are collected for a moment, and sent in a transaction of their own.

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

/// How long hints are collected.
const GATHER: Duration = Duration::from_millis(10);

/// How many runs are named; if there are more, the notification stands for any run.
const MOST: usize = 256;

/// The payload of a notification: the sender, and the run, or no run if it may be any.
const SEND: Query = Query::new(
    "WITH moved AS MATERIALIZED (SELECT nextval('@.signal')) \
     SELECT pg_notify($1, payload) FROM moved, unnest($2::text[]) payload",
    &[Type::TEXT, Type::TEXT_ARRAY],
);

/// The position of the signal, 0 if it never moved; the runs of this worker with control requests that no
/// event applies; and the claimable runs.
const POLL: Query = Query::new(
    "SELECT (SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM @.signal), \
         ARRAY(SELECT run_id FROM @.run \
             WHERE owner = $1 AND owner IS NOT NULL AND cardinality(controls) > obeyed), \
         ARRAY(SELECT run_id FROM @.run WHERE owner IS NULL AND status IN ('pending', 'running') \
             AND wakes IS NOT NULL ORDER BY key LIMIT $2), \
         ARRAY(SELECT run_id FROM @.run WHERE status IN ('pending', 'running') AND wakes IS NOT NULL \
             AND owner IN (SELECT worker_id FROM @.worker WHERE expires_at <= @.clock()) LIMIT $2)",
    &[Type::UUID, Type::INT8],
);

pub(super) struct Hints {
    pub(super) watchers: Watchers,
    /// Whether notifications arrive.
    pub(super) listening: Cell<bool>,
    gathered: RefCell<BTreeSet<String>>,
    wake: Notify,
}

impl Hints {
    pub(super) fn new(watchers: Watchers) -> Self {
        Self { watchers, listening: Cell::new(false), gathered: RefCell::default(), wake: Notify::new() }
    }

    /// Notifies the watchers of this store now, and those of others soon, that there is something to read of
    /// a run, or of any run.
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
    /// The name of the notification channel.
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
            tracing::warn!(error = %fault.error, "cannot send notifications; other processes notice control requests late");
        }
    }

    /// Handles a notification. One that this store sent itself is ignored.
    pub(super) fn heard(&self, payload: &str) {
        let Some((sender, run)) = payload.split_once(' ') else { return };
        if sender.parse::<Uuid>().is_ok_and(|sender| sender == self.worker.get()) {
            return;
        }
        self.hints.watchers.call(RunId::new(run).ok().as_ref());
    }

    /// Polls for changes without notifications, while there are watchers.
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
                    tracing::warn!(%error, "cannot poll the database for control requests");
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
            // Changes before the first poll are unknown.
            None => self.hints.watchers.call(None),
            Some((before, _)) if *before != signal && !self.hints.listening.get() => {
                self.hints.watchers.call(None);
            }
            // Each run is reported once.
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
