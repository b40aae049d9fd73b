//! Lists of runs.

use futures::executor::block_on;
use workflow_core::status::RunStatus;
use workflow_core::store::{RunFilter, RunStore, StoreError};

use crate::store::Fixture;
use crate::store::runs::{at, create, head, id, run_of, started};

fn list(store: &dyn RunStore, filter: &RunFilter) -> String {
    let list = block_on(store.list(filter)).unwrap();
    list.iter().map(|record| record.run_id.to_string()).collect::<Vec<_>>().join(" ")
}

fn page(store: &dyn RunStore, after: Option<&str>, limit: Option<usize>) -> String {
    let mut filter = RunFilter::all();
    filter.after = after.map(id);
    filter.limit = limit;
    list(store, &filter)
}

pub fn runs_are_listed_newest_first_in_pages(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    for (name, age) in [("b", 2), ("a", 2), ("z", 1), ("m", 3), ("B", 2)] {
        block_on(store.create(run_of("feature", name, age))).unwrap();
    }
    assert_eq!(page(store, None, None), "m b a B z");
    assert_eq!(page(store, None, Some(3)), "m b a");
    assert_eq!(page(store, Some("a"), Some(3)), "B z");
    assert_eq!(page(store, Some("m"), Some(1)), "b");
    assert_eq!(page(store, Some("z"), None), "");
    assert_eq!(page(store, None, Some(0)), "");
    let mut filter = RunFilter::all();
    filter.after = Some(id("gone"));
    assert!(matches!(block_on(store.list(&filter)), Err(StoreError::NotFound(_))));
}

pub fn pages_are_stable_while_runs_are_added(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    for (name, age) in [("r1", 10), ("r2", 20), ("r3", 30), ("r4", 40), ("r5", 50)] {
        block_on(store.create(run_of("feature", name, age))).unwrap();
    }
    assert_eq!(page(store, None, Some(2)), "r5 r4");
    for (name, age) in [("new", 60), ("newer", 70)] {
        block_on(store.create(run_of("feature", name, age))).unwrap();
    }
    assert_eq!(page(store, Some("r4"), Some(2)), "r3 r2");
    // A run that is created after the cursor is listed, one created before it is not.
    block_on(store.create(run_of("feature", "late", 15))).unwrap();
    block_on(store.create(run_of("feature", "twin", 20))).unwrap();
    assert_eq!(page(store, Some("r2"), Some(9)), "late r1");
}

pub fn a_list_is_filtered(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    for (name, workflow, status) in [
        ("r1", "feature", RunStatus::Running),
        ("r2", "other", RunStatus::Paused),
        ("r3", "other", RunStatus::Completed),
        ("r4", "feature", RunStatus::Pending),
    ] {
        let run = run_of(workflow, name, 1);
        let mut head = head(status);
        (head.workflow_id, head.bundle) = (run.head.workflow_id.clone(), run.head.bundle.clone());
        let lease = block_on(store.create(run)).unwrap();
        block_on(store.append(&lease, 1, &[started(2)].into(), Some(&head))).unwrap();
    }
    assert_eq!(list(store, &RunFilter::unfinished()), "r4 r2 r1");
    let mut filter = RunFilter::all();
    filter.workflow = Some(run_of("other", "r", 1).head.workflow_id);
    assert_eq!(list(store, &filter), "r3 r2");
    filter.statuses = vec![RunStatus::Completed];
    assert_eq!(list(store, &filter), "r3");
    filter.statuses = vec![RunStatus::Failed, RunStatus::Cancelled];
    assert_eq!(list(store, &filter), "");
    // The page can also begin after a run that the filter does not select.
    let mut filter = RunFilter::unfinished();
    filter.after = Some(id("r3"));
    filter.limit = Some(1);
    assert_eq!(list(store, &filter), "r2");
}

pub fn a_list_is_bounded_in_time(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    for (name, age) in [("r1", 10), ("r2", 20), ("r3", 30), ("r4", 40)] {
        block_on(store.create(run_of("feature", name, age))).unwrap();
    }
    let created = |from: Option<u64>, before: Option<u64>, after: Option<&str>| {
        let mut filter = RunFilter::all();
        (filter.created_from, filter.created_before) = (from.map(at), before.map(at));
        filter.after = after.map(id);
        list(store, &filter)
    };
    assert_eq!(created(Some(20), None, None), "r4 r3 r2");
    assert_eq!(created(None, Some(30), None), "r2 r1");
    assert_eq!(created(Some(20), Some(40), None), "r3 r2");
    assert_eq!(created(Some(20), Some(20), None), "");
    assert_eq!(created(Some(11), Some(39), Some("r4")), "r3 r2");
    assert_eq!(created(Some(11), None, Some("r3")), "r2");
}

pub fn a_list_tells_who_holds_a_run(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    create(store, "r2");
    let lease = create(store, "r1");
    block_on(store.release(lease)).unwrap();
    let list = block_on(store.list(&RunFilter::all())).unwrap();
    let held: Vec<_> = list.iter().map(|record| record.holder.is_some()).collect();
    assert_eq!(held, [true, false]);
    for record in list {
        assert_eq!(block_on(store.get(&record.run_id)).unwrap(), record);
    }
}
