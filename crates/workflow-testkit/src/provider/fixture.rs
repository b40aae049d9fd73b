//! The interface between a provider's tests and the suite.

use serde_json::Value;
use workflow_core::failure::FailureClass;
use workflow_core::provider::{CallId, Provider};

use crate::provider::runtime::Runtime;

/// What a provider's tests provide to the suite.
pub trait Fixture {
    /// The provider.
    fn provider(&self) -> Box<dyn Provider>;

    /// A call that succeeds.
    fn answered(&self) -> Ask;

    /// Calls that fail, each with the class of its failure.
    fn failing(&self) -> Vec<(Ask, FailureClass)>;

    /// A call that produces some output and then runs until it is stopped.
    fn endless(&self) -> Ask;

    /// The runtime that polls the provider's futures. The default has no reactor: a provider whose client
    /// needs that of tokio, like `reqwest`, returns [`Runtime::tokio`] (feature `tokio`) or another
    /// [runtime](Runtime::new).
    fn runtime(&self) -> Runtime {
        Runtime::default()
    }

    /// Options of which `name` is one that the provider does not know. Needed for the capability `options`.
    fn unknown_option(&self) -> (Value, &'static str) {
        panic!("the fixture declares `options` but does not implement `unknown_option`");
    }

    /// Whether a process of a call is running. Needed for the capability `probe`.
    fn is_running(&self, call: &CallId) -> bool {
        panic!("the fixture declares `probe` but does not implement `is_running` ({call:?})");
    }
}

/// A request to a provider.
#[derive(Debug, Clone, PartialEq)]
pub struct Ask {
    /// The prompt.
    pub prompt: String,
    /// The options under `with`.
    pub options: Value,
}

impl Ask {
    /// Creates a request with `prompt` and `options`.
    pub fn new(prompt: impl Into<String>, options: Value) -> Self {
        Self { prompt: prompt.into(), options }
    }
}
