//! For implementors of the traits of `workflow-core`: whether a store, a provider or a sink does what an
//! engine relies on, and worlds in which engines are tested.
//!
//! - [`store_suite!`] makes a test of every case that a [`RunStore`](workflow_core::store::RunStore) has to
//!   show; [`store::wrapping`] is for stores that wrap others.
//! - [`provider_suite!`] and [`sink_suite!`] do the same for a
//!   [`Provider`](workflow_core::provider::Provider) and an [`EventSink`](workflow_core::sink::EventSink).
//! - [`cassette`] has recorded providers: a [`Recorder`](cassette::Recorder) writes down what a provider does, and a
//!   [`Cassette`](cassette::Cassette) does it again in tests.
//! - [`scripted::ScriptedProvider`] does in tests of workflows what a script says, and keeps what it was called with.
//! - [`fault::FaultStore`] is a store that fails, is slow, or dies with its host.
//! - [`ManualClock`] is a clock that a test moves. With the feature `sim`, `sim::Sim` is a world with a time
//!   of its own, in which a seed decides who goes first. With `postgres-server`, `postgres::Server` is a
//!   PostgreSQL server that a test starts, stops and starts again. With `tokio`, `provider::Runtime::tokio` polls a
//!   provider that needs its reactor.
//!
//! # A store's tests
//!
//! A store's package has this one among its `dev-dependencies`, and a file of tests:
//!
//! ```
//! use std::time::Duration;
//!
//! use workflow_core::store::{MemoryStore, RunStore};
//! use workflow_testkit::ManualClock;
//! use workflow_testkit::store::Fixture;
//!
//! /// One body of data, and whoever opens it.
//! struct Mine {
//!     clock: ManualClock,
//!     data: MemoryStore,
//! }
//!
//! impl Mine {
//!     fn new() -> Self {
//!         let clock = ManualClock::new();
//!         let data = MemoryStore::with_leases(Duration::from_secs(30), clock.reader());
//!         Self { clock, data }
//!     }
//! }
//!
//! impl Fixture for Mine {
//!     fn open(&self) -> Box<dyn RunStore> {
//!         Box::new(self.data.another_process())
//!     }
//!
//!     fn advance(&self, by: Duration) {
//!         self.clock.advance(by);
//!     }
//! }
//!
//! workflow_testkit::store_suite!(Mine::new(); durable, processes, leases, hints);
//! ```
//!
//! Every case is a test with a name of its own, so a test runner shows which of a store's promises is broken.
//! What a store cannot do is left out of the list of its capabilities, and then there are no tests of it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

pub mod cassette;
mod chance;
mod clock;
pub mod fault;
mod patience;
#[cfg(all(unix, feature = "postgres-server"))]
pub mod postgres;
pub mod provider;
pub mod scripted;
#[cfg(feature = "sim")]
pub mod sim;
pub mod sink;
pub mod store;

pub use clock::ManualClock;
use patience::patience;
#[doc(hidden)]
pub use patience::set_patience;
