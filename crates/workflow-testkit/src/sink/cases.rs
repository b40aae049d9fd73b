//! The cases.

use std::sync::{Arc, mpsc};

use workflow_core::ids::RunId;
use workflow_core::sink::EventSink;

use super::fixture::{Consumer, Fixture, Seen};
use crate::patience;
use crate::store::runs::{entry, id, succeeded};

/// Calls a sink on a separate thread, and waits until `work` is done with it.
fn do_unhindered(
    sink: Box<dyn EventSink>,
    work: impl FnOnce(&dyn EventSink) + Send + 'static,
) -> Arc<dyn EventSink> {
    let (done, wait) = mpsc::channel();
    let sink: Arc<dyn EventSink> = sink.into();
    let at_work = Arc::clone(&sink);
    std::thread::spawn(move || {
        work(&*at_work);
        drop(at_work);
        done.send(()).unwrap();
    });
    wait.recv_timeout(patience()).expect("the sink blocks its caller");
    sink
}

fn give(sink: &dyn EventSink, run: &RunId, events: std::ops::RangeInclusive<u64>) {
    sink.events(run, &events.map(succeeded).collect::<Vec<_>>());
}

fn say(sink: &dyn EventSink, run: &RunId, entries: std::ops::RangeInclusive<u64>) {
    sink.output(run, &entries.map(|number| entry(number, "said")).collect::<Vec<_>>());
}

/// What the consumer sees when it continues, and the sink ends.
fn rest(sink: impl Into<Arc<dyn EventSink>>, mut consumer: Box<dyn Consumer>) -> Vec<Seen> {
    consumer.go_on();
    drop(sink.into());
    consumer.rest()
}

pub fn what_comes_is_handed_on_in_order(fixture: &dyn Fixture) {
    let (sink, consumer) = fixture.open(100);
    let (one, two) = (id("r1"), id("r2"));
    give(&*sink, &one, 1..=2);
    say(&*sink, &one, 1..=1);
    give(&*sink, &two, 1..=1);
    give(&*sink, &one, 3..=3);
    say(&*sink, &two, 1..=2);
    let expected = [
        Seen::Event(one.clone(), 1),
        Seen::Event(one.clone(), 2),
        Seen::Output(one.clone(), 1),
        Seen::Event(two.clone(), 1),
        Seen::Event(one, 3),
        Seen::Output(two.clone(), 1),
        Seen::Output(two, 2),
    ];
    assert_eq!(rest(sink, consumer), expected);
}

pub fn nothing_is_handed_on_of_nothing(fixture: &dyn Fixture) {
    let (sink, consumer) = fixture.open(100);
    sink.events(&id("r1"), &[]);
    sink.output(&id("r1"), &[]);
    assert_eq!(rest(sink, consumer), []);
}

pub fn a_slow_consumer_delays_no_run(fixture: &dyn Fixture) {
    let (sink, consumer) = fixture.open(4);
    let sink = do_unhindered(sink, |sink| {
        for number in 1..=2_000 {
            give(sink, &id("r1"), number..=number);
            say(sink, &id("r1"), number..=number);
        }
    });
    let seen = rest(sink, consumer);
    assert!(seen.len() < 2_000, "{} are queued, although the capacity is small", seen.len());
    assert!(seen.contains(&Seen::Event(id("r1"), 1)), "the first event is missing");
}

pub fn a_slow_consumer_is_told_what_it_missed_where_it_is_missing(fixture: &dyn Fixture) {
    let (sink, consumer) = fixture.open(8);
    let sink = do_unhindered(sink, |sink| {
        (1..=50).for_each(|number| give(sink, &id("r1"), number..=number));
        (1..=20).for_each(|number| say(sink, &id("r1"), number..=number));
        // A sink may drop a whole batch.
        say(sink, &id("r1"), 21..=70);
        give(sink, &id("r1"), 51..=60);
    });
    let seen = rest(sink, consumer);
    let (mut events, mut output) = (0, 0);
    let (mut missed_events, mut missed_output) = (0, 0);
    for seen in &seen {
        match seen {
            Seen::Event(_, number) => {
                assert_eq!(*number, events + missed_events + 1, "{seen:?} is not next");
                events += 1;
            }
            Seen::Output(_, number) => {
                assert_eq!(*number, output + missed_output + 1, "{seen:?} is not next");
                output += 1;
            }
            Seen::Missed { events, output } => {
                missed_events += events;
                missed_output += output;
            }
        }
    }
    assert!(events > 0 && missed_events > 0, "{seen:?}");
    assert_eq!((events + missed_events, output + missed_output), (60, 70), "{seen:?}");
}

pub fn runs_of_many_threads_keep_their_order(fixture: &dyn Fixture) {
    let (sink, consumer) = fixture.open(1_000);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let sink = &*sink;
            scope.spawn(move || {
                let run = id(&format!("r{thread}"));
                for number in (1..40).step_by(2) {
                    give(sink, &run, number..=number + 1);
                }
            });
        }
    });
    let seen = rest(sink, consumer);
    for thread in 0..4 {
        let run = id(&format!("r{thread}"));
        let numbers: Vec<_> = seen
            .iter()
            .filter_map(|seen| match seen {
                Seen::Event(of, number) if *of == run => Some(*number),
                _ => None,
            })
            .collect();
        assert_eq!(numbers, (1..=40).collect::<Vec<_>>(), "{run}");
    }
}
