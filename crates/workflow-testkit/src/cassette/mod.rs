//! Recorded providers: a [`Recorder`] records what a provider does, and a [`Cassette`] replays it, in tests
//! that call no service and do not wait.
//!
//! ```
//! use std::sync::Arc;
//!
//! use futures::executor::block_on;
//! use workflow_core::output::OutputKind;
//! use workflow_core::provider::{CallContext, CallId, CallRequest, Provider, ProviderError, Reply, async_trait};
//! use workflow_core::stop::StopSource;
//! use workflow_testkit::cassette::{Cassette, Recorder};
//! use workflow_testkit::provider::Host;
//!
//! /// In production an agent.
//! struct Parrot;
//!
//! #[async_trait]
//! impl Provider for Parrot {
//!     async fn call(&self, request: CallRequest, context: CallContext) -> Result<Reply, ProviderError> {
//!         context.output(OutputKind::Text, "let me see …");
//!         Ok(Reply::text(request.prompt))
//!     }
//! }
//!
//! /// What an engine does for a node.
//! fn ask(provider: &dyn Provider, prompt: &str) -> Result<Reply, ProviderError> {
//!     let id = CallId {
//!         run: "r1".parse().unwrap(),
//!         seed: 1,
//!         path: "1/work[0]/run".parse().unwrap(),
//!         attempt: 1,
//!     };
//!     let context = CallContext::new(id.clone(), StopSource::new().signal(), Arc::new(Host::default()));
//!     let request = CallRequest {
//!         id,
//!         prompt: prompt.to_owned(),
//!         options: serde_json::Value::Null,
//!         env: Default::default(),
//!         cwd: None,
//!         workspace: Default::default(),
//!         session: None,
//!         session_usage: None,
//!         output_schema: None,
//!         skills: Vec::new(),
//!     };
//!     block_on(provider.call(request, context))
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("parrot.cassette");
//! // Once, manually: `Engine::builder().provider("parrot", recorder)`.
//! let recorder = Recorder::new(Parrot, &path)?.redact(["hunter2"]);
//! ask(&recorder, "say hunter2")?;
//!
//! // In every test: `Engine::builder().provider("parrot", Cassette::open(…)?)`.
//! let cassette = Cassette::open(&path)?;
//! assert_eq!(ask(&cassette, "say something")?, Reply::text("say [redacted]"));
//! assert_eq!(cassette.left(), 0);
//! # Ok(())
//! # }
//! ```
//!
//! # How calls are matched
//!
//! A call is identified by its node, without the iteration, and by its request: prompt, options under `with`,
//! output schema, and whether it resumes a session. Of the matching recorded calls, the first that was not
//! played yet is played: attempts, iterations and repairs follow one another as they were recorded. Run,
//! attempt, session id, environment, directory and skills are ignored, so that a cassette can be played on
//! another machine.
//!
//! # Time
//!
//! A replay does not wait, and a quota that was to be reset in hours is reset at once, so that no run is
//! parked for it; [`Cassette::pace`] restores the recorded times, or a part of them. A call that was told to
//! stop – by a budget, a time-out, a person – repeats its recorded output, and then waits to be told to stop.
//!
//! # Secrets
//!
//! The file contains `[redacted]` in place of texts that the host [named](Recorder::redact), and of the
//! values (of at least six bytes) of variables of the call that are named like a secret: with `KEY`, `TOKEN`,
//! `SECRET` or `PASSWORD`. This applies to prompts, options, schemas, output – also if a secret is split
//! between pieces of an answer –, replies and failures, and to the encodings that [`workflow_core::redact`]
//! knows. Secrets that a provider gets from elsewhere, for example from the environment of the host, must be
//! named. In a replay, any text in a request matches a redacted one. The environment itself is not recorded.
//!
//! # The file
//!
//! Lines of JSON: the first is `{"cassette":1}`, the format, and each other line is a call. The file can be
//! read, edited and put under version control. A call is written as a whole when it ends; if a host died
//! while writing, the incomplete line is refused by a [`Cassette`] and removed by the next [`Recorder`].

mod format;
mod recorder;
mod redact;
mod replay;

use std::sync::Arc;

use jiff::Timestamp;

pub use format::CassetteError;
pub use recorder::Recorder;
pub use replay::Cassette;

type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;
