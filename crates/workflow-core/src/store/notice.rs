//! Notices: what is told once of an event, to each of several targets.

use jiff::Timestamp;

use crate::ids::RunId;

/// Names the notice of one event for one target, in [`RunStore::claim_notice`](super::RunStore::claim_notice).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NoticeId {
    /// The run.
    pub run: RunId,
    /// The number of the event.
    pub event: u64,
    /// The target, as the host names it.
    pub target: String,
}

/// The answer of [`RunStore::claim_notice`](super::RunStore::claim_notice).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoticeClaim {
    /// The caller has the claim; this is the number of its try, from 1.
    Try(u32),
    /// Another claim is valid until that time, or the notice is to be tried again then.
    Until(Timestamp),
    /// The notice was delivered or given up.
    Settled,
}
