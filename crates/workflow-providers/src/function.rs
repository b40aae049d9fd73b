//! Closures as providers.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt as _, lazy};
use workflow_core::provider::{CallContext, CallRequest, Provider, ProviderError, Reply};

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
/// The engine tells a call to stop through [`CallContext::stop`] and drops its future soon after
/// if it does not end by itself. A closure that awaits nothing but other futures needs no more than
/// that. One that starts something that outlives its future (a thread, a request elsewhere) watches
/// the signal, undoes what it began, and answers [`ProviderError::cancelled`].
pub struct FunctionProvider {
    function: Box<Function>,
}

impl FunctionProvider {
    /// A provider that awaits what `function` returns.
    ///
    /// The future is polled by the driver of the run, together with all else that the run does:
    /// work that would block belongs on a thread.
    pub fn new<F, R>(function: F) -> Self
    where
        F: Fn(CallRequest, CallContext) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Reply, ProviderError>> + Send + 'static,
    {
        Self { function: Box::new(move |request, context| function(request, context).boxed()) }
    }

    /// A provider that calls `function` on the driver's own thread, so it has to be quick: while it
    /// works, nothing else of the run goes on, and it cannot be stopped.
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
}

impl fmt::Debug for FunctionProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FunctionProvider").finish_non_exhaustive()
    }
}

// By hand what `async_trait` would write, so that a call costs one box and not two.
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
}
