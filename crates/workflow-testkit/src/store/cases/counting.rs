//! How many runs there are, and filters by what is in heads.

use std::sync::Arc;

use futures::executor::block_on;
use workflow_core::event::{EventBody, ParentRun};
use workflow_core::status::{RunStatus, Wait, WaitReason};
use workflow_core::store::{RunFilter, RunHead, RunStore};

use crate::store::Fixture;
use crate::store::runs::{at, create_ended, id, labelled, run_of, started};

/// The ids of the runs that a filter selects, which are counted as well.
fn list(store: &dyn RunStore, filter: &RunFilter) -> String {
    let list = block_on(store.list(filter)).unwrap();
    assert_eq!(block_on(store.count(filter)).unwrap(), list.len() as u64, "{filter:?}");
    list.iter().map(|record| record.run_id.to_string()).collect::<Vec<_>>().join(" ")
}

/// Creates a run that waits, `age` seconds after the fixed moment.
fn create_waiting(store: &dyn RunStore, name: &str, age: u64, wait: Option<Wait>) {
    let run = labelled(name, age, &[]);
    let status = match wait.as_ref().map(|wait| wait.reason) {
        None | Some(WaitReason::Retry) => RunStatus::Running,
        Some(_) => RunStatus::Paused,
    };
    let head = RunHead { status, wait: wait.map(Box::new), ..run.head.clone() };
    let lease = block_on(store.create(run)).unwrap();
    block_on(store.append(&lease, 1, &[started(2)].into(), Some(&head))).unwrap();
    block_on(store.release(lease)).unwrap();
}

/// Creates a run that a node of another one started, `age` seconds after the fixed moment.
fn create_child(store: &dyn RunStore, name: &str, age: u64, parent: &str) {
    let mut run = labelled(name, age, &[]);
    let parent = ParentRun { run: id(parent), path: "1/work[0]/each[7]".parse().unwrap(), attempt: 1 };
    run.head.parent = Some(Arc::new(parent));
    if let Some(EventBody::RunCreated(created)) = run.events.first_mut().map(|event| &mut event.body) {
        Arc::make_mut(created).parent.clone_from(&run.head.parent);
    }
    let lease = block_on(store.create(run)).unwrap();
    block_on(store.release(lease)).unwrap();
}

pub fn a_list_is_filtered_by_the_run_that_started_them(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    for (age, name) in (1..).zip(["r1", "r10"]) {
        block_on(store.create(labelled(name, age, &[("run", "r1")]))).unwrap();
    }
    // What a run waits for did not start it.
    let mut waits = Wait::of(WaitReason::Child);
    waits.run = Some(id("r1"));
    create_waiting(store, "r2", 3, Some(waits));
    for (age, name, parent) in
        [(4, "r3", "r1"), (5, "r4", "r10"), (6, "r5", "r1"), (7, "r6", "r3"), (8, "r7", "r1")]
    {
        create_child(store, name, age, parent);
    }
    let of = |parent: &str| RunFilter::all().parent(id(parent));
    for (filter, expected) in [
        (of("r1"), "r7 r5 r3"),
        (of("r10"), "r4"),
        (of("r3"), "r6"),
        (of("r2"), ""),
        (of("R1"), ""),
        (of("gone"), ""),
        (of("r1").status(RunStatus::Completed), ""),
        (of("r1").status(RunStatus::Pending).created_before(at(8)), "r5 r3"),
    ] {
        assert_eq!(list(store, &filter), expected, "{filter:?}");
    }
    let page = of("r1").limit(2);
    let ids = |filter: &RunFilter| -> Vec<_> {
        block_on(store.list(filter)).unwrap().into_iter().map(|run| run.run_id.to_string()).collect()
    };
    assert_eq!(ids(&page), ["r7", "r5"]);
    assert_eq!(ids(&page.after(id("r5"))), ["r3"]);
    let record = block_on(store.get(&id("r6"))).unwrap();
    assert_eq!(record.head.parent.map(|parent| parent.run.clone()), Some(id("r3")));
}

pub fn a_list_is_filtered_by_what_runs_wait_for(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    let mut asks = Wait::of(WaitReason::Question);
    // What a question says is not what the run waits for.
    asks.question = Some(r#"is "reason":"approval" right?"#.to_owned());
    create_waiting(store, "r1", 1, Some(Wait::of(WaitReason::Approval)));
    create_waiting(store, "r2", 2, Some(asks));
    create_waiting(store, "r3", 3, Some(Wait::paused()));
    create_waiting(store, "r4", 4, Some(Wait::of(WaitReason::Retry)));
    create_waiting(store, "r5", 5, Some(Wait::of(WaitReason::Approval)));
    create_waiting(store, "r6", 6, None);
    let all = RunFilter::all;
    for (filter, expected) in [
        (all(), "r6 r5 r4 r3 r2 r1"),
        (all().waiting_for(WaitReason::Approval), "r5 r1"),
        (all().waiting_for(WaitReason::Question), "r2"),
        (all().waiting_for(WaitReason::Question).waiting_for(WaitReason::Approval), "r5 r2 r1"),
        (all().waiting_for(WaitReason::Retry).waiting_for(WaitReason::Pause), "r4 r3"),
        (all().waiting_for(WaitReason::Quota), ""),
        (all().status(RunStatus::Running).waiting_for(WaitReason::Retry), "r4"),
        (all().status(RunStatus::Paused).waiting_for(WaitReason::Retry), ""),
    ] {
        assert_eq!(list(store, &filter), expected, "{filter:?}");
    }
    let mut page = all().waiting_for(WaitReason::Approval).limit(1);
    let first = block_on(store.list(&page)).unwrap();
    assert_eq!(first.len(), 1);
    page = page.after(first[0].run_id.clone());
    assert_eq!(block_on(store.list(&page)).unwrap()[0].run_id, id("r1"));
}

pub fn a_list_is_filtered_by_a_text_in_ids_and_labels(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    for (age, name, labels) in [
        (1, "release-1", &[("owner", "Ann"), ("ticket", "OPS-7")][..]),
        (2, "nightly", &[("owner", "Bob \"the builder\"")]),
        (3, "Release-2", &[("team", "größe"), ("path", r"C:\temp\new")]),
        (4, "other", &[]),
    ] {
        let lease = block_on(store.create(labelled(name, age, labels))).unwrap();
        block_on(store.release(lease)).unwrap();
    }
    let lease = block_on(store.create(run_of("deploy", "last", 5))).unwrap();
    block_on(store.release(lease)).unwrap();
    let everything = "last other Release-2 nightly release-1";
    for (text, expected) in [
        ("", everything),
        ("RELEASE", "Release-2 release-1"),
        ("release-1", "release-1"),
        ("feature", "other Release-2 nightly release-1"),
        ("PLOY", "last"),
        ("ann", "release-1"),
        ("ops-7", "release-1"),
        ("\"The", "nightly"),
        ("\"", "nightly"),
        ("größe", "Release-2"),
        ("GRÖSSE", ""),
        ("GRÖße", ""),
        (r"\TEMP\n", "Release-2"),
        ("\n", ""),
        // Neither names of labels nor other fields are searched.
        ("owner", ""),
        ("pending", ""),
        ("createdAt", ""),
        ("labels", ""),
        ("1970", ""),
    ] {
        assert_eq!(list(store, &RunFilter::all().text(text)), expected, "{text}");
    }
    let both = RunFilter::all().text("release").label("owner", "Ann").status(RunStatus::Pending);
    assert_eq!(list(store, &both), "release-1");
    assert_eq!(list(store, &both.workflow("deploy".parse().unwrap())), "");
}

pub fn a_list_is_filtered_by_when_runs_ended(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    create_ended(store, "r1", 1, 20, RunStatus::Completed);
    create_ended(store, "r2", 2, 30, RunStatus::Failed);
    create_ended(store, "r3", 3, 10, RunStatus::Cancelled);
    create_waiting(store, "r4", 4, None);
    let all = RunFilter::all;
    for (filter, expected) in [
        (all().ended_from(at(0)), "r3 r2 r1"),
        (all().ended_from(at(20)), "r2 r1"),
        (all().ended_before(at(20)), "r3"),
        (all().ended_before(at(21)).ended_from(at(11)), "r1"),
        (all().ended_before(at(99)).status(RunStatus::Failed), "r2"),
        (all().ended_before(at(99)).status(RunStatus::Running), ""),
        (all().ended_from(at(10)).created_before(at(3)).text("R"), "r2 r1"),
    ] {
        assert_eq!(list(store, &filter), expected, "{filter:?}");
    }
}

pub fn runs_are_counted_as_they_are_listed(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    assert_eq!(block_on(store.count(&RunFilter::all())).unwrap(), 0);
    for number in 0..12_u64 {
        let (name, created) = (format!("r{number}"), number);
        match number % 3 {
            0 => create_ended(store, &name, created, 50, RunStatus::Failed),
            1 => create_waiting(store, &name, created, Some(Wait::of(WaitReason::Question))),
            _ => {
                let lease = block_on(store.create(labelled(&name, created, &[("owner", "ann")]))).unwrap();
                block_on(store.release(lease)).unwrap();
            }
        }
    }
    let all = RunFilter::all;
    for (filter, expected) in [
        (all(), 12),
        (RunFilter::unfinished(), 8),
        (all().status(RunStatus::Failed).status(RunStatus::Failed), 4),
        (all().created_from(at(3)).created_before(at(6)), 3),
        (all().workflow("feature".parse().unwrap()), 12),
        (all().workflow("deploy".parse().unwrap()), 0),
        (all().workflow("feature".parse().unwrap()).status(RunStatus::Paused), 4),
        (all().label("owner", "ann"), 4),
        (all().label("owner", "ann").status(RunStatus::Failed), 0),
        (all().waiting_for(WaitReason::Question), 4),
        (all().waiting_for(WaitReason::Question).statuses([RunStatus::Paused, RunStatus::Paused]), 4),
        (all().text("R1"), 3),
        (all().ended_before(at(51)), 4),
    ] {
        assert_eq!(block_on(store.count(&filter)).unwrap(), expected, "{filter:?}");
        // Where a page begins and how long it is does not matter, nor whether the run before it exists.
        let page = filter.after(id("gone")).limit(1);
        assert_eq!(block_on(store.count(&page)).unwrap(), expected, "{page:?}");
    }
}
