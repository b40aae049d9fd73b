//! The conformance suite of [`EventSink`](workflow_core::sink::EventSink).

#[doc(hidden)]
pub mod cases;
mod fixture;

use std::fmt;

pub use fixture::{Consumer, Fixture, Seen};

/// A case of the suite.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Case {
    /// The behaviour that it checks.
    pub name: &'static str,
    /// Runs the case; panics if it fails.
    pub run: fn(&dyn Fixture),
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Makes a test of every case of the [suite](crate::sink) for a sink.
///
/// The argument is an expression that creates a [`Fixture`](crate::sink::Fixture).
///
/// ```
/// # use std::sync::{Arc, Mutex};
/// # use workflow_core::event::Event;
/// # use workflow_core::ids::RunId;
/// # use workflow_core::output::OutputEntry;
/// use workflow_core::sink::EventSink;
/// use workflow_testkit::sink::{Consumer, Fixture, Seen};
/// #
/// # #[derive(Clone, Default)]
/// # struct Mine(Arc<Mutex<(usize, Vec<Seen>, [u64; 2])>>);
/// # impl Mine {
/// #     fn add(&self, seen: Seen) {
/// #         let (room, list, missed) = &mut *self.0.lock().unwrap();
/// #         if list.len() < *room {
/// #             list.push(seen);
/// #         } else {
/// #             missed[usize::from(matches!(seen, Seen::Output(..)))] += 1;
/// #         }
/// #     }
/// # }
/// # impl EventSink for Mine {
/// #     fn events(&self, run: &RunId, events: &[Event]) {
/// #         events.iter().for_each(|event| self.add(Seen::Event(run.clone(), event.seq)));
/// #     }
/// #     fn output(&self, run: &RunId, entries: &[OutputEntry]) {
/// #         entries.iter().for_each(|entry| self.add(Seen::Output(run.clone(), entry.number)));
/// #     }
/// # }
/// # impl Consumer for Mine {
/// #     fn go_on(&mut self) {}
/// #     fn rest(&mut self) -> Vec<Seen> {
/// #         let (_, list, [events, output]) = std::mem::take(&mut *self.0.lock().unwrap());
/// #         let missed = (events + output > 0).then_some(Seen::Missed { events, output });
/// #         list.into_iter().chain(missed).collect()
/// #     }
/// # }
///
/// struct MyFixture;
///
/// impl Fixture for MyFixture {
///     fn open(&self, capacity: usize) -> (Box<dyn EventSink>, Box<dyn Consumer>) {
///         let sink = Mine::default();
/// #       sink.0.lock().unwrap().0 = capacity;
///         (Box::new(sink.clone()), Box::new(sink))
///     }
/// }
///
/// workflow_testkit::sink_suite!(MyFixture);
/// ```
#[macro_export]
macro_rules! sink_suite {
    ($fixture:expr) => {
        $crate::__sink_cases! { test ($fixture) }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __sink_cases {
    ($do:ident $with:tt) => {
        $crate::__sink_each! { $do $with [
            what_comes_is_handed_on_in_order
            nothing_is_handed_on_of_nothing
            a_slow_consumer_delays_no_run
            a_slow_consumer_is_told_what_it_missed_where_it_is_missing
            runs_of_many_threads_keep_their_order
        ] }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __sink_each {
    (test ($fixture:expr) [$($case:ident)*]) => {$(
        #[test]
        fn $case() {
            $crate::sink::cases::$case(&$fixture);
        }
    )*};
    (list () [$($case:ident)*]) => {
        vec![$(Case { name: stringify!($case), run: cases::$case }),*]
    };
}

/// All cases.
pub fn cases() -> Vec<Case> {
    __sink_cases!(list())
}
