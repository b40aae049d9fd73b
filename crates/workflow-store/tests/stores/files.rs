//! The store in files: the files on disk.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use futures::FutureExt;
use futures::executor::block_on;
use workflow_core::bundle::BundleHash;
use workflow_core::ids::RunId;
use workflow_core::status::RunStatus;
use workflow_core::store::{Control, RunFilter, RunStore, StoreError};
use workflow_store::FileStore;
use workflow_testkit::store::{Damage, Fixture};

use crate::fixture::*;

fn open() -> (Arc<FileStore>, tempfile::TempDir) {
    let home = tempfile::tempdir().unwrap();
    (Arc::new(FileStore::open(home.path()).unwrap()), home)
}

/// A home of its own.
struct Home(tempfile::TempDir);

impl Fixture for Home {
    fn open(&self) -> Box<dyn RunStore> {
        Box::new(FileStore::open(self.0.path()).unwrap())
    }

    fn damage(&self, run: &RunId, event: u64, damage: Damage) {
        let path = self.0.path().join(format!("runs/{run}/events.jsonl"));
        let text = fs::read_to_string(&path).unwrap();
        let damaged = text.lines().zip(1..).map(|(line, number)| match damage {
            _ if number != event => format!("{line}\n"),
            Damage::UnknownEvent => format!("{}\n", line.replace("attempt_succeeded", Damage::UNKNOWN_EVENT)),
            _ => "\u{0}garbage\n".to_owned(),
        });
        fs::write(&path, damaged.collect::<String>()).unwrap();
    }
}

workflow_testkit::store_suite!(Home(tempfile::tempdir().unwrap()); durable, processes, damage, slots);

#[test]
fn of_the_runs_that_many_stores_create_one_at_a_time_has_the_slot() {
    crate::slots::one_at_a_time(&Home(tempfile::tempdir().unwrap()));
}

#[test]
fn a_run_is_a_directory_that_a_person_can_read() {
    let (store, home) = open();
    let lease = create(&store, "r1");
    block_on(store.append(&lease, 1, &[started(2)].into(), Some(&head(RunStatus::Running)))).unwrap();
    append(&store, &lease, 2, &[succeeded(3), succeeded(4)]).unwrap();
    block_on(store.append_output(&lease, &[entry(1, "hello")])).unwrap();
    block_on(store.request(&lease.run, Control::Pause.into())).unwrap();
    block_on(store.release(lease)).unwrap();

    let run = home.path().join("runs/r1");
    let read = |name: &str| fs::read_to_string(run.join(name)).unwrap();
    let files = ["events.jsonl", "run.json", "output.jsonl", "controls.jsonl", "lock"];
    let mut shown: String = files.map(|name| format!("--- {name}\n{}", read(name))).concat();
    let process = format!("\"process\":{}", std::process::id());
    shown = shown.replace(&process, "\"process\":1").replace(new_run("r1").head.bundle.as_str(), "{hash}");
    let host = shown.split("\"host\":\"").nth(1).and_then(|rest| rest.split('"').next()).map(str::to_owned);
    shown = host.map_or(shown.clone(), |host| shown.replace(&format!(",\"host\":\"{host}\""), ""));
    insta::assert_snapshot!(shown);
    let mut names: Vec<_> =
        fs::read_dir(&run).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["controls.jsonl", "events.jsonl", "lock", "output.jsonl", "run.json"]);
}

#[test]
#[cfg(unix)]
fn files_are_private() {
    use std::os::unix::fs::PermissionsExt;
    fn check(path: &Path, seen: &mut usize) {
        for entry in fs::read_dir(path).unwrap() {
            let path = entry.unwrap().path();
            let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, if path.is_dir() { 0o700 } else { 0o600 }, "{}", path.display());
            *seen += 1;
            if path.is_dir() {
                check(&path, seen);
            }
        }
    }
    let home = tempfile::tempdir().unwrap();
    let store = FileStore::open(home.path().join("new/.orch")).unwrap();
    let lease = create(&store, "r1");
    block_on(store.append(&lease, 1, &[started(2)].into(), Some(&head(RunStatus::Running)))).unwrap();
    block_on(store.append_output(&lease, &[entry(1, "hello")])).unwrap();
    block_on(store.request(&lease.run, Control::Pause.into())).unwrap();
    let mut seen = 0;
    check(home.path(), &mut seen);
    // new/.orch/{bundles/{hash}.json, runs/{.controls, r1/{5 files}}}
    assert_eq!(seen, 2 + 2 + 3 + 5);
}

#[test]
fn a_dropped_store_frees_its_runs_after_what_was_under_way() {
    let (store, home) = open();
    let lease = create(&store, "r1");
    let _ = store.append(&lease, 1, &[started(2)].into(), None).now_or_never();
    drop(store);
    let store = FileStore::open(home.path()).unwrap();
    assert_eq!(numbers(&events(&store, &id("r1"))), [1, 2]);
    assert_eq!(block_on(store.get(&id("r1"))).unwrap().holder, None);
    block_on(store.claim(&id("r1"))).unwrap();
}

#[test]
fn an_append_whose_future_was_dropped_is_done_all_the_same() {
    let (store, _home) = open();
    let lease = create(&store, "r1");
    // Polled once and dropped, whether or not the store was faster.
    let _ = store.append(&lease, 1, &[started(2), succeeded(3)].into(), None).now_or_never();
    append(&store, &lease, 3, &[succeeded(4)]).unwrap();
    assert_eq!(numbers(&events(&store, &id("r1"))), [1, 2, 3, 4]);
}

#[test]
fn a_holder_is_told_by_its_process() {
    let (first, home) = open();
    let second = FileStore::open(home.path()).unwrap();
    create(&first, "r1");
    let error = block_on(second.claim(&id("r1"))).unwrap_err();
    let StoreError::Held { holder, .. } = error else { panic!("{error}") };
    assert!(holder.starts_with(&format!("process {}", std::process::id())), "{holder}");
}

#[test]
fn of_many_stores_one_wins_each_claim() {
    let (store, home) = open();
    let lease = create(&store, "r1");
    block_on(store.release(lease)).unwrap();
    let stores: Vec<_> = (0..4).map(|_| FileStore::open(home.path()).unwrap()).collect();
    let start = std::sync::Barrier::new(stores.len());
    std::thread::scope(|scope| {
        for store in &stores {
            scope.spawn(|| {
                start.wait();
                let mut appended = 0;
                while appended < 10 {
                    match block_on(store.claim(&id("r1"))) {
                        Ok(lease) => {
                            let last = events(store, &id("r1")).len() as u64;
                            append(store, &lease, last, &[succeeded(last + 1), succeeded(last + 2)]).unwrap();
                            block_on(store.release(lease)).unwrap();
                            appended += 1;
                        }
                        Err(error) => {
                            assert!(matches!(error, StoreError::Held { .. }), "{error}");
                            // Readers do not block a deletion.
                            block_on(store.list(&RunFilter::all())).unwrap();
                        }
                    }
                }
            });
        }
    });
    assert_eq!(numbers(&events(&store, &id("r1"))), (1..=81).collect::<Vec<_>>());
}

#[test]
fn what_is_not_a_run_is_left_alone() {
    let (store, home) = open();
    create(&store, "r1");
    let runs = home.path().join("runs");
    fs::create_dir(runs.join("mine")).unwrap();
    fs::write(runs.join("mine/notes.txt"), "keep").unwrap();
    fs::create_dir(runs.join("empty")).unwrap();
    fs::write(runs.join("file"), "keep").unwrap();
    fs::create_dir(runs.join("not an id")).unwrap();
    fs::write(runs.join("not an id/events.jsonl"), "").unwrap();
    #[cfg(unix)]
    {
        let elsewhere = home.path().join("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        fs::copy(runs.join("r1/events.jsonl"), elsewhere.join("events.jsonl")).unwrap();
        std::os::unix::fs::symlink(&elsewhere, runs.join("link")).unwrap();
    }
    let names = [
        "mine",
        "empty",
        "file",
        #[cfg(unix)]
        "link",
    ];
    let listed = block_on(store.list(&RunFilter::all())).unwrap();
    assert_eq!(listed.len(), 1);
    for name in names {
        let run = id(name);
        for result in [
            block_on(store.get(&run)).map(drop),
            block_on(store.claim(&run)).map(drop),
            block_on(store.events(&run, 0, 1)).map(drop),
            block_on(store.request(&run, Control::Pause.into())).map(drop),
            block_on(store.delete(&run)),
        ] {
            assert!(matches!(result, Err(StoreError::NotFound(_))), "{name}: {result:?}");
        }
        let error = block_on(store.create(new_run(name))).unwrap_err();
        assert!(matches!(error, StoreError::Io { .. }), "{name}: {error}");
    }
    assert_eq!(fs::read_dir(runs.join("mine")).unwrap().count(), 1);
    assert_eq!(fs::read_dir(runs.join("empty")).unwrap().count(), 0);
}

#[test]
fn what_died_unfinished_is_removed() {
    let (store, home) = open();
    create(&store, "r1");
    let runs = home.path().join("runs");
    let alive = runs.join(".tmp-alive-1-0");
    let dead = runs.join(".tmp-dead-1-0");
    // Its creator is about to lock it.
    let begun = runs.join(".tmp-begun-1-0");
    for directory in [&alive, &dead, &begun] {
        fs::create_dir(directory).unwrap();
        fs::copy(runs.join("r1/events.jsonl"), directory.join("events.jsonl")).unwrap();
        let note = if *directory == begun {
            String::new()
        } else {
            fs::read_to_string(runs.join("r1/lock")).unwrap()
        };
        fs::write(directory.join("lock"), note).unwrap();
    }
    let maker = fs::File::open(alive.join("lock")).unwrap();
    maker.lock().unwrap();
    let store = FileStore::open(home.path()).unwrap();
    // The list is read after the removal, on the same thread.
    assert_eq!(block_on(store.list(&RunFilter::all())).unwrap().len(), 1);
    assert!(alive.exists() && begun.exists());
    assert!(!dead.exists());
}

#[test]
fn a_bundle_that_was_changed_is_refused_and_stored_again_by_the_next_run() {
    let (store, home) = open();
    let hash = new_run("r1").head.bundle;
    create(&store, "r1");
    create(&store, "r2");
    let bundles = home.path().join("bundles");
    assert_eq!(fs::read_dir(&bundles).unwrap().count(), 1);
    let path = bundles.join(format!("{hash}.json"));
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(BundleHash::of(&text), hash);
    fs::write(&path, text.replace("feature", "freature")).unwrap();
    let error = block_on(store.bundle(&hash)).unwrap_err();
    let StoreError::Corrupt { place, .. } = error else { panic!("{error}") };
    assert_eq!(place, path.display().to_string());

    let store = FileStore::open(home.path()).unwrap();
    create(&store, "r3");
    assert_eq!(block_on(store.bundle(&hash)).unwrap(), new_run("r3").bundle);

    let mut run = new_run("r4");
    run.head.bundle = BundleHash::of("something else");
    let error = block_on(store.create(run)).unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    assert!(matches!(block_on(store.get(&id("r4"))), Err(StoreError::NotFound(_))));
}
