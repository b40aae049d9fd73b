//! The clocks of an engine and of its providers.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use workflow_core::event::{Event, EventBody};
use workflow_core::failure::FailureClass;
use workflow_core::provider::{CallContext, ProviderError, Reply};
use workflow_core::status::RunStatus;
use workflow_core::view::RunView;
use workflow_exec::Clock;
use workflow_providers::{DemoProvider, FunctionProvider};
use workflow_tests::sim::Sim;

use crate::host::Host;

const HOUR: i64 = 3_600;

/// The clock of a machine that is set while its processes run.
#[derive(Clone)]
struct Set {
    sim: Sim,
    off: Arc<AtomicI64>,
}

impl Set {
    fn new(sim: &Sim) -> Self {
        Self { sim: sim.clone(), off: Arc::default() }
    }

    fn by(&self, seconds: i64) {
        self.off.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for Set {
    fn now(&self) -> Timestamp {
        self.sim.now() + SignedDuration::from_secs(self.off.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Option<Duration> {
        self.sim.monotonic()
    }
}

/// A run of `yaml` whose provider `agent` takes 2 s, and whose clock is set by this many seconds in the
/// middle.
fn set_in_a_call(yaml: &str, seconds: i64) -> (RunView, Vec<Event>) {
    let sim = Sim::new();
    let clock = Set::new(&sim);
    let set = clock.clone();
    let agent = FunctionProvider::new(move |_, context: CallContext| {
        let set = set.clone();
        async move {
            context.sleep(Duration::from_secs(1)).await;
            set.by(seconds);
            context.alive();
            context.sleep(Duration::from_secs(1)).await;
            Ok(Reply::text("done"))
        }
    });
    let host = Host::in_world(sim, |builder| builder.clock(clock).provider("agent", agent));
    let view = host.sim.block_on(host.engine.run(host.start("r1", yaml))).unwrap();
    (view, host.events("r1"))
}

const ONCE: &str = "
workflow: { name: Once, stages: [work] }
work: { provider: agent, prompt: work }
";

#[test]
fn a_call_takes_as_long_as_it_does_when_the_clock_is_set_back_or_forward() {
    for by in [-HOUR, 24 * HOUR] {
        let (view, events) = set_in_a_call(ONCE, by);
        assert_eq!(view.context.stages["work"].spent.time_ms, 2_000, "set by {by} s");
        assert!(events.is_sorted_by_key(|event| event.at), "set by {by} s: {events:#?}");
        let took = events.last().unwrap().at.duration_since(events[0].at).as_secs();
        assert_eq!(took, 2 + by.max(0), "a clock that is set forward is followed");
    }
}

#[test]
fn only_what_the_clock_does_not_tell_is_recorded() {
    for (by, expected) in [(0, None), (-HOUR, None), (24 * HOUR, Some(2))] {
        let (_, events) = set_in_a_call(ONCE, by);
        let ran_until = events.iter().find_map(|event| match &event.body {
            EventBody::AttemptSucceeded { ran_until, .. } => Some(ran_until.as_deref().copied()),
            _ => None,
        });
        let seconds = ran_until.unwrap().map(|until| until.duration_since(events[0].at).as_secs());
        assert_eq!(seconds, expected, "set by {by} s");
    }
}

#[test]
fn a_budget_of_time_is_spent_by_the_time_that_calls_take() {
    let yaml = "
workflow: { name: Budget, stages: [work, more], budget: { time: 10s } }
work: { provider: agent, prompt: work }
more: { provider: agent, prompt: more }
";
    for by in [-HOUR, 24 * HOUR] {
        let (view, _) = set_in_a_call(yaml, by);
        assert_eq!(view.status, RunStatus::Completed, "set by {by} s: {:?}", view.error);
    }
}

#[test]
fn a_call_is_not_silent_for_longer_because_the_clock_is_set() {
    for by in [-HOUR, 24 * HOUR] {
        let yaml = ONCE.replace("prompt: work", "prompt: work, idle_timeout: 1500ms");
        let (view, _) = set_in_a_call(&yaml, by);
        assert_eq!(view.status, RunStatus::Completed, "set by {by} s: {:?}", view.error);
    }
}

#[test]
fn a_retry_does_not_wait_for_the_clock_that_was_set_back() {
    let sim = Sim::new();
    let clock = Set::new(&sim);
    let set = clock.clone();
    let agent = FunctionProvider::new(move |request, context: CallContext| {
        let set = set.clone();
        async move {
            if request.id.attempt > 1 {
                return Ok(Reply::text("done"));
            }
            context.sleep(Duration::from_secs(1)).await;
            set.by(-HOUR);
            Err(ProviderError::transient("not now"))
        }
    });
    let host = Host::in_world(sim, |builder| builder.clock(clock).provider("agent", agent));
    let yaml = ONCE.replace("prompt: work", "prompt: work, on_failure: retry, retries: 1, retry_backoff: 5");
    let before = host.sim.now();
    let view = host.sim.block_on(host.engine.run(host.start("r1", &yaml))).unwrap();
    assert_eq!(view.status, RunStatus::Completed);
    assert!(host.sim.now().duration_since(before).as_secs() < 60);
}

#[test]
fn a_provider_reads_the_clock_of_the_engine_and_waits_by_its_timer() {
    let sim = Sim::new();
    let agent = FunctionProvider::new(|_, context: CallContext| async move {
        let before = context.now();
        context.sleep(Duration::from_secs(3_600)).await;
        Ok(Reply::json(&json!([before.to_string(), context.now().to_string()])))
    });
    let host = Host::in_world(sim, |builder| builder.provider("agent", agent));
    let before = host.sim.now();
    let view = host.sim.block_on(host.engine.run(host.start("r1", ONCE))).unwrap();
    let expected = json!([before.to_string(), (before + Duration::from_secs(3_600)).to_string()]);
    assert_eq!(view.context.stages["work"].output.as_ref().unwrap().value(), expected);
}

#[test]
fn a_quota_is_waited_for_as_long_as_the_provider_says() {
    let agent = FunctionProvider::new(|request, context: CallContext| async move {
        context.sleep(Duration::from_secs(10)).await;
        match request.id.attempt {
            1 => Err(ProviderError::rate_limited_in("429", Duration::from_secs(90))),
            _ => Ok(Reply::default()),
        }
    });
    let host = Host::in_world(Sim::new(), |builder| builder.provider("agent", agent));
    let view = host.sim.block_on(host.engine.run(host.start("r1", ONCE))).unwrap();
    assert_eq!(view.status, RunStatus::Completed);
    let events = host.events("r1");
    let waited = events.iter().find_map(|event| match &event.body {
        EventBody::AttemptFailed { error, retry_at, parked: true, .. } => {
            assert_eq!(error.class, FailureClass::RateLimited);
            retry_at.as_deref().map(|at| at.duration_since(event.at).as_secs())
        }
        _ => None,
    });
    assert_eq!(waited, Some(90));
}

#[test]
fn the_demo_provider_takes_the_time_of_the_engine() {
    let host = Host::in_world(Sim::new(), |builder| builder.provider("slow", DemoProvider::new()));
    let yaml = "
workflow: { name: Demo, stages: [work] }
work:
  provider: slow
  prompt: work
  with: { delay: 2h, attempts: [{ fail: rate_limited, again_in: 3h }] }
";
    let before = host.sim.now();
    let view = host.sim.block_on(host.engine.run(host.start("r1", yaml))).unwrap();
    assert_eq!(view.status, RunStatus::Completed);
    assert_eq!(host.sim.now().duration_since(before).as_secs(), 7 * HOUR);
}
