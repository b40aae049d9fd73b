//! Polls the futures of a provider.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use futures::future::BoxFuture;

/// Polls the futures of a provider in the [suite](crate::provider_suite): the runtime that it needs.
///
/// ```
/// use workflow_testkit::provider::Runtime;
///
/// // Without a reactor or timers: the default.
/// let plain = Runtime::new(|future| futures::executor::block_on(future));
/// # let _ = plain;
/// ```
#[derive(Clone)]
pub struct Runtime(Arc<BlockOn>);

type BlockOn = dyn Fn(BoxFuture<'_, ()>) + Send + Sync;

impl Runtime {
    /// A runtime that runs a future to its end with `block_on`. Several threads use it at the same time.
    pub fn new(block_on: impl Fn(BoxFuture<'_, ()>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(block_on))
    }

    /// The tokio runtime, with its reactor and timers; one for all tests of a process.
    #[cfg(feature = "tokio")]
    pub fn tokio() -> Self {
        static RUNTIME: std::sync::LazyLock<tokio::runtime::Runtime> = std::sync::LazyLock::new(|| {
            let mut builder = tokio::runtime::Builder::new_multi_thread();
            builder.worker_threads(1).enable_all().build().unwrap()
        });
        Self::new(|future| RUNTIME.block_on(future))
    }

    /// Runs `future` to its end.
    pub(crate) fn block_on<T: Send>(&self, future: impl Future<Output = T> + Send) -> T {
        let mut output = None;
        (self.0)(Box::pin(async { output = Some(future.await) }));
        output.expect("the runtime of the fixture returned before the future was ready")
    }
}

impl Default for Runtime {
    fn default() -> Self {
        Self::new(|future| futures::executor::block_on(future))
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime").finish_non_exhaustive()
    }
}
