//! What a provider's tests give to the suite.

use serde_json::Value;
use workflow_core::failure::FailureClass;
use workflow_core::provider::{CallId, Provider};

use crate::provider::runtime::Runtime;

/// What a provider's tests give to the suite.
pub trait Fixture {
    /// The provider.
    fn provider(&self) -> Box<dyn Provider>;

    /// A call that is answered.
    fn answered(&self) -> Ask;

    /// Calls that fail, each with the class of its failure.
    fn failing(&self) -> Vec<(Ask, FailureClass)>;

    /// A call that shows some output and then goes on until it is stopped.
    fn endless(&self) -> Ask;

    /// What polls the provider's futures. The default has no reactor: a provider whose client needs that of tokio, as
    /// `reqwest` does, has [`Runtime::tokio`] (feature `tokio`) or a [runtime](Runtime::new) of its own here.
    fn runtime(&self) -> Runtime {
        Runtime::default()
    }

    /// Options of which `name` is one that the provider does not know. Needed for the capability `options`.
    fn unknown_option(&self) -> (Value, &'static str) {
        panic!("the fixture declares `options` and has no unknown one");
    }

    /// Whether anything runs that was started for a call. Needed for the capability `probe`.
    fn is_running(&self, call: &CallId) -> bool {
        panic!("the fixture declares `probe` and does not look for {call:?}");
    }
}

/// What a provider is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Ask {
    /// The prompt.
    pub prompt: String,
    /// The options under `with`.
    pub options: Value,
}

impl Ask {
    /// Asks `prompt` with `options`.
    pub fn new(prompt: impl Into<String>, options: Value) -> Self {
        Self { prompt: prompt.into(), options }
    }
}
