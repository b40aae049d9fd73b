//! What a service means when it refuses: the reason, and when to ask again.

mod park;
mod reason;
mod refusal;
mod reset;
mod status;
mod verdict;

pub(crate) use self::reason::Reason;
pub(crate) use self::refusal::Refusal;
pub(crate) use self::reset::{Here, Told, read};
