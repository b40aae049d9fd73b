//! The tables, the options and the errors.

use std::sync::Barrier;

use futures::executor::block_on;
use workflow_core::output::OutputKind;
use workflow_core::status::RunStatus;
use workflow_core::store::{LabelLimit, RunFilter, RunStore, StoreError};

use super::*;
use crate::fixture::*;

#[test]
fn several_make_the_schema_at_once() {
    let place = Place::new();
    let start = Barrier::new(6);
    std::thread::scope(|scope| {
        for number in 0..6 {
            let (place, start) = (&place, &start);
            scope.spawn(move || {
                start.wait();
                create(&place.open(), &format!("r{number}"));
            });
        }
    });
    assert_eq!(place.query("SELECT number FROM @.version ORDER BY number"), ["1", "2", "3", "4"]);
    assert_eq!(place.query("SELECT number FROM @.addition ORDER BY number"), ["5", "6"]);
    assert_eq!(place.query("SELECT count(*) FROM @.run"), ["6"]);
}

#[test]
fn the_schema_can_be_made_by_hand() {
    let place = Place::new();
    place.run(&place.options().migration_sql());
    create(&place.open(), "r1");
    assert_eq!(place.query("SELECT number FROM @.version ORDER BY number"), ["1", "2", "3", "4"]);
    assert_eq!(place.query("SELECT number FROM @.addition ORDER BY number"), ["5", "6"]);
}

#[test]
fn a_schema_of_a_later_release_is_refused_and_left_as_it_is() {
    let place = Place::new();
    drop(place.open());
    place.run("INSERT INTO @.version (number) VALUES (7)");
    let error = place.options().open().unwrap_err();
    let StoreError::Corrupt { place: told, message } = error else { panic!("{error}") };
    assert!(told.contains(&place.schema), "{told}");
    assert!(message.contains("version 7") && message.contains("supports up to 6"), "{message}");
    assert_eq!(place.query("SELECT max(number) FROM @.version"), ["7"]);
}

#[test]
fn a_schema_to_which_a_later_release_added_something_is_used_as_it_is() {
    let place = Place::new();
    drop(place.open());
    place.run("INSERT INTO @.addition (number) VALUES (9); ALTER TABLE @.run ADD COLUMN later text");
    create(&place.open(), "r1");
    assert_eq!(place.query("SELECT max(number) FROM @.addition"), ["9"]);
}

#[test]
fn an_index_for_a_limit_that_was_broken_off_is_built_again() {
    let place = Place::new();
    let index = |place: &Place| {
        place.query(
            "SELECT i.indisvalid::text FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid \
             WHERE c.relname LIKE 'run_label_%' AND i.indrelid = '@.run'::regclass",
        )
    };
    let claim = |store: &PostgresStore| {
        let limit = LabelLimit::new("tenant", 2).unwrap();
        block_on(store.claim_within(1, Timestamp::now(), &limit)).unwrap();
    };
    claim(&place.open());
    assert_eq!(index(&place), ["true"]);
    place.query(
        "UPDATE pg_index SET indisvalid = false FROM pg_class c \
         WHERE c.oid = indexrelid AND c.relname LIKE 'run_label_%' AND indrelid = '@.run'::regclass",
    );
    assert_eq!(index(&place), ["false"]);
    claim(&place.open());
    assert_eq!(index(&place), ["true"]);
}

#[test]
fn an_append_touches_no_index_of_the_run() {
    let place = Place::new();
    let store = place.open();
    let lease = create(&store, "r1");
    for last in 1..200 {
        append(&store, &lease, last, &[succeeded(last + 1)]).unwrap();
    }
    // The statistics are reported when the connection ends.
    drop(store);
    let plans = place.query(
        "SELECT n_tup_upd - n_tup_hot_upd < n_tup_upd * 0.05 FROM pg_stat_user_tables \
         WHERE relid = '@.run'::regclass AND n_tup_upd > 150",
    );
    assert_eq!(plans, ["t"]);
}

#[test]
fn appends_that_wait_together_have_an_outcome_each() {
    const RUNS: usize = 40;
    let place = Place::new();
    let store = place.open();
    let leases: Vec<_> = (0..RUNS).map(|number| create(&store, &format!("r{number}"))).collect();
    let other = place.open();
    block_on(store.release(leases[5].clone())).unwrap();
    let _taken = block_on(other.claim(&leases[5].run)).unwrap();
    for round in 1..=5_u64 {
        // Started together, so that they wait for the first ones together.
        let appends = leases.iter().enumerate().map(|(number, lease)| {
            let wrong = number % 10 == 3;
            let expected = if wrong { round + 7 } else { round };
            let store = &store;
            async move {
                let head = head(RunStatus::Running);
                let events = [output_of(expected + 1, &format!("{number} {round}").into())].into();
                store.append(lease, expected, &events, Some(&head)).await
            }
        });
        let outcomes = block_on(futures::future::join_all(appends));
        for (number, outcome) in outcomes.into_iter().enumerate() {
            match number {
                5 => assert!(matches!(outcome, Err(StoreError::Fenced(_))), "{number}: {outcome:?}"),
                _ if number % 10 == 3 => {
                    let Err(StoreError::Conflict { expected, actual, .. }) = outcome else {
                        panic!("{number}: {outcome:?}")
                    };
                    assert_eq!((expected, actual), (round + 7, 1));
                }
                _ => assert_eq!(outcome.unwrap(), [], "{number}"),
            }
        }
    }
    for (number, lease) in leases.iter().enumerate() {
        let refused = number == 5 || number % 10 == 3;
        let read = events(&store, &lease.run);
        let rounds = (1..=5).filter(|_| !refused);
        let expected: Vec<_> =
            rounds.map(|round: u64| output_of(round + 1, &format!("{number} {round}").into())).collect();
        assert_eq!(read[1..], expected);
        let status = block_on(store.get(&lease.run)).unwrap().head.status;
        assert_eq!(status, if refused { RunStatus::Pending } else { RunStatus::Running });
    }
    let statements = place.query("SELECT count(DISTINCT xmin::text) FROM @.event WHERE seq > 1");
    let statements: usize = statements[0].parse().unwrap();
    assert!(statements < 5 * (RUNS - 5), "{statements} statements stored what waited together");
}

#[test]
fn output_is_bounded_and_tells_what_was_dropped() {
    let place = Place::new();
    let store = place.options().output_limit(8_000).open().unwrap();
    let lease = create(&store, "r1");
    let mut dropped = entry(3, "40");
    dropped.kind = OutputKind::Dropped;
    block_on(store.append_output(&lease, &[entry(1, "x"), dropped])).unwrap();
    for number in 2..=300 {
        let pair = [entry(2 * number, &"x".repeat(100)), entry(2 * number + 1, "y")];
        block_on(store.append_output(&lease, &pair)).unwrap();
    }
    let kept = block_on(store.output(&lease.run, 0, usize::MAX)).unwrap();
    assert!((10..60).contains(&kept.len()), "{}", kept.len());
    assert_eq!(kept[0].kind, OutputKind::Dropped);
    // All before it, and those that were dropped before they reached the store.
    let gone = 1 + 40 + (kept[0].number - 3);
    assert_eq!(kept[0].text, gone.to_string());
    assert_eq!(kept[1].number, kept[0].number + 1);
    assert_eq!(kept.last().unwrap().number, 601);
    assert_eq!(block_on(store.last_output(&lease.run)).unwrap(), 601);
    let bytes: Vec<usize> =
        place.query("SELECT sum(length(body)) FROM @.chunk").iter().map(|sum| sum.parse().unwrap()).collect();
    assert!(bytes[0] <= 8_000, "{bytes:?}");
    // One append that exceeds the limit is kept.
    block_on(store.append_output(&lease, &[entry(602, &"z".repeat(9_000))])).unwrap();
    let kept = block_on(store.output(&lease.run, 0, usize::MAX)).unwrap();
    assert_eq!(kept.iter().map(|e| e.number).collect::<Vec<_>>(), [601, 602]);
    assert_eq!(block_on(store.output(&lease.run, 601, 9)).unwrap().len(), 1);
}

#[test]
fn a_password_is_never_shown() {
    let place = Place::new();
    let secret = "s3cr?t&word";
    let urls = [
        format!("{} password=s3cr?t&word", place.url.replace("dbname=postgres", "dbname=missing")),
        "postgres://me:s3cr%3Ft%26word@127.0.0.1:1/x".to_owned(),
        format!("postgres://me:{secret}@127.0.0.1:1/x"),
        "postgres://me:s3cr@t&word@127.0.0.1:1/x".to_owned(),
        format!("postgres://me:{secret}"),
        format!("host=127.0.0.1 password={secret} port=nonsense"),
    ];
    for url in urls {
        let options = PostgresOptions::new(&url).time_limit(Duration::from_secs(5));
        let shown = format!("{options:?}");
        let error = options.clone().open().unwrap_err();
        let listening = place.options().listen_url("nonsense s3cr?t&word").open().unwrap_err();
        for text in [shown, error.to_string(), format!("{error:?}"), listening.to_string()] {
            assert!(!text.contains("s3cr") && !text.contains("t&word"), "{text}");
        }
        assert!(matches!(error, StoreError::Io { .. }), "{error}");
    }
    let store = place.options().schema(&place.schema).open().unwrap();
    assert!(format!("{store:?}").contains(&place.schema));
}

#[test]
fn options_that_make_no_sense_are_refused() {
    let place = Place::new();
    for schema in ["", "Upper", "a b", "x\"; DROP TABLE run", "1st", &"x".repeat(41)] {
        let error = place.options().schema(schema).open().unwrap_err();
        assert!(error.to_string().contains("a schema has"), "{schema}: {error}");
    }
}

#[test]
fn a_page_is_full_however_many_runs_are_damaged_or_have_other_labels() {
    let place = Place::new();
    let store = place.open();
    for (name, age) in [("r1", 1), ("r2", 2), ("r3", 3)] {
        block_on(store.create(labelled(name, age, &[("owner", "ann")]))).unwrap();
    }
    // More than a page of newer runs: some are damaged, the others contain the label's text elsewhere.
    place.run(
        r#"INSERT INTO @.run (run_id, workflow, status, created, head, last_event, epoch)
        SELECT 'n' || n, workflow, status, created + n,
            CASE WHEN n % 2 = 0 THEN '{"labels":{"owner":"ann"}'
            ELSE replace(head, '"labels":{', '"labels":{"x":"y"},"error":{"class":"stage","message":"","details":{') || '}' END,
            last_event, epoch
        FROM @.run, generate_series(1, 150) n WHERE run_id = 'r3'"#,
    );
    let names = |filter: &RunFilter| {
        let list = block_on(store.list(filter)).unwrap();
        list.iter().map(|record| record.run_id.to_string()).collect::<Vec<_>>().join(" ")
    };
    let of_ann = RunFilter::all().label("owner", "ann");
    assert_eq!(names(&of_ann), "r3 r2 r1");
    assert_eq!(names(&of_ann.clone().limit(2)), "r3 r2");
    assert_eq!(names(&of_ann.clone().limit(1).after(id("n149"))), "r3");
    assert_eq!(names(&of_ann.clone().limit(1).after(id("r3"))), "r2");
    assert_eq!(names(&of_ann.label("x", "y")), "");
    assert_eq!(names(&RunFilter::all().label("x", "y").limit(2)), "n149 n147");
    // Also without labels a damaged run does not count towards the limit.
    assert_eq!(names(&RunFilter::all().limit(3)), "n149 n147 n145");
    assert_eq!(block_on(store.list(&RunFilter::all())).unwrap().len(), 75 + 3);
}

#[test]
fn damaged_rows_are_refused_with_their_place() {
    let place = Place::new();
    let store = place.open();
    let lease = create(&store, "r1");
    append(&store, &lease, 1, &[started(2), succeeded(3)]).unwrap();
    place.run("UPDATE @.event SET body = 'nonsense' WHERE seq = 3");
    assert_eq!(numbers(&block_on(store.events(&lease.run, 0, 2)).unwrap()), [1, 2]);
    let error = block_on(store.events(&lease.run, 0, 9)).unwrap_err();
    assert!(matches!(&error, StoreError::Corrupt { place, .. } if place == "run `r1`, event 3"), "{error}");
    place.run("DELETE FROM @.event WHERE seq = 2");
    let error = block_on(store.events(&lease.run, 0, 2)).unwrap_err();
    assert!(matches!(&error, StoreError::Corrupt { place, .. } if place.ends_with("event 2")), "{error}");
    place.run("UPDATE @.bundle SET body = body || ' '");
    let error = block_on(store.bundle(&new_run("r1").head.bundle)).unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
}
