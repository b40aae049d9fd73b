//! The process that makes a call dies, and the others of the run continue.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use workflow_core::event::Event;
use workflow_core::machine::{self, Decision, Effect, Input, State};
use workflow_core::plan::Plan;
use workflow_core::provider::{ProviderError, Reply};
use workflow_core::status::{RunStatus, WaitReason};
use workflow_core::store::{Answer, Control, ControlRecord};
use workflow_tests::log;

use crate::calls::created;

/// A run whose calls are made by other processes.
struct Run {
    plan: Plan,
    state: State,
    log: Vec<Event>,
    now: Timestamp,
}

impl Run {
    fn of(yaml: &str) -> Self {
        let (plan, first) = created(yaml, []);
        let state = State::fold(std::slice::from_ref(&first)).unwrap();
        let mut run = Self { plan, state, now: first.at, log: vec![first] };
        run.feed(Input::TakenUp { controls: Vec::new(), heard: None });
        run
    }

    /// Decides, grants every slot, and returns all other effects.
    fn feed(&mut self, input: Input) -> Vec<Effect> {
        let (mut inputs, mut others) = (vec![input], Vec::new());
        while let Some(input) = inputs.pop() {
            let mut decision = Decision::new();
            machine::decide(&self.plan, &mut self.state, input, self.now, &mut decision).unwrap();
            self.log.extend(decision.events);
            for effect in decision.effects {
                match effect {
                    Effect::Acquire { path, provider } => inputs.push(Input::Granted { path, provider }),
                    other => others.push(other),
                }
            }
        }
        assert_eq!(State::fold(&self.log).unwrap(), self.state, "the fold of the log is the live state");
        others
    }

    /// A minute later the call is lost; it was last heard of after 20 seconds.
    fn lose(&mut self, path: &str, attempt: u32) -> Vec<Effect> {
        let heard = Some(self.now + Duration::from_secs(20));
        self.now += Duration::from_secs(60);
        self.feed(Input::Lost { path: path.parse().unwrap(), attempt, heard })
    }

    fn succeed(&mut self, path: &str, attempt: u32) -> Vec<Effect> {
        let result = Box::new(Ok(Reply::json(&json!("done"))));
        self.feed(Input::Finished { path: path.parse().unwrap(), attempt, result, took: None })
    }

    fn control(&mut self, number: u64, control: Control) -> Vec<Effect> {
        self.feed(Input::Control(ControlRecord::new(number, control)))
    }

    /// What was logged after the first `known` events.
    fn since(&self, known: usize) -> String {
        log::show_events(&self.log[known..])
    }
}

fn call(path: &str, attempt: u32) -> Effect {
    Effect::Call { path: path.parse().unwrap(), attempt, provider: "p".into() }
}

const TWO: &str = "
workflow: { id: two, name: Two, stages: [work] }
work: { mode: parallel, providers: [{ provider: p }, { provider: p }] }
";

#[test]
fn a_lost_call_is_made_again_while_the_others_run_on() {
    let mut run = Run::of(TWO);
    let session = Input::Session { path: "1/work[0]/run".parse().unwrap(), attempt: 1, session: "s".into() };
    run.feed(session);
    let known = run.log.len();
    assert_eq!(run.lose("1/work[0]/run", 1), [call("1/work[0]/run", 2)]);
    insta::assert_snapshot!(run.since(known), @"
    0  attempt_interrupted 1/work[0] #1
    0  attempt_started    1/work[0] #2 p
    ");
    let again =
        machine::unresolved(&run.plan, &run.state, &"1/work[0]/run".parse().unwrap(), 2, "p").unwrap();
    assert_eq!(again.id().idempotency_key(), "r/1/work[0]/run");
    assert!(serde_json::to_string(&again).unwrap().contains(r#""session":"s""#), "it continues its session");
    // So long the lost attempt is known to have run.
    assert_eq!(run.state.view().spent.time_ms, 20_000);

    assert_eq!(run.lose("1/work[0]/run", 1), [], "it is not running any more");
    assert_eq!(run.succeed("1/work[0]/run", 1), [], "its result came too late");
    run.succeed("1/work[1]/run", 1);
    run.succeed("1/work[0]/run", 2);
    assert_eq!(run.state.status(), RunStatus::Completed);
}

#[test]
fn a_call_that_is_lost_again_and_again_waits_longer_and_then_for_a_person() {
    let mut run = Run::of(TWO);
    run.lose("1/work[0]/run", 1);
    for attempt in 2..5 {
        let effects = run.lose("1/work[0]/run", attempt);
        let [Effect::Timer { path, at }] = &effects[..] else { panic!("{effects:?}") };
        assert!(*at > run.now);
        run.now = *at;
        assert_eq!(run.feed(Input::Due { path: path.clone() }), [call("1/work[0]/run", attempt + 1)]);
    }
    assert_eq!(run.lose("1/work[0]/run", 5), []);
    let view = run.state.view();
    assert_eq!((view.status, view.waits[0].reason), (RunStatus::Running, WaitReason::UnknownOutcome));
    run.succeed("1/work[1]/run", 1);
    assert_eq!(run.state.status(), RunStatus::Paused);
    let wait = run.state.view().waits[0].number.unwrap();
    let answer = Answer { wait, value: "rerun".into() };
    assert_eq!(run.control(1, Control::Answer(answer)), [call("1/work[0]/run", 6)]);
}

#[test]
fn a_lost_call_asks_a_person_where_its_node_says_so() {
    let yaml = "
workflow: { id: two, name: Two, stages: [work] }
work: { provider: p, on_interrupt: ask }
";
    let mut run = Run::of(yaml);
    let known = run.log.len();
    assert_eq!(run.lose("1/work[0]/run", 1), []);
    insta::assert_snapshot!(run.since(known), @r#"
    0  attempt_interrupted 1/work[0] #1
    0  node_asked         1/work[0] unknown_outcome: "`1/work[0]/run` was interrupted and may or may not have done its work. Did it happen, and with what result?"
    0  run_waiting        unknown_outcome
    "#);
}

#[test]
fn a_call_that_is_lost_while_the_run_pauses_or_is_cancelled_is_not_made_again() {
    for (control, status) in [(Control::Pause, RunStatus::Paused), (Control::Cancel, RunStatus::Cancelled)] {
        let mut run = Run::of(TWO);
        run.control(1, control);
        assert_eq!(run.lose("1/work[0]/run", 1), []);
        assert_eq!(run.state.status(), RunStatus::Running, "the other call is waited for");
        assert_eq!(run.lose("1/work[1]/run", 1), []);
        assert_eq!(run.state.status(), status);
        if status == RunStatus::Paused {
            let again = [call("1/work[1]/run", 2), call("1/work[0]/run", 2)];
            assert_eq!(run.control(2, Control::Resume), again);
        }
    }
}

#[test]
fn a_lost_call_whose_lane_has_failed_ends_it() {
    let mut run = Run::of(TWO);
    let error = Box::new(Err(ProviderError::permanent("no")));
    run.feed(Input::Finished {
        path: "1/work[1]/run".parse().unwrap(),
        attempt: 1,
        result: error,
        took: None,
    });
    assert_eq!(run.lose("1/work[0]/run", 1), []);
    assert_eq!(run.state.status(), RunStatus::Failed);
}
