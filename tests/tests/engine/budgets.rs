//! Budgets, and loops without progress.

use async_trait::async_trait;
use futures::future::{Either, select};
use serde_json::json;
use workflow_core::failure::FailureClass;
use workflow_core::provider::{CallContext, CallRequest, Provider, ProviderError, Reply};
use workflow_core::status::RunStatus;
use workflow_core::stop::Stop;
use workflow_core::usage::Usage;
use workflow_core::view::RunView;

use crate::host::{Host, id};

/// A workflow whose calls have this usage, and how its run ends.
fn spend(workflow: &str) -> (RunView, Host) {
    let host = Host::new();
    let view = host.sim.block_on(host.engine.run(host.start("r1", workflow))).unwrap();
    (view, host)
}

#[test]
fn a_budget_of_the_run_stops_a_loop_and_counts_every_attempt_and_lane() {
    let workflow = "
workflow:
  name: Budget
  stages: [work]
  loop: { max_iters: 20, stop_when: \"$.done == true\" }
  budget: { cost_usd: 1.0 }
work:
  mode: parallel
  providers: [{ provider: ann }, { provider: bob }]
  on_failure: continue
  with:
    ann: { usage: { cost_usd: 0.2, input_tokens: 10, output_tokens: 5 } }
    bob: { after: 20, usage: { cost_usd: 0.1 } }
";
    let (view, host) = spend(workflow);
    let error = view.error.unwrap();
    assert_eq!((view.status, error.class), (RunStatus::Failed, FailureClass::Stage));
    assert!(error.message.contains("the budget of the run is used up: $1.2000 of $1"), "{}", error.message);
    // 0.3 for each iteration: the fourth begins at 0.9 and exceeds the limit with the calls in progress.
    assert!((view.spent.cost_usd.unwrap() - 1.2).abs() < 1e-9, "{:?}", view.spent);
    assert_eq!((view.spent.attempts, view.spent.unpriced), (8, 0));
    assert_eq!((view.spent.tokens, view.spent.uncounted), (Some(60), 4));
    assert_eq!(host.deeds.calls().len(), 8);
    assert_eq!(host.log("r1").matches("budget_warning").count(), 1);
}

#[test]
fn a_budget_of_a_stage_is_the_stages_own_and_unknown_cost_is_not_counted() {
    let workflow = "
workflow: { name: Budget, stages: [free, work] }
free: { provider: cid }
work:
  provider: ann
  on_failure: retry
  retries: 9
  retry_backoff: 1
  budget: { tokens: 100 }
  with: { ann: { fail: transient, usage: { input_tokens: 30, output_tokens: 20 } } }
";
    let (view, host) = spend(workflow);
    let error = view.error.unwrap();
    assert_eq!((view.status, error.class), (RunStatus::Failed, FailureClass::Budget));
    assert_eq!(error.message, "the budget of the stage `work` is used up: 100 of 100 tokens");
    assert_eq!(view.context.stages["work"].spent.attempts, 2);
    assert_eq!((view.spent.unpriced, view.spent.uncounted), (3, 1));
    assert_eq!(host.deeds.calls().len(), 3);
}

#[test]
fn a_budget_of_time_ends_the_attempt_that_would_take_too_long() {
    let workflow = "
workflow: { name: Budget, stages: [work] }
work:
  provider: ann
  on_failure: retry
  retries: 9
  retry_backoff: 1
  budget: { time: 10s }
  with: { ann: [{ after: 6000, fail: transient }, { after: 60000 }] }
";
    let (view, host) = spend(workflow);
    assert_eq!(view.error.unwrap().class, FailureClass::Budget);
    assert_eq!(view.spent.time_ms, 10_000);
    assert_eq!(host.deeds.calls().len(), 2);
    // The attempt that the budget ended says so.
    assert_eq!(view.context.stages["work"].results[0].attempts, 2);
    assert!(
        host.log("r1").contains("#2 budget: the budget of the stage `work` is used up: 10 of 10 seconds")
    );
}

#[test]
fn what_a_budget_of_time_stops_is_budget_and_what_its_own_timeout_stops_is_timeout() {
    for (limits, class) in [
        ("budget: { time: 2s }", FailureClass::Budget),
        ("budget: { time: 2s }, timeout: 2s", FailureClass::Budget),
        ("budget: { time: 2s }, timeout: 3s", FailureClass::Budget),
        ("budget: { time: 2s }, timeout: 1s", FailureClass::Timeout),
        ("timeout: 1s", FailureClass::Timeout),
    ] {
        let workflow = format!(
            "
workflow: {{ name: Budget, stages: [work] }}
work: {{ provider: ann, {limits}, with: {{ ann: {{ after: 60000 }} }} }}
"
        );
        let (view, host) = spend(&workflow);
        let error = view.error.unwrap();
        assert_eq!((view.status, error.class), (RunStatus::Failed, class), "{limits}");
        assert_eq!(host.log("r1").contains("budget"), class == FailureClass::Budget, "{limits}");
        assert_eq!(host.deeds.calls()[0].end.unwrap().1, "stopped", "{limits}");
    }
}

#[test]
fn a_budget_that_is_crossed_at_once_is_not_called_nearly_used_up() {
    for (cost, warned) in [(0.7, 0), (0.8, 1), (0.99, 1), (1.0, 0), (3.5, 0)] {
        let workflow = format!(
            "
workflow: {{ name: Budget, stages: [work], budget: {{ cost_usd: 1.0 }} }}
work: {{ provider: ann, with: {{ ann: {{ usage: {{ cost_usd: {cost} }} }} }} }}
"
        );
        let (view, host) = spend(&workflow);
        assert_eq!(view.status, RunStatus::Completed);
        assert_eq!(host.log("r1").matches("budget_warning").count(), warned, "{cost}");
    }
}

#[test]
fn a_cost_that_no_call_told_is_null_in_json_and_one_of_nothing_is_zero() {
    let used = |usage: &str| {
        let workflow = format!(
            "
workflow: {{ name: Budget, stages: [work] }}
work: {{ provider: ann, with: {{ ann: {{ {usage} }} }} }}
"
        );
        let view = serde_json::to_value(spend(&workflow).0).unwrap();
        assert_eq!(view["spent"], view["context"]["stages"]["work"]["spent"]);
        (view["spent"]["costUsd"].clone(), view["spent"]["tokens"].clone())
    };
    assert_eq!(used(""), (json!(null), json!(null)));
    assert_eq!(used("usage: { input_tokens: 3 }"), (json!(null), json!(3)));
    assert_eq!(used("usage: { cost_usd: 0 }"), (json!(0.0), json!(null)));
    assert_eq!(used("usage: { cost_usd: 0.5, output_tokens: 0 }"), (json!(0.5), json!(0)));
}

#[test]
fn a_call_that_is_refused_is_not_an_attempt() {
    let workflow = "
workflow: { name: Budget, stages: [work, after] }
work:
  provider: ann
  on_failure: continue
  budget: { tokens: 10 }
  providers: [{ provider: ann }, { provider: bob }]
  with: { ann: { usage: { input_tokens: 30 } } }
after: { provider: \"${vars.nobody}\", on_failure: continue }
";
    let (view, host) = spend(workflow);
    let attempts = |stage: &str, lane: usize| view.context.stages[stage].results[lane].attempts;
    assert_eq!((attempts("work", 0), attempts("work", 1), attempts("after", 0)), (1, 0, 0));
    assert_eq!((view.spent.attempts, host.deeds.calls().len()), (1, 1));
}

#[test]
fn an_attempt_whose_host_died_counts_until_it_was_last_heard_of() {
    for (says, counted) in [("", 0), ("say: 9, every: 300, ", 1800)] {
        let workflow = format!(
            "
workflow: {{ name: Budget, stages: [work] }}
work: {{ provider: ann, budget: {{ time: 10s }}, with: {{ ann: {{ {says}after: 4000 }} }} }}
"
        );
        let host = Host::new();
        let view = host.sim.block_on(async {
            let driving = Box::pin(host.engine.run(host.start("r1", &workflow)));
            let Either::Right(_) = select(driving, host.sim.sleep_ms(2_000)).await else {
                panic!("it has ended")
            };
            host.sim.sleep_ms(3_600_000).await;
            host.engine.drive(&id("r1")).await.unwrap()
        });
        assert_eq!(view.status, RunStatus::Completed, "{:?}", view.error);
        let last = host.deeds.calls().last().map(|call| call.end.unwrap().0 - call.from).unwrap();
        assert_eq!((view.spent.attempts, view.spent.time_ms), (2, counted + u64::try_from(last).unwrap()));
    }
}

#[test]
fn a_call_that_tells_what_it_uses_is_stopped_when_a_budget_is_used_up() {
    struct Meter(workflow_tests::sim::Sim);
    #[async_trait]
    impl Provider for Meter {
        async fn call(&self, _: CallRequest, context: CallContext) -> Result<Reply, ProviderError> {
            for tenths in 1..=100 {
                let cost_usd = Some(f64::from(tenths) / 10.0);
                context.usage(Usage { cost_usd, ..Usage::default() });
                let stop = Box::pin(context.stop().wait(Stop::Gracefully));
                if let Either::Right(_) = select(self.0.sleep_ms(100), stop).await {
                    return Err(ProviderError::cancelled());
                }
            }
            Ok(Reply::text("never"))
        }
    }
    let sim = workflow_tests::sim::Sim::new();
    let meter = Meter(sim.clone());
    let host = Host::in_world(sim, |builder| builder.provider("meter", meter));
    let workflow = "
workflow: { name: Budget, stages: [work] }
work: { provider: meter, on_failure: retry, budget: { cost_usd: 1.0 } }
";
    let view = host.sim.block_on(host.engine.run(host.start("r1", workflow))).unwrap();
    let error = view.error.unwrap();
    assert_eq!((view.status, error.class), (RunStatus::Failed, FailureClass::Budget));
    assert!((view.spent.cost_usd.unwrap() - 1.0).abs() < 1e-9, "{:?}", view.spent);
}

#[test]
fn a_loop_that_fails_in_the_same_way_twice_in_a_row_is_stopped_with_both_shown() {
    let workflow = |second: &str| {
        format!(
            "
workflow:
  name: Repeats
  stages: [work, check]
  loop: {{ max_iters: 5, stop_when: \"$.done == true\" }}
work:
  provider: ann
  on_failure: continue
  with: {{ ann@1: {{ fail: transient }}, ann@2: {second}, ann@3: {{ fail: transient }}, ann: {{ fail: permanent }} }}
check: {{ provider: bob, with: {{ bob: {{ reply: {{ done: false }} }} }} }}
"
        )
    };
    let (view, _) = spend(&workflow("{ fail: transient }"));
    let error = view.error.unwrap();
    assert_eq!((view.status, view.iteration, error.class), (RunStatus::Failed, 2, FailureClass::Repeated));
    let details = error.details.clone().unwrap();
    assert_eq!(details["first"]["message"], details["second"]["message"]);
    // In another way, or not consecutively.
    let (view, _) = spend(&workflow("{ reply: ok }"));
    assert_eq!((view.iteration, view.error.unwrap().class), (5, FailureClass::Repeated));
}
