//! Everything that outlasts a host, with every external event and every fault of a host, at every append, in
//! every store.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};
use workflow_core::status::RunStatus;
use workflow_core::store::MemoryStore;
use workflow_tests::faulty::Fault;
use workflow_tests::play::{Case, Medium, Played};

use crate::is_all;
use crate::media::{self, Files, Postgres, Sqlite};
use crate::waits::{self, Wait};

/// The external events, and whether they end the run.
const OUTSIDE: [(&str, bool); 5] = [
    ("", false),
    ("at 5 pause|at 500 resume", false),
    ("at 15 pause|at 20 resume", false),
    ("at 15 cancel", true),
    ("at 25 kill", true),
];

/// A fault of the first host.
#[derive(Debug, Clone, Copy)]
enum Trouble {
    Fault(Fault),
    /// It is presumed dead, and another one continues, while it is about to append.
    TakenOver,
}

const TROUBLES: [Trouble; 5] = [
    Trouble::Fault(Fault::DieBefore),
    Trouble::Fault(Fault::DieAfter),
    Trouble::Fault(Fault::Lose),
    Trouble::Fault(Fault::LoseAnswer),
    Trouble::TakenOver,
];

/// A run with an external event, and its expected end.
struct Expected<'w> {
    wait: &'w Wait,
    name: String,
    case: Case,
    cancelled: bool,
    /// The result without faults.
    undisturbed: Played,
    outcome: Value,
}

impl<'w> Expected<'w> {
    fn new(wait: &'w Wait, (outside, cancelled): (&str, bool)) -> Self {
        let (name, case) = (format!("{} × {outside}", wait.name), wait.case(outside));
        let undisturbed = case.play(0, |_, _| Fault::None);
        // As without the external event.
        let outcome = if cancelled {
            json!({ "status": RunStatus::Cancelled })
        } else {
            wait.case("").play(0, |_, _| Fault::None).outcome()
        };
        Self { wait, name, case, cancelled, undisturbed, outcome }
    }

    fn play<M: Medium + Send + Sync + 'static>(&self, medium: &Arc<M>, trouble: Trouble, at: u64) -> Played {
        let other = Arc::clone(medium);
        let script = move |host, append| match trouble {
            _ if (host, append) != (1, at) => Fault::None,
            Trouble::Fault(fault) => fault,
            Trouble::TakenOver => {
                drop(other.open());
                Fault::None
            }
        };
        // Longer than a run that waits for its quota takes.
        let patience = matches!(trouble, Trouble::TakenOver).then_some(200_000);
        let played = self.case.play_in(&**medium, 0, script, patience);
        assert_eq!(played.outcome(), self.outcome, "{}, {trouble:?} at append {at}", self.name);
        played
    }
}

fn each(check: impl Fn(&Expected<'_>)) {
    for wait in waits::all() {
        for outside in OUTSIDE {
            check(&Expected::new(&wait, outside));
        }
    }
}

#[test]
fn every_run_that_waits_ends_as_what_comes_from_outside_calls_for() {
    each(|expected| {
        let (Expected { wait, name, undisturbed, .. }, view) = (expected, &expected.undisturbed.view);
        let class = view.error.as_ref().map(|error| error.class);
        if expected.cancelled {
            assert_eq!(view.status, RunStatus::Cancelled, "{name}");
            return;
        }
        assert_eq!((view.status, class), (wait.status, wait.class), "{name}");
        assert_eq!(undisturbed.outcome(), expected.outcome, "{name}");
        let calls = undisturbed.calls.iter().filter(|call| call.provider == "ann").count();
        assert_eq!(calls, wait.calls, "{name}");
    });
}

#[test]
fn every_run_that_waits_does_so_whatever_happens_to_its_host_at_any_append() {
    for wait in waits::all() {
        let mut shown = BTreeSet::new();
        for outside in OUTSIDE {
            let expected = Expected::new(&wait, outside);
            for trouble in TROUBLES {
                for at in 1..=expected.undisturbed.appends {
                    let played = expected.play(&Arc::new(MemoryStore::new()), trouble, at);
                    shown.extend(played.events.iter().map(|event| event.body.kind()));
                }
            }
        }
        let missing: Vec<_> = wait.shows.iter().filter(|kind| !shown.contains(*kind)).collect();
        assert!(missing.is_empty(), "{}: no log has {missing:?}", wait.name);
    }
}

/// One of this many combinations is played in each of the durable stores; with `MATRIX=all` all of them are.
const PARTS: u64 = 7;

/// Applies some of the faults to runs at one append; with `MATRIX=all` all of them at every append. The
/// selection is not random: `part` is that of the store.
fn in_store<M: Medium + Send + Sync + 'static>(medium: M, part: u64, troubles: &[Trouble]) {
    let (medium, mut number) = (Arc::new(medium), part);
    for wait in waits::all() {
        for outside in OUTSIDE {
            let mut expected = None;
            for trouble in troubles {
                number += 1;
                if number % PARTS != 0 && !is_all() {
                    continue;
                }
                let expected = expected.get_or_insert_with(|| Expected::new(&wait, outside));
                let appends = expected.undisturbed.appends;
                let one = number / PARTS % appends + 1;
                for at in (1..=appends).filter(|at| is_all() || *at == one) {
                    expected.play(&medium, *trouble, at);
                    media::clear(&*medium);
                }
            }
        }
    }
}

#[test]
fn every_run_that_waits_does_so_in_files() {
    // A living holder is never presumed dead.
    in_store(Files::new(), 0, &TROUBLES[..4]);
}

#[test]
fn every_run_that_waits_does_so_in_sqlite() {
    in_store(Sqlite::new(), 2, &TROUBLES[..4]);
}

#[test]
fn every_run_that_waits_does_so_in_postgresql() {
    in_store(Postgres::new(), 5, &TROUBLES);
}
