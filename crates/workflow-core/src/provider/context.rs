//! What a call can do while it runs.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::data::Data;
use crate::output::OutputKind;
use crate::provider::request::CallId;
use crate::redact::Redactor;
use crate::stop::StopSignal;
use crate::usage::Usage;

/// What a provider can use during a call.
///
/// ```
/// use workflow_core::output::OutputKind;
/// use workflow_core::provider::{CallContext, CallRequest, Provider, ProviderError, Reply, async_trait};
///
/// struct Echo;
///
/// #[async_trait]
/// impl Provider for Echo {
///     async fn call(&self, request: CallRequest, context: CallContext) -> Result<Reply, ProviderError> {
///         context.output(OutputKind::Log, format!("attempt {}", context.id().attempt));
///         Ok(Reply::text(request.prompt))
///     }
/// }
/// ```
#[derive(Clone)]
pub struct CallContext {
    id: CallId,
    stop: StopSignal,
    host: Arc<dyn CallHost>,
    /// Absent where there are none, as in nearly every call.
    answers: Option<Arc<[GivenAnswer]>>,
}

/// An answer of a person to a question of an earlier attempt at the same node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GivenAnswer {
    /// The text of the question: see [`ProviderError::asks`](super::ProviderError::asks).
    pub question: Arc<str>,
    /// The answer, which follows the schema of the question.
    pub answer: Data,
}

impl CallContext {
    /// A context for one call.
    pub fn new(id: CallId, stop: StopSignal, host: Arc<dyn CallHost>) -> Self {
        Self { id, stop, host, answers: None }
    }

    /// The same with answers to questions of earlier attempts.
    #[must_use]
    #[inline]
    pub fn with_answers(mut self, answers: &[GivenAnswer]) -> Self {
        if !answers.is_empty() {
            self.answers = Some(answers.into());
        }
        self
    }

    /// The answers to questions of earlier attempts at the node, in the order in which they were given.
    pub fn answers(&self) -> &[GivenAnswer] {
        self.answers.as_deref().unwrap_or_default()
    }

    /// The same with another stop signal: for a provider that passes the signal on by itself.
    #[must_use]
    pub fn with_stop(self, stop: StopSignal) -> Self {
        Self { stop, ..self }
    }

    /// Which call it is.
    pub fn id(&self) -> &CallId {
        &self.id
    }

    /// The signal that tells when and how the call must stop early.
    pub fn stop(&self) -> &StopSignal {
        &self.stop
    }

    /// The time by the engine's clock. A provider that reads this one, and not the system's, can be tested in
    /// simulated time.
    pub fn now(&self) -> Timestamp {
        self.host.now()
    }

    /// A future that is ready after `duration` by the engine's timer, on any runtime. Dropping it ends the wait.
    ///
    /// ```
    /// # use std::{pin::pin, time::Duration};
    /// # use futures::future::{Either, select};
    /// # use workflow_core::provider::{CallContext, ProviderError};
    /// # use workflow_core::stop::Stop;
    /// /// Waits for a minute, unless the call is stopped before.
    /// async fn a_minute(context: &CallContext) -> Result<(), ProviderError> {
    ///     let stopped = pin!(context.stop().wait(Stop::Gracefully));
    ///     match select(context.sleep(Duration::from_secs(60)), stopped).await {
    ///         Either::Left(_) => Ok(()),
    ///         Either::Right(_) => Err(ProviderError::cancelled()),
    ///     }
    /// }
    /// ```
    pub fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.host.sleep(duration)
    }

    /// Shows what the call does. Never blocks. Entries may be dropped, with a count, when more
    /// come than can be stored.
    pub fn output(&self, kind: OutputKind, text: impl Into<String>) {
        self.host.output(&self.id, kind, text.into());
    }

    /// Reports that the call is active although it has no output yet: restarts `idle_timeout`, as output
    /// does.
    pub fn alive(&self) {
        self.host.alive();
    }

    /// Reports the total usage of this call so far: so a budget can be enforced while the call is running. A
    /// call that uses a budget up is told to stop. The usage in the reply or the error takes precedence.
    pub fn usage(&self, usage: Usage) {
        self.host.usage(&self.id, usage);
    }

    /// Finds the secrets of the run in a text. The engine redacts everything that a call returns; a provider
    /// that shortens a text does so before, because a secret that was cut in two is no longer found.
    ///
    /// ```
    /// # use workflow_core::provider::CallContext;
    /// /// The first characters of what a service said.
    /// fn short(context: &CallContext, mut said: String) -> String {
    ///     context.redactor().text(&mut said);
    ///     said.chars().take(200).collect()
    /// }
    /// ```
    pub fn redactor(&self) -> Redactor {
        self.host.redactor()
    }

    /// Records the session as soon as it is known, so that a crash does not lose it.
    ///
    /// # Errors
    ///
    /// [`SessionLost`] when the run is no longer driven from here.
    pub async fn record_session(&self, session: &str) -> Result<(), SessionLost> {
        self.host.record_session(&self.id, session).await
    }
}

/// What the engine implements for [`CallContext`]; tests of providers write their own.
pub trait CallHost: Send + Sync {
    /// Takes the output of a call. Never blocks; may drop entries and count them.
    fn output(&self, call: &CallId, kind: OutputKind, text: String);

    /// The time by the engine's clock.
    fn now(&self) -> Timestamp;

    /// A future that is ready after `duration` by the engine's timer. Dropping it ends the wait.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;

    /// Notes that a call is alive although it has nothing to show. Does nothing unless overridden.
    fn alive(&self) {}

    /// Notes what a call has used so far. Does nothing unless overridden.
    fn usage(&self, call: &CallId, usage: Usage) {
        let _ = (call, usage);
    }

    /// What finds the secrets of the run. Finds none unless overridden; a host that wraps another passes it on.
    fn redactor(&self) -> Redactor {
        Redactor::default()
    }

    /// Stores the session of a call; ready once it is durable.
    fn record_session<'a>(
        &'a self,
        call: &'a CallId,
        session: &'a str,
    ) -> BoxFuture<'a, Result<(), SessionLost>>;
}

/// The run is no longer driven from here, so the session could not be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the session could not be recorded: the run is no longer driven from here")]
pub struct SessionLost;
