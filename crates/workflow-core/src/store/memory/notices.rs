//! The notices of one run.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::store::NoticeClaim;

/// By event and target.
#[derive(Default)]
pub(super) struct Notices(BTreeMap<(u64, String), Notice>);

struct Notice {
    /// How often it was claimed.
    tries: u32,
    /// When the claim ends; `None` once it is settled.
    until: Option<Timestamp>,
}

impl Notices {
    pub(super) fn claim(
        &mut self,
        event: u64,
        target: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> NoticeClaim {
        let notice =
            self.0.entry((event, target.to_owned())).or_insert(Notice { tries: 0, until: Some(now) });
        match notice.until {
            None => return NoticeClaim::Settled,
            Some(until) if until > now => return NoticeClaim::Until(until),
            Some(_) => {}
        }
        notice.tries = notice.tries.saturating_add(1);
        notice.until = Some(until);
        NoticeClaim::Try(notice.tries)
    }

    pub(super) fn settle(&mut self, event: u64, target: &str, attempt: u32, retry_at: Option<Timestamp>) {
        let Some(notice) = self.0.get_mut(&(event, target.to_owned())) else { return };
        let newest = notice.tries == attempt && notice.until.is_some();
        if retry_at.is_none() || newest {
            notice.until = retry_at;
        }
    }
}
