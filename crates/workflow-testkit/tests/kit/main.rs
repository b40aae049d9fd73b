//! Tests of the kit: correct implementations pass, and each defect is found by its case.

#![cfg(test)]

mod cassette;
mod defective;
mod defects;
mod faults;
mod fixture;
mod forgetful;
mod noticing;
mod providers;
mod queuing;
mod searching;
#[cfg(feature = "sim")]
mod sim;
mod sinks;
mod turns;
mod whole;
