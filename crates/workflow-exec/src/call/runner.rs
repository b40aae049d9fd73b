//! Makes single calls, for backends that are not the driver of this crate.

use std::future::pending;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures::future::{BoxFuture, Either, join, select};
use tracing::Span;
use workflow_core::ids::NodePath;
use workflow_core::machine::{self, UnresolvedCall};
use workflow_core::output::OutputKind;
use workflow_core::provider::{CallId, Provider, ProviderError, Reply, SessionLost};
use workflow_core::stop::{Stop, StopSignal};
use workflow_core::usage::Usage;

use crate::call::bounds;
use crate::call::io::{CallIo, OfRun, Outlet};
use crate::call::running::{self, Admission, Call, Patience};
use crate::limits::Place;
use crate::redact::Remembering;
use crate::runtime::Timer;
use crate::shared::Shared;

/// Makes single calls with the providers, secrets, time-outs and limits of an [`Engine`](crate::Engine), as its driver
/// makes them: for a backend that executes runs by other means, and whose workers are handed one call at a time.
/// Cheap to clone.
///
/// ```
/// use std::sync::{Arc, Mutex};
///
/// use futures::future::{BoxFuture, FutureExt as _};
/// use workflow_core::machine::UnresolvedCall;
/// use workflow_core::output::OutputKind;
/// use workflow_core::provider::{
///     CallContext, CallRequest, Provider, ProviderError, Reply, SessionLost, async_trait,
/// };
/// use workflow_core::stop::StopSource;
/// use workflow_exec::{CallReports, Engine};
///
/// struct Greeter;
///
/// #[async_trait]
/// impl Provider for Greeter {
///     async fn call(&self, request: CallRequest, context: CallContext) -> Result<Reply, ProviderError> {
///         context.output(OutputKind::Log, "greeting");
///         Ok(Reply::text(format!("Hello, {}!", request.prompt)))
///     }
/// }
///
/// /// What the worker passes on to its backend while the call runs.
/// #[derive(Default)]
/// struct Reports(Mutex<Vec<String>>);
///
/// impl CallReports for Reports {
///     fn output(&self, _: OutputKind, text: String) {
///         self.0.lock().unwrap().push(text);
///     }
///
///     fn record_session<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<(), SessionLost>> {
///         async { Ok(()) }.boxed()
///     }
/// }
///
/// // In the worker: the engine has the providers, and drives nothing.
/// let runner = Engine::builder().provider("greeter", Greeter).build()?.call_runner();
/// let call: UnresolvedCall = serde_json::from_str(
///     r#"{
///         "id": { "run": "run-1", "seed": 7, "path": "1/greet[0]/run", "attempt": 1 },
///         "provider": "greeter",
///         "prompt": "world"
///     }"#,
/// )?;
/// let (stop, reports) = (StopSource::new(), Arc::new(Reports::default()));
/// let reply = futures::executor::block_on(runner.run(call, stop.signal(), reports.clone()))?;
/// assert_eq!(reply.output.value(), "Hello, world!");
/// assert_eq!(*reports.0.lock().unwrap(), ["greeting"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct CallRunner {
    shared: Arc<Shared>,
}

/// What a call that a [`CallRunner`] makes reports while it runs. Secrets have been redacted. Nothing here may block.
pub trait CallReports: Send + Sync {
    /// The call has shown this. A long line may come in several pieces, and so does
    /// [`TextDelta`](OutputKind::TextDelta). An end that may be the beginning of a secret follows later, at the latest
    /// when the call has ended.
    fn output(&self, kind: OutputKind, text: String);

    /// All that the call has used so far. Does nothing unless overridden.
    fn usage(&self, usage: Usage) {
        let _ = usage;
    }

    /// The call is active although it has nothing to show. Does nothing unless overridden.
    fn alive(&self) {}

    /// Stores the session of the call; ready once it is durable. Dropping the future may leave it stored or not.
    ///
    /// # Errors
    ///
    /// [`SessionLost`] where the run is no longer executed from here.
    fn record_session<'a>(&'a self, session: &'a str) -> BoxFuture<'a, Result<(), SessionLost>>;
}

/// The run of a call, as far as it is known here.
struct Reporting {
    of_run: OfRun,
    reports: Arc<dyn CallReports>,
}

impl Outlet for Reporting {
    fn of_run(&self) -> &OfRun {
        &self.of_run
    }

    fn output(&self, _: &NodePath, _: u32, kind: OutputKind, text: String) {
        self.reports.output(kind, text);
    }

    fn alive(&self) {
        self.reports.alive();
    }

    fn usage(&self, _: &CallId, usage: Usage) {
        self.reports.usage(usage);
    }

    fn record_session<'a>(
        &'a self,
        _: &'a CallId,
        session: &'a str,
    ) -> BoxFuture<'a, Result<(), SessionLost>> {
        self.reports.record_session(session)
    }
}

impl CallRunner {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        Self { shared: shared.clone() }
    }

    /// Makes the call, with its secrets and its time-outs. The result is what the driver of this crate would tell the
    /// [machine](workflow_core::machine::Input::Finished): without secrets, and no larger than
    /// [`max_output`](crate::EngineBuilder::max_output). A panic of the provider is a permanent error.
    ///
    /// Each level of `stop` is passed on to the provider. What has not ended after the
    /// [grace period](crate::EngineBuilder::stop_grace) is dropped and [reclaimed](Provider::reclaim). A call that was
    /// stopped before it began is not made.
    ///
    /// It takes no slot of the engine's [limits](crate::Engine::limits), and does not [`reclaim`](Self::reclaim) what
    /// an earlier attempt left: do both before.
    ///
    /// Dropping the future drops that of the provider, which stops what it has started as soon as it can, and nothing
    /// tells when: to wait for that, `stop` the call.
    ///
    /// # Errors
    ///
    /// [`ProviderError`] of the provider; or of the call, which could not be made: its provider is not registered, or
    /// a secret is not known here.
    pub async fn run(
        &self,
        call: UnresolvedCall,
        stop: StopSignal,
        reports: Arc<dyn CallReports>,
    ) -> Result<Reply, ProviderError> {
        let mut result = self.make(call, stop, reports).await;
        bounds::check(&mut result, self.shared.max_output);
        result
    }

    async fn make(
        &self,
        call: UnresolvedCall,
        stop: StopSignal,
        reports: Arc<dyn CallReports>,
    ) -> Result<Reply, ProviderError> {
        let provider = self.provider(call.provider())?;
        let (path, attempt) = (call.id().path.clone(), call.id().attempt);
        let of_run = OfRun::new(&self.shared, call.id().run.clone(), call.id().seed);
        let outlet = Arc::new(Reporting { of_run, reports });
        let known = &outlet.of_run.secrets;
        let names = call.secrets().iter().map(|secret| (&*secret.name, secret.used));
        let missing = self.shared.know(names, known).map_err(|error| permanent(&error))?;
        let secrets = Remembering { secrets: &*self.shared.secrets, known, problem: OnceLock::new() };
        let ready = call.resolve(&secrets).and_then(|mut call| {
            running::fit(&mut call.request, provider)?;
            Ok(call)
        });
        let machine::Call { request, timeout, over_budget, idle_timeout, answers } =
            ready.map_err(|failure| running::not_made(failure, &secrets))?;
        // A secret that this call names itself is the more exact reason.
        if !missing.is_empty() {
            let message = format!(
                "this process does not know secrets that calls of the run have used, and could not redact them: {}",
                missing.join(", ")
            );
            return Err(ProviderError::permanent(message));
        }
        if stop.now() > Stop::None {
            return Err(ProviderError::cancelled());
        }
        let timer = &*self.shared.timer;
        let patience = Patience { timeout, over_budget, idle_timeout, timer };
        let grace = running::needs_grace(provider).then_some(self.shared.stop_grace);
        let io = Arc::new(CallIo::new(outlet.clone(), attempt, grace));
        // Limits are the caller's.
        let admission = Admission { provider, place: Place::unlimited() };
        let call =
            Call::begin(request, &answers, admission, io.clone(), patience, (Duration::ZERO, Span::none()));
        match select(call, pin!(pass_on(&stop, &io, &path, timer))).await {
            Either::Left((ended, _)) => *ended.result,
            Either::Right((never, _)) => match never {},
        }
    }

    /// Stops whatever a call has left that was lost, because the process that made it has died, and waits until it is gone. To be
    /// done before the next attempt at the node begins, on the machine where the call ran.
    ///
    /// # Errors
    ///
    /// [`ProviderError`] where something may still be running: the node must not be called again then; or its provider is not
    /// registered.
    pub async fn reclaim(&self, call: &CallId, provider: &str) -> Result<(), ProviderError> {
        running::reclaim(self.provider(provider)?, call).await
    }

    fn provider(&self, name: &str) -> Result<&dyn Provider, ProviderError> {
        let provider = self.shared.providers.get(name).map(|provider| &**provider);
        provider.ok_or_else(|| ProviderError::permanent(self.shared.unknown_provider(name)))
    }
}

fn permanent(error: &impl ToString) -> ProviderError {
    ProviderError::permanent(error.to_string())
}

/// What never is.
enum Never {}

/// Tells the call to stop when, and as, it is told here; and drops it when its grace period is over.
async fn pass_on(stop: &StopSignal, io: &CallIo<Reporting>, path: &NodePath, timer: &dyn Timer) -> Never {
    stop.wait(Stop::Gracefully).await;
    let overdue = async {
        if let Some(grace) = io.tell_to_stop(stop.now()) {
            timer.sleep(grace).await;
            io.overdue(path);
        }
    };
    let at_once = async {
        stop.wait(Stop::AtOnce).await;
        io.signal(Stop::AtOnce);
    };
    join(overdue, at_once).await;
    pending().await
}
