//! Closures as providers.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt as _, lazy, ready};
use workflow_core::provider::{CallContext, CallId, CallRequest, Provider, ProviderError, Reply};

use crate::blocking::Blocking;

type Function =
    dyn Fn(CallRequest, CallContext) -> BoxFuture<'static, Result<Reply, ProviderError>> + Send + Sync;

/// A provider that calls a closure of the host.
///
/// ```
/// use serde_json::json;
/// use workflow_core::provider::{ProviderError, Reply};
/// use workflow_providers::FunctionProvider;
///
/// let shout = FunctionProvider::from_fn(|request| Ok(Reply::text(request.prompt.to_uppercase())));
///
/// let fetch = FunctionProvider::new(|request, context| async move {
///     let Some(url) = request.options["url"].as_str() else {
///         return Err(ProviderError::permanent("`with.url` is missing"));
///     };
///     Ok(Reply::json(&json!({ "url": url, "call": context.id().idempotency_key() })))
/// });
/// # let _ = (shout, fetch);
/// ```
///
/// # Stopping
///
/// The engine tells a call to stop through [`CallContext::stop`], polls its future once more, and drops it: a
/// cancel or a time-out takes no longer than that, whether the closure watches the signal or not. A closure
/// that only awaits other futures needs no more. One that must undo something, or that starts work that
/// outlives its future (a thread, a remote request), requests a grace period
/// ([`with_grace`](Self::with_grace)), watches the signal, and returns [`ProviderError::cancelled`].
pub struct FunctionProvider {
    function: Box<Function>,
    needs_grace: bool,
    blocking: Option<Arc<Blocking>>,
}

impl FunctionProvider {
    /// Creates a provider that awaits the future that `function` returns.
    ///
    /// The driver of the run polls the future, together with everything else that the run does. Blocking work
    /// belongs on a thread; see [`blocking`](Self::blocking).
    pub fn new<F, R>(function: F) -> Self
    where
        F: Fn(CallRequest, CallContext) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Reply, ProviderError>> + Send + 'static,
    {
        let function = move |request, context| function(request, context).boxed();
        Self { function: Box::new(function), needs_grace: false, blocking: None }
    }

    /// Creates a provider that calls `function` on the driver's own thread, so it must be quick: while it
    /// works, nothing else of the run makes progress, and it cannot be stopped.
    pub fn from_fn<F>(function: F) -> Self
    where
        F: Fn(CallRequest) -> Result<Reply, ProviderError> + Send + Sync + 'static,
    {
        let function = Arc::new(function);
        Self::new(move |request, _| {
            let function = function.clone();
            lazy(move |_| function(request))
        })
    }

    /// Creates a provider that calls `function` on a separate thread, so it may block. There are at most 64
    /// threads, which are reused; further calls wait for one.
    ///
    /// A thread cannot be stopped from outside. A call that is cancelled or times out learns it from
    /// [`CallContext::stop`], which the closure must check between its steps, with
    /// [`now`](workflow_core::stop::StopSignal::now) or
    /// [`wait_blocking`](workflow_core::stop::StopSignal::wait_blocking). It has the engine's grace period to
    /// return. After that the call has ended for the engine, and a later result of the closure is dropped;
    /// the failure says that the closure may still be running, and the same node is not called again before
    /// it has returned.
    ///
    /// ```
    /// use std::time::Duration;
    /// use workflow_core::provider::{ProviderError, Reply};
    /// use workflow_core::stop::Stop;
    /// use workflow_providers::FunctionProvider;
    ///
    /// let wait = FunctionProvider::blocking(|_, context| {
    ///     for _ in 0..600 {
    ///         if context.stop().wait_blocking(Stop::Gracefully, Duration::from_millis(100)) > Stop::None {
    ///             return Err(ProviderError::cancelled());
    ///         }
    ///     }
    ///     Ok(Reply::text("a minute is over"))
    /// });
    /// # let _ = wait;
    /// ```
    pub fn blocking<F>(function: F) -> Self
    where
        F: Fn(CallRequest, CallContext) -> Result<Reply, ProviderError> + Send + Sync + 'static,
    {
        let blocking = Arc::new(Blocking::new(function));
        let calls = blocking.clone();
        let provider = Self::new(move |request, context| blocking.clone().call(request, context));
        Self { blocking: Some(calls), ..provider.with_grace() }
    }

    /// Gives a call that is told to stop the engine's grace period to end, instead of dropping its future at
    /// once.
    #[must_use]
    pub fn with_grace(self) -> Self {
        Self { needs_grace: true, ..self }
    }
}

impl fmt::Debug for FunctionProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FunctionProvider").finish_non_exhaustive()
    }
}

// Written by hand in the form of `async_trait`, so that a call allocates one box instead of two.
impl Provider for FunctionProvider {
    fn call<'a, 'call>(
        &'a self,
        request: CallRequest,
        context: CallContext,
    ) -> BoxFuture<'call, Result<Reply, ProviderError>>
    where
        'a: 'call,
    {
        (self.function)(request, context)
    }

    fn reclaim<'a, 'id, 'reclaim>(
        &'a self,
        call: &'id CallId,
    ) -> BoxFuture<'reclaim, Result<(), ProviderError>>
    where
        'a: 'reclaim,
        'id: 'reclaim,
    {
        ready(self.blocking.as_ref().map_or(Ok(()), |blocking| blocking.reclaim(call))).boxed()
    }

    fn needs_grace(&self) -> bool {
        self.needs_grace
    }
}
