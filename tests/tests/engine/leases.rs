//! Leases that expire, and a store that does not answer.

use std::time::Duration;

use workflow_core::store::{MemoryStore, StoreError};
use workflow_exec::{Clock as _, EngineError};
use workflow_testkit::fault::WriteKind;
use workflow_tests::faulty::{Fault, Faulty};
use workflow_tests::sim::Sim;

use crate::host::{Host, id};

const LEASE: Duration = Duration::from_secs(10);

#[test]
fn calls_are_stopped_before_their_lease_runs_out_although_the_store_does_not_answer() {
    let sim = Sim::new();
    let (clock, timer) = (sim.clone(), sim.clone());
    let memory = MemoryStore::with_leases(LEASE, move || clock.now());
    // From the third append on, so from the end of the first call on, requests get no response for an hour.
    let store = Faulty::scripted(&memory, |write| match write.kind {
        WriteKind::Append if write.of_its_kind > 1 => Fault::Delay(Duration::from_secs(3_600)),
        WriteKind::Renew => Fault::Delay(Duration::from_secs(3_600)),
        _ => Fault::None,
    });
    let store = store.timer(move |time| workflow_exec::Timer::sleep(&timer, time));
    let host = Host::in_world(sim, |builder| builder.store(store));
    let run = host.start(
        "r1",
        "
workflow: { name: Two lanes, stages: [write] }
write:
  providers: [{ provider: ann }, { provider: bob }]
  mode: parallel
  with: { bob: { hang: true } }
",
    );
    let ended = host.sim.block_on(host.engine.run(run));
    assert!(matches!(ended, Err(EngineError::Store(StoreError::Io { .. }))), "{ended:?}");
    let calls = host.deeds.calls();
    let [ann, bob] = &calls[..] else { panic!("{calls:?}") };
    assert_eq!(ann.end, Some((10, "replied")));
    let (at, how) = bob.end.unwrap();
    assert_eq!(how, "stopped");
    assert!(Duration::from_millis(at.unsigned_abs()) < LEASE, "after {at} ms");
    assert_eq!(bob.id.run, id("r1"));
}
