//! Runs with a recorded provider.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use workflow_core::output::OutputKind;
use workflow_core::provider::{CallContext, CallRequest, Provider, ProviderError, Reply, SessionLost};
use workflow_core::status::RunStatus;
use workflow_core::store::RunStore as _;
use workflow_core::usage::Usage;
use workflow_exec::Clock as _;
use workflow_testkit::cassette::{Cassette, Recorder};
use workflow_tests::sim::Sim;

use crate::host::{Host, id};

/// Two iterations of an agent that is refused because of a quota, is interrupted, and outputs a secret.
const RUN: &str = "
workflow:
  name: Cassette
  stages: [work]
  loop: { max_iters: 3, stop_when: \"$.done == true\" }
  budget: { cost_usd: 1.5 }
work:
  provider: agent
  session: continue
  on_failure: retry
  retries: 4
  retry_backoff: 1
  prompt: \"Part ${iteration} of the release\"
";

/// Takes time, and behaves differently in each call.
struct Agent {
    sim: Sim,
    /// The seconds until its quota is reset.
    quota: i64,
    calls: AtomicU32,
}

impl Agent {
    fn new(sim: &Sim, quota: i64) -> Self {
        Self { sim: sim.clone(), quota, calls: AtomicU32::new(0) }
    }
}

#[async_trait]
impl Provider for Agent {
    async fn call(&self, request: CallRequest, context: CallContext) -> Result<Reply, ProviderError> {
        let number = self.calls.fetch_add(1, Ordering::SeqCst);
        let session = request.session.unwrap_or_else(|| format!("s{number}"));
        let usage = Some(Usage { input_tokens: Some(100), output_tokens: Some(5), cost_usd: Some(0.2) });
        self.sim.sleep_ms(700).await;
        let lost = |error: SessionLost| ProviderError::transient(error.to_string());
        context.record_session(&session).await.map_err(lost)?;
        context.output(OutputKind::Thinking, "which part?");
        context.usage(Usage { input_tokens: Some(100), ..Usage::default() });
        self.sim.sleep_ms(60_000).await;
        context.output(OutputKind::Text, format!("call {number}"));
        let value = match number {
            0 => return Err(ProviderError { usage, ..ProviderError::transient("the line was cut") }),
            1 => {
                let until = self.sim.now().checked_add(jiff::SignedDuration::from_secs(self.quota)).ok();
                return Err(ProviderError::rate_limited("the quota is used up", until));
            }
            2 => return Err(ProviderError { usage, ..ProviderError::invalid_output("prose") }),
            _ => json!({ "done": number == 4 }),
        };
        let details = Some(json!({ "turns": number }));
        Ok(Reply { usage, session: Some(session), details: details.map(Box::new), ..Reply::json(&value) })
    }
}

/// The events and the output of a run with this agent.
fn run(sim: &Sim, agent: impl Provider + 'static) -> Vec<Value> {
    let host = Host::in_world(sim.clone(), |builder| builder.provider("agent", agent));
    let view = host.sim.block_on(host.engine.run(host.start("r1", RUN))).unwrap();
    assert_eq!(view.status, RunStatus::Completed, "{}", host.log("r1"));
    let output = host.sim.block_on(host.store.output(&id("r1"), 0, 1_000)).unwrap();
    let events = host.events("r1");
    let events = events.iter().map(|event| serde_json::to_value(event).unwrap());
    events.chain(output.iter().map(|entry| serde_json::to_value(entry).unwrap())).collect()
}

/// Removes times and durations, and the seed, which scatters the times of attempts.
fn without_times(mut value: Value) -> Value {
    match &mut value {
        Value::Array(values) => {
            for value in values {
                *value = without_times(value.take());
            }
        }
        Value::Object(fields) => {
            fields.retain(|name, value| {
                let is_moment = value.as_str().is_some_and(|text| text.parse::<jiff::Timestamp>().is_ok());
                !is_moment && name != "timeMs" && name != "time_ms" && name != "seed"
            });
            for value in fields.values_mut() {
                *value = without_times(value.take());
            }
        }
        _ => {}
    }
    value
}

#[test]
fn a_run_on_a_cassette_has_the_same_log_but_for_its_times() {
    // A run is parked for a long quota. That depends on time as well: at its own pace it is parked again.
    for (quota, paces) in [(2, &[0.0, 0.01, 1.0][..]), (7200, &[1.0][..])] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent.cassette");
        let (sim, clock) = two_of(&Sim::new());
        let recorder = Recorder::new(Agent::new(&sim, quota), &path).unwrap();
        let recorded = run(&sim, recorder.clock(move || clock.now()));
        let said = recorded.iter().filter(|event| event["text"] == "which part?").count();
        let rests = recorded.iter().filter(|event| event["type"] == "run_waiting").count();
        assert_eq!((said, rests), (5, usize::from(quota > 60)));

        for &pace in paces {
            let (sim, clock) = two_of(&Sim::new());
            let timer = sim.clone();
            let cassette = Cassette::open(&path).unwrap().pace(pace).clock(move || clock.now());
            let sleep = move |time: Duration| timer.sleep_ms(u64::try_from(time.as_millis()).unwrap());
            let cassette = Arc::new(cassette.sleep(sleep));
            let played = run(&sim, cassette.clone());
            assert_eq!(cassette.left(), 0);
            assert_eq!(played.len(), recorded.len(), "{pace}");
            for (played, recorded) in played.into_iter().zip(recorded.clone()) {
                assert_eq!(without_times(played), without_times(recorded), "{pace}");
            }
        }
    }
}

fn two_of(sim: &Sim) -> (Sim, Sim) {
    (sim.clone(), sim.clone())
}

#[test]
fn a_run_that_asks_what_is_not_recorded_fails_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.cassette");
    let sim = Sim::new();
    run(&sim, Recorder::new(Agent::new(&sim, 2), &path).unwrap());

    let host = Host::with(|builder| builder.provider("agent", Cassette::open(&path).unwrap()));
    let other = RUN.replace("release", "party");
    let view = host.sim.block_on(host.engine.run(host.start("r1", &other))).unwrap();
    assert_eq!(view.status, RunStatus::Failed);
    let log = host.log("r1");
    assert!(log.contains("the request of `work[0]/run` differs") && log.contains("of the party"), "{log}");
    assert_eq!(log.matches("attempt_started").count(), 1, "{log}");
}
