//! The trait of providers, which do the work of nodes.
//!
//! `request`: what a call is given. `checkup`: what the program behind it reports. `context`: what it can do while it runs. `reply` and `error`: how it ends.

mod checkup;
mod context;
mod error;
mod forward;
mod reply;
mod request;

pub use checkup::Checkup;
pub use context::{CallContext, CallHost, GivenAnswer, SessionLost};
pub use error::{ProviderError, Question};
pub use reply::Reply;
pub use request::{CallId, CallRequest, Origin, Workspace};

/// The attribute for implementations of [`Provider`].
pub use async_trait::async_trait;

use serde_json::Value;

use crate::data::InexactNumber;
use crate::exact;

/// Does the work of a node: an agent, a command, a closure.
///
/// ```
/// use workflow_core::provider::{CallContext, CallRequest, Provider, ProviderError, Reply, async_trait};
///
/// struct Greeter;
///
/// #[async_trait]
/// impl Provider for Greeter {
///     async fn call(&self, request: CallRequest, _: CallContext) -> Result<Reply, ProviderError> {
///         if request.prompt.is_empty() {
///             return Err(ProviderError::permanent("the prompt is empty: write whom to greet"));
///         }
///         Ok(Reply::text(format!("Hello, {}!", request.prompt)))
///     }
/// }
/// ```
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
    /// Must not stop a later attempt: a host that was suspended during this call may continue after another
    /// host has claimed the run, and a later attempt belongs to that host.
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
    /// [marked](crate::data::Data::exact_value) then. False unless overridden: options have plain numbers, and a call with one that
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

    /// Asks the program that it drives for its version and login status, as far as it can be asked. Must call no model,
    /// change nothing and read no secrets. `None`, unless overridden: it drives no program that can be asked.
    async fn checkup(&self) -> Option<Checkup> {
        None
    }
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
