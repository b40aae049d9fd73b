//! Recorded providers: a [`Recorder`] writes down what a provider does, and a [`Cassette`] does it again, in tests that
//! call nobody and wait for nothing.
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
//! /// In earnest an agent.
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
//! // Once, by hand: `Engine::builder().provider("parrot", recorder)`.
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
//! # Which call is which
//!
//! A call is recognised by its node, without the iteration, and by what it was asked: prompt, options under `with`,
//! output schema, and whether it goes on in a session. Of the calls that are recorded so, the first that was not played
//! yet is played: attempts, iterations and repairs follow one another as they did. Run, attempt, the id of the session,
//! environment, directory and skills make no difference, so that a cassette can be played on another machine.
//!
//! # Time
//!
//! Replayed, nothing waits, and a quota that was to be refilled in hours is refilled at once, so that no run goes to rest for it; [`Cassette::pace`] gives
//! the recorded times back, or a part of them. A call that was told to stop – by a budget, a time-out, a person – says
//! again what it had said, and then waits to be told to stop.
//!
//! # Secrets
//!
//! `[redacted]` stands in the file where there was a text that the host [named](Recorder::redact), or the value (of at
//! least six bytes) of a variable of the call that is named like a secret: with `KEY`, `TOKEN`, `SECRET` or `PASSWORD`.
//! So it is in prompts, options, schemas, in what was said – also where the pieces of an answer cut a secret apart –,
//! in replies and failures, and in the encodings that [`workflow_core::redact`] knows. What a provider has from
//! elsewhere, as from the environment of the host, has to be named.
//! Replayed, what is redacted can be anything in what is asked. The environment itself is not recorded.
//!
//! # The file
//!
//! Lines of JSON: the first is `{"cassette":1}`, which is the format, and each other one is a call. It can be read,
//! edited and put under version control. A call is written as a whole when it ends; where a host has died over it, the
//! torn line is refused by a [`Cassette`] and removed by the next [`Recorder`].

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
