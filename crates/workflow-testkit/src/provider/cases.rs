//! The cases.

use std::sync::Arc;

use workflow_core::failure::FailureClass;
use workflow_core::provider::{CallContext, ProviderError, Reply};
use workflow_core::stop::{Stop, StopSource};

use super::call::{Call, Host, Subject, new_call, request};
use super::fixture::Fixture;
use crate::store::runs::in_the_end;

fn subject(fixture: &dyn Fixture) -> Subject {
    Subject { provider: fixture.provider().into(), runtime: fixture.runtime() }
}

fn is_cancelled(result: Result<Reply, ProviderError>) {
    let error = result.expect_err("it was stopped");
    assert_eq!(error.failure.class, FailureClass::Cancelled, "{error}");
}

pub fn a_call_is_answered(fixture: &dyn Fixture) {
    let subject = subject(fixture);
    for _ in 0..2 {
        let call = Call::start(&subject, fixture.answered());
        call.end().unwrap();
        assert!(call.host.said().iter().all(|(id, ..)| *id == call.id));
    }
}

pub fn calls_at_the_same_time_do_not_mix(fixture: &dyn Fixture) {
    let subject = subject(fixture);
    let alone = Call::start(&subject, fixture.answered()).end().unwrap().output;
    let endless = Call::start(&subject, fixture.endless());
    endless.has_begun();
    let calls: Vec<_> = (0..3).map(|_| Call::start(&subject, fixture.answered())).collect();
    for call in &calls {
        assert_eq!(call.end().unwrap().output, alone);
    }
    endless.stop(Stop::AtOnce);
    is_cancelled(endless.end());
    for call in calls.iter().chain([&endless]) {
        assert!(call.host.said().iter().all(|(id, ..)| *id == call.id));
    }
}

pub fn a_call_that_is_not_polled_does_nothing(fixture: &dyn Fixture) {
    let (subject, host, id) = (subject(fixture), Arc::new(Host::default()), new_call());
    let context = CallContext::new(id.clone(), StopSource::new().signal(), host.clone());
    let request = request(&id, fixture.endless());
    subject.runtime.block_on(async {
        let call = subject.provider.call(request, context);
        assert!(host.said().is_empty());
        drop(call);
    });
    // The context is dropped too.
    in_the_end("the context of a dropped call is dropped", || Arc::strong_count(&host) == 1);
    assert!(host.said().is_empty());
}

pub fn a_failure_says_what_to_do(fixture: &dyn Fixture) {
    let (subject, failing) = (subject(fixture), fixture.failing());
    assert!(!failing.is_empty(), "the fixture has no failing call");
    for (ask, class) in failing {
        let error = Call::start(&subject, ask.clone()).end().expect_err("a call that fails");
        assert_eq!(error.failure.class, class, "{ask:?}: {error}");
        assert!(!error.failure.message.trim().is_empty(), "{ask:?} fails without a message");
        assert!(error.until.is_none() || class == FailureClass::RateLimited, "{ask:?}: {error:?}");
    }
}

pub fn a_call_that_is_stopped_ends_as_cancelled(fixture: &dyn Fixture) {
    let subject = subject(fixture);
    for how in [Stop::Gracefully, Stop::AtOnce] {
        let call = Call::start(&subject, fixture.endless());
        call.has_begun();
        call.stop(how);
        is_cancelled(call.end());
    }
}

pub fn a_call_that_was_stopped_before_it_began_ends_as_cancelled(fixture: &dyn Fixture) {
    let subject = subject(fixture);
    for how in [Stop::Gracefully, Stop::AtOnce] {
        is_cancelled(Call::start_stopped(&subject, fixture.endless(), how).end());
    }
}

pub fn nothing_is_left_of_a_call_that_never_was(fixture: &dyn Fixture) {
    let subject = subject(fixture);
    subject.runtime.block_on(subject.provider.reclaim(&new_call())).unwrap();
}

pub fn an_unknown_option_is_refused_and_named(fixture: &dyn Fixture) {
    let provider = subject(fixture).provider;
    let schema = provider.options_schema().expect("a provider with the capability `options` has a schema");
    assert!(schema.is_object(), "{schema}");
    for ask in [fixture.answered(), fixture.endless()] {
        provider.check_options(&ask.options).unwrap();
    }
    let (options, name) = fixture.unknown_option();
    let message = provider.check_options(&options).expect_err("an unknown option");
    assert!(message.contains(name), "{message}");
    assert!(schema["properties"].get(name).is_none(), "{schema}");
}

pub fn nothing_runs_when_a_call_has_ended(fixture: &dyn Fixture) {
    let subject = subject(fixture);
    for how in [Stop::Gracefully, Stop::AtOnce] {
        let call = Call::start(&subject, fixture.endless());
        call.has_begun();
        assert!(fixture.is_running(&call.id), "the fixture sees what runs");
        call.stop(how);
        is_cancelled(call.end());
        assert!(!fixture.is_running(&call.id), "{how:?}");
    }
    let call = Call::start(&subject, fixture.answered());
    call.end().unwrap();
    assert!(!fixture.is_running(&call.id));
}

pub fn nothing_of_a_dropped_call_keeps_running(fixture: &dyn Fixture) {
    let call = Call::start(&subject(fixture), fixture.endless());
    call.has_begun();
    assert!(fixture.is_running(&call.id), "the fixture sees what runs");
    let id = call.drop_future();
    in_the_end("no process of the call is running", || !fixture.is_running(&id));
}

pub fn a_session_is_recorded_before_the_call_ends(fixture: &dyn Fixture) {
    let call = Call::start(&subject(fixture), fixture.answered());
    let session = call.end().unwrap().session.expect("the session that the call ended in");
    let recorded = call.host.sessions();
    assert!(recorded.contains(&(call.id.clone(), session.clone())), "{session} is not in {recorded:?}");
}
