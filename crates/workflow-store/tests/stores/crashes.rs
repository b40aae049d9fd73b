//! The store in files, after crashes and damage.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::executor::block_on;
use workflow_core::event::{Event, EventBody};
use workflow_core::failure::{Failure, FailureClass};
use workflow_core::ids::{NodePath, StageId};
use workflow_core::machine::State;
use workflow_core::status::{RunStatus, StageStatus, Wait};
use workflow_core::store::{Control, ControlRecord, RunFilter, RunHead, RunStore, StoreError};
use workflow_store::FileStore;

use crate::fixture::*;

fn open(home: &Path) -> FileStore {
    FileStore::open(home).unwrap()
}

/// A home with the run `r1` of several appends: `[1]`, `[2]`, `[3, 4]`.
fn home() -> (tempfile::TempDir, PathBuf) {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path());
    let lease = create(&store, "r1");
    block_on(store.append(&lease, 1, &[started(2)].into(), Some(&running()))).unwrap();
    append(&store, &lease, 2, &[succeeded(3), succeeded(4)]).unwrap();
    drop(store);
    let run = home.path().join("runs/r1");
    (home, run)
}

fn running() -> RunHead {
    let mut running = head(RunStatus::Running);
    running.started_at = Some(at(2));
    running
}

#[test]
fn an_append_that_was_cut_off_anywhere_has_no_effect() {
    let (home, run) = home();
    let path = run.join("events.jsonl");
    let before = fs::read(&path).unwrap();
    let record = fs::read(run.join("run.json")).unwrap();
    let store = open(home.path());
    let lease = block_on(store.claim(&id("r1"))).unwrap();
    let paused = event(6, EventBody::RunPaused);
    let batch =
        [event(5, EventBody::PauseRequested { control: 1, by: None }), paused, output_of(7, &"ü\n".into())];
    append(&store, &lease, 4, &batch).unwrap();
    let after = fs::read(&path).unwrap();
    block_on(store.release(lease)).unwrap();

    for cut in before.len()..=after.len() {
        let whole = cut == after.len();
        let expected = if whole { 7 } else { 4 };
        // A file system may have extended the file before it wrote the bytes.
        let mut padded = after[..cut].to_vec();
        padded.resize(after.len(), 0);
        let padded = (cut % 8 == 0).then_some(&padded[..]);
        for torn in [Some(&after[..cut]), padded].into_iter().flatten() {
            fs::write(&path, torn).unwrap();
            fs::write(run.join("run.json"), &record).unwrap();
            assert_eq!(
                numbers(&events(&store, &id("r1"))),
                (1..=expected).collect::<Vec<_>>(),
                "cut at {cut}"
            );
            let status = block_on(store.get(&id("r1"))).unwrap().head.status;
            assert_eq!(status, if whole { RunStatus::Paused } else { RunStatus::Running }, "cut at {cut}");
            assert_eq!(fs::read(&path).unwrap(), torn, "who only reads changes nothing");

            let lease = block_on(store.claim(&id("r1"))).unwrap();
            append(&store, &lease, expected, &[succeeded(expected + 1)]).unwrap();
            block_on(store.release(lease)).unwrap();
            let events = events(&store, &id("r1"));
            assert_eq!(numbers(&events), (1..=expected + 1).collect::<Vec<_>>(), "cut at {cut}");
        }
    }
}

#[test]
fn the_head_is_derived_when_the_file_of_it_is_missing_damaged_or_old() {
    let failure = Arc::new(Failure::new(FailureClass::Stage, "it failed"));
    let life = [
        (EventBody::RunStarted, RunStatus::Running),
        (EventBody::PauseRequested { control: 1, by: None }, RunStatus::Running),
        (EventBody::RunPaused, RunStatus::Paused),
        (EventBody::RunResumed { control: 2, by: None }, RunStatus::Running),
        (EventBody::RunFailed { error: failure.clone() }, RunStatus::Failed),
    ];
    let (mut head, mut seq) = (new_run("r1").head, 1);
    let home = tempfile::tempdir().unwrap();
    let run = home.path().join("runs/r1");
    let store = open(home.path());
    create(&store, "r1");
    drop(store);
    for (body, status) in life {
        let old = fs::read(run.join("run.json")).unwrap();
        seq += 1;
        head.status = status;
        head.wait = (status == RunStatus::Paused).then(|| Box::new(Wait::paused()));
        if let Some(wait) = &mut head.wait {
            wait.since = Some(at(seq));
        }
        head.started_at = Some(at(2));
        if status == RunStatus::Failed {
            head.completed_at = Some(at(seq));
            head.error = Some(failure.clone());
        }
        let store = open(home.path());
        let lease = block_on(store.claim(&id("r1"))).unwrap();
        block_on(store.append(&lease, seq - 1, &[event(seq, body.clone())].into(), Some(&head))).unwrap();
        // The process dies here.
        drop(store);
        let damages: [&dyn Fn(&Path); 5] = [
            &|path| fs::remove_file(path).unwrap(),
            &|path| fs::write(path, "").unwrap(),
            &|path| fs::write(path, "{\"runId\":").unwrap(),
            &|path| fs::write(path, &old).unwrap(),
            &|path| fs::write(path.with_extension("json.new"), "half").unwrap(),
        ];
        for damage in damages {
            damage(&run.join("run.json"));
            let store = open(home.path());
            let record = block_on(store.get(&id("r1"))).unwrap();
            assert_eq!(record.head, head, "{body:?}");
            let state = State::fold(&events(&store, &id("r1"))).unwrap();
            assert_eq!(state.head(), head, "what the machine derives: {body:?}");
            assert_eq!(block_on(store.list(&RunFilter::all())).unwrap(), [record]);
            let lease = block_on(store.claim(&id("r1"))).unwrap();
            assert_eq!(block_on(store.get(&id("r1"))).unwrap().head, head, "{body:?}");
            block_on(store.release(lease)).unwrap();
            let kept = fs::read_to_string(run.join("run.json")).unwrap();
            assert!(kept.contains(&format!("\"events\": {seq}")), "put right by the claim: {kept}");
        }
    }
}

#[test]
fn a_damaged_log_is_refused_with_its_line_and_left_as_it_is() {
    fn line(text: &str, number: usize, change: impl Fn(&str) -> Option<String>) -> Vec<u8> {
        let lines = text.lines().zip(1..);
        lines
            .filter_map(|(line, n)| if n == number { change(line) } else { Some(line.to_owned()) })
            .flat_map(|line| (line + "\n").into_bytes())
            .collect()
    }
    let (home, run) = home();
    let path = run.join("events.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let damages = [
        ("garbage", 2, line(&text, 2, |_| Some("garbage".to_owned())), "events.jsonl:2"),
        ("an empty line", 3, line(&text, 3, |l| Some(format!("\n{l}"))), "events.jsonl:3"),
        ("a missing line", 2, line(&text, 2, |_| None), "events.jsonl:2"),
        ("a line twice", 2, line(&text, 2, |l| Some(format!("{l}\n{l}"))), "events.jsonl:3"),
        ("half of a line", 3, line(&text, 3, |l| Some(l[..l.len() / 2].to_owned())), "events.jsonl:3"),
        ("a damaged last line", 4, line(&text, 4, |l| Some(l.replace("seq", "sqe"))), "events.jsonl:4"),
        ("another version", 2, line(&text, 2, |l| Some(l.replace("\"v\":1", "\"v\":2"))), "events.jsonl:2"),
    ];
    for (name, number, damaged, place) in damages {
        fs::write(&path, &damaged).unwrap();
        // Without it the whole log is read.
        fs::remove_file(run.join("run.json")).ok();
        let store = open(home.path());
        let results = [
            block_on(store.claim(&id("r1"))).map(drop),
            block_on(store.events(&id("r1"), 0, usize::MAX)).map(drop),
            block_on(store.events(&id("r1"), number - 1, usize::MAX)).map(drop),
            block_on(store.get(&id("r1"))).map(drop),
        ];
        for (call, result) in results.into_iter().enumerate() {
            let Err(StoreError::Corrupt { place: told, message }) = result else {
                panic!("{name}, call {call}: {result:?}")
            };
            assert!(told.ends_with(place), "{name}, call {call}: {told} {message}");
        }
        assert_eq!(fs::read(&path).unwrap(), damaged, "{name}");
        // It does not prevent other runs from being listed, and can be deleted.
        create(&store, "r2");
        assert_eq!(block_on(store.list(&RunFilter::all())).unwrap().len(), 1, "{name}");
        drop(store);
        fs::remove_dir_all(home.path().join("runs/r2")).unwrap();
    }
    // The store does not check for unknown event types until the event is read.
    let unknown = text.replace("\"attempt_succeeded\"", "\"attempt_dreamt\"");
    fs::write(&path, unknown).unwrap();
    let store = open(home.path());
    block_on(store.claim(&id("r1"))).unwrap();
    let error = block_on(store.events(&id("r1"), 0, 9)).unwrap_err();
    let StoreError::Corrupt { place, message } = error else { panic!("{error}") };
    assert!(place.ends_with("events.jsonl:3") && message.contains("attempt_dreamt"), "{place}: {message}");
    assert_eq!(numbers(&block_on(store.events(&id("r1"), 0, 2)).unwrap()), [1, 2]);
}

#[test]
fn a_damaged_run_is_listed_with_its_last_known_head_and_can_be_deleted() {
    let (home, run) = home();
    let path = run.join("events.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("\"seq\":4", "\"seq\":5")).unwrap();
    let store = open(home.path());
    let listed = block_on(store.list(&RunFilter::unfinished())).unwrap();
    assert_eq!(listed[0].head, running());
    let error = block_on(store.claim(&id("r1"))).unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    block_on(store.delete(&id("r1"))).unwrap();
    assert!(!run.exists());
}

#[test]
fn readers_in_another_process_see_no_part_of_an_append() {
    let (home, run) = home();
    let store = open(home.path());
    let path = run.join("events.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let mut growing = text.clone();
    for event in [succeeded(5), succeeded(6)] {
        let line = serde_json::to_string(&event).unwrap();
        growing += &line.replace("}}}", "}},\"more\":true}");
        growing += "\n";
        fs::write(&path, &growing).unwrap();
        for (after, limit, expected) in [(0, 9, 4), (4, 9, 0), (3, 1, 1), (4, 1, 0)] {
            let read = block_on(store.events(&id("r1"), after, limit)).unwrap();
            assert_eq!(read.len(), expected, "{limit} after {after}");
        }
    }
    growing += &serde_json::to_string(&succeeded(7)).unwrap();
    fs::write(&path, growing.clone() + "\n").unwrap();
    assert_eq!(numbers(&block_on(store.events(&id("r1"), 4, 2)).unwrap()), [5, 6]);
    assert_eq!(numbers(&block_on(store.events(&id("r1"), 5, 9)).unwrap()), [6, 7]);
}

#[test]
fn output_that_was_cut_off_is_gone_and_damaged_lines_are_skipped() {
    let (home, run) = home();
    let path = run.join("output.jsonl");
    let line = |number| serde_json::to_string(&entry(number, "a line")).unwrap() + "\n";
    let text: String = (1..=3).map(line).collect();
    for cut in 0..=line(3).len() {
        let kept = text.len() - cut;
        fs::write(&path, &text.as_bytes()[..kept]).unwrap();
        let last = if cut == 0 { 3 } else { 2 };
        let store = open(home.path());
        assert_eq!(block_on(store.last_output(&id("r1"))).unwrap(), last);
        assert_eq!(block_on(store.output(&id("r1"), 0, 9)).unwrap().len() as u64, last);
        let lease = block_on(store.claim(&id("r1"))).unwrap();
        block_on(store.append_output(&lease, &[entry(last + 1, "next")])).unwrap();
        let read = block_on(store.output(&id("r1"), last - 1, 9)).unwrap();
        assert_eq!(read, [entry(last, "a line"), entry(last + 1, "next")]);
    }
    // Zeros where a crash of the machine lost bytes, also before existing lines.
    let damaged = line(1) + &"\0".repeat(100_000) + "\n" + &line(3) + "nonsense\n" + &"\0".repeat(200_000);
    fs::write(&path, damaged).unwrap();
    let store = open(home.path());
    let numbers = |after| -> Vec<u64> {
        block_on(store.output(&id("r1"), after, 9)).unwrap().iter().map(|entry| entry.number).collect()
    };
    assert_eq!(numbers(0), [1, 3]);
    assert_eq!(numbers(2), [3]);
    assert_eq!(block_on(store.last_output(&id("r1"))).unwrap(), 3);
    let lease = block_on(store.claim(&id("r1"))).unwrap();
    block_on(store.append_output(&lease, &[entry(4, "next")])).unwrap();
    assert_eq!(numbers(0), [1, 3, 4]);
}

#[test]
fn a_control_that_was_cut_off_was_not_asked() {
    let (home, run) = home();
    let path = run.join("controls.jsonl");
    let store = open(home.path());
    block_on(store.request(&id("r1"), Control::Pause.into())).unwrap();
    let first = fs::read(&path).unwrap();
    block_on(store.request(&id("r1"), Control::Resume.into())).unwrap();
    let both = fs::read(&path).unwrap();
    let lease = block_on(store.claim(&id("r1"))).unwrap();
    let mut last = 4;
    for cut in first.len()..both.len() {
        fs::write(&path, &both[..cut]).unwrap();
        assert_eq!(block_on(store.controls(&id("r1"), 0)).unwrap().len(), 1);
        assert_eq!(block_on(store.request(&id("r1"), Control::Cancel.into())).unwrap(), 2);
        let cancel = ControlRecord::new(2, Control::Cancel);
        assert_eq!(block_on(store.controls(&id("r1"), 1)).unwrap(), [cancel]);
        append(&store, &lease, last, &[succeeded(last + 1)]).unwrap();
        last += 1;
    }
    // A damaged file of control requests is reported when they are read; events are stored all the same.
    fs::write(&path, "nonsense\n".repeat(20)).unwrap();
    append(&store, &lease, last, &[succeeded(last + 1)]).unwrap();
    for result in [
        block_on(store.controls(&id("r1"), 0)).map(drop),
        block_on(store.request(&id("r1"), Control::Pause.into())).map(drop),
    ] {
        let Err(StoreError::Corrupt { place, .. }) = result else { panic!("{result:?}") };
        assert!(place.ends_with("controls.jsonl:1"), "{place}");
    }
}

#[test]
fn a_note_in_the_lock_that_was_cut_off_does_not_matter() {
    let (home, run) = home();
    for note in ["", "{\"epo", "\0\0\0", "nonsense\n"] {
        fs::write(run.join("lock"), note).unwrap();
        let store = open(home.path());
        assert_eq!(block_on(store.get(&id("r1"))).unwrap().holder, None, "{note}");
        let lease = block_on(store.claim(&id("r1"))).unwrap();
        append(&store, &lease, 4, &[]).unwrap();
    }
    fs::remove_file(run.join("lock")).unwrap();
    let store = open(home.path());
    assert_eq!(block_on(store.get(&id("r1"))).unwrap().holder, None);
    block_on(store.claim(&id("r1"))).unwrap();
}

#[test]
fn a_long_log_is_read_on_from_anywhere() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path());
    let lease = create(&store, "r1");
    let batch: Vec<Event> = (2..=3_000).map(succeeded).collect();
    append(&store, &lease, 1, &batch[..2_000]).unwrap();
    append(&store, &lease, 2_001, &batch[2_000..]).unwrap();
    for after in [1, 999, 1_998, 2_000, 2_001, 2_999] {
        let read = block_on(store.events(&id("r1"), after, 3)).unwrap();
        let expected: Vec<_> = (after + 1..=3_000).take(3).collect();
        assert_eq!(numbers(&read), expected);
    }
}

#[test]
fn how_far_a_run_came_is_derived_with_its_head() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path());
    let lease = create(&store, "r1");
    let (iteration, stage): (_, StageId) = (1, "plan".parse().unwrap());
    let path: NodePath = "1/plan[0]/run".parse().unwrap();
    let begun = EventBody::AttemptStarted { path, attempt: 1, provider: "ann".into(), role: None };
    let bodies = [
        EventBody::RunStarted,
        EventBody::StageStarted { iteration, stage: stage.clone(), lanes: 1 },
        begun,
        succeeded(5).body,
        EventBody::StageCompleted { iteration, stage: stage.clone(), output_of: Some(0), set: None },
        EventBody::RunCompleted { failed_stages: [].into(), output: None, reason: None },
    ];
    let log: Vec<_> = (2..).zip(bodies).map(|(seq, body)| event(seq, body)).collect();
    append(&store, &lease, 1, &log).unwrap();
    drop(store);
    for keep in [true, false] {
        // The head was not written any more after the last append, or is missing.
        if !keep {
            fs::remove_file(home.path().join("runs/r1/run.json")).unwrap();
        }
        let head = block_on(open(home.path()).get(&id("r1"))).unwrap().head;
        assert_eq!(head.status, RunStatus::Completed);
        let progress = head.progress.unwrap();
        assert_eq!((progress.iteration, progress.spent.attempts), (1, 1));
        assert_eq!(progress.stages, [(stage.clone(), StageStatus::Completed)]);
    }
}
