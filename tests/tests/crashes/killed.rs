//! Workers that are killed hundreds of times.

use workflow_testkit::postgres::{Server, anywhere};
use workflow_tests::worker::Place;

use crate::Chance;
use crate::check::check;
use crate::fleet::Fleet;
use crate::work::{Office, SHARED};

/// The number of parallel workers.
const WORKERS: usize = 3;

/// The minimum number of unfinished runs.
const RUNS: usize = 10;

/// How often a worker is killed: `CRASH_KILLS` times, or a hundred.
fn kills() -> usize {
    std::env::var("CRASH_KILLS").map_or(100, |kills| kills.parse().unwrap())
}

/// Kills one worker after the other, each after a few more calls were begun, and replaces it; at the end the
/// remaining workers complete all runs.
fn kill_workers(mut fleet: Fleet, seed: u64) {
    let mut chance = Chance(seed);
    let mut office = Office::new(&fleet, SHARED);
    office.create(RUNS);
    (0..WORKERS).for_each(|_| fleet.hire());
    for _ in 0..kills() {
        // Replaces runs that would end soon.
        office.create(RUNS.saturating_sub(office.unfinished()));
        let goal = fleet.calls().len() + 1 + chance.below(6);
        fleet.until("calls are made", || fleet.calls().len() >= goal);
        fleet.kill(chance.below(fleet.size()));
        fleet.hire();
    }
    fleet.until("all runs end", || office.unfinished() == 0);
    fleet.dismiss_all();
    let tally = check(&fleet, &office, kills());
    println!("{} runs, {} kills: {tally:?}", office.created(), kills());
    assert!(tally.interrupted > kills() / 3, "the kills came too early or late: {tally:?}");
}

#[test]
fn workers_that_are_killed_over_sqlite_leave_their_runs_to_the_others_at_once() {
    // A test cannot wait for such a lease to expire.
    kill_workers(Fleet::new(|home| Place::Sqlite(home.join("runs.db"), 3_600_000)), 0x5eed);
}

#[test]
fn workers_that_are_killed_over_postgresql_leave_their_runs_to_the_others_when_their_leases_are_over() {
    let server = Server::start(&anywhere(), false).unwrap();
    kill_workers(Fleet::new(|_| Place::Postgres(server.url(), 1_500)), 0x5eed);
}
