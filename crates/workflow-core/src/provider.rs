//! The trait of what does the work of a node: providers.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use indexmap::IndexMap;
use jiff::Timestamp;
use serde_json::Value;

use crate::bundle::Skill;
use crate::data::{Data, InexactNumber};
use crate::exact;
use crate::failure::{Failure, FailureClass};
use crate::ids::{NodePath, RunId};
use crate::output::OutputKind;
use crate::redact::Redactor;
use crate::stop::StopSignal;
use crate::usage::Usage;

/// What implementations of [`Provider`] are annotated with.
pub use async_trait::async_trait;

/// Does the work of a node: an agent, a command, a closure.
#[async_trait]
pub trait Provider: Send + Sync {
    /// Carries out one call.
    ///
    /// A call that is told to stop by [`CallContext::stop`] is polled once more, and may end with
    /// [`ProviderError::cancelled`]; then its future is dropped, so that a call that does not watch the signal
    /// delays no cancel and no time-out. A call that [needs a grace period](Provider::needs_grace) has time to end,
    /// and ends only once every process that it started is gone. Dropping the future has to stop what was started
    /// as well, as soon as it can.
    ///
    /// A panic is a permanent failure of the attempt, with the text of the panic; usage that was
    /// [reported](CallContext::usage) before it counts, and [`reclaim`](Provider::reclaim) is called. In a program
    /// that is built with `panic = "abort"` nothing is caught, and the process ends.
    ///
    /// # Errors
    ///
    /// [`ProviderError`] says what the engine should do: try again, wait, or give up.
    async fn call(&self, request: CallRequest, context: CallContext) -> Result<Reply, ProviderError>;

    /// Stops whatever is left running of a call and of earlier attempts at its node, and waits until it is gone. Called
    /// before a node runs again whose host died, and for a call that did not stop and was dropped. Does nothing unless
    /// overridden.
    ///
    /// A later attempt is left alone: a host that was stopped in the middle of this may go on after another host has
    /// taken the run, and a later attempt is that host's.
    ///
    /// # Errors
    ///
    /// [`ProviderError`] when something may still be running: the node must not start then.
    async fn reclaim(&self, call: &CallId) -> Result<(), ProviderError> {
        let _ = call;
        Ok(())
    }

    /// Whether a call needs time to end after it was told to stop: for a process to exit, or to undo what it
    /// began. Its future is dropped only when the grace period of the engine is over then. False unless
    /// overridden: the future is dropped at once.
    fn needs_grace(&self) -> bool {
        false
    }

    /// Whether it takes the numbers of its options as they were written: those that a [`Value`] would not give back are
    /// [marked](Data::exact_value) then. False unless overridden: options have plain numbers, and a call with one that
    /// 64 bits cannot hold fails before it begins.
    fn takes_exact_numbers(&self) -> bool {
        false
    }

    /// The JSON Schema of the options under `with`. `None`: it takes any. A provider that refuses options that it does
    /// not know ([`check_options`](Provider::check_options)) has one that names those that it does know: editors and
    /// generated docs read it.
    fn options_schema(&self) -> Option<Value> {
        None
    }

    /// Whether the agent has a skill of that name by itself. What the host has takes precedence; a skill that
    /// neither has is warned of.
    fn has_skill(&self, name: &str) -> bool {
        let _ = name;
        false
    }

    /// Checks the options under `with` before a run starts. Strings may still hold `${…}`.
    ///
    /// # Errors
    ///
    /// A message that says what to write instead.
    fn check_options(&self, options: &Value) -> Result<(), String> {
        let _ = options;
        Ok(())
    }
}

/// Which call it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CallId {
    /// The run.
    pub run: RunId,
    /// Tells this run from one of the same id in another store.
    pub seed: u64,
    /// The node.
    pub path: NodePath,
    /// The attempt, counted from 1.
    pub attempt: u32,
}

impl CallId {
    /// The same for every attempt at the same node of the same iteration: for services that
    /// recognise a request that was sent twice.
    pub fn idempotency_key(&self) -> String {
        format!("{}/{}", self.run, self.path)
    }
}

/// What a provider is asked to do. All `${…}` are resolved.
#[derive(Clone)]
pub struct CallRequest {
    /// Which call it is.
    pub id: CallId,
    /// The prompt, with the inputs and the previous lane's output after it. May be empty.
    pub prompt: String,
    /// The options under `with`: an object, or null.
    pub options: Value,
    /// Environment variables to add.
    pub env: IndexMap<String, String>,
    /// Where to work, as the definition says it.
    pub cwd: Option<String>,
    /// The session to go on in.
    pub session: Option<String>,
    /// What the calls in that session have used so far, as far as it is recorded. Agents that tell what a
    /// session has used all in all are asked for the difference.
    pub session_usage: Option<Usage>,
    /// The JSON Schema that the output has to follow. The engine checks the output in any case; a provider
    /// that can hold an agent to a schema does.
    pub output_schema: Option<Arc<Value>>,
    /// Skills to hand to the agent, by name.
    pub skills: Vec<(Arc<str>, Arc<Skill>)>,
    /// In which files to work.
    pub workspace: Workspace,
}

/// In which files a call works.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Workspace {
    /// In those that the provider works in by default: for a command, its work root.
    #[default]
    Shared,
    /// In some of the run's own, which somebody around the provider has to make first. A provider that is
    /// asked for that itself, and would touch the shared files, refuses.
    Isolated,
    /// The same in a run that was forked: its files begin as those of the other run were there.
    Forked(Arc<Origin>),
    /// In this directory, in place of the provider's own work root.
    At(PathBuf),
}

/// Where a run that was forked comes from, for providers that keep files of each run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// The run that it was forked from, and its seed; then the run that that one was forked from.
    pub runs: Vec<(RunId, u64)>,
    /// What the last call that was taken over and that changed files told of them: the member `worktree` of its
    /// details.
    pub worktree: Option<Data>,
}

impl CallRequest {
    /// Makes the numbers of its options plain, unless `provider` [takes them as they are
    /// written](Provider::takes_exact_numbers).
    ///
    /// # Errors
    ///
    /// [`InexactNumber`] for one that cannot be.
    pub fn fit_options(&mut self, provider: &dyn Provider) -> Result<(), InexactNumber> {
        if exact::has_marked(&self.options) && !provider.takes_exact_numbers() {
            self.options = exact::plain(std::mem::take(&mut self.options))?;
        }
        Ok(())
    }
}

impl fmt::Debug for CallRequest {
    /// Names the call only: prompt, options and environment may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallRequest").field("id", &self.id).finish_non_exhaustive()
    }
}

/// What a provider answers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reply {
    /// The output of the node.
    pub output: Data,
    /// What the call used, where known.
    pub usage: Option<Usage>,
    /// The session that the call ended in.
    pub session: Option<String>,
    /// More about how the call went, for a person: turns, tools that were not allowed. Recorded with the
    /// result; no other node sees it.
    pub details: Option<Box<Value>>,
}

impl Reply {
    /// A reply whose output is a JSON value.
    pub fn json(value: &Value) -> Self {
        Self::data(Data::new(value))
    }

    /// A reply whose output is JSON text, numbers as they are written: [`Data::parse`] reads it.
    pub fn data(output: Data) -> Self {
        Self { output, ..Self::default() }
    }

    /// A reply whose output is text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::json(&Value::String(text.into()))
    }
}

/// Why a call has no reply, and what to do about it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{failure}")]
pub struct ProviderError {
    /// What goes into the log.
    pub failure: Box<Failure>,
    /// For [`FailureClass::RateLimited`]: when to try again.
    pub until: Option<Timestamp>,
    /// For [`FailureClass::RateLimited`], where `until` is not known: in how long to try again, counted from the end
    /// of the call.
    pub retry_after: Option<Duration>,
    /// What the call used all the same.
    pub usage: Option<Usage>,
    /// What the call gave before it failed: what a command printed, the text of an agent so far. Later
    /// stages read it as `${stages.x.output}` where the stage has `on_failure: continue`.
    pub output: Option<Data>,
}

impl ProviderError {
    /// An error of `class`.
    pub fn new(class: FailureClass, message: impl Into<String>) -> Self {
        Self {
            failure: Box::new(Failure::new(class, message)),
            until: None,
            retry_after: None,
            usage: None,
            output: None,
        }
    }

    /// It may work another time.
    pub fn transient(message: impl Into<String>) -> Self {
        Self::new(FailureClass::Transient, message)
    }

    /// It will not work another time either.
    pub fn permanent(message: impl Into<String>) -> Self {
        Self::new(FailureClass::Permanent, message)
    }

    /// The reply was not what was asked for.
    pub fn invalid_output(message: impl Into<String>) -> Self {
        Self::new(FailureClass::InvalidOutput, message)
    }

    /// The quota is used up; it is refilled at `until`, if that is known.
    pub fn rate_limited(message: impl Into<String>, until: Option<Timestamp>) -> Self {
        Self { until, ..Self::new(FailureClass::RateLimited, message) }
    }

    /// The quota is used up; it is refilled after `time`, as the header `Retry-After` of HTTP tells it.
    ///
    /// ```
    /// use std::time::Duration;
    /// use workflow_core::provider::ProviderError;
    ///
    /// let error = ProviderError::rate_limited_in("429 Too Many Requests", Duration::from_secs(90));
    /// assert_eq!(error.retry_after, Some(Duration::from_secs(90)));
    /// ```
    pub fn rate_limited_in(message: impl Into<String>, time: Duration) -> Self {
        Self { retry_after: Some(time), ..Self::new(FailureClass::RateLimited, message) }
    }

    /// The call was told to stop and did.
    pub fn cancelled() -> Self {
        Self::new(FailureClass::Cancelled, "the call was stopped")
    }

    /// The same with `details`.
    #[must_use]
    pub fn with_details(mut self, details: Value) -> Self {
        self.failure.details = Some(details);
        self
    }

    /// The same with what the call gave before it failed.
    #[must_use]
    pub fn with_output(mut self, output: impl Into<Data>) -> Self {
        self.output = Some(output.into());
        self
    }
}

/// What a provider has at hand during a call.
#[derive(Clone)]
pub struct CallContext {
    id: CallId,
    stop: StopSignal,
    host: Arc<dyn CallHost>,
}

/// What the engine gives to [`CallContext`]; tests of providers write their own.
pub trait CallHost: Send + Sync {
    /// Takes what a call says. Never blocks; may drop and count.
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

impl CallContext {
    /// A context for one call.
    pub fn new(id: CallId, stop: StopSignal, host: Arc<dyn CallHost>) -> Self {
        Self { id, stop, host }
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

    /// Tells when and how the call is to end before its time.
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

    /// Tells that the call is alive although it has nothing to show yet: puts `idle_timeout` off, as
    /// output does.
    pub fn alive(&self) {
        self.host.alive();
    }

    /// Tells what this call has used so far, all in all: so a budget can be kept while the call goes on. A
    /// call that uses a budget up is told to stop. What the reply or the error says in the end counts more.
    pub fn usage(&self, usage: Usage) {
        self.host.usage(&self.id, usage);
    }

    /// What finds the secrets of the run in a text. The engine takes them out of all that a call gives; a provider that
    /// shortens a text does so before, because a secret that was cut in two is not found any more.
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

macro_rules! forward {
    ($($pointer:ty),*) => {$(
        #[async_trait]
        impl<T: Provider + ?Sized> Provider for $pointer {
            // By hand what `async_trait` would write: a call costs one box and not two.
            fn call<'provider, 'call>(
                &'provider self,
                request: CallRequest,
                context: CallContext,
            ) -> BoxFuture<'call, Result<Reply, ProviderError>>
            where
                'provider: 'call,
                Self: 'call,
            {
                (**self).call(request, context)
            }

            async fn reclaim(&self, call: &CallId) -> Result<(), ProviderError> {
                (**self).reclaim(call).await
            }

            fn takes_exact_numbers(&self) -> bool {
                (**self).takes_exact_numbers()
            }

            fn needs_grace(&self) -> bool {
                (**self).needs_grace()
            }

            fn options_schema(&self) -> Option<Value> {
                (**self).options_schema()
            }

            fn has_skill(&self, name: &str) -> bool {
                (**self).has_skill(name)
            }

            fn check_options(&self, options: &Value) -> Result<(), String> {
                (**self).check_options(options)
            }
        }
    )*};
}

forward!(&T, Box<T>, Arc<T>);
