//! Shared code of this package's tests: a world without real time, randomness or concurrency.
//!
//! - [`sim`]: virtual time, and an executor whose order is drawn from a seed.
//! - [`scripted`]: providers that follow a workflow's `with`.
//! - [`scenario`]: small workflows with the control requests that arrive while they run. [`shelf`]: the parts
//!   that they refer to, as a catalog. [`play`]: a scenario from its start to its end, with failing hosts and
//!   stores.
//! - [`faulty`]: a store that fails, or dies with its host, at chosen appends.
//! - [`worker`]: the store and providers of a worker process, for tests that kill it.
//! - [`log`]: a run as text. [`rules`]: what must hold for the log of every run.
//! - [`mod@reference`]: the expected outcome of a run, from a second, naive interpretation of its definition.
//! - [`model_api`]: a fake of the model APIs for agents' command lines.
//! - `book`: the chapters of the book, as doctests.
//! - [`simulation`]: several whole engines on one store, with all kinds of faults.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot continue has failed"
)]

#[cfg(doctest)]
mod book;
pub mod faulty;
pub mod inline;
pub mod log;
#[cfg(feature = "processes")]
pub mod model_api;
pub mod play;
pub mod reference;
pub mod rules;
pub mod scenario;
pub mod scripted;
pub mod shelf;
pub mod sim;
pub mod simulation;
#[cfg(feature = "processes")]
pub mod worker;
