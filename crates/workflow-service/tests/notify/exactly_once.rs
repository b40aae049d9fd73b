//! Several notifiers of one store, each with an engine and a handle of its own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use workflow_core::definition::NoticeKind;
use workflow_core::store::RunStore;
use workflow_service::notify::Notifier;
use workflow_store::{FileStore, PostgresOptions, SqliteStore};
use workflow_testkit::postgres::SharedServer;

use crate::world::{Recorder, Running, engine, in_the_end, run};

const ENGINES: usize = 3;
const RUNS: usize = 12;

/// Every engine has runs and a notifier, and all notifiers tell the same two targets.
fn each_is_told_once(open: &dyn Fn() -> Arc<dyn RunStore>) {
    let (first, second) = (Recorder::default(), Recorder::default());
    let stores: Vec<_> = (0..ENGINES).map(|_| open()).collect();
    let _running: Vec<_> = stores
        .iter()
        .map(|store| {
            let notifier = Notifier::builder(store.clone())
                .channel("first", NoticeKind::ALL.iter().copied(), first.clone())
                .channel("second", [NoticeKind::Failed, NoticeKind::Waiting], second.clone())
                .poll_every(Duration::from_millis(20))
                .build();
            Running::new(notifier)
        })
        .collect();
    std::thread::scope(|scope| {
        for (number, store) in stores.iter().enumerate() {
            scope.spawn(move || {
                let engine = engine(store.clone());
                for n in 0..RUNS {
                    let workflow = ["asks", "fails", "nears", "works"][n % 4];
                    run(&engine, workflow, &format!("e{number}-{n}"));
                }
            });
        }
    });
    // Five notices of four runs, and three of them of the second target's kinds less one.
    let (all, some) = (ENGINES * RUNS / 4 * 5, ENGINES * RUNS / 4 * 2);
    in_the_end("both targets are told", || first.told().len() >= all && second.told().len() >= some);
    // All look once more.
    let engine = engine(stores[0].clone());
    run(&engine, "fails", "last");
    in_the_end("both targets are told of the last run", || {
        [&first, &second].iter().all(|recorder| recorder.lines().contains(&"last run.failed".to_owned()))
    });
    for (recorder, expected) in [(&first, all + 1), (&second, some + 1)] {
        let mut counts = BTreeMap::new();
        for notice in recorder.told() {
            *counts.entry((notice.run.unwrap().id, notice.event)).or_insert(0) += 1;
        }
        assert!(counts.values().all(|count| *count == 1), "{counts:?}");
        assert_eq!(counts.len(), expected);
    }
}

#[test]
fn several_engines_over_sqlite_tell_each_target_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs.db");
    each_is_told_once(&|| Arc::new(SqliteStore::open(&path).unwrap()));
}

#[test]
fn several_engines_over_files_tell_each_target_once() {
    let folder = tempfile::tempdir().unwrap();
    each_is_told_once(&|| Arc::new(FileStore::open(folder.path()).unwrap()));
}

#[test]
fn several_engines_over_postgresql_tell_each_target_once() {
    let server = SharedServer::join().unwrap();
    let url = std::env::var("WORKFLOW_TEST_POSTGRES_URL").unwrap_or_else(|_| server.url());
    let schema = format!("notify_{}", std::process::id());
    each_is_told_once(&|| Arc::new(PostgresOptions::new(&url).schema(&schema).open().unwrap()));
}
