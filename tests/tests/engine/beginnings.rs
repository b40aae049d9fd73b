//! How runs begin without a store: as the engine stores them.

use std::sync::Arc;

use serde_json::json;
use workflow_core::actor::Actor;
use workflow_core::bundle::Bundle;
use workflow_core::event::{Event, EventBody, RunCreated};
use workflow_core::machine::State;
use workflow_core::plan::Plan;
use workflow_core::runs::{EngineError, Fork, ForkPoint, Forking, Migration, NewIdentity, StartRun};
use workflow_core::store::RunStore as _;

use crate::host::{Host, id};

const YAML: &str = r#"
workflow:
  name: Release
  stages: [plan, ship]
  inputs: { version: { type: string }, region: { type: string, default: eu } }
plan: { provider: ann, prompt: "Plan ${vars.version}", set: { plan: "${output}" } }
ship: { provider: bob, prompt: "Ship ${vars.plan} to ${vars.region}" }
"#;

fn created(events: &[Event]) -> &RunCreated {
    let EventBody::RunCreated(created) = &events[0].body else { panic!("not created") };
    created
}

/// The identity that the run in the store has.
fn identity(events: &[Event]) -> NewIdentity {
    let created = created(events);
    NewIdentity::new(created.run.clone(), created.seed, events.last().unwrap().at)
}

fn load(bundle: &Arc<Bundle>) -> Result<Arc<Plan>, EngineError> {
    Ok(Arc::new(Plan::load(bundle.clone())?))
}

#[test]
fn a_run_begins_without_a_store_as_it_is_stored() {
    let host = Host::new();
    let plan = host.engine.parse(YAML, "test").unwrap();
    let start = StartRun::plan(&plan)
        .run_id(id("r1"))
        .var("version", "1.4")
        .label("owner", "ann")
        .by(Actor::new("ann"));
    host.sim.block_on(host.engine.create(start.clone())).unwrap();
    let stored = host.events("r1");
    let (new, state) = start.clone().check(&plan).unwrap().begin(identity(&stored)).unwrap();
    assert_eq!((&new.events, new.id.as_str()), (&stored, "r1"));
    assert_eq!(created(&new.events).vars["region"], "eu".into());
    assert_eq!(new.bundle.hash().unwrap(), *plan.hash());
    assert_eq!((state.head(), *state), (new.head, State::fold(&stored).unwrap()));

    let other = start.run_id(id("r2"));
    let begun = host.sim.block_on(host.engine.begin(other.clone())).unwrap();
    assert!(host.sim.block_on(host.store.get(&id("r2"))).is_err(), "it is not stored");
    let EventBody::RunCreated(expected) = &stored[0].body else { panic!("not created") };
    let seed = created(&begun.events).seed;
    assert_eq!(*created(&begun.events), RunCreated { run: id("r2"), seed, ..RunCreated::clone(expected) });
    let wrong = host.sim.block_on(host.engine.begin(other.var("version", 1))).unwrap_err();
    assert!(matches!(wrong, EngineError::Variables(_)), "{wrong}");
}

#[test]
fn inputs_that_do_not_fit_begin_no_run() {
    let host = Host::new();
    let plan = host.engine.parse(YAML, "test").unwrap();
    let start = || StartRun::plan(&plan).var("version", "1.4");
    let absent = StartRun::plan(&plan).check(&plan).unwrap_err();
    assert!(matches!(absent, EngineError::Variables(_)), "{absent}");
    let label = start().label("no label", "x").check(&plan).unwrap_err();
    assert!(matches!(label, EngineError::Labels(_)), "{label}");
    let option = start().max_iters(3).check(&plan).unwrap_err();
    assert!(matches!(option, EngineError::Option(_)), "{option}");
}

#[test]
fn a_fork_begins_without_a_store_as_it_is_stored() {
    let host = Host::new();
    let plan = host.engine.parse(YAML, "test").unwrap();
    let other = host.engine.parse(&YAML.replace("Ship", "Send"), "test").unwrap();
    let start = StartRun::plan(&plan).run_id(id("r1")).var("version", "1.4");
    host.sim.block_on(host.engine.run(start)).unwrap();
    let log = host.events("r1");
    let at_ship = || Fork::of(id("r1")).at(ForkPoint::Stage("ship".parse().unwrap()));
    let forks = [
        Fork::of(id("r1")),
        at_ship()
            .var("region", "us")
            .output("plan".parse().unwrap(), json!("another plan"))
            .by(Actor::new("ann")),
        at_ship().definition(&other),
        at_ship().provider("cid"),
    ];
    for (number, fork) in forks.into_iter().enumerate() {
        let name = format!("f{number}");
        let fork = fork.run_id(id(&name));
        host.sim.block_on(host.engine.fork(fork.clone())).unwrap();
        let stored = host.events(&name);
        let mut forking = Forking::new(fork.clone(), &log, identity(&stored)).unwrap();
        let mut started = plan.bundle().clone();
        assert_eq!(*forking.started(), started.hash().unwrap());
        if !fork.providers.is_empty() {
            let replace = |bundle: &Bundle| load(&Arc::new(bundle.clone().with_providers(&fork.providers)));
            started = forking.replace_bundles(&started, replace).unwrap();
        }
        let (new, state) = forking.finish(started.clone(), load, |_, _| Ok(())).unwrap();
        assert_eq!(new.events, stored);
        assert_eq!(*state, State::fold(&stored).unwrap());
        let record = host.sim.block_on(host.store.get(&id(&name))).unwrap();
        assert_eq!((new.head, new.bundle.hash().unwrap()), (record.head.clone(), record.head.bundle));

        let again = fork.run_id(id("again"));
        let begun = host.sim.block_on(host.engine.begin_fork(again, &log, plan.bundle().clone())).unwrap();
        assert_eq!(begun.events.len(), stored.len());
        assert!(host.sim.block_on(host.store.get(&id("again"))).is_err(), "it is not stored");
    }
}

#[test]
fn a_fork_of_which_there_is_no_point_does_not_begin() {
    let host = Host::new();
    host.sim.block_on(host.engine.create(host.start("r1", YAML).var("version", "1"))).unwrap();
    let log = host.events("r1");
    let fork = Fork::of(id("r1")).at(ForkPoint::Stage("ship".parse().unwrap()));
    let wrong = Forking::new(fork.clone(), &log, identity(&log)).unwrap_err();
    assert!(matches!(wrong, EngineError::NoSuchPoint { .. }), "{wrong}");
    let wrong = Forking::new(fork, &[], identity(&log)).unwrap_err();
    assert!(wrong.is_not_found(), "{wrong}");
}

#[test]
fn a_run_moves_to_another_definition_without_a_store() {
    let host = Host::new();
    let old = host.engine.parse(YAML, "test").unwrap();
    let new = host.engine.parse(&YAML.replace("Ship", "Send"), "test").unwrap();
    host.sim.block_on(host.engine.create(host.start("r1", YAML).var("version", "1"))).unwrap();
    let mut log = host.events("r1");
    let state = State::fold(&log).unwrap();
    let migration = Migration::of(&state, old.bundle(), &new);
    assert_eq!(
        (&migration.diverges[..], &migration.obstacles[..]),
        (&["ship.prompt: changed".to_owned()][..], &[][..])
    );
    let event = migration.event(&state, &new, log[0].at, None).unwrap().unwrap();
    log.push(event);
    let state = State::fold(&log).unwrap();
    assert_eq!(state.bundle(), new.hash());
    let same = Migration::of(&state, new.bundle(), &new);
    assert_eq!(same.event(&state, &new, log[0].at, None).unwrap(), None);

    host.sim.block_on(host.engine.run(host.start("r2", YAML).var("version", "1"))).unwrap();
    let ended = State::fold(&host.events("r2")).unwrap();
    let wrong = Migration::of(&ended, old.bundle(), &new).event(&ended, &new, log[0].at, None).unwrap_err();
    assert_eq!(wrong.to_string(), "run `r2` cannot be moved to the newer definition: the run has ended");
}
