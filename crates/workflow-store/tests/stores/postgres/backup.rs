//! A dump of the schema, restored into another database, with the programs that operators use.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use futures::executor::block_on;
use workflow_core::store::{RunFilter, RunStore as _, StoreError};
use workflow_testkit::postgres::{Server, anywhere, programs};

use super::*;
use crate::fixture::*;

/// Runs a program of PostgreSQL.
fn program(name: &str) -> Command {
    let folder: PathBuf = programs().unwrap();
    Command::new(folder.join(name))
}

/// Runs it, and returns what it printed.
fn succeeds(program: &mut Command) -> Vec<u8> {
    let output = program.stderr(Stdio::piped()).stdout(Stdio::piped()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Restores a dump with `restore` from a file into a database, by its URL, and continues the runs there.
fn continues_from_a_dump(format: &str, restore: impl Fn(&Path, &str) -> Command) {
    let server = Server::start(&anywhere(), false).unwrap();
    let store = PostgresStore::open(server.url()).unwrap();
    let held = create(&store, "held");
    append(&store, &held, 1, &[started(2)]).unwrap();
    block_on(store.append_output(&held, &[entry(1, "said")])).unwrap();
    let free = create(&store, "free");
    block_on(store.release(free)).unwrap();

    let dump = succeeds(program("pg_dump").args([format, "--schema=workflow", "--dbname", &server.url()]));
    // What is written after the dump is not in it.
    append(&store, &held, 2, &[succeeded(3)]).unwrap();

    query(&server.url(), "CREATE DATABASE copy");
    let copy = server.url().replace("dbname=postgres", "dbname=copy");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("dump");
    std::fs::write(&file, &dump).unwrap();
    succeeds(&mut restore(&file, &copy));

    let copy = PostgresOptions::new(copy).lease_time(Duration::from_secs(600)).open().unwrap();
    assert_eq!(block_on(copy.list(&RunFilter::all())).unwrap().len(), 2);
    assert_eq!(numbers(&events(&copy, &id("held"))), [1, 2]);
    assert_eq!(block_on(copy.output(&id("held"), 0, 9)).unwrap(), [entry(1, "said")]);
    let lease = block_on(copy.claim(&id("free"))).unwrap();
    append(&copy, &lease, 1, &[started(2)]).unwrap();
    // New rows do not collide with those of the dump.
    let new = create(&copy, "new");
    append(&copy, &new, 1, &[started(2)]).unwrap();
    // The holder of the dumped lease is not in the new database, and the lease runs out by itself.
    assert!(matches!(block_on(copy.claim(&id("held"))), Ok(_) | Err(StoreError::Held { .. })));
    assert_ne!(lease.epoch, held.epoch);
    assert_ne!(new.epoch, lease.epoch);
}

#[test]
fn a_dump_that_was_taken_while_runs_were_driven_is_restored_and_they_continue() {
    continues_from_a_dump("--format=plain", |file, database| {
        let mut psql = program("psql");
        psql.args(["--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", "--dbname", database, "--file"])
            .arg(file);
        psql
    });
}

#[test]
fn a_dump_in_the_custom_format_is_restored_by_several_processes_and_its_runs_continue() {
    continues_from_a_dump("--format=custom", |file, database| {
        let mut restore = program("pg_restore");
        restore.args(["--exit-on-error", "--jobs=2", "--dbname", database]).arg(file);
        restore
    });
}
