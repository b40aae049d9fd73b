//! Sinks, with and without defects.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use workflow_core::event::Event;
use workflow_core::ids::RunId;
use workflow_core::output::OutputEntry;
use workflow_core::sink::EventSink;
use workflow_testkit::sink::{Consumer, Fixture, Seen, cases};
use workflow_testkit::store::runs::{entry, id, succeeded};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Defect {
    None,
    SortsEventsFirst,
    TellsOfNothing,
    Blocks,
    KeepsAll,
    CountsOnlyEvents,
    TellsAtTheStart,
    Shuffles,
}

const FOUND: &[(Defect, &str)] = &[
    (Defect::SortsEventsFirst, "what_comes_is_handed_on_in_order"),
    (Defect::TellsOfNothing, "nothing_is_handed_on_of_nothing"),
    (Defect::Blocks, "a_slow_consumer_delays_no_run"),
    (Defect::KeepsAll, "a_slow_consumer_delays_no_run"),
    (Defect::CountsOnlyEvents, "a_slow_consumer_is_told_what_it_missed_where_it_is_missing"),
    (Defect::TellsAtTheStart, "a_slow_consumer_is_told_what_it_missed_where_it_is_missing"),
    (Defect::Shuffles, "runs_of_many_threads_keep_their_order"),
];

struct Made(Defect);

#[derive(Clone)]
struct Sink {
    defect: Defect,
    room: usize,
    list: Arc<Mutex<Vec<Seen>>>,
}

impl Sink {
    fn add(&self, seen: Seen) {
        let mut list = self.list.lock().unwrap();
        let kept = list.iter().filter(|seen| !matches!(seen, Seen::Missed { .. })).count();
        if kept < self.room || self.defect == Defect::KeepsAll {
            list.push(seen);
            return;
        }
        if self.defect == Defect::Blocks {
            drop(list);
            loop {
                std::thread::park();
            }
        }
        let (event, entry) = match seen {
            Seen::Output(..) if self.defect == Defect::CountsOnlyEvents => (0, 0),
            Seen::Output(..) => (0, 1),
            _ => (1, 0),
        };
        if let Some(Seen::Missed { events, output }) = list.last_mut() {
            (*events, *output) = (*events + event, *output + entry);
        } else {
            list.push(Seen::Missed { events: event, output: entry });
        }
    }
}

impl EventSink for Sink {
    fn events(&self, run: &RunId, events: &[Event]) {
        if self.defect == Defect::TellsOfNothing && events.is_empty() {
            self.add(Seen::Event(run.clone(), 0));
        }
        let mut numbers: Vec<_> = events.iter().map(|event| event.seq).collect();
        if self.defect == Defect::Shuffles {
            numbers.reverse();
        }
        for number in numbers {
            self.add(Seen::Event(run.clone(), number));
        }
    }

    fn output(&self, run: &RunId, entries: &[OutputEntry]) {
        for entry in entries {
            self.add(Seen::Output(run.clone(), entry.number));
        }
    }
}

impl Consumer for Sink {
    fn go_on(&mut self) {}

    fn rest(&mut self) -> Vec<Seen> {
        let mut list = self.list.lock().unwrap().clone();
        match self.defect {
            Defect::SortsEventsFirst => list.sort_by_key(|seen| !matches!(seen, Seen::Event(..))),
            Defect::TellsAtTheStart => list.rotate_right(1),
            _ => {}
        }
        list
    }
}

impl Fixture for Made {
    fn open(&self, capacity: usize) -> (Box<dyn EventSink>, Box<dyn Consumer>) {
        let sink = Sink { defect: self.0, room: capacity, list: Arc::default() };
        (Box::new(sink.clone()), Box::new(sink))
    }
}

workflow_testkit::sink_suite!(Made(Defect::None));

#[test]
fn every_defect_of_a_sink_is_found_and_every_case_finds_one() {
    workflow_testkit::set_patience(Duration::from_millis(300));
    for case in cases() {
        let mut about_it = FOUND.iter().filter(|(_, name)| *name == case.name).peekable();
        assert!(about_it.peek().is_some(), "{} finds nothing", case.name);
        for (defect, _) in about_it {
            let shown = catch_unwind(AssertUnwindSafe(|| (case.run)(&Made(*defect))));
            assert!(shown.is_err(), "{defect:?} is not found by {}", case.name);
        }
    }
}

#[test]
fn pointers_to_a_sink_hand_every_method_on() {
    let wraps: [fn(Sink) -> Box<dyn EventSink>; 3] = [
        |sink| Box::new(&*Box::leak(Box::new(sink))),
        |sink| Box::new(Box::new(sink)),
        |sink| Box::new(Arc::new(sink)),
    ];
    for wrap in wraps {
        let sink = Sink { defect: Defect::None, room: 9, list: Arc::default() };
        let list = Arc::clone(&sink.list);
        let pointer = wrap(sink);
        pointer.events(&id("r1"), &[succeeded(3)]);
        pointer.output(&id("r1"), &[entry(7, "said")]);
        assert_eq!(*list.lock().unwrap(), [Seen::Event(id("r1"), 3), Seen::Output(id("r1"), 7)]);
    }
}
