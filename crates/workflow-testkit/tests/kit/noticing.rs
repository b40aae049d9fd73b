//! Defects of stores that keep notices.

use std::collections::HashMap;
use std::sync::Mutex;

use jiff::Timestamp;
use workflow_core::ids::RunId;
use workflow_core::store::{MemoryStore, NoticeClaim, NoticeId, RunStore, StoreError};

use crate::defects::Defect;

/// How often a notice was claimed, and until when.
type Kept = (u32, Option<Timestamp>);

/// What a store with a defect keeps itself.
#[derive(Default)]
pub(crate) struct Notices {
    kept: Mutex<HashMap<(RunId, u64, String), Kept>>,
}

impl Notices {
    fn claim(&self, notice: &NoticeId, now: Timestamp, until: Timestamp) -> NoticeClaim {
        let mut kept = self.kept.lock().unwrap();
        let key = (notice.run.clone(), notice.event, notice.target.clone());
        let (tries, ends) = kept.entry(key).or_insert((0, Some(now)));
        match *ends {
            None => return NoticeClaim::Settled,
            Some(ends) if ends > now => return NoticeClaim::Until(ends),
            Some(_) => {}
        }
        (*tries, *ends) = (*tries + 1, Some(until));
        NoticeClaim::Try(*tries)
    }

    fn settle(&self, notice: &NoticeId, retry_at: Option<Timestamp>) {
        let key = (notice.run.clone(), notice.event, notice.target.clone());
        if let Some((_, ends)) = self.kept.lock().unwrap().get_mut(&key) {
            *ends = retry_at;
        }
    }
}

/// The notice as a store with the defect keeps it.
fn changed(defect: Defect, notice: &NoticeId) -> NoticeId {
    let mut notice = notice.clone();
    match defect {
        Defect::MixesTargets => notice.target = notice.target.to_lowercase(),
        Defect::MixesEvents => notice.event &= u64::from(u32::MAX),
        _ => {}
    }
    notice
}

pub(crate) async fn claim(
    defect: Defect,
    inner: &MemoryStore,
    own: &Notices,
    notice: &NoticeId,
    now: Timestamp,
    until: Timestamp,
) -> Result<NoticeClaim, StoreError> {
    let notice = &changed(defect, notice);
    match defect {
        Defect::NoticesAreClaimedByAll => Ok(NoticeClaim::Try(1)),
        Defect::NoticesOutliveTheirRun => Ok(own.claim(notice, now, until)),
        Defect::NoticesOfOneProcess => {
            inner.get(&notice.run).await?;
            Ok(own.claim(notice, now, until))
        }
        Defect::ClaimsOfNoticesNeverEnd => inner.claim_notice(notice, now, Timestamp::MAX).await,
        Defect::CountsNoTries => Ok(match inner.claim_notice(notice, now, until).await? {
            NoticeClaim::Try(_) => NoticeClaim::Try(1),
            claim => claim,
        }),
        _ => inner.claim_notice(notice, now, until).await,
    }
}

pub(crate) async fn settle(
    defect: Defect,
    inner: &MemoryStore,
    own: &Notices,
    notice: &NoticeId,
    attempt: u32,
    retry_at: Option<Timestamp>,
) -> Result<(), StoreError> {
    let notice = &changed(defect, notice);
    match defect {
        Defect::NoticesOutliveTheirRun | Defect::NoticesOfOneProcess => {
            own.settle(notice, retry_at);
            Ok(())
        }
        Defect::SettledNoticesAreTriedAgain => {
            inner.settle_notice(notice, attempt, retry_at.or(Some(Timestamp::MIN))).await
        }
        Defect::SettlesTheClaimOfAnother => {
            // Whichever try is under way.
            for attempt in 1..9 {
                inner.settle_notice(notice, attempt, retry_at).await?;
            }
            Ok(())
        }
        Defect::SettlesWhatWasNotClaimed => {
            let time = Timestamp::MIN;
            match inner.claim_notice(notice, time, time).await {
                Err(StoreError::NotFound(_)) => Ok(()),
                Err(error) => Err(error),
                Ok(_) => inner.settle_notice(notice, attempt, retry_at).await,
            }
        }
        _ => inner.settle_notice(notice, attempt, retry_at).await,
    }
}
