//! The engine's results equal those of the reference interpreter, for thousands of random workflows.
//!
//! A case follows from its seed alone. When one disagrees, its seed is printed with the smallest workflow
//! that still does, and
//!
//! ```text
//! REFERENCE_SEEDS=1234 cargo test -p workflow-tests --test reference
//! ```
//!
//! plays it again; `REFERENCE_SEEDS=50000..150000` plays others, or more of them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot continue has failed")]

use std::fmt::Write as _;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use workflow_core::failure::FailureClass;
use workflow_tests::reference::case::Case;
use workflow_tests::reference::generate::generate;
use workflow_tests::reference::interpret::interpret;
use workflow_tests::reference::play::play;
use workflow_tests::reference::shrink::shrink;
use workflow_tests::rules::{self, Reading};

/// The default seeds.
const SEEDS: Range<u64> = 0..10_000;
/// The maximum number of smaller cases to try.
const TRIES: usize = 2_000;
/// How many tests share them.
const SHARES: u64 = 16;

fn seeds() -> Range<u64> {
    let Ok(asked) = std::env::var("REFERENCE_SEEDS") else { return SEEDS };
    let number = |text: &str| text.trim().parse::<u64>().unwrap();
    match asked.split_once("..") {
        Some((from, to)) => number(from)..number(to),
        None => number(&asked)..number(&asked) + 1,
    }
}

/// The result of a case.
enum Compared {
    Agrees,
    /// Its outcome is not defined.
    Open,
    /// They differ in this, with both values.
    Disagrees(String, String),
}

fn compare(case: &Case) -> Compared {
    let plan = case.plan().unwrap_or_else(|problems| panic!("{problems}\n{case}"));
    let played = match catch_unwind(AssertUnwindSafe(|| play(case, &plan))) {
        Ok(played) => played,
        Err(panic) => {
            let message = panic.downcast_ref::<String>().cloned();
            let message = message.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            return Compared::Disagrees("the engine panics".to_owned(), message.unwrap_or_default());
        }
    };
    let reading = Reading { clocks: true, expressions: false, current: true };
    if let Err(broken) = rules::keeps(&case.bundle, &played.events, reading) {
        return Compared::Disagrees("the log breaks a rule".to_owned(), broken);
    }
    let Ok(expected) = interpret(case, &|iteration, stage| played.winner(iteration, stage)) else {
        return Compared::Open;
    };
    // Whether two failures are equal depends on their messages, which the reference does not know.
    if played.view.error.as_ref().is_some_and(|error| error.class == FailureClass::Repeated) {
        return Compared::Open;
    }
    match expected.difference(&played) {
        None => Compared::Agrees,
        Some(difference) => {
            let both = format!(
                "the reference says\n{:#}\n{:#?}\nthe engine returns\n{:#}",
                expected.run,
                expected.calls,
                played.outcome()
            );
            Compared::Disagrees(difference, both)
        }
    }
}

fn disagrees(case: &Case) -> bool {
    case.is_sound() && matches!(compare(case), Compared::Disagrees(..))
}

/// Plays a share of the seeds; most of them must have a defined outcome.
fn agree(share: u64) {
    let (mut played, mut open) = (0, 0);
    for seed in seeds().filter(|seed| seed % SHARES == share) {
        let case = generate(seed);
        match compare(&case) {
            Compared::Agrees => {}
            Compared::Open => open += 1,
            Compared::Disagrees(difference, _) => fail(seed, &case, &difference),
        }
        played += 1;
    }
    assert!(open <= 1 + played / 10, "{open} of {played} cases have no outcome to compare");
}

fn fail(seed: u64, case: &Case, difference: &str) -> ! {
    // The panics of smaller cases are hidden; the last one is reported below.
    std::panic::set_hook(Box::new(|_| {}));
    let smallest = shrink(case, TRIES, |case| Some(case).filter(disagrees));
    drop(std::panic::take_hook());
    let Compared::Disagrees(still, both) = compare(&smallest) else { unreachable!("it fails") };
    panic!(
        "seed {seed}: {difference}\n\nThe smallest case found: {still}\n\n{smallest}\n{both}\n\n\
         REFERENCE_SEEDS={seed} cargo test -p workflow-tests --test reference plays it again"
    );
}

/// The comparison covers the interesting outcomes.
#[test]
fn the_cases_reach_every_kind_of_outcome() {
    let mut reached = String::new();
    for seed in 0..2_000 {
        if let Ok(outcome) = interpret(&generate(seed), &|_, _| None) {
            writeln!(reached, "{}\n{:?}", outcome.run, outcome.calls).unwrap();
        }
    }
    for what in [
        r#"{"status":"completed","iteration":4"#,
        r#"{"status":"failed","iteration":1,"error":"transient""#,
        r#""error":"permanent""#,
        r#""error":"invalid_output""#,
        r#""error":"rate_limited""#,
        r#""error":"expression""#,
        r#""error":"stage""#,
        r#""error":"loop_exhausted""#,
        r#""error":"(open)""#,
        r#""status":"skipped""#,
        r#""attempts":4"#,
        r#""w_s1_b""#,
        r#""error":"rejected""#,
        r#""status":"failed","iteration":1,"error":"budget""#,
        r#""provider":null,"status":"failed","output":null,"error":"budget""#,
        r#""error":"budget","attempts":0"#,
        r#""error":"budget","attempts":1"#,
        r#""output":"a person at"#,
        "longer than",
        "[0][1]\"",
    ] {
        assert!(reached.contains(what), "no case reaches {what}");
    }
}

/// Each of these found a fault, in the engine or in the reference.
#[test]
fn engine_and_reference_agree_on_cases_that_found_faults() {
    let seeds = [
        245,     // the last call of a stage was stopped because it used the budget up
        141_696, // the same, in the graph of an item that may fail
        210_211, // a node reads why an item failed, and which of its nodes failed depends on time
        741_296, // a host dies between the failure of a node and that of its item, and then the lane fails
        981_128, // as 210211, with a condition
    ];
    for seed in seeds {
        let case = generate(seed);
        if let Compared::Disagrees(difference, _) = compare(&case) {
            fail(seed, &case, &difference);
        }
    }
}

macro_rules! shares {
    ($($name:ident $share:literal)*) => {
        /// A test for each share, so that they run in parallel.
        mod engine_and_reference_agree {
            $(
                #[test]
                fn $name() {
                    super::agree($share);
                }
            )*

            #[test]
            fn all_shares_are_played() {
                assert_eq!([$($share),*], *(0..super::SHARES).collect::<Vec<_>>());
            }
        }
    };
}

shares! {
    share_0 0
    share_1 1
    share_2 2
    share_3 3
    share_4 4
    share_5 5
    share_6 6
    share_7 7
    share_8 8
    share_9 9
    share_10 10
    share_11 11
    share_12 12
    share_13 13
    share_14 14
    share_15 15
}
