//! The driver of an embeddable workflow engine.
//!
//! An [`Engine`] is put together from a store, a catalog and providers; it creates runs and drives them, or
//! shares the runs of a store with other engines ([`Engine::work`]). A [`RunHandle`] reads, follows and
//! controls one run. [`Limits`] bounds how many calls of a provider run at once. [`Clock`], [`Timer`] and
//! [`Spawn`] are what the engine needs from its environment; without the feature `tokio` it needs no runtime.
//! A [`CallRunner`] makes single calls for backends that execute runs by other means.
//!
//! # Panics in the host's code
//!
//! Code that a host plugs in may panic without breaking a run. A provider's panic is a permanent failure of the
//! attempt; a sink is switched off ([`Engine::sinks`]); a clock or timer is replaced by the default one; from a
//! catalog, a spawner or a store it is [`EngineError::Panicked`], and [`Engine::work`] tries the run again later.
//! All of this needs unwinding: with `panic = "abort"` the process ends, and the run is recovered as after any
//! other crash.
//!
//! # Tracing
//!
//! The engine reports to [`tracing`](https://docs.rs/tracing). Spans, all of the level `INFO`:
//!
//! | span | parent | fields |
//! |---|---|---|
//! | `run` | the span in which the run was started or driven | `run`, `workflow` |
//! | `stage` | `run` | `iteration`, `stage` |
//! | `node`: one attempt; it is entered while the provider is polled | `stage` | `path`, `attempt`, `provider`; once it has ended `status` (`succeeded`, `failed`, `cancelled` or `interrupted`), `error.class`, `error.message`, `input_tokens`, `output_tokens` (integers), `cost_usd` (a float) |
//!
//! What is not known is not recorded. Each event of a run's log is one event of the level `DEBUG` with the message
//! `stored` and the fields `seq` and `kind`, in the span of its stage or of its run. The names are part of the API.
//!
//! ```
//! use workflow_core::provider::{CallContext, CallRequest, Provider, ProviderError, Reply, async_trait};
//! use workflow_exec::{Engine, StartRun};
//!
//! struct Greeter;
//!
//! #[async_trait]
//! impl Provider for Greeter {
//!     async fn call(&self, request: CallRequest, _: CallContext) -> Result<Reply, ProviderError> {
//!         Ok(Reply::text(request.prompt))
//!     }
//! }
//!
//! let engine = Engine::builder().provider("greeter", Greeter).build()?;
//! let workflow = engine.parse(
//!     r#"
//! workflow: { name: Hello, stages: [greet] }
//! greet: { provider: greeter, prompt: "Hello, ${vars.name}!" }
//! "#,
//!     "hello",
//! )?;
//! let run = futures::executor::block_on(engine.run(StartRun::plan(&workflow).var("name", "world")))?;
//! assert_eq!(run.context.stages["greet"].output.as_ref().unwrap().value(), "Hello, world!");
//! # Ok::<(), workflow_exec::EngineError>(())
//! ```

mod active;
mod call;
mod children;
mod driver;
mod due;
mod engine;
mod heartbeat;
mod key;
mod leases;
mod limits;
mod log;
mod outage;
mod panics;
mod parking;
mod plans;
mod redact;
mod runtime;
mod selection;
mod shared;
mod signing;
mod sinks;
mod steady;

pub use call::{CallReports, CallRunner};
pub use engine::{Checked, Engine, EngineBuilder, RunHandle};
pub use key::{InvalidRunKey, RunKey};
pub use limits::{LimitUsage, Limits, Place};
#[cfg(feature = "tokio")]
pub use runtime::Tokio;
pub use runtime::{Clock, Spawn, SystemClock, ThreadTimer, Timer};
pub use selection::WorkOptions;
pub use sinks::SinkStatus;
pub use workflow_core::runs::{
    BuildError, ControlOutcome, ControlRefusal, ControlRefused, EngineError, Fork, ForkPoint, Migration,
    Runs, StartRun,
};
