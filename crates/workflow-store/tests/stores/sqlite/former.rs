//! A process of the version before, which knows format 4, and this one work with the same runs.

use super::*;

/// The statements of that version.
const CREATE: &str = "INSERT INTO run
    (id, workflow, status, created_at, completed_at, wakes, bundle, head, obeyed, epoch, holder)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
const EVENT: &str = "INSERT INTO event (run, number, body) VALUES (?1, ?2, ?3)";
const CLAIM_NEXT: &str = "SELECT key, id FROM run INDEXED BY run_claimable
    WHERE holder IS NULL AND wakes IS NOT NULL AND wakes <= ?2 ORDER BY wakes, created_at LIMIT ?1";
const HEAD: &str = "UPDATE run SET head = ?2, status = ?3, completed_at = ?4, wakes = ?5 WHERE key = ?1";

#[test]
fn a_process_of_the_version_before_works_beside_this_one() {
    let (store, home) = open();
    create_turn(&*store, "plain", 1, 0, None);
    create_turn(&*store, "urgent", 2, 9, None);
    let former = Connection::open(database(&home)).unwrap();
    former.busy_timeout(Duration::from_secs(10)).unwrap();
    // All that it looks at before it uses the tables.
    let version: i64 = former.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert_eq!(version, 4);

    let run = run_of("feature", "former", 3);
    let head = |head: &RunHead| {
        let mut head = serde_json::to_value(head).unwrap();
        head.as_object_mut().unwrap().remove("priority");
        head.to_string()
    };
    let none = None::<i64>;
    let bundle: i64 = former.query_row("SELECT key FROM bundle", [], |row| row.get(0)).unwrap();
    let epoch: i64 = former
        .query_row("UPDATE sequence SET value = value + 1 WHERE name = 'epoch' RETURNING value", [], |row| {
            row.get(0)
        })
        .unwrap();
    let created = i64::try_from(at(3).as_nanosecond()).unwrap();
    let row =
        ("former", "feature", "pending", created, none, i64::MIN, bundle, head(&run.head), 0, epoch, none);
    former.execute(CREATE, row).unwrap();
    let first = serde_json::to_string(&run.events[0]).unwrap();
    former.execute(EVENT, (former.last_insert_rowid(), 1, first + "\n")).unwrap();

    let mut claim = former.prepare(CLAIM_NEXT).unwrap();
    let claimed = claim.query_map([9, 1], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let claimed: Vec<(i64, String)> = claimed.map(Result::unwrap).collect();
    let names: Vec<_> = claimed.iter().map(|(_, run)| run.as_str()).collect();
    assert_eq!(names, ["plain", "urgent", "former"], "priorities are ignored");
    for (key, _) in &claimed {
        let event = serde_json::to_string(&started(2)).unwrap();
        former.execute(EVENT, (key, 2, event + "\n")).unwrap();
        let running = crate::fixture::head(RunStatus::Running);
        former.execute(HEAD, (key, head(&running), "running", none, i64::MIN)).unwrap();
    }

    // What the other process left is continued, the priority of each run in the order of claims as before.
    let leases = block_on(store.claim_next(9, at(0))).unwrap();
    let runs: Vec<_> = leases.iter().map(|lease| lease.run.as_str()).collect();
    assert_eq!(runs, ["urgent", "plain", "former"]);
    for lease in &leases {
        append(&*store, lease, 2, &[succeeded(3)]).unwrap();
        assert_eq!(numbers(&events(&*store, &lease.run)), [1, 2, 3]);
    }
}

#[test]
fn a_backup_that_was_taken_while_runs_were_driven_is_a_store_in_which_they_continue() {
    let (store, home) = open();
    let held = create(&*store, "held");
    append(&*store, &held, 1, &[started(2)]).unwrap();
    create_turn(&*store, "free", 2, 3, None);
    // What `sqlite3 runs.db ".backup copy.db"` does.
    let source = Connection::open(database(&home)).unwrap();
    source.backup("main", home.path().join("copy.db"), None::<fn(rusqlite::backup::Progress)>).unwrap();
    append(&*store, &held, 2, &[succeeded(3)]).unwrap();
    drop((source, store));

    let copy = SqliteStore::open(home.path().join("copy.db")).unwrap();
    assert_eq!(numbers(&events(&copy, &id("held"))), [1, 2], "what came after the backup is not in it");
    let leases = block_on(copy.claim_next(9, at(0))).unwrap();
    let runs: Vec<_> = leases.iter().map(|lease| lease.run.as_str()).collect();
    assert_eq!(runs, ["free", "held"]);
    append(&copy, &leases[1], 2, &[succeeded(3)]).unwrap();
}
