//! Compares the logs of all runs with the rules, the trace of the calls, and the events that sinks received.

use std::collections::{HashMap, HashSet};
use std::fs;

use futures::executor::block_on;
use workflow_core::event::{Event, EventBody};
use workflow_core::ids::RunId;
use workflow_core::store::RunFilter;
use workflow_tests::worker::Shown;
use workflow_tests::{rules, scenario};

use crate::fleet::Fleet;
use crate::work::Office;

/// The totals.
#[derive(Debug)]
#[allow(dead_code, reason = "the rest is shown")]
pub(crate) struct Tally {
    pub(crate) interrupted: usize,
    calls: usize,
    events: usize,
}

/// Checks that every run has completed by the rules, that no attempt was executed twice, without its
/// `attempt_started`, or after the result of its node, that every shown event is in the log, and that no
/// process is left. Each of the `killed` processes may have left one incomplete line.
pub(crate) fn check(fleet: &Fleet, office: &Office, killed: usize) -> Tally {
    assert_eq!(fleet.at_work(), [0; 0], "processes of calls are left");
    let calls = fleet.calls();
    let executed: HashSet<&str> = calls.iter().map(String::as_str).collect();
    assert_eq!(executed.len(), calls.len(), "an attempt was executed twice");

    let runs = block_on(office.store().list(&RunFilter::all())).unwrap();
    assert_eq!(runs.len(), office.created());
    let mut logs: HashMap<RunId, Vec<Event>> = HashMap::new();
    let mut tally = Tally { events: 0, calls: calls.len(), interrupted: 0 };
    let mut accounted = 0;
    for run in runs {
        let events = block_on(scenario::events(office.store(), &run.run_id));
        let bundle = block_on(office.store().bundle(&run.head.bundle)).unwrap();
        rules::check(&bundle, &events);
        let last = &events.last().unwrap().body;
        assert!(matches!(last, EventBody::RunCompleted { .. }), "{}: {last:?}", run.run_id);
        assert_eq!(run.holder, None, "{} has ended", run.run_id);
        accounted += compare(&run.run_id, &events, &executed);
        tally.interrupted += events.iter().filter(|event| event.body.kind() == "attempt_interrupted").count();
        tally.events += events.len();
        logs.insert(run.run_id, events);
    }
    assert_eq!(accounted, calls.len(), "a call is of no run, or came without its attempt_started");
    was_kept(fleet, &logs, killed);
    tally
}

/// Compares a run's log with the calls that were executed. Returns how many of its attempts were.
fn compare(run: &RunId, events: &[Event], executed: &HashSet<&str>) -> usize {
    let EventBody::RunCreated(created) = &events[0].body else { panic!("{run}: {:?}", events[0]) };
    let mut results = HashMap::new();
    let mut accounted = 0;
    for event in events {
        match &event.body {
            EventBody::AttemptStarted { path, attempt, .. } => {
                assert!(!results.contains_key(path), "{run}: {path} started after its result");
                let call = format!("{run}:{:016x}:{path}:{attempt}", created.seed);
                accounted += usize::from(executed.contains(&*call));
            }
            EventBody::AttemptSucceeded { path, attempt, .. } => {
                let call = format!("{run}:{:016x}:{path}:{attempt}", created.seed);
                assert!(executed.contains(&*call), "{call} has a result and was not executed");
                assert_eq!(results.insert(path, attempt), None, "{run}: two results of {path}");
            }
            _ => {}
        }
    }
    accounted
}

/// Checks that every shown event is in the log without changes.
pub(crate) fn was_kept(fleet: &Fleet, logs: &HashMap<RunId, Vec<Event>>, killed: usize) {
    let told = fs::read_to_string(fleet.orders.told()).unwrap();
    let (mut whole, mut torn) = (0, 0);
    for line in told.lines().filter(|line| !line.is_empty()) {
        let Ok(shown) = serde_json::from_str::<Shown>(line) else {
            torn += 1;
            continue;
        };
        let number = usize::try_from(shown.seq).unwrap();
        let stored = logs[&shown.run].get(number - 1).map(|event| Shown::of(&shown.run, event));
        assert_eq!(stored.as_ref(), Some(&shown), "an event was shown, and is not there");
        whole += 1;
    }
    assert!(whole > 0 && torn <= killed, "{torn} torn lines of {whole} by {killed} kills");
}
