//! One try to deliver a notice: claimed, delivered, settled.

use std::time::Duration;

use futures::future::{Either, select};
use jiff::Timestamp;
use workflow_core::store::{NoticeClaim, NoticeId, StoreError};

use crate::notify::deliver::DeliveryError;
use crate::notify::notice::Notice;
use crate::notify::notifier::Inner;
use crate::notify::queue::Job;
use crate::notify::target::Target;

/// How often a notice is tried.
const MOST_TRIES: u32 = 8;
/// How long to wait after the first try; doubled after each further one.
const BACKOFF: Duration = Duration::from_secs(5);
/// The longest wait that a receiver can ask for.
const LONGEST: Duration = Duration::from_secs(3_600);
/// How long a delivery may take to end after its time.
const GRACE: Duration = Duration::from_secs(5);
/// How much longer a claim is valid than its delivery may take.
const MARGIN: Duration = Duration::from_secs(15);
/// When to look again at a notice after the store has failed.
const AGAIN: Duration = Duration::from_secs(5);

/// The outcome of a try: when the notice is to be looked at again, if that is necessary.
pub(super) type Again = Option<Timestamp>;

impl Inner {
    /// Tries to deliver a notice.
    pub(super) async fn attempt(&self, job: &Job) -> Again {
        // The target may have been removed or changed since.
        let target = self.target(&job.target)?;
        let picked = &job.picked;
        let id = NoticeId { run: picked.run.id.clone(), event: picked.event, target: target.name.clone() };
        let now = self.now();
        let until = later(now, target.timeout + GRACE + MARGIN);
        let attempt = match self.store.claim_notice(&id, now, until).await {
            Ok(NoticeClaim::Try(attempt)) => attempt,
            Ok(NoticeClaim::Until(until)) => return Some(until),
            // The run was deleted, or another process was faster.
            Ok(NoticeClaim::Settled) | Err(StoreError::NotFound(_)) => return None,
            Err(error) => {
                tracing::warn!(run = %id.run, event = id.event, target_name = id.target, %error, "cannot claim a notice");
                return Some(later(self.now(), AGAIN));
            }
        };
        let notice = picked.notice(&target.name);
        let result = if attempt > MOST_TRIES {
            Err(DeliveryError::permanent("the process that delivered it ended each time"))
        } else {
            self.deliver(&target, &notice).await
        };
        let retry_at = match result {
            Ok(()) => {
                tracing::debug!(run = %id.run, event = id.event, target_name = id.target, "told a target");
                None
            }
            Err(error) if error.is_transient && attempt < MOST_TRIES => {
                let wait = BACKOFF.saturating_mul(1 << (attempt - 1)).max(error.after.unwrap_or_default());
                let retry_at = later(self.now(), wait.min(LONGEST));
                tracing::warn!(run = %id.run, event = id.event, target_name = id.target, attempt, %retry_at, error = ?error.message, "cannot tell a target, trying again");
                Some(retry_at)
            }
            Err(error) => {
                tracing::error!(run = %id.run, event = id.event, target_name = id.target, attempt, error = ?error.message, "cannot tell a target, giving up");
                None
            }
        };
        self.settle(&id, attempt, retry_at).await;
        retry_at
    }

    /// Delivers a notice to a target, within its time.
    pub(super) async fn deliver(&self, target: &Target, notice: &Notice) -> Result<(), DeliveryError> {
        let within = target.timeout;
        let late = self.environment.timer.sleep(within + GRACE);
        match select(target.channel.deliver(notice, within), late).await {
            Either::Left((result, _)) => result,
            Either::Right(_) => {
                Err(DeliveryError::transient(format!("no result after {}s", within.as_secs())))
            }
        }
    }

    /// Ends a claim. If the store fails for longer, the claim ends by itself, and the notice is delivered again.
    async fn settle(&self, id: &NoticeId, attempt: u32, retry_at: Option<Timestamp>) {
        for pause in [1, 2, 4, 0] {
            match self.store.settle_notice(id, attempt, retry_at).await {
                Ok(()) => return,
                Err(error) => {
                    tracing::warn!(run = %id.run, event = id.event, target_name = id.target, %error, "cannot record a notice");
                }
            }
            self.environment.timer.sleep(Duration::from_secs(pause)).await;
        }
    }
}

fn later(now: Timestamp, by: Duration) -> Timestamp {
    now.checked_add(by).unwrap_or(Timestamp::MAX)
}
