//! Workers that are killed while runs wait until another one with their key has ended.

use std::collections::BTreeMap;

use futures::executor::block_on;
use jiff::Timestamp;
use workflow_core::event::EventBody;
use workflow_core::store::RunFilter;
use workflow_testkit::postgres::{Server, anywhere};
use workflow_tests::scenario;
use workflow_tests::worker::Place;

use crate::Chance;
use crate::check::check;
use crate::fleet::Fleet;
use crate::work::{KEYED, Office};

/// How many runs there are, half of them with the one key and half with the other.
const RUNS: usize = 12;

/// How often one of two workers is killed.
const KILLS: usize = 8;

fn kill_workers(mut fleet: Fleet) {
    let mut chance = Chance(0x5107);
    let mut office = Office::new(&fleet, KEYED);
    office.create(RUNS);
    (0..2).for_each(|_| fleet.hire());
    for _ in 0..KILLS {
        let goal = fleet.calls().len() + 1;
        fleet.until("calls are made", || fleet.calls().len() >= goal);
        fleet.kill(chance.below(fleet.size()));
        fleet.hire();
    }
    fleet.until("all runs end", || office.unfinished() == 0);
    fleet.dismiss_all();
    check(&fleet, &office, KILLS);
    one_at_a_time(&office);
}

/// Checks that of the runs with a key never two were in progress.
fn one_at_a_time(office: &Office) {
    let mut spans: BTreeMap<String, Vec<(Timestamp, Timestamp)>> = BTreeMap::new();
    for run in block_on(office.store().list(&RunFilter::all())).unwrap() {
        let events = block_on(scenario::events(office.store(), &run.run_id));
        let started = events.iter().find(|event| event.body == EventBody::RunStarted).unwrap();
        spans
            .entry(run.head.slot.unwrap().key.clone())
            .or_default()
            .push((started.at, events.last().unwrap().at));
    }
    assert_eq!(spans.len(), 2);
    for (key, spans) in &mut spans {
        spans.sort();
        assert!(spans.windows(2).all(|pair| pair[0].1 <= pair[1].0), "{key}: {spans:?}");
    }
}

#[test]
fn runs_with_a_key_stay_one_at_a_time_when_workers_over_files_are_killed() {
    kill_workers(Fleet::new(|home| Place::Files(home.join("home"))));
}

#[test]
fn runs_with_a_key_stay_one_at_a_time_when_workers_over_sqlite_are_killed() {
    kill_workers(Fleet::new(|home| Place::Sqlite(home.join("runs.db"), 3_600_000)));
}

#[test]
fn runs_with_a_key_stay_one_at_a_time_when_workers_over_postgresql_are_killed() {
    let server = Server::start(&anywhere(), false).unwrap();
    kill_workers(Fleet::new(|_| Place::Postgres(server.url(), 1_500)));
}
