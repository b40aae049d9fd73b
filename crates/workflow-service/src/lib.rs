//! The host interface of the workflow engine: every operation that a desktop app, a web page, an editor or another
//! agent needs, over one envelope, and one stream of events.
//!
//! [`Service`] is made of an engine. An [`Operation`] is a request type with a name, a scope and a response type;
//! [`operations`] lists all of them with their JSON Schemas. A Rust host calls [`Service::ask`] with a request; a
//! binding (standard input and output, HTTP, another language) calls [`Service::call`] with the operation's name and
//! its request as JSON, and passes the [`Envelope`] on. Every call names its [`Caller`], and a [`Policy`] decides
//! what the caller may do.
//!
//! ```
//! use workflow_core::provider::{CallContext, CallRequest, Provider, ProviderError, Reply, async_trait};
//! use workflow_exec::Engine;
//! use workflow_service::{Caller, Service, runs::ListRuns};
//!
//! # struct Greeter;
//! # #[async_trait]
//! # impl Provider for Greeter {
//! #     async fn call(&self, request: CallRequest, _: CallContext) -> Result<Reply, ProviderError> {
//! #         Ok(Reply::text(request.prompt))
//! #     }
//! # }
//! let service = Service::new(Engine::builder().provider("greeter", Greeter).build()?);
//! # futures::executor::block_on(async {
//! let me = Caller::host();
//! assert!(service.ask(&me, ListRuns::default()).await?.runs.is_empty());
//! let answer = service.call("workflow:runs:get", r#"{ "runId": "r1" }"#, &me).await;
//! assert_eq!(answer.error.as_ref().unwrap().code.as_str(), "not_found");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # JSON
//!
//! Names of members are in camelCase in requests, responses and stream messages; keys that users wrote (variables,
//! outputs, labels) are passed on unchanged. Times are RFC 3339 in UTC, durations are milliseconds unless the name
//! says otherwise.

mod caller;
mod camel;
mod code;
pub mod compare;
mod envelope;
mod error;
mod feed;
mod followed;
mod heads;
mod hello;
mod host;
#[cfg(feature = "http")]
pub mod http;
mod log;
#[cfg(feature = "mcp")]
pub mod mcp;
mod message;
#[cfg(feature = "metrics")]
pub mod metrics;
mod notice;
pub mod notifications;
#[cfg(feature = "notify")]
pub mod notify;
mod operation;
pub mod parts;
mod planned;
mod problem;
pub mod report;
mod run_worktrees;
pub mod runs;
mod service;
#[cfg(feature = "stdio")]
pub mod stdio;
mod stream;
pub mod system;
mod table;
mod test_notices;
pub mod text;
pub mod workflows;
pub mod worktrees;

pub use caller::{Caller, OperationMeta, Policy, Scope, ScopePolicy, Target};
pub use camel::{camel_schema, to_json};
pub use code::Code;
pub use envelope::Envelope;
pub use error::ServiceError;
pub use hello::{Hello, PROTOCOL, Welcome};
pub use host::Host;
pub use message::{Batch, Large, Message, MessageKind};
pub use operation::{Operation, OperationInfo};
pub use service::{Service, ServiceBuilder};
pub use stream::{FollowRun, SUBSCRIBE, Subscribe};
pub use table::operations;
