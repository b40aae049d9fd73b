//! Providers, with and without defects.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::executor::block_on;
use futures::future::BoxFuture;
use serde_json::{Value, json};
use workflow_core::failure::FailureClass;
use workflow_core::output::OutputKind;
use workflow_core::provider::{
    CallContext, CallId, CallRequest, Provider, ProviderError, Reply, Workspace, async_trait,
};
use workflow_core::stop::{Stop, StopSource};
use workflow_testkit::provider::{Ask, Fixture, Host, cases};
use workflow_testkit::store::runs::id;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Defect {
    None,
    AnswersNothing,
    RepliesDiffer,
    BeginsUnpolled,
    FailsAsTransient,
    DoesNotSayWhy,
    EndsWithAReply,
    HearsNoEarlyStop,
    CannotReclaim,
    TakesAnyOption,
    HasNoSchema,
    LeavesSomething,
    OutlivesItsFuture,
    RecordsNoSession,
}

const FOUND: &[(Defect, &str)] = &[
    (Defect::AnswersNothing, "a_call_is_answered"),
    (Defect::RepliesDiffer, "calls_at_the_same_time_do_not_mix"),
    (Defect::BeginsUnpolled, "a_call_that_is_not_polled_does_nothing"),
    (Defect::FailsAsTransient, "a_failure_says_what_to_do"),
    (Defect::DoesNotSayWhy, "a_failure_says_what_to_do"),
    (Defect::EndsWithAReply, "a_call_that_is_stopped_ends_as_cancelled"),
    (Defect::HearsNoEarlyStop, "a_call_that_was_stopped_before_it_began_ends_as_cancelled"),
    (Defect::CannotReclaim, "nothing_is_left_of_a_call_that_never_was"),
    (Defect::TakesAnyOption, "an_unknown_option_is_refused_and_named"),
    (Defect::HasNoSchema, "an_unknown_option_is_refused_and_named"),
    (Defect::LeavesSomething, "nothing_runs_when_a_call_has_ended"),
    (Defect::OutlivesItsFuture, "nothing_of_a_dropped_call_keeps_running"),
    (Defect::RecordsNoSession, "a_session_is_recorded_before_the_call_ends"),
];

/// The running calls, as an operating system would know them.
type Running = Arc<Mutex<HashSet<CallId>>>;

pub(crate) struct Made {
    defect: Defect,
    running: Running,
    calls: Arc<Mutex<u64>>,
}

impl Made {
    pub(crate) fn with(defect: Defect) -> Self {
        Self { defect, running: Running::default(), calls: Arc::default() }
    }
}

/// A process that runs until it is dropped.
struct Process {
    running: Running,
    call: CallId,
    stays: bool,
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.stays {
            self.running.lock().unwrap().remove(&self.call);
        }
    }
}

impl Made {
    async fn work(
        defect: Defect,
        running: Running,
        number: u64,
        request: CallRequest,
        context: CallContext,
    ) -> Result<Reply, ProviderError> {
        match request.prompt.as_str() {
            "fail" if defect == Defect::FailsAsTransient => Err(ProviderError::transient("it does not help")),
            "fail" if defect == Defect::DoesNotSayWhy => Err(ProviderError::permanent(" ")),
            "fail" => Err(ProviderError::permanent("it does not help")),
            "wait" => {
                running.lock().unwrap().insert(request.id.clone());
                let stays = defect == Defect::OutlivesItsFuture;
                let mut process = Process { running, call: request.id, stays };
                if defect == Defect::HearsNoEarlyStop && context.stop().now() != Stop::None {
                    std::future::pending::<()>().await;
                }
                context.output(OutputKind::Log, "waits");
                context.stop().wait(Stop::Gracefully).await;
                process.stays = defect == Defect::LeavesSomething;
                if defect == Defect::EndsWithAReply {
                    return Ok(Reply::default());
                }
                Err(ProviderError::cancelled())
            }
            _ if defect == Defect::AnswersNothing => Err(ProviderError::permanent("there is no answer")),
            _ => {
                if defect != Defect::RecordsNoSession {
                    context.record_session("s1").await.unwrap();
                }
                let said = if defect == Defect::RepliesDiffer { number } else { 0 };
                Ok(Reply { session: Some("s1".to_owned()), ..Reply::json(&json!(said)) })
            }
        }
    }
}

impl Provider for Made {
    fn call<'a, 'call>(
        &'a self,
        request: CallRequest,
        context: CallContext,
    ) -> BoxFuture<'call, Result<Reply, ProviderError>>
    where
        'a: 'call,
    {
        let mut calls = self.calls.lock().unwrap();
        *calls += 1;
        if self.defect == Defect::BeginsUnpolled {
            context.output(OutputKind::Log, "begins");
        }
        Box::pin(Self::work(self.defect, self.running.clone(), *calls, request, context))
    }

    fn reclaim<'a, 'b, 'call>(&'a self, call: &'b CallId) -> BoxFuture<'call, Result<(), ProviderError>>
    where
        'a: 'call,
        'b: 'call,
    {
        let cannot = self.defect == Defect::CannotReclaim;
        let answer = if cannot { Err(ProviderError::permanent(format!("no {call:?}"))) } else { Ok(()) };
        Box::pin(std::future::ready(answer))
    }

    fn options_schema(&self) -> Option<Value> {
        let schema = json!({ "type": "object", "properties": { "loud": {} }, "additionalProperties": false });
        (self.defect != Defect::HasNoSchema).then_some(schema)
    }

    fn check_options(&self, options: &Value) -> Result<(), String> {
        let unknown = options.as_object().and_then(|options| options.keys().find(|key| *key != "loud"));
        match unknown {
            Some(key) if self.defect != Defect::TakesAnyOption => Err(format!("`{key}` is not known")),
            _ => Ok(()),
        }
    }
}

impl Fixture for Made {
    fn provider(&self) -> Box<dyn Provider> {
        Box::new(Self { defect: self.defect, running: self.running.clone(), calls: self.calls.clone() })
    }

    fn answered(&self) -> Ask {
        Ask::new("hello", json!({ "loud": true }))
    }

    fn failing(&self) -> Vec<(Ask, FailureClass)> {
        vec![(Ask::new("fail", json!(null)), FailureClass::Permanent)]
    }

    fn endless(&self) -> Ask {
        Ask::new("wait", json!(null))
    }

    fn unknown_option(&self) -> (Value, &'static str) {
        (json!({ "quiet": true }), "quiet")
    }

    fn is_running(&self, call: &CallId) -> bool {
        self.running.lock().unwrap().contains(call)
    }
}

workflow_testkit::provider_suite!(Made::with(Defect::None); options, probe, sessions);

#[test]
fn every_defect_of_a_provider_is_found_and_every_case_finds_one() {
    workflow_testkit::set_patience(Duration::from_millis(300));
    for case in cases() {
        let mut about_it = FOUND.iter().filter(|(_, name)| *name == case.name).peekable();
        assert!(about_it.peek().is_some(), "{} finds nothing", case.name);
        for (defect, _) in about_it {
            let shown = catch_unwind(AssertUnwindSafe(|| (case.run)(&Made::with(*defect))));
            assert!(shown.is_err(), "{defect:?} is not found by {}", case.name);
        }
    }
}

/// Returns a distinct answer from each method.
struct Told;

#[async_trait]
impl Provider for Told {
    async fn call(&self, request: CallRequest, _: CallContext) -> Result<Reply, ProviderError> {
        Ok(Reply::text(request.prompt))
    }

    async fn reclaim(&self, call: &CallId) -> Result<(), ProviderError> {
        Err(ProviderError::transient(call.run.as_str()))
    }

    fn options_schema(&self) -> Option<Value> {
        Some(json!("told"))
    }

    fn has_skill(&self, name: &str) -> bool {
        name == "told"
    }

    fn check_options(&self, options: &Value) -> Result<(), String> {
        Err(options.to_string())
    }
}

#[test]
fn pointers_to_a_provider_hand_every_method_on() {
    let told: &'static Told = &Told;
    let pointers: [Box<dyn Provider>; 3] =
        [Box::new(told), Box::new(Box::new(Told)), Box::new(Arc::new(Told))];
    for provider in pointers {
        let call = CallId { run: id("r1"), seed: 1, path: "1/work[0]/run".parse().unwrap(), attempt: 1 };
        let request = CallRequest {
            id: call.clone(),
            prompt: "hello".to_owned(),
            options: json!(null),
            env: indexmap::IndexMap::new(),
            cwd: None,
            session: None,
            session_usage: None,
            output_schema: None,
            skills: Vec::new(),
            workspace: Workspace::Shared,
        };
        let context = CallContext::new(call.clone(), StopSource::new().signal(), Arc::new(Host::default()));
        assert_eq!(block_on(provider.call(request, context)), Ok(Reply::text("hello")));
        assert_eq!(block_on(provider.reclaim(&call)), Err(ProviderError::transient("r1")));
        assert_eq!(provider.options_schema(), Some(json!("told")));
        assert!(provider.has_skill("told") && !provider.has_skill("other"));
        assert_eq!(provider.check_options(&json!(7)), Err("7".to_owned()));
    }
}
