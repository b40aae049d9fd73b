//! What is read, and in which moment and place.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// What a message says about the end of a quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    /// The quota is refilled at this time, which is in the future.
    At(Timestamp),
    /// At a time that is in the past.
    Past,
    /// At a time that can be read in more than one way, or not at all.
    Unclear,
}

/// The moment and the place that a text is read in.
#[derive(Debug)]
pub(crate) struct Here<'z> {
    pub(crate) now: Timestamp,
    /// The zone of times that name none: that of the program that wrote them.
    pub(crate) zone: &'z TimeZone,
}

/// Times that are further away than this are not believed.
const LONGEST: SignedDuration = SignedDuration::from_hours(366 * 24);

impl Here<'_> {
    pub(super) fn told(&self, at: Timestamp) -> Told {
        match at.duration_since(self.now) {
            away if away > LONGEST => Told::Unclear,
            away if away.is_positive() => Told::At(at),
            _ => Told::Past,
        }
    }
}
