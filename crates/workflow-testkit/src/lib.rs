//! Test kit for implementors of the traits of `workflow-core`: conformance suites for stores, providers and
//! sinks, and simulated environments for engines.
//!
//! - [`store_suite!`] makes a test of every conformance case for a
//!   [`RunStore`](workflow_core::store::RunStore); [`store::wrapping`] is for stores that wrap others.
//! - [`provider_suite!`] and [`sink_suite!`] do the same for a
//!   [`Provider`](workflow_core::provider::Provider) and an [`EventSink`](workflow_core::sink::EventSink).
//! - [`cassette`] has recorded providers: a [`Recorder`](cassette::Recorder) records what a provider does,
//!   and a [`Cassette`](cassette::Cassette) replays it in tests.
//! - [`scripted::ScriptedProvider`] follows a script in tests of workflows, and records its calls.
//! - [`fault::FaultStore`] is a store that fails, is slow, or dies with its host.
//! - [`ManualClock`] is a clock that a test controls. With the feature `sim`, `sim::Sim` is a simulation with
//!   its own time, in which a seed decides the order of events. With `postgres-server`, `postgres::Server` is
//!   a PostgreSQL server that a test starts, stops and restarts. With `tokio`, `provider::Runtime::tokio`
//!   polls a provider that needs its reactor.
//!
//! # Testing a store
//!
//! Add this package to the `dev-dependencies` of the store's package, and write a test file:
//!
//! ```
//! use std::time::Duration;
//!
//! use workflow_core::store::{MemoryStore, RunStore};
//! use workflow_testkit::ManualClock;
//! use workflow_testkit::store::Fixture;
//!
//! /// The shared data, and a handle that opens it.
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
//! Every case is a test with a name of its own, so a test runner shows which guarantee of a store is broken.
//! Omit a capability that the store lacks, and the suite has no tests of it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot continue has failed"
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
