//! Output that is stored as lines of JSON is searched as if each line were parsed.

#![allow(clippy::unwrap_used, reason = "a test that cannot continue has failed")]

use jiff::Timestamp;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::RngSeed;
use workflow_core::output::{OutputEntry, OutputKind};
use workflow_core::store::OutputFilter;
use workflow_core::store::window::WindowScan;

/// Letters of both cases, among them the long s and the Kelvin sign, which Unicode folds to ASCII letters, and characters
/// that JSON escapes.
const CHARACTERS: &[char] =
    &['a', 'A', 'b', 'B', 'k', 'K', 's', 'ſ', '\u{212a}', 'ü', 'Ü', '"', '\\', '/', '\n', '\u{1}', ' '];

/// How an entry is stored.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Form {
    Own,
    /// JSON that this crate does not write.
    Foreign,
    Damaged,
}

fn text(most: usize) -> impl Strategy<Value = String> {
    vec(select(CHARACTERS), 0..most).prop_map(String::from_iter)
}

fn form() -> impl Strategy<Value = Form> {
    prop_oneof![7 => Just(Form::Own), 1 => Just(Form::Foreign), 1 => Just(Form::Damaged)]
}

fn entry(number: u64, text: String) -> OutputEntry {
    let path = "1/plan[0]/run".parse().unwrap();
    let (at, kind) = (Timestamp::UNIX_EPOCH, OutputKind::Stdout);
    OutputEntry { number, after_event: number / 3, at, path, attempt: 1, kind, text }
}

fn line(entry: &OutputEntry, form: Form) -> String {
    let own = serde_json::to_string(entry).unwrap();
    match form {
        Form::Own => own,
        Form::Foreign => format!(" {}", own.replace("\"text\":\"a", "\"text\":\"\\u0061")),
        Form::Damaged => own[..own.len() / 2].to_owned(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: RngSeed::Fixed(8),
        failure_persistence: None,
        ..ProptestConfig::with_cases(500)
    })]

    #[test]
    fn a_search_in_lines_finds_what_a_search_in_parsed_entries_finds(
        stored in vec((text(7), form()), 0..40),
        part in text(4),
        row in 1..12_usize,
        limit in option::of(0..5_usize),
        forwards in any::<bool>(),
    ) {
        let stored: Vec<_> = stored
            .into_iter()
            .zip(1..)
            .map(|((text, form), number)| (entry(number, text), form))
            .collect();
        let is_found = |entry: &OutputEntry| {
            entry.text.to_ascii_lowercase().contains(&part.to_ascii_lowercase())
        };
        let found: Vec<_> = stored
            .iter()
            .filter(|(entry, form)| *form != Form::Damaged && is_found(entry))
            .map(|(entry, _)| entry.clone())
            .collect();
        let kept = limit.unwrap_or(usize::MAX).min(found.len());
        let wanted = if forwards { &found[..kept] } else { &found[found.len() - kept..] };

        let mut filter = OutputFilter::all().text(&part).counted();
        (filter.limit, filter.after) = (limit, forwards.then_some(0));
        let mut scan = WindowScan::new(&filter);
        let lines: Vec<_> = stored.iter().map(|(entry, form)| line(entry, *form)).collect();
        let mut rows: Vec<_> = lines.chunks(row).map(|row| row.join("\n")).collect();
        if scan.is_backwards() {
            rows.reverse();
        }
        let mut damaged = 0;
        for row in rows {
            scan.add_lines(row.as_bytes(), |_| damaged += 1);
        }
        let window = scan.finish();
        prop_assert_eq!(window.total, Some(found.len() as u64));
        prop_assert_eq!(window.entries, wanted);
        prop_assert_eq!(damaged, stored.iter().filter(|(_, form)| *form == Form::Damaged).count());
    }
}
