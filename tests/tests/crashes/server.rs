//! A PostgreSQL server that stops immediately, again and again, while workers use it.

use workflow_testkit::postgres::{Server, anywhere};
use workflow_tests::worker::Place;

use crate::Chance;
use crate::check::check;
use crate::fleet::Fleet;
use crate::work::{Office, SHARED};

/// How often the server stops, every third time for so long that workers abandon their runs.
const STOPS: usize = 12;

/// The minimum number of unfinished runs when the server stops.
const RUNS: usize = 12;

#[test]
fn workers_survive_a_server_that_stops_and_nothing_that_was_shown_is_lost() {
    // Only its processes die, not the machine: writes need not wait for the disk.
    let mut server = Server::start(&anywhere(), false).unwrap();
    let mut fleet = Fleet::new(|_| Place::Postgres(server.url(), 2_000));
    let mut office = Office::new(&fleet, SHARED);
    let mut chance = Chance(0x5eed);
    (0..3).for_each(|_| fleet.hire());
    for stop in 1..=STOPS {
        office.create(RUNS.saturating_sub(office.unfinished()));
        let goal = fleet.calls().len() + 5 + chance.below(20);
        fleet.until("calls are made", || fleet.calls().len() >= goal);
        let given_up =
            || fleet.log().matches("the leases are about to expire and the store is unavailable").count();
        let before = given_up();
        server.stop().unwrap();
        if stop % 3 == 0 {
            fleet.until("a worker gives up what it drives", || given_up() > before);
        }
        server.go_on().unwrap();
    }
    fleet.until("all runs end", || office.unfinished() == 0);
    // All workers are still running.
    assert_eq!(fleet.size(), 3);
    fleet.dismiss_all();
    let tally = check(&fleet, &office, 0);
    println!("{} runs, {STOPS} stops of the server: {tally:?}", office.created());
}
