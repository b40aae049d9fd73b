//! Windows of output.

use futures::executor::block_on;
use workflow_core::output::{OutputEntry, OutputKind};
use workflow_core::store::{OutputFilter, OutputWindow, RunStore, StoreError};

use crate::store::Fixture;
use crate::store::runs::{create, entry, id};

fn window(store: &dyn RunStore, filter: &OutputFilter) -> OutputWindow {
    block_on(store.output_window(&id("r1"), filter)).unwrap()
}

fn numbers(store: &dyn RunStore, filter: &OutputFilter) -> Vec<u64> {
    window(store, filter).entries.iter().map(|entry| entry.number).collect()
}

/// Stores entries in portions, as calls that work at the same time do.
fn store_all(store: &dyn RunStore, entries: &[OutputEntry]) {
    let lease = create(store, "r1");
    for portion in entries.chunks(3) {
        block_on(store.append_output(&lease, portion)).unwrap();
    }
    let other = create(store, "r2");
    block_on(store.append_output(&other, &[entry(1, "of another run")])).unwrap();
}

pub fn a_window_has_the_output_that_its_filter_selects(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    let said = |number, path: &str, attempt, kind| OutputEntry {
        path: path.parse().unwrap(),
        attempt,
        kind,
        ..entry(number, "said")
    };
    let entries = [
        said(1, "1/plan[0]/run", 1, OutputKind::Stdout),
        said(2, "1/plan[0]/run", 1, OutputKind::Stderr),
        said(3, "1/plan[0]/run", 2, OutputKind::Stdout),
        said(4, "1/plan[1]/run", 1, OutputKind::Text),
        said(5, "1/code[0]/each", 1, OutputKind::Log),
        said(6, "1/code[0]/each[1]", 1, OutputKind::Tool),
        said(7, "1/code[0]/each[1][0]", 1, OutputKind::Thinking),
        said(8, "1/code[0]/each[12]", 1, OutputKind::TextDelta),
        said(9, "2/plan[0]/run", 1, OutputKind::Stdout),
        said(10, "2/plan-b[0]/run", 1, OutputKind::Dropped),
    ];
    store_all(store, &entries);
    let (all, stage) = (OutputFilter::all, |stage: &str| stage.parse().unwrap());
    let node = |path: &str| all().path(&path.parse().unwrap());
    for (filter, expected) in [
        (all(), &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10][..]),
        (all().kind(OutputKind::Stderr), &[2]),
        (all().kinds([OutputKind::Text, OutputKind::TextDelta, OutputKind::Dropped]), &[4, 8, 10]),
        (all().stage(stage("plan")), &[1, 2, 3, 4, 9]),
        (all().stage(stage("plan")).lane(1), &[4]),
        (all().stage(stage("plan")).iteration(2), &[9]),
        (all().iteration(2), &[9, 10]),
        (all().lane(1), &[4]),
        (all().node("each".parse().unwrap()), &[5, 6, 7, 8]),
        (all().node("each".parse().unwrap()).items([1]), &[6, 7]),
        (all().node("run".parse().unwrap()).attempt(2), &[3]),
        (node("1/plan[0]/run"), &[1, 2, 3]),
        (node("1/code[0]/each"), &[5, 6, 7, 8]),
        (node("1/code[0]/each[1]"), &[6, 7]),
        (node("1/code[0]/each[1][0]"), &[7]),
        (node("1/code[1]/each"), &[]),
        (node("1/plan[0]/run").kind(OutputKind::Stdout), &[1, 3]),
        (all().kind(OutputKind::Stdout).limit(1), &[9]),
        (all().kind(OutputKind::Stdout).after(1).limit(1), &[3]),
        (all().stage(stage("plan")).limit(2), &[4, 9]),
        (all().text("SAID").stage(stage("code")).after(5).before(8), &[6, 7]),
    ] {
        assert_eq!(numbers(store, &filter), expected, "{filter:?}");
        // Entries come back whole.
        let whole = entries.iter().filter(|entry| expected.contains(&entry.number)).cloned();
        assert_eq!(window(store, &filter).entries, whole.collect::<Vec<_>>(), "{filter:?}");
    }
    let missing = block_on(store.output_window(&id("r3"), &all())).unwrap_err();
    assert!(matches!(missing, StoreError::NotFound(_)), "{missing}");
}

pub fn a_window_is_read_from_the_end_that_its_filter_names(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    // Some numbers are left out: those of entries that were dropped.
    let entries: Vec<_> = (1..=900)
        .filter(|number| number % 50 > 3)
        .map(|number| entry(number, if number % 7 == 0 { "seventh" } else { "other" }))
        .collect();
    store_all(store, &entries);
    for (after, before) in [
        (None, None),
        (None, Some(1)),
        (None, Some(2)),
        (None, Some(500)),
        (None, Some(502)),
        (None, Some(u64::MAX)),
        (Some(0), None),
        (Some(449), None),
        (Some(499), Some(530)),
        (Some(500), Some(501)),
        (Some(600), Some(500)),
        (Some(899), None),
        (Some(900), None),
        (Some(u64::MAX), None),
    ] {
        for (text, limit) in
            [(None, 10), (None, 0), (None, usize::MAX), (Some("Seventh"), 10), (Some("7"), 10)]
        {
            let mut filter = OutputFilter::all();
            (filter.after, filter.before, filter.limit) = (after, before, Some(limit));
            filter.text = text.map(str::to_owned);
            let mut expected: Vec<_> = entries
                .iter()
                .filter(|entry| after.is_none_or(|after| entry.number > after))
                .filter(|entry| before.is_none_or(|before| entry.number < before))
                .filter(|entry| filter.matches(entry))
                .map(|entry| entry.number)
                .collect();
            if after.is_some() {
                expected.truncate(limit);
            } else {
                expected.drain(..expected.len().saturating_sub(limit));
            }
            assert_eq!(numbers(store, &filter), expected, "{filter:?}");
            assert_eq!(numbers(store, &filter.clone().counted()), expected, "{filter:?}, counted");
        }
    }
}

pub fn a_window_notes_where_the_parts_of_the_selection_end(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    let entries: Vec<_> =
        (1..=25).map(|number| entry(number, if number % 2 == 0 { "even" } else { "odd" })).collect();
    store_all(store, &entries);
    for (filter, expected) in [
        (OutputFilter::all().after(0).marks(10), &[10, 20][..]),
        (OutputFilter::all().after(24).limit(1).marks(10), &[10, 20]),
        (OutputFilter::all().limit(1).marks(10), &[16, 6]),
        (OutputFilter::all().before(3).marks(25), &[1]),
        (OutputFilter::all().text("EVEN").limit(2).marks(5), &[16, 6]),
        (OutputFilter::all().text("even").after(7).marks(5), &[10, 20]),
        (OutputFilter::all().marks(26), &[]),
        (OutputFilter::all().counted(), &[]),
    ] {
        assert_eq!(window(store, &filter).marks, expected, "{filter:?}");
    }
}

pub fn output_is_searched_without_the_case_of_ascii_letters(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    let texts = ["Error: DISK full", "größer", "GRÖSSER", "GRÖßER", "error", "eRROR [1]", "errør", "[x] {x}"];
    let entries: Vec<_> = (1..).zip(texts).map(|(number, text)| entry(number, text)).collect();
    store_all(store, &entries);
    for (text, expected) in [
        ("", &[1, 2, 3, 4, 5, 6, 7, 8][..]),
        ("error", &[1, 5, 6]),
        ("ERROR", &[1, 5, 6]),
        ("disk F", &[1]),
        ("größer", &[2]),
        ("GRößeR", &[2]),
        ("grÖßer", &[4]),
        ("ERRØR", &[]),
        ("ErrøR", &[7]),
        ("{X}", &[8]),
        ("[X", &[8]),
        ("error [1] ", &[]),
    ] {
        assert_eq!(numbers(store, &OutputFilter::all().text(text)), expected, "{text}");
        let counted = window(store, &OutputFilter::all().text(text).limit(1).counted());
        assert_eq!(counted.total, Some(expected.len() as u64), "{text}");
    }
}

pub fn output_is_searched_in_its_text_alone(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    let long = "x".repeat(20_000);
    let texts = [
        "plain",
        r#"a "quoted" word"#,
        r"back\slash and \n",
        "two\nlines\ttab",
        "\u{1b}[31mred\u{1b}[0m",
        r#"{"text":"no","kind":"stdout"}"#,
        "\u{0}\u{7f}",
        long.as_str(),
        "",
        "end",
    ];
    let entries: Vec<_> = (1..).zip(texts).map(|(number, text)| entry(number, text)).collect();
    store_all(store, &entries);
    let long_miss = format!("{long}y");
    for (text, expected) in [
        ("\"quoted\"", &[2][..]),
        ("\"", &[2, 6]),
        ("\\", &[3]),
        ("\\n", &[3]),
        ("\\N", &[3]),
        ("\n", &[4]),
        ("\t", &[4]),
        ("\u{1b}[31MRED", &[5]),
        ("\u{1b}", &[5]),
        ("u001b", &[]),
        ("\u{0}", &[7]),
        ("kind\":\"STDOUT", &[6]),
        ("stdout", &[6]),
        ("plan[0]/run", &[]),
        ("attempt", &[]),
        ("number", &[]),
        ("\"}", &[6]),
        ("\",\"", &[6]),
        ("end", &[10]),
        (long.as_str(), &[8]),
        (long_miss.as_str(), &[]),
    ] {
        let shown: String = text.chars().take(30).collect();
        assert_eq!(numbers(store, &OutputFilter::all().text(text)), expected, "{shown:?}");
        let forwards = OutputFilter::all().text(text).after(0).counted();
        assert_eq!(numbers(store, &forwards), expected, "{shown:?} forwards");
    }
}

pub fn output_is_counted_whatever_the_window_has(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    assert_eq!(create_empty(store), OutputWindow::default());
    let entries: Vec<_> = (1..=700)
        .map(|number| {
            let kind = if number % 10 == 0 { OutputKind::Stderr } else { OutputKind::Stdout };
            OutputEntry { kind, ..entry(number, &format!("line {number}")) }
        })
        .collect();
    store_all(store, &entries);
    let errors = OutputFilter::all().kind(OutputKind::Stderr);
    for (filter, total) in [(OutputFilter::all(), 700), (errors.clone(), 70), (errors.text("line 7"), 2)] {
        for filter in
            [filter.clone(), filter.clone().before(300), filter.clone().after(300), filter.clone().after(900)]
        {
            assert_eq!(window(store, &filter).total, None, "{filter:?}");
            let (page, whole) = (filter.clone().limit(5).counted(), filter.clone().counted());
            assert_eq!(window(store, &page).total, Some(total), "{page:?}");
            assert_eq!(window(store, &page).entries, window(store, &filter.limit(5)).entries);
            assert_eq!(window(store, &whole).total, Some(total), "{whole:?}");
        }
    }
}

/// The window of a run that has no output.
fn create_empty(store: &dyn RunStore) -> OutputWindow {
    let lease = create(store, "r0");
    block_on(store.release(lease)).unwrap();
    let counted = block_on(store.output_window(&id("r0"), &OutputFilter::all().counted())).unwrap();
    assert_eq!(counted.total, Some(0));
    block_on(store.output_window(&id("r0"), &OutputFilter::all())).unwrap()
}
