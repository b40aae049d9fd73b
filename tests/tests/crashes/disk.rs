//! Workers whose files have no room.

use std::collections::HashMap;

use futures::executor::block_on;
use workflow_core::ids::RunId;
use workflow_core::output::OutputKind;
use workflow_core::status::RunStatus;
use workflow_tests::scenario;
use workflow_tests::worker::Place;

use crate::check::{check, was_kept};
use crate::fleet::Fleet;
use crate::work::{LARGE, Office, TALKATIVE};

/// Lets a worker drive a run until its results do not fit any more: a limit of file sizes ends a write in the
/// middle, like a full disk. Once there is room the worker continues.
fn fill_the_disk(mut fleet: Fleet, blocks: usize) {
    let mut office = Office::new(&fleet, LARGE);
    let run = RunId::new("r0").unwrap();
    office.create(1);
    fleet.hire_with_small_files(blocks);
    let waits = "the store is unavailable: trying again (storing events)";
    fleet.until("the worker reports that it cannot continue", || fleet.log().contains(waits));
    let log = fleet.log();
    let line = log.lines().find(|line| line.contains(waits)).unwrap();
    println!("{line}");
    assert!(line.contains("run=r0") && line.contains("/runs"), "of what run, and where: {line}");

    // It loses nothing meanwhile.
    assert_eq!(block_on(office.store().get(&run)).unwrap().head.status, RunStatus::Running);
    let events = block_on(scenario::events(office.store(), &run));
    let results = events.iter().filter(|event| event.body.kind() == "attempt_succeeded").count();
    assert!((1..8).contains(&results), "{results} results fitted");
    was_kept(&fleet, &HashMap::from([(run.clone(), events.clone())]), 0);

    fleet.make_room(0);
    fleet.until("the run ends", || office.has_completed(&run));
    fleet.dismiss_all();
    let all = block_on(scenario::events(office.store(), &run));
    assert_eq!(all[..events.len()], events);
    let tally = check(&fleet, &office, 0);
    println!("{results} results fitted: {tally:?}");
}

#[test]
fn a_worker_without_room_for_its_files_says_so_and_continues_when_there_is() {
    fill_the_disk(Fleet::new(|home| Place::Files(home.join("runs"))), 500);
}

#[test]
fn a_worker_without_room_for_its_database_says_so_and_continues_when_there_is() {
    fill_the_disk(Fleet::new(|home| Place::Sqlite(home.join("runs.db"), 3_600_000)), 1_200);
}

#[test]
fn output_that_there_was_no_room_for_is_stored_once_there_is() {
    let mut fleet = Fleet::new(|home| Place::Files(home.join("runs")));
    let mut office = Office::new(&fleet, TALKATIVE);
    let run = RunId::new("r0").unwrap();
    office.create(1);
    fleet.hire_with_small_files(150);
    let is_full = "the store is unavailable: trying again (storing output)";
    fleet.until("the worker says that output cannot be stored", || fleet.log().contains(is_full));
    fleet.make_room(0);
    std::fs::write(fleet.orders.calls().with_extension("room"), "").unwrap();
    fleet.until("the run ends", || office.has_completed(&run));
    fleet.dismiss_all();

    let entries = block_on(office.store().output(&run, 0, 1_000)).unwrap();
    assert!(entries.iter().map(|entry| entry.number).eq(1..=entries.len() as u64));
    let count = |kind: OutputKind| entries.iter().filter(move |entry| entry.kind == kind);
    assert_eq!(count(OutputKind::Stderr).next_back().unwrap().text, "last");
    let dropped: usize = count(OutputKind::Dropped).map(|entry| entry.text.parse::<usize>().unwrap()).sum();
    assert_eq!((count(OutputKind::Stderr).count(), dropped), (21, 0));
}
