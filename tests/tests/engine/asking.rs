//! Calls that stop to ask a person something, and are made again with the answer.

use std::sync::{Arc, Mutex};

use futures::future::{Either, select};
use serde_json::{Value, json};
use workflow_core::provider::{CallContext, CallRequest, Provider, ProviderError, Reply, async_trait};
use workflow_core::status::{RunStatus, WaitReason};
use workflow_core::store::{Answer, Control, RunStore as _};
use workflow_core::usage::Usage;
use workflow_core::view::RunView;
use workflow_exec::{ControlOutcome, ControlRefusal};

use crate::host::{Host, id};

/// Asks for two things, one after the other, in one session.
#[derive(Default)]
struct Careful {
    calls: Mutex<Vec<(Option<String>, usize)>>,
}

const QUESTIONS: [&str; 2] = ["May it edit a.rs?", "May it run the tests?"];

#[async_trait]
impl Provider for Careful {
    async fn call(&self, request: CallRequest, context: CallContext) -> Result<Reply, ProviderError> {
        let answers = context.answers();
        self.calls.lock().unwrap().push((request.session.clone(), answers.len()));
        let _ = context.record_session("s1").await;
        let open =
            QUESTIONS.iter().find(|question| answers.iter().all(|given| *given.question != ***question));
        let usage = Some(Usage { input_tokens: Some(10), ..Usage::default() });
        if let Some(question) = open {
            return Err(ProviderError { usage, ..ProviderError::asks(*question, &["allow", "deny"]) });
        }
        let answers: Vec<Value> = answers.iter().map(|given| given.answer.value()).collect();
        Ok(Reply { usage, session: Some("s1".into()), ..Reply::json(&json!(answers)) })
    }
}

const WORKFLOW: &str = "
workflow: { name: Careful, stages: [work] }
work: { provider: careful, on_failure: stop }
";

fn host() -> (Host, Arc<Careful>) {
    let careful = Arc::new(Careful::default());
    (Host::with(|builder| builder.provider("careful", careful.clone())), careful)
}

/// The number of the only question, which is this one.
fn asked(view: &RunView, question: &str) -> u64 {
    let [wait] = &*view.waits else { panic!("{:?}", view.waits) };
    assert_eq!((view.status, wait.reason), (RunStatus::Paused, WaitReason::Question));
    assert_eq!(wait.question.as_deref(), Some(question));
    assert_eq!(wait.schema.as_ref().unwrap().value(), json!({ "enum": ["allow", "deny"] }));
    wait.number.unwrap()
}

fn refusal(outcome: ControlOutcome) -> ControlRefusal {
    let ControlOutcome::Refused(refused) = outcome else { panic!("{outcome:?}") };
    refused.code
}

#[test]
fn each_question_is_asked_once_and_the_call_is_made_again_in_its_session_with_all_answers() {
    let (host, careful) = host();
    host.sim.block_on(async {
        let view = host.engine.run(host.start("r1", WORKFLOW)).await.unwrap();
        let first = asked(&view, QUESTIONS[0]);
        let record = host.store.get(&id("r1")).await.unwrap();
        assert_eq!(record.holder, None, "no process holds the run");
        assert_eq!(host.engine.drive(&id("r1")).await.unwrap(), view, "driving it again changes nothing");
        let handle = host.engine.handle(&id("r1"));

        let outcome = handle.answer(first, "perhaps").await.unwrap();
        assert_eq!(refusal(outcome), ControlRefusal::InvalidAnswer);
        assert!(matches!(handle.answer(first, "allow").await.unwrap(), ControlOutcome::Done(_)));
        let view = handle.wait().await.unwrap();
        let second = asked(&view, QUESTIONS[1]);
        let outcome = handle.answer(first, "deny").await.unwrap();
        assert_eq!(refusal(outcome), ControlRefusal::AlreadyAnswered);

        let _ = handle.answer(second, "deny").await.unwrap();
        let view = handle.wait().await.unwrap();
        assert_eq!(view.status, RunStatus::Completed);
        assert_eq!(view.context.stages["work"].output.as_ref().unwrap().value(), json!(["allow", "deny"]));
        // No attempt failed, and the tokens of each count.
        assert_eq!((view.spent.attempts, view.spent.tokens), (3, Some(30)));
    });
    let session = Some("s1".to_owned());
    assert_eq!(*careful.calls.lock().unwrap(), [(None, 0), (session.clone(), 1), (session, 2)]);
}

#[test]
fn a_run_whose_call_asks_is_cancelled_and_the_answer_comes_too_late() {
    let (host, careful) = host();
    host.sim.block_on(async {
        let view = host.engine.run(host.start("r1", WORKFLOW)).await.unwrap();
        let number = asked(&view, QUESTIONS[0]);
        let handle = host.engine.handle(&id("r1"));
        let _ = handle.cancel().await.unwrap();
        assert_eq!(handle.wait().await.unwrap().status, RunStatus::Cancelled);
        assert!(matches!(handle.answer(number, "allow").await.unwrap(), ControlOutcome::Refused(_)));
    });
    assert_eq!(careful.calls.lock().unwrap().len(), 1);
}

#[test]
fn an_answer_outlasts_the_host_that_makes_the_call_again() {
    // The host dies during the call that has the answer: the next one has it too.
    let workflow = "
workflow: { name: Asks, stages: [work] }
work: { provider: ann, with: { ann: { after: 100, asks: \"May it?\", session: s1, reply: done } } }
";
    let host = Host::new();
    host.sim.block_on(async {
        let view = host.engine.run(host.start("r1", workflow)).await.unwrap();
        let answer = Answer { wait: view.waits[0].number.unwrap(), value: "allow".into() };
        host.store.request(&id("r1"), Control::Answer(answer).into()).await.unwrap();
        let run = id("r1");
        let driving = Box::pin(host.engine.drive(&run));
        let Either::Right(_) = select(driving, host.sim.sleep_ms(50)).await else { panic!("it has ended") };
        let other = host.engine_over(host.store.clone());
        let view = other.drive(&id("r1")).await.unwrap();
        assert_eq!((view.status, view.waits.len()), (RunStatus::Completed, 0));
    });
    let asked = host.events("r1").iter().filter(|event| event.body.kind() == "node_asked").count();
    assert_eq!(asked, 1, "{}", host.log("r1"));
}

#[test]
fn a_question_of_a_call_that_lost_is_not_asked() {
    let workflow = "
workflow: { name: Race, stages: [work] }
work:
  mode: parallel
  parallel_strategy: race
  providers: [{ provider: ann }, { provider: bob }]
  with: { ann: { after: 10, asks: \"May it?\", reply: done }, bob: { after: 50, reply: first } }
";
    let host = Host::new();
    let view = host.sim.block_on(host.engine.run(host.start("r1", workflow))).unwrap();
    // It was asked while the race was open, and is not open any more.
    assert_eq!((view.status, view.waits.len()), (RunStatus::Completed, 0), "{}", host.log("r1"));
}
