//! What the tests of this package share: a world without real time, accident or concurrency.
//!
//! - [`sim`]: virtual time, and an executor whose order is drawn from a seed.
//! - [`scripted`]: providers that do what a workflow's `with` tells them to.
//! - [`scenario`]: small workflows with the controls that arrive while they run. [`shelf`]: what they refer
//!   to, as a catalog. [`play`]: a scenario from its start to its end, whatever its hosts and store do.
//! - [`faulty`]: a store that fails, or dies with its host, at chosen appends.
//! - [`worker`]: what a worker process works with, for tests that kill it.
//! - [`log`]: a run as text. [`rules`]: what holds for the log of every run.
//! - [`mod@reference`]: what a run comes to, told by a second, naive reading of its definition.
//! - [`model_api`]: a fake of the model APIs that agents' command lines talk to.
//! - `book`: the chapters of the book, as doctests.
//! - [`simulation`]: several whole engines on one store, and all that can happen to them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

#[cfg(doctest)]
mod book;
pub mod faulty;
pub mod inline;
pub mod log;
pub mod model_api;
pub mod play;
pub mod reference;
pub mod rules;
pub mod scenario;
pub mod scripted;
pub mod shelf;
pub mod sim;
pub mod simulation;
pub mod worker;
