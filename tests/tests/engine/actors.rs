//! The log and the views of a run say who started, controlled, answered and forked it.

use std::sync::Arc;

use serde_json::{Value, json};
use workflow_core::actor::Actor;
use workflow_core::data::Data;
use workflow_core::event::Event;
use workflow_core::status::RunStatus;
use workflow_core::store::{Answer, Control, ControlRequest, RunStore as _};
use workflow_exec::{ControlRefusal, Fork, ForkPoint, RunHandle};

use crate::host::{Host, id};

const ASKS: &str = "
workflow: { name: Asks, stages: [plan, ship] }
plan: { provider: ann, approval: Plan? }
ship: { provider: bob, approval: Ship? }
";

const LONG: &str = "
workflow: { name: Long, stages: [plan] }
plan: { provider: ann, with: { ann: { after: 10000 } } }
";

fn actor(id: &str) -> Arc<Actor> {
    Arc::new(Actor::new(id).name(id.to_uppercase()).via("test"))
}

fn answer(wait: u64, value: &Value) -> Control {
    Control::Answer(Answer { wait, value: Data::new(value) })
}

/// The kinds of the events with an actor, and the actor.
fn named(events: &[Event]) -> Vec<(String, String)> {
    let name = |event: &Event| {
        let by = json!(event)["data"]["by"]["id"].as_str()?.to_owned();
        Some((event.body.kind().to_owned(), by))
    };
    events.iter().filter_map(name).collect()
}

fn of(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(kind, by)| ((*kind).to_owned(), (*by).to_owned())).collect()
}

/// Sends a request to a run, and returns who started and who stopped it, as a host sees them.
async fn send(run: &RunHandle, request: impl Into<ControlRequest>) -> [Option<String>; 2] {
    let view = run.control(request).await.unwrap().accepted().unwrap().unwrap();
    [view.started_by, view.stopped_by].map(|by| by.map(|by| by.to_string()))
}

#[test]
fn a_run_says_who_started_paused_resumed_and_cancelled_it() {
    let host = Host::new();
    let [ann, bob] = ["ANN (test)", "BOB (test)"].map(|name| Some(name.to_owned()));
    host.sim.block_on(async {
        let run = host.engine.start(host.start("r1", LONG).by(actor("ann"))).await.unwrap();
        host.sim.sleep_ms(10).await;
        assert_eq!(host.store.get(&id("r1")).await.unwrap().head.started_by, Some(actor("ann")));
        assert_eq!(send(&run, Control::Pause.by(actor("bob"))).await, [ann.clone(), bob.clone()]);
        assert_eq!(host.store.get(&id("r1")).await.unwrap().head.stopped_by, Some(actor("bob")));
        assert_eq!(send(&run, Control::Resume.by(actor("ann"))).await, [ann.clone(), None]);
        // Of a pause and a cancellation the latest counts.
        assert_eq!(send(&run, Control::Pause.by(actor("ann"))).await, [ann.clone(), ann.clone()]);
        assert_eq!(send(&run, Control::Cancel.by(actor("bob"))).await, [ann.clone(), bob.clone()]);
        assert_eq!(run.wait().await.unwrap().status, RunStatus::Cancelled);
        let record = host.store.get(&id("r1")).await.unwrap();
        assert_eq!(
            (record.head.started_by, record.head.stopped_by),
            (Some(actor("ann")), Some(actor("bob")))
        );
    });
    assert_eq!(
        named(&host.events("r1")),
        of(&[
            ("run_created", "ann"),
            ("pause_requested", "bob"),
            ("run_resumed", "ann"),
            ("pause_requested", "ann"),
            ("cancel_requested", "bob"),
        ])
    );
}

#[test]
fn a_run_that_completes_despite_a_pause_request_does_not_say_who_stopped_it() {
    let host = Host::new();
    host.sim.block_on(async {
        let run = host.engine.start(host.start("r1", LONG)).await.unwrap();
        host.sim.sleep_ms(10).await;
        let _ = run.control(Control::Pause.by(actor("bob"))).await.unwrap();
        host.sim.sleep_ms(20_000).await;
        let _ = run.control(Control::Resume).await.unwrap();
        let view = run.wait().await.unwrap();
        assert_eq!((view.status, view.started_by, view.stopped_by), (RunStatus::Completed, None, None));
    });
}

#[test]
fn an_answer_says_who_gave_it_and_so_does_one_that_was_refused() {
    let host = Host::new();
    host.sim.block_on(async {
        let view = host.engine.run(host.start("r1", ASKS)).await.unwrap();
        let (run, number) = (host.engine.handle(&id("r1")), view.wait.unwrap().number.unwrap());
        let refused = run.control(answer(number, &json!("perhaps")).by(actor("ann"))).await.unwrap();
        assert_eq!(refused.refusal(), Some(ControlRefusal::InvalidAnswer));
        let _ = run.control(answer(number, &json!(true)).by(actor("bob"))).await.unwrap();
        run.wait().await.unwrap();
    });
    assert_eq!(named(&host.events("r1")), of(&[("answer_refused", "ann"), ("answered", "bob")]));
}

#[test]
fn starting_a_run_again_as_another_person_returns_the_run_of_the_first() {
    let host = Host::new();
    host.sim.block_on(async {
        host.engine.run(host.start("r1", LONG).by(actor("ann"))).await.unwrap();
        for start in [host.start("r1", LONG), host.start("r1", LONG).by(actor("bob"))] {
            let view = host.engine.run(start).await.unwrap();
            assert_eq!((view.run_id, view.started_by), (id("r1"), Some(actor("ann"))));
        }
    });
    assert_eq!(named(&host.events("r1")), of(&[("run_created", "ann")]));
}

#[test]
fn a_fork_is_of_who_forked_it_and_keeps_who_answered_before() {
    let host = Host::new();
    host.sim.block_on(async {
        let view = host.engine.run(host.start("r1", ASKS).by(actor("ann"))).await.unwrap();
        let (run, number) = (host.engine.handle(&id("r1")), view.wait.unwrap().number.unwrap());
        let _ = run.control(answer(number, &json!(true)).by(actor("bob"))).await.unwrap();
        run.wait().await.unwrap();
        let _ = run.control(Control::Pause.by(actor("ann"))).await.unwrap();
        let ship = ForkPoint::Stage("ship".parse().unwrap());
        let fork = Fork::of(id("r1")).at(ship.clone()).run_id(id("r2")).by(actor("cid"));
        let view = host.engine.fork(fork).await.unwrap().view().await.unwrap();
        assert_eq!((view.started_by, view.stopped_by), (Some(actor("cid")), None));
        // Who started the old run has not started a fork whose maker is unknown.
        let fork = Fork::of(id("r1")).at(ship).run_id(id("r3"));
        assert_eq!(host.engine.fork(fork).await.unwrap().view().await.unwrap().started_by, None);
    });
    let before = [("run_created", "ann"), ("answered", "bob")];
    assert_eq!(named(&host.events("r2")), of(&[before[0], before[1], ("run_forked", "cid")]));
    assert_eq!(named(&host.events("r3")), of(&before));
}
