//! The store in SQLite with a file that is damaged, of another program, full, locked or missing.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use futures::executor::block_on;
use rusqlite::Connection;
use workflow_core::store::{Control, RunFilter, RunStore, StoreError};
use workflow_store::{SqliteOptions, SqliteStore};

use super::{database, lock_out, open};
use crate::fixture::*;

/// The error when opening a file that must not be changed.
fn refusal(path: &Path) -> (String, String) {
    let before = fs::read(path).unwrap();
    let error = SqliteStore::open(path).unwrap_err();
    let StoreError::Corrupt { place, message } = error else { panic!("{error}") };
    assert_eq!(fs::read(path).unwrap(), before, "{message}");
    let names: Vec<_> =
        fs::read_dir(path.parent().unwrap()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, [path.file_name().unwrap()], "{message}");
    (place, message)
}

#[test]
fn a_file_that_is_not_a_database_of_runs_is_refused_and_left_alone() {
    let home = tempfile::tempdir().unwrap();
    let path = fs::canonicalize(home.path()).unwrap().join("notes.db");
    fs::write(&path, "Remember the milk. ".repeat(1_000)).unwrap();
    let (place, message) = refusal(&path);
    assert_eq!(place, path.display().to_string());
    assert!(message.contains("not a database of workflow runs"), "{message}");

    fs::remove_file(&path).unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE milk (litres INTEGER); INSERT INTO milk VALUES (2)").unwrap();
    drop(other);
    let (place, message) = refusal(&path);
    assert_eq!(place, path.display().to_string());
    assert!(message.contains("does not contain workflow runs"), "{message}");

    // An empty file can be used.
    fs::write(&path, "").unwrap();
    create(&SqliteStore::open(&path).unwrap(), "r1");
}

#[test]
fn a_newer_format_is_refused_and_left_alone() {
    let (store, home) = open();
    create(&store, "r1");
    drop(store);
    fs::remove_dir_all(home.path().join("runs.db-holders")).unwrap();
    let newer = Connection::open(database(&home)).unwrap();
    newer.pragma_update(None, "user_version", 99).unwrap();
    newer.close().unwrap();
    let (_, message) = refusal(&database(&home));
    assert!(message.contains("format 99") && message.contains("up to 5"), "{message}");
}

#[test]
fn a_database_to_which_a_newer_version_added_something_is_used() {
    let (store, home) = open();
    create(&store, "r1");
    drop(store);
    let newer = Connection::open(database(&home)).unwrap();
    let version: i64 = newer.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert_eq!(version, 4, "what processes of format 4 look at");
    newer
        .execute_batch("UPDATE sequence SET value = 99 WHERE name = 'format'; ALTER TABLE run ADD later TEXT")
        .unwrap();
    newer.close().unwrap();
    create(&SqliteStore::open(database(&home)).unwrap(), "r2");
}

#[test]
fn a_file_that_cannot_be_written_is_refused() {
    let (store, home) = open();
    create(&store, "r1");
    drop(store);
    let path = database(&home);
    let mut permissions = fs::metadata(&path).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&path, permissions).unwrap();
    let error = SqliteStore::open(&path).unwrap_err();
    let StoreError::Io { place, source } = error else { panic!("{error}") };
    assert_eq!(source.kind(), ErrorKind::PermissionDenied);
    assert!(place.ends_with("runs.db") && source.to_string().contains("read-only"), "{place}: {source}");
}

#[test]
fn a_directory_in_the_way_is_refused() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(database(&home)).unwrap();
    let error = SqliteStore::open(database(&home)).unwrap_err();
    assert!(matches!(&error, StoreError::Io { place, .. } if place.ends_with("runs.db")), "{error}");
}

#[test]
fn a_lock_that_others_keep_for_too_long_is_an_error_and_nothing_is_stored() {
    let home = tempfile::tempdir().unwrap();
    let options = SqliteOptions::new().busy_timeout(Duration::from_millis(30));
    let store = SqliteStore::open_with(database(&home), options).unwrap();
    let lease = create(&store, "r1");
    let blocker = lock_out(&database(&home));
    for result in [
        append(&store, &lease, 1, &[started(2)]),
        block_on(store.request(&id("r1"), Control::Pause.into())).map(drop),
        block_on(store.claim(&id("r1"))).map(drop),
        block_on(store.create(new_run("r2"))).map(drop),
        block_on(store.renew()),
        block_on(store.prune(at(9), 9)).map(drop),
        block_on(store.vacuum()),
    ] {
        let Err(StoreError::Io { place, source }) = result else { panic!("{result:?}") };
        assert_eq!(source.kind(), ErrorKind::TimedOut, "{source}");
        assert!(
            place.ends_with("runs.db") && source.to_string().contains("locked the database for too long"),
            "{source}"
        );
    }
    // Readers do not block writers, nor the other way round.
    assert_eq!(numbers(&events(&store, &id("r1"))), [1]);
    blocker.execute_batch("COMMIT").unwrap();
    append(&store, &lease, 1, &[started(2)]).unwrap();
    assert_eq!(numbers(&events(&store, &id("r1"))), [1, 2]);
}

#[test]
#[cfg(unix)]
fn a_file_that_is_deleted_or_replaced_is_noticed_before_anything_is_acknowledged() {
    for name in ["runs.db", "runs.db-wal"] {
        let (store, home) = open();
        let lease = create(&store, "r1");
        fs::rename(home.path().join(name), home.path().join("elsewhere")).unwrap();
        for _ in 0..2 {
            for result in [
                append(&store, &lease, 1, &[started(2)]),
                block_on(store.request(&id("r1"), Control::Pause.into())).map(drop),
                block_on(store.get(&id("r1"))).map(drop),
                block_on(store.list(&RunFilter::all())).map(drop),
            ] {
                let Err(StoreError::Closed(message)) = result else { panic!("{result:?}") };
                assert!(message.contains(name) && message.contains("deleted or replaced"), "{message}");
            }
            // Another file in its place is not accepted.
            fs::write(home.path().join(name), "").unwrap();
        }
        assert!(matches!(block_on(store.vacuum()), Err(StoreError::Closed(_))));
    }
}

/// A closed database with the runs `r1` to `r3`; each has 40 events with distinct texts.
fn three_runs() -> tempfile::TempDir {
    let (store, home) = open();
    for name in ["r1", "r2", "r3"] {
        let lease = create(&store, name);
        for seq in 2..=40 {
            let text = format!("{name} at {seq} {}", "x".repeat(900));
            append(&store, &lease, seq - 1, &[output_of(seq, &text.into())]).unwrap();
        }
    }
    home
}

fn place_of(file: &[u8], text: &str) -> usize {
    file.windows(text.len()).position(|window| window == text.as_bytes()).unwrap()
}

#[test]
fn a_damaged_page_is_told_and_hides_no_other_run() {
    const PAGE: usize = 4_096;
    let home = three_runs();
    let path = database(&home);
    let mut file = fs::read(&path).unwrap();
    let page = place_of(&file, "r2 at 20 ") / PAGE;
    file[page * PAGE..(page + 1) * PAGE].fill(0xa5);
    fs::write(&path, &file).unwrap();

    let store = SqliteStore::open(&path).unwrap();
    let error = block_on(store.events(&id("r2"), 0, usize::MAX)).unwrap_err();
    let StoreError::Corrupt { place, message } = error else { panic!("{error}") };
    assert!(place.ends_with("runs.db") && message.contains("restore"), "{place}: {message}");
    for name in ["r1", "r3"] {
        assert_eq!(events(&store, &id(name)).len(), 40);
        let lease = block_on(store.claim(&id(name))).unwrap();
        append(&store, &lease, 40, &[succeeded(41)]).unwrap();
    }
    assert_eq!(block_on(store.list(&RunFilter::all())).unwrap().len(), 3);
}

#[test]
fn a_damaged_event_is_refused_with_its_number() {
    let damages = [
        // Invalid JSON; another event; an event of another version.
        ("\"r2 at 20 ", "\"r2 at\u{1}20 ", "control character"),
        (
            "\"seq\":20,\"at\":\"2026-01-02T03:04:25Z\"",
            "\"seq\":27,\"at\":\"2026-01-02T03:04:25Z\"",
            "event 27",
        ),
    ];
    for (sound, damaged, said) in damages {
        let home = three_runs();
        let path = database(&home);
        let mut file = fs::read(&path).unwrap();
        // The second of three similar runs.
        let from = place_of(&file, "r2 at 20 ") - 300;
        let at = from + place_of(&file[from..], sound);
        file[at..at + sound.len()].copy_from_slice(damaged.as_bytes());
        fs::write(&path, &file).unwrap();
        let store = SqliteStore::open(&path).unwrap();
        let error = block_on(store.events(&id("r2"), 0, usize::MAX)).unwrap_err();
        let StoreError::Corrupt { place, message } = error else { panic!("{error}") };
        assert!(place.ends_with("runs.db, run `r2`, event 20"), "{place}");
        assert!(message.contains(said) && message.contains("restore it, or delete the run"), "{message}");
        assert_eq!(block_on(store.events(&id("r2"), 0, 19)).unwrap().len(), 19);
        assert_eq!(block_on(store.events(&id("r2"), 20, 99)).unwrap().len(), 20);
        block_on(store.delete(&id("r2"))).unwrap();
    }
}

#[test]
fn what_was_deleted_from_the_tables_is_missed() {
    let home = three_runs();
    let change = |sql: &str| Connection::open(database(&home)).unwrap().execute(sql, []).unwrap();
    let corrupt = |result: Result<(), StoreError>, where_: &str| {
        let Err(StoreError::Corrupt { place, .. }) = result else { panic!("{where_}: {result:?}") };
        assert!(place.ends_with(where_), "{place}");
    };
    change("DELETE FROM event WHERE number = 20 AND run = (SELECT key FROM run WHERE id = 'r2')");
    change("UPDATE run SET head = '{' WHERE id = 'r1'");
    change("UPDATE bundle SET body = replace(body, 'feature', 'freature')");
    let store = SqliteStore::open(database(&home)).unwrap();
    corrupt(block_on(store.events(&id("r2"), 5, 99)).map(drop), "run `r2`, event 20");
    corrupt(block_on(store.get(&id("r1"))).map(drop), "run `r1`");
    let hash = new_run("r1").head.bundle;
    corrupt(block_on(store.bundle(&hash)).map(drop), &format!("bundle `{hash}`"));
    // A damaged run does not hide the others, is listed, and can be deleted.
    let listed = block_on(store.list(&RunFilter::all())).unwrap();
    assert_eq!(listed.len(), 3);
    let whole = new_run("r1").head;
    let damaged = &listed.iter().find(|record| record.run_id == id("r1")).unwrap().head;
    assert_eq!((&damaged.workflow_id, &damaged.bundle), (&whole.workflow_id, &whole.bundle));
    block_on(store.delete(&id("r1"))).unwrap();
}

#[test]
fn a_damaged_head_hides_no_run_from_a_list_by_labels() {
    let (store, home) = open();
    for (name, age) in [("r1", 1), ("r2", 2), ("r3", 3), ("r4", 4)] {
        let lease = block_on(store.create(labelled(name, age, &[("owner", "ann")]))).unwrap();
        block_on(store.release(lease)).unwrap();
    }
    let change = |sql: &str| Connection::open(database(&home)).unwrap().execute(sql, []).unwrap();
    // Truncated, with the label in the rest; and invalid UTF-8.
    change(r#"UPDATE run SET head = '{"labels":{"owner":"ann"}' WHERE id = 'r2'"#);
    change("UPDATE run SET head = CAST(x'7b22ff' AS TEXT) || head WHERE id = 'r3'");
    let names = |filter: &RunFilter| {
        let list = block_on(store.list(filter)).unwrap();
        list.iter().map(|record| record.run_id.to_string()).collect::<Vec<_>>().join(" ")
    };
    let of_ann = RunFilter::all().label("owner", "ann");
    assert_eq!(names(&of_ann), "r4 r1");
    assert_eq!(names(&of_ann.clone().limit(2)), "r4 r1");
    assert_eq!(names(&of_ann.limit(1).after(id("r3"))), "r1");
    assert_eq!(
        names(&RunFilter::all()),
        "r4 r3 r2 r1",
        "what is damaged is not hidden where labels do not matter"
    );
}

#[test]
fn a_run_that_names_another_bundle_than_it_has_is_refused() {
    let (store, _home) = open();
    let mut run = new_run("r1");
    run.head.bundle = workflow_core::bundle::BundleHash::of("something else");
    let error = block_on(store.create(run)).unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    assert!(matches!(block_on(store.get(&id("r1"))), Err(StoreError::NotFound(_))));
    create(&store, "r1");
}
