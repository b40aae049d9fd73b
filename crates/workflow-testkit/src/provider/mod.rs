//! The conformance suite of [`Provider`](workflow_core::provider::Provider).

mod call;
#[doc(hidden)]
pub mod cases;
mod fixture;
mod runtime;

use std::fmt;

pub use call::Host;
pub use fixture::{Ask, Fixture};
pub use runtime::Runtime;

/// The optional capabilities of a provider; see [`provider_suite`](crate::provider_suite).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Capability {
    /// It refuses unknown options. Needs
    /// [`options_schema`](workflow_core::provider::Provider::options_schema): editors and checks learn the
    /// options from the schema.
    Options,
    /// It starts processes that outlive a future, and its fixture can look for them.
    Probe,
    /// Its calls have sessions.
    Sessions,
}

/// A case of the suite.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Case {
    /// The behaviour that it checks.
    pub name: &'static str,
    /// The capability that it needs.
    pub needs: Option<Capability>,
    /// Runs the case; panics if it fails.
    pub run: fn(&dyn Fixture),
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case").field("name", &self.name).field("needs", &self.needs).finish_non_exhaustive()
    }
}

/// Makes a test of every case of the [suite](crate::provider) for a provider.
///
/// The first argument is an expression that creates a [`Fixture`](crate::provider::Fixture), followed by the
/// provider's capabilities: `options`, `probe`, `sessions`. A case that needs an undeclared capability does
/// not become a test.
///
/// The fixture's [runtime](crate::provider::Fixture::runtime) polls the calls. For a provider that needs
/// tokio it is
///
/// ```text
/// fn runtime(&self) -> Runtime {
///     Runtime::tokio()
/// }
/// ```
///
/// ```
/// use serde_json::json;
/// use workflow_core::failure::FailureClass;
/// use workflow_core::output::OutputKind;
/// use workflow_core::provider::{CallContext, CallRequest, Provider, ProviderError, Reply, async_trait};
/// use workflow_core::stop::Stop;
/// use workflow_testkit::provider::{Ask, Fixture};
///
/// struct Parrot;
///
/// #[async_trait]
/// impl Provider for Parrot {
///     async fn call(&self, request: CallRequest, context: CallContext) -> Result<Reply, ProviderError> {
///         match request.prompt.as_str() {
///             "" => Err(ProviderError::permanent("there is nothing to say")),
///             "wait" => {
///                 context.output(OutputKind::Log, "waits");
///                 context.stop().wait(Stop::Gracefully).await;
///                 Err(ProviderError::cancelled())
///             }
///             prompt => Ok(Reply::text(prompt)),
///         }
///     }
/// }
///
/// struct Mine;
///
/// impl Fixture for Mine {
///     fn provider(&self) -> Box<dyn Provider> {
///         Box::new(Parrot)
///     }
///
///     fn answered(&self) -> Ask {
///         Ask::new("hello", json!(null))
///     }
///
///     fn failing(&self) -> Vec<(Ask, FailureClass)> {
///         vec![(Ask::new("", json!(null)), FailureClass::Permanent)]
///     }
///
///     fn endless(&self) -> Ask {
///         Ask::new("wait", json!(null))
///     }
/// }
///
/// workflow_testkit::provider_suite!(Mine);
/// ```
#[macro_export]
macro_rules! provider_suite {
    ($fixture:expr $(; $($capability:ident),* $(,)?)?) => {
        $crate::__provider_cases!(test ($fixture) every);
        $($($crate::__provider_cases!(test ($fixture) $capability);)*)?
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __provider_cases {
    ($do:ident $with:tt every) => {
        $crate::__provider_each! { $do $with [
            a_call_is_answered
            calls_at_the_same_time_do_not_mix
            a_call_that_is_not_polled_does_nothing
            a_failure_says_what_to_do
            a_call_that_is_stopped_ends_as_cancelled
            a_call_that_was_stopped_before_it_began_ends_as_cancelled
            nothing_is_left_of_a_call_that_never_was
        ] }
    };
    ($do:ident $with:tt options) => {
        $crate::__provider_each! { $do $with [
            an_unknown_option_is_refused_and_named
        ] }
    };
    ($do:ident $with:tt probe) => {
        $crate::__provider_each! { $do $with [
            nothing_runs_when_a_call_has_ended
            nothing_of_a_dropped_call_keeps_running
        ] }
    };
    ($do:ident $with:tt sessions) => {
        $crate::__provider_each! { $do $with [
            a_session_is_recorded_before_the_call_ends
        ] }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __provider_each {
    (test ($fixture:expr) [$($case:ident)*]) => {$(
        #[test]
        fn $case() {
            $crate::provider::cases::$case(&$fixture);
        }
    )*};
    (list ($needs:expr) [$($case:ident)*]) => {
        [$(Case { name: stringify!($case), needs: $needs, run: cases::$case }),*]
    };
}

/// All cases.
pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    cases.extend(__provider_cases!(list (None) every));
    cases.extend(__provider_cases!(list (Some(Capability::Options)) options));
    cases.extend(__provider_cases!(list (Some(Capability::Probe)) probe));
    cases.extend(__provider_cases!(list (Some(Capability::Sessions)) sessions));
    cases
}
