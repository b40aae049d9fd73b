//! Records what a provider does.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use jiff::Timestamp;
use serde_json::Value;
use workflow_core::failure::FailureClass;
use workflow_core::output::OutputKind;
use workflow_core::provider::{
    CallContext, CallHost, CallId, CallRequest, Checkup, Provider, ProviderError, Reply, SessionLost,
    async_trait,
};
use workflow_core::redact::Redactor;
use workflow_core::stop::Stop;
use workflow_core::usage::Usage;

use super::Clock;
use super::format::{Asked, Call, CassetteError, Recorded, Said, Tape, What, node};
use super::redact::{hide, redactor};

/// A provider that wraps another one, and appends every call to a [cassette](super) when it ends.
///
/// Only one recorder at a time writes a cassette. A call whose future is dropped is not recorded. A call that
/// cannot be recorded fails, whatever its result: a gap in the cassette would only be noticed much later.
pub struct Recorder<P> {
    provider: P,
    tape: Arc<Mutex<Tape>>,
    secrets: Vec<String>,
    clock: Option<Clock>,
}

impl<P> Recorder<P> {
    /// Records `provider` into the file at `path`, which only its owner may read. Existing calls in it are
    /// kept.
    ///
    /// # Errors
    ///
    /// [`CassetteError`] if the file cannot be written, or is not a cassette of this format.
    pub fn new(provider: P, path: impl AsRef<Path>) -> Result<Self, CassetteError> {
        let tape = Arc::new(Mutex::new(Tape::open(path.as_ref())?));
        Ok(Self { provider, tape, secrets: Vec::new(), clock: None })
    }

    /// Redacts these texts too: see [what is redacted](super#secrets).
    #[must_use]
    pub fn redact<S: Into<String>>(mut self, secrets: impl IntoIterator<Item = S>) -> Self {
        self.secrets.extend(secrets.into_iter().map(Into::into));
        self
    }

    /// Sets the clock. Default: the clock of the engine.
    #[must_use]
    pub fn clock(mut self, clock: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }
}

impl<P> fmt::Debug for Recorder<P> {
    /// Omits the secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").finish_non_exhaustive()
    }
}

#[async_trait]
impl<P: Provider> Provider for Recorder<P> {
    async fn call(&self, request: CallRequest, context: CallContext) -> Result<Reply, ProviderError> {
        let not_recorded =
            |error: &dyn fmt::Display| ProviderError::permanent(format!("cannot record the call: {error}"));
        let redactor = redactor(&self.secrets, &request.env).map_err(|error| not_recorded(&error))?;
        let (node, asked) = (node(&request), Asked::of(&request));
        let (id, stop) = (context.id().clone(), context.stop().clone());
        let clock = self.clock.clone().unwrap_or_else(|| {
            let context = context.clone();
            Arc::new(move || context.now())
        });
        let answers = context.answers().to_vec();
        let (began, said) = (clock(), Mutex::default());
        let listener = Arc::new(Listener { context, said, began, clock: clock.clone() });
        let own = CallContext::new(id, stop.clone(), listener.clone()).with_answers(&answers);
        let result = self.provider.call(request, own).await;
        let result_at = clock();
        let said = std::mem::take(&mut *listener.said.lock().unwrap());
        let took = milliseconds(listener.began, result_at);
        let is_stopped = stop.now() != Stop::None;
        let recorded = recorded(&result, result_at, is_stopped);
        let mut call = Call { node, asked, said, took, result: recorded };
        hide(&redactor, &mut call);
        match self.tape.lock().unwrap().append(&call) {
            Ok(()) => result,
            Err(error) => Err(not_recorded(&error)),
        }
    }

    fn takes_exact_numbers(&self) -> bool {
        self.provider.takes_exact_numbers()
    }

    fn needs_grace(&self) -> bool {
        self.provider.needs_grace()
    }

    async fn reclaim(&self, call: &CallId) -> Result<(), ProviderError> {
        self.provider.reclaim(call).await
    }

    fn options_schema(&self) -> Option<Value> {
        self.provider.options_schema()
    }

    async fn checkup(&self) -> Option<Checkup> {
        self.provider.checkup().await
    }

    fn has_skill(&self, name: &str) -> bool {
        self.provider.has_skill(name)
    }

    fn check_options(&self, options: &Value) -> Result<(), String> {
        self.provider.check_options(options)
    }
}

fn recorded(result: &Result<Reply, ProviderError>, at: Timestamp, is_stopped: bool) -> Recorded {
    match result.clone() {
        Ok(Reply { output, usage, session, details }) => Recorded::Reply { output, usage, session, details },
        Err(ProviderError { failure, usage, .. })
            if is_stopped && failure.class == FailureClass::Cancelled =>
        {
            Recorded::Stopped { usage }
        }
        Err(ProviderError { failure, until, retry_after, usage, output, question }) => {
            let until = until.map(|until| until.as_millisecond().saturating_sub(at.as_millisecond()));
            let after = retry_after.map(|time| i64::try_from(time.as_millis()).unwrap_or(i64::MAX));
            Recorded::Error { failure: *failure, retry_after: until.or(after), usage, output, question }
        }
    }
}

/// The time between two moments; 0 if the clock was set back.
fn milliseconds(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.as_millisecond().saturating_sub(from.as_millisecond())).unwrap_or(0)
}

/// Forwards the reports of a call, and records them.
struct Listener {
    context: CallContext,
    said: Mutex<Vec<Said>>,
    began: Timestamp,
    clock: Clock,
}

impl Listener {
    fn note(&self, what: What) {
        let at = milliseconds(self.began, (self.clock)());
        let mut said = self.said.lock().unwrap();
        // Every report is a sign of life, and agents send one with each piece that they read.
        if what == (What::Alive {}) && said.last().is_some_and(|last| last.at == at) {
            return;
        }
        said.push(Said { at, what });
    }
}

impl CallHost for Listener {
    fn output(&self, _: &CallId, kind: OutputKind, text: String) {
        self.note(What::Output { kind, text: text.clone() });
        self.context.output(kind, text);
    }

    fn now(&self) -> Timestamp {
        self.context.now()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.context.sleep(duration)
    }

    fn alive(&self) {
        self.note(What::Alive {});
        self.context.alive();
    }

    fn usage(&self, _: &CallId, usage: Usage) {
        self.note(What::Usage(usage.clone()));
        self.context.usage(usage);
    }

    fn redactor(&self) -> Redactor {
        self.context.redactor()
    }

    fn record_session<'a>(
        &'a self,
        _: &'a CallId,
        session: &'a str,
    ) -> BoxFuture<'a, Result<(), SessionLost>> {
        self.note(What::Session(session.to_owned()));
        Box::pin(self.context.record_session(session))
    }
}
