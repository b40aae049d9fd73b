//! An embeddable workflow engine: workflows of stages, written in YAML, whose runs pause, resume, survive a crash of
//! the process and never repeat a step that was recorded.
//!
//! A host depends on this crate alone:
//!
//! ```
//! use workflow::{Engine, FunctionProvider, Reply, StartRun, block_on};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let greeter = FunctionProvider::from_fn(|request| Ok(Reply::text(request.prompt)));
//! let engine = Engine::builder().provider("greeter", greeter).build()?;
//! let workflow = engine.parse(
//!     r#"
//! workflow: { name: Hello, stages: [greet] }
//! greet: { provider: greeter, prompt: "Hello, ${vars.name}!" }
//! "#,
//!     "hello",
//! )?;
//! let run = block_on(engine.run(StartRun::plan(&workflow).var("name", "world")))?.into_result()?;
//! assert_eq!(run.output("greet").unwrap().text().as_deref(), Some("Hello, world!"));
//! # Ok(())
//! # }
//! ```
//!
//! # Which call starts what
//!
//! | call | creates the run | drives it | returns |
//! |---|---|---|---|
//! | [`Engine::run`] | yes | in the caller's own future | when the run has ended, or waits for a person |
//! | [`Engine::start`] | yes | in the background, on the engine's spawner | at once, with a [`RunHandle`] |
//! | [`Engine::create`] | yes | no: [`Engine::work`] of any process, or [`Engine::drive`] does | at once, with a [`RunHandle`] |
//! | [`Engine::drive`] | no: a run of the store | in the caller's own future | when the run has ended, or waits for a person |
//! | [`Engine::work`] | no: whatever is due in the store | all that it claims, side by side | when the engine is shut down |
//!
//! To drive a run is to decide on its next steps, make its calls and record what they return. One engine at a time
//! does it for a run: the store lends it a lease.
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `functions` (default) | [`FunctionProvider`]: closures of the host |
//! | `demo` | `DemoProvider`: answers without calling anything |
//! | `process` | `CommandProvider`: command lines (Unix) |
//! | `claude-code`, `codex`, `gemini`, `grok` | a provider for each of these agents (Unix) |
//! | `acp` | `AcpProvider`: every agent that speaks the Agent Client Protocol (Unix) |
//! | `http` | `HttpProvider`: requests to services over HTTP, on any executor |
//! | `model` | `ModelProvider`: calls of a model over HTTP, without any program |
//! | `worktree` | `Worktrees`: runs that work in a git worktree of their own (Unix) |
//! | `files` | `FileStore` and `FsCatalog`: runs and definitions as files |
//! | `sqlite` | `SqliteStore`: runs in an SQLite database |
//! | `postgres` | `PostgresStore`: runs in a PostgreSQL database, for any number of machines |
//! | `sinks` | `ChannelSink`, `JsonlSink`, `TracingSink` |
//! | `service` | the host interface: every operation as JSON, for desktop apps, web pages, editors and agents |
//! | `service-stdio`, `service-http` | the same over standard input and output, and over HTTP (needs tokio) |
//! | `service-mcp` | tools for agents that speak the Model Context Protocol (needs tokio) |
//! | `service-notify`, `service-notify-command` | webhooks and commands that are told what happens to runs (needs tokio) |
//! | `tokio` | `Tokio`: timer, spawner and clock on a tokio runtime |
//! | `json-schema` | outputs are checked against JSON Schemas |
//! | `roles` | roles with templates |
//!
//! # Modules
//!
//! The types that most hosts need are at the root. The modules have the rest, by subject; [`internals`] is for
//! tools that look inside, and may change in any version. Examples in the documentation of an item name the crate that
//! it comes from: a host writes `workflow` for `workflow_core` and `workflow_exec`.

#[doc(inline)]
pub use workflow_core::catalog::Catalog;
#[doc(inline)]
pub use workflow_core::data::Data;
#[doc(inline)]
pub use workflow_core::definition::{Diagnostic, Diagnostics};
#[doc(inline)]
pub use workflow_core::failure::{Failure, FailureClass};
#[doc(inline)]
pub use workflow_core::ids::{RunId, StageId, WorkflowId};
#[doc(inline)]
pub use workflow_core::provider::{CallContext, CallRequest, Provider, ProviderError, Reply, async_trait};
#[doc(inline)]
pub use workflow_core::sink::EventSink;
#[doc(inline)]
pub use workflow_core::status::RunStatus;
#[doc(inline)]
pub use workflow_core::store::{MemoryStore, RunFilter, RunStore, StoreError};
#[doc(inline)]
pub use workflow_core::view::RunView;
#[doc(inline)]
pub use workflow_exec::{Engine, EngineBuilder, EngineError, Limits, RunHandle, StartRun, WorkOptions};

#[cfg(feature = "tokio")]
#[doc(inline)]
pub use workflow_exec::Tokio;
#[cfg(feature = "functions")]
#[doc(inline)]
pub use workflow_providers::FunctionProvider;

/// Runs a future to its end on the current thread: for hosts without an async runtime.
///
/// ```
/// assert_eq!(workflow::block_on(async { 1 + 1 }), 2);
/// ```
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    futures::executor::block_on(future)
}

pub use {jiff, serde_json};

/// Catalogs: where definitions are kept.
pub use workflow_core::actor;
pub use workflow_core::catalog;
/// Values that pass through runs.
pub use workflow_core::data;
/// Definitions as they are written: models, diagnostics, edits that keep every other byte.
pub use workflow_core::definition;
/// The events of a run's log.
pub use workflow_core::event;
/// Failures as data.
pub use workflow_core::failure;
/// Ids of workflows, runs, stages and nodes.
pub use workflow_core::ids;
/// The rules for labels of runs.
pub use workflow_core::labels;
/// What providers print while they work.
pub use workflow_core::output;
/// What a provider implements and is given.
pub use workflow_core::provider;
/// The runs of an engine: what hosts do with them, whichever engine executes them.
pub use workflow_core::runs;
/// The JSON Schemas of what is written and stored.
pub use workflow_core::schema;
/// What an event sink implements.
pub use workflow_core::sink;
/// Statuses of runs and stages, and why a run waits.
pub use workflow_core::status;
/// How a call is told to stop.
pub use workflow_core::stop;
/// What a run store implements, and what it keeps.
pub use workflow_core::store;
/// Tokens and costs.
pub use workflow_core::usage;
/// Runs as hosts see them.
pub use workflow_core::view;

/// The engine, and what it needs of its host.
pub mod engine {
    pub use workflow_exec::*;
}

/// Providers: what does the work of a node.
#[cfg(feature = "functions")]
pub mod providers {
    pub use workflow_providers::*;
}

/// The host interface: operations with one envelope.
#[cfg(feature = "service")]
pub mod service {
    pub use workflow_service::*;
}

/// Stores, file catalogs and event sinks.
#[cfg(any(feature = "files", feature = "postgres", feature = "sinks", feature = "sqlite"))]
pub mod stores {
    pub use workflow_store::*;
}

/// Inside the engine: for tools that simulate, replay or inspect it. Any version may change what is here.
pub mod internals {
    pub use workflow_core::{bundle, expr, machine, output_schema, plan, redact, role};
}
