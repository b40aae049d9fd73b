//! Retention: deletes a few runs per transaction, so that other writes are not delayed.

use std::mem;
use std::sync::Arc;

use futures::channel::oneshot;
use workflow_core::store::StoreError;

use super::queue::{Job, Queue};
use super::runs::remove;
use super::writing::Writing;

/// How many runs are deleted in one transaction.
const AT_ONCE: usize = 8;

/// Deletes the runs that ended before a time, the oldest first.
pub(super) struct Prune {
    queue: Arc<Queue>,
    ended_before: i64,
    left: usize,
    deleted: usize,
    /// How many runs the current transaction deletes, and whether there may be more.
    now: usize,
    more: bool,
    answer: oneshot::Sender<Result<usize, StoreError>>,
}

impl Prune {
    pub(super) fn new(
        queue: Arc<Queue>,
        ended_before: i64,
        most: usize,
        answer: oneshot::Sender<Result<usize, StoreError>>,
    ) -> Self {
        Self { queue, ended_before, left: most, deleted: 0, now: 0, more: false, answer }
    }
}

impl Job for Prune {
    fn apply(&mut self, writing: &mut Writing, _: Option<&StoreError>) -> rusqlite::Result<()> {
        writing.bury()?;
        let wanted = self.left.min(AT_ONCE);
        let keys = {
            let sql = "SELECT key FROM run WHERE completed_at < ?1 AND holder IS NULL
                ORDER BY completed_at LIMIT ?2";
            let mut ended = writing.statement(sql)?;
            let limit = i64::try_from(wanted).unwrap_or(i64::MAX);
            let rows = ended.query_map((self.ended_before, limit), |row| row.get::<_, i64>(0))?;
            rows.collect::<rusqlite::Result<Vec<_>>>()?
        };
        for key in &keys {
            remove(writing, *key)?;
        }
        self.now = keys.len();
        self.more = keys.len() == wanted && self.left > wanted;
        Ok(())
    }

    fn settle(mut self: Box<Self>, stored: Result<(), StoreError>) {
        if let Err(error) = stored {
            let _ = self.answer.send(Err(error));
            return;
        }
        let now = mem::take(&mut self.now);
        self.deleted += now;
        self.left -= now;
        if self.more {
            let queue = Arc::clone(&self.queue);
            queue.push(self);
        } else {
            let _ = self.answer.send(Ok(self.deleted));
        }
    }
}
