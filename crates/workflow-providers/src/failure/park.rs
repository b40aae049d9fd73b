//! Until when a call waits whose service is over its quota.

use jiff::{SignedDuration, Timestamp};

use super::reason::Reason;
use super::reset::{self, Here, Told};

/// The end of a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Park {
    pub(super) until: Timestamp,
    /// How long a guessed wait is; `None` if the time was told.
    pub(super) guess: Option<SignedDuration>,
}

/// The first and the longest guess for a service that limits the rate of requests.
const OF_RATE: [SignedDuration; 2] = [SignedDuration::from_secs(30), SignedDuration::from_mins(15)];

/// The first and the longest guess for a quota of hours or days.
const OF_QUOTA: [SignedDuration; 2] = [SignedDuration::from_mins(15), SignedDuration::from_hours(4)];

/// Words of a message about a quota of hours or days.
const QUOTAS: [&str; 9] = [
    "usage limit",
    "limit reached",
    "hit your",
    "quota",
    "weekly",
    "daily",
    "per day",
    "-hour limit",
    "session limit",
];

impl Park {
    /// The time that a record contains, or the message; a guess that doubles with each attempt otherwise.
    pub(super) fn new(
        reason: Reason,
        told: Option<Timestamp>,
        message: &str,
        attempt: u32,
        here: &Here<'_>,
    ) -> Self {
        if let Some(until) = told.filter(|until| *until > here.now) {
            return Self { until, guess: None };
        }
        let read = if told.is_some() { Some(Told::Past) } else { reset::read(message, here) };
        let lower = message.to_lowercase();
        let is_short = reason == Reason::Throttled
            || read == Some(Told::Past)
            || !QUOTAS.iter().any(|words| lower.contains(words));
        match read {
            // A moment's throttle is not the end of a quota.
            Some(Told::At(until)) => Self { until, guess: None },
            _ => Self::guess(if is_short { OF_RATE } else { OF_QUOTA }, attempt, here.now),
        }
    }

    fn guess([first, longest]: [SignedDuration; 2], attempt: u32, now: Timestamp) -> Self {
        let times = 1_i32 << attempt.saturating_sub(1).min(10);
        let length = first.checked_mul(times).map_or(longest, |length| length.min(longest));
        Self { until: now.checked_add(length).unwrap_or(Timestamp::MAX), guess: Some(length) }
    }
}

/// The message as a person sees it: without the seconds since 1970 behind a `|`.
pub(super) fn shown(message: &str) -> String {
    let mut shown = String::with_capacity(message.len());
    let mut rest = message;
    while let Some((before, after)) = rest.split_once('|') {
        let digits = after.trim_start().bytes().take_while(u8::is_ascii_digit).count();
        shown.push_str(before);
        if digits >= 9 {
            rest = &after.trim_start()[digits..];
        } else {
            shown.push('|');
            rest = after;
        }
    }
    shown + rest
}
