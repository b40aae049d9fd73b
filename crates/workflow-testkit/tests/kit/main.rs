//! The kit itself: what is whole passes, and what is broken is found by the case that is about it.

#![cfg(test)]

mod cassette;
mod defective;
mod defects;
mod faults;
mod fixture;
mod forgetful;
mod providers;
#[cfg(feature = "sim")]
mod sim;
mod sinks;
mod whole;
