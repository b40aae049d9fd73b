//! Failing services, through the provider alone: what a failure contains, and what it must not.

use workflow_core::failure::FailureClass;
use workflow_core::output::OutputKind;
use workflow_core::provider::ProviderError;
use workflow_tests::model_api::{Scenario, TEXT};

use crate::cli::{Cli, KEY};
use crate::rig::{Call, Rig};

for_every_cli! {
    a_refused_key_is_permanent_and_says_what_to_do,
    a_rate_limit_is_told_apart,
    a_failing_service_is_worth_another_attempt,
    a_service_that_failed_once_is_asked_again_by_the_agent_or_by_us,
    a_cut_stream_is_not_a_success_and_doubles_no_text,
    an_empty_answer_is_not_a_success,
    a_silent_service_is_given_up,
}

/// Makes a call that fails, and checks that the failure contains no secret and leaves no process.
fn failed(cli: Cli, scenario: Scenario) -> (ProviderError, Rig) {
    let rig = Rig::new();
    let mut options = cli.options();
    if cli == Cli::Grok && scenario == Scenario::Status(401) {
        // The list of models is refused as well, and then a model that is not on it is the only error.
        options.as_object_mut().unwrap().remove("model");
    }
    let call = Call::new("Continue.", options);
    let error = call.made(&rig.provider(cli, scenario)).unwrap_err();
    assert!(!format!("{error:?}").contains(KEY), "{error:?}");
    for kind in [OutputKind::Text, OutputKind::TextDelta, OutputKind::Log, OutputKind::Tool] {
        assert!(!call.said(kind).contains(KEY), "{}", call.said(kind));
    }
    assert_eq!(rig.processes(), [""; 0]);
    (error, rig)
}

fn reason(error: &ProviderError) -> &str {
    let details = error.failure.details.as_ref();
    details.and_then(|details| details["reason"].as_str()).unwrap_or_default()
}

fn a_refused_key_is_permanent_and_says_what_to_do(cli: Cli) {
    let (error, _) = failed(cli, Scenario::Status(401));
    assert_eq!(
        (error.failure.class, reason(&error)),
        (FailureClass::Permanent, "not_logged_in"),
        "{error:?}"
    );
    assert!(error.failure.message.contains("log in with"), "{error}");
}

fn a_rate_limit_is_told_apart(cli: Cli) {
    let (error, _) = failed(cli, Scenario::Status(429));
    assert_eq!(
        (error.failure.class, reason(&error)),
        (FailureClass::RateLimited, "rate_limited"),
        "{error:?}"
    );
}

fn a_failing_service_is_worth_another_attempt(cli: Cli) {
    let (error, _) = failed(cli, Scenario::Status(500));
    assert_eq!((error.failure.class, reason(&error)), (FailureClass::Transient, "overloaded"), "{error:?}");
}

fn a_service_that_failed_once_is_asked_again_by_the_agent_or_by_us(cli: Cli) {
    let rig = Rig::new();
    let provider = rig.provider(cli, Scenario::Once500);
    let made = || Call::new("Continue.", cli.options()).made(&provider);
    let reply = made().or_else(|error| {
        assert!(error.failure.class.is_retryable(), "{error:?}");
        made()
    });
    assert_eq!(reply.unwrap().output.value(), TEXT);
}

fn a_cut_stream_is_not_a_success_and_doubles_no_text(cli: Cli) {
    let rig = Rig::new();
    let call = Call::new("Continue.", cli.options());
    match call.made(&rig.provider(cli, Scenario::Cut)) {
        // Claude Code repeats the request without streaming, and gets the whole text.
        Ok(reply) => assert_eq!((cli, reply.output.value()), (Cli::ClaudeCode, TEXT.into())),
        Err(error) => {
            assert!(error.failure.class.is_retryable(), "{error:?}");
            let shown = call.said(OutputKind::TextDelta);
            assert!(shown.matches("Hello").count() <= 1, "{shown}");
        }
    }
}

fn an_empty_answer_is_not_a_success(cli: Cli) {
    let (error, _) = failed(cli, Scenario::Empty);
    assert!(error.failure.class.is_retryable(), "{error:?}");
}

fn a_silent_service_is_given_up(cli: Cli) {
    let (error, rig) = failed(cli, Scenario::Stall);
    assert_eq!((error.failure.class, reason(&error)), (FailureClass::IdleTimeout, "silent"), "{error:?}");
    assert!(!rig.api.asked().is_empty(), "it is the service that was silent");
}
