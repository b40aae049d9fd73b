//! Lists of the runs with some labels.

use futures::executor::block_on;
use serde_json::json;
use workflow_core::failure::{Failure, FailureClass};
use workflow_core::status::RunStatus;
use workflow_core::store::{RunFilter, RunHead, RunStore, StoreError};

use crate::store::runs::{id, labelled, started, succeeded};
use crate::store::{Damage, Fixture};

fn list(store: &dyn RunStore, filter: &RunFilter) -> String {
    let list = block_on(store.list(filter)).unwrap();
    list.iter().map(|record| record.run_id.to_string()).collect::<Vec<_>>().join(" ")
}

/// Creates a run with labels, created `age` seconds after the fixed moment, and releases it.
fn create(store: &dyn RunStore, name: &str, age: u64, labels: &[(&str, &str)]) {
    let lease = block_on(store.create(labelled(name, age, labels))).unwrap();
    block_on(store.release(lease)).unwrap();
}

pub fn a_list_is_filtered_by_labels(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    create(store, "r1", 1, &[("owner", "ann"), ("ticket", "OPS-7")]);
    create(store, "r2", 2, &[("owner", "bob"), ("ticket", "OPS-7")]);
    create(store, "r3", 3, &[("owner", "ann")]);
    create(store, "r4", 4, &[]);
    let all = RunFilter::all;
    for (filter, expected) in [
        (all(), "r4 r3 r2 r1"),
        (all().label("owner", "ann"), "r3 r1"),
        (all().label("ticket", "OPS-7"), "r2 r1"),
        (all().label("owner", "ann").label("ticket", "OPS-7"), "r1"),
        (all().label("owner", "bob").label("ticket", "OPS-8"), ""),
        (all().label("owner", "OPS-7"), ""),
        (all().label("ticket", "ann"), ""),
        (all().label("tenant", "ann"), ""),
    ] {
        assert_eq!(list(store, &filter), expected, "{filter:?}");
    }
    let very_many = (0..70_000).fold(all().label("a", "b"), |filter, n| filter.label(format!("n{n}"), "x"));
    assert_eq!(list(store, &very_many), "");
    // They are in the record, and another head replaces them like the rest.
    let record = block_on(store.get(&id("r1"))).unwrap();
    assert_eq!(record.head, labelled("r1", 1, &[("owner", "ann"), ("ticket", "OPS-7")]).head);
    let lease = block_on(store.claim(&id("r3"))).unwrap();
    let run = labelled("r3", 3, &[("owner", "ann")]);
    let head = RunHead { status: RunStatus::Running, ..run.head.clone() };
    block_on(store.append(&lease, 1, &[started(2)].into(), Some(&head))).unwrap();
    assert_eq!(list(store, &all().status(RunStatus::Running).label("owner", "ann")), "r3");
    assert_eq!(list(store, &all().status(RunStatus::Pending).label("owner", "ann")), "r1");
    assert_eq!(list(store, &RunFilter::unfinished().label("owner", "ann")), "r3 r1");
    assert_eq!(list(store, &all().workflow(run.head.workflow_id.clone()).label("owner", "ann")), "r3 r1");
    assert_eq!(list(store, &all().workflow("other".parse().unwrap()).label("owner", "ann")), "");
    let in_time = all().created_from(run.head.created_at).label("owner", "ann");
    assert_eq!(list(store, &in_time), "r3");
}

pub fn a_page_is_filled_with_runs_of_the_labels(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    for n in 0..12_u64 {
        let owner = if n % 3 == 0 { "ann" } else { "bob" };
        create(store, &format!("r{n:02}"), n, &[("owner", owner)]);
    }
    let of_ann = |filter: RunFilter| list(store, &filter.label("owner", "ann"));
    assert_eq!(of_ann(RunFilter::all()), "r09 r06 r03 r00");
    assert_eq!(of_ann(RunFilter::all().limit(2)), "r09 r06");
    assert_eq!(of_ann(RunFilter::all().limit(2).after(id("r06"))), "r03 r00");
    assert_eq!(of_ann(RunFilter::all().limit(2).after(id("r00"))), "");
    assert_eq!(of_ann(RunFilter::all().limit(0)), "");
    assert_eq!(of_ann(RunFilter::unfinished().limit(3).after(id("r09"))), "r06 r03 r00");
    // The page can also begin after a run with other labels.
    assert_eq!(of_ann(RunFilter::all().limit(1).after(id("r05"))), "r03");
    let filter = RunFilter::all().label("owner", "ann").after(id("gone"));
    assert!(matches!(block_on(store.list(&filter)), Err(StoreError::NotFound(_))));
}

/// Texts that a query must escape.
const ODD: [&str; 22] = [
    "",
    "x",
    "X",
    "xx",
    "x ",
    " x",
    "%",
    "_",
    "*",
    "\"",
    "\\",
    "\\\"",
    "'",
    "' OR '1'='1",
    "\"; DROP TABLE run; --",
    "$.owner",
    "a.b[0]",
    "ü",
    "u\u{308}",
    "🦀",
    "line\nline\ttab\u{1b}",
    "null\0byte",
];

pub fn labels_are_compared_exactly(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    for (n, text) in (0..).zip(ODD) {
        create(store, &format!("r{n}"), n, &[("owner", text), (text, "ann")]);
    }
    for (n, text) in ODD.iter().enumerate() {
        assert_eq!(list(store, &RunFilter::all().label("owner", *text)), format!("r{n}"), "value {text:?}");
        assert_eq!(list(store, &RunFilter::all().label(*text, "ann")), format!("r{n}"), "name {text:?}");
        let both = RunFilter::all().label("owner", *text).label(*text, "ann").limit(9);
        assert_eq!(list(store, &both), format!("r{n}"), "both {text:?}");
        let record = block_on(store.get(&id(&format!("r{n}")))).unwrap();
        assert_eq!(record.head.labels["owner"], *text);
    }
    assert_eq!(block_on(store.list(&RunFilter::all())).unwrap().len(), ODD.len(), "nothing was changed");
}

pub fn a_label_is_not_mistaken_for_what_else_a_run_has(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    create(store, "r0", 0, &[("owner", "ann")]);
    for n in 1..=3 {
        let mut run = labelled(&format!("r{n}"), n, &[("workflowId", "other")]);
        // Its error contains the same text, as JSON and as text.
        let details = json!({ "owner": "ann", "labels": { "owner": "ann" } });
        let error = Failure::new(FailureClass::Stage, details.to_string()).with_details(details);
        run.head.error = Some(error.into());
        block_on(store.create(run)).unwrap();
    }
    assert_eq!(list(store, &RunFilter::all().label("owner", "ann")), "r0");
    assert_eq!(list(store, &RunFilter::all().label("owner", "ann").limit(1)), "r0");
    assert_eq!(list(store, &RunFilter::all().label("workflowId", "feature")), "");
    assert_eq!(list(store, &RunFilter::all().label("workflowId", "other").limit(2)), "r3 r2");
}

pub fn a_damaged_run_hides_no_other_with_its_labels(fixture: &dyn Fixture) {
    let store = fixture.open();
    let labels = [("owner", "ann")];
    for (n, name) in (1..).zip(["r1", "r2", "r3"]) {
        let run = labelled(name, n, &labels);
        let head = RunHead { status: RunStatus::Running, ..run.head.clone() };
        let lease = block_on(store.create(run)).unwrap();
        block_on(store.append(&lease, 1, &[started(2), succeeded(3)].into(), Some(&head))).unwrap();
        block_on(store.release(lease)).unwrap();
    }
    drop(store);
    fixture.damage(&id("r2"), 3, Damage::Garbage);
    let store = &*fixture.open();
    let listed = list(store, &RunFilter::all().label("owner", "ann"));
    assert!(listed.starts_with("r3") && listed.ends_with("r1"), "{listed}");
    assert_eq!(list(store, &RunFilter::all().label("owner", "ann").after(id("r2"))), "r1");
}
