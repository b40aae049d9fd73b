//! The trait of event sinks, which observe runs.

use std::sync::Arc;

use crate::event::Event;
use crate::ids::RunId;
use crate::output::OutputEntry;

/// Receives the events and output of runs, after they were stored.
///
/// It is called from the driver of a run, so it must not block: a sink with slow work hands
/// events on to a thread or a channel of its own, bounds what it holds, and tells its consumer how
/// many it missed. Events have numbers and can be read again from the store.
///
/// A sink that panics is switched off: it receives nothing more, the error is logged, and the runs continue.
///
/// ```
/// use std::sync::atomic::{AtomicUsize, Ordering};
///
/// use workflow_core::event::Event;
/// use workflow_core::ids::RunId;
/// use workflow_core::sink::EventSink;
///
/// /// Counts what is stored.
/// #[derive(Default)]
/// struct Counter(AtomicUsize);
///
/// impl EventSink for Counter {
///     fn events(&self, _: &RunId, events: &[Event]) {
///         self.0.fetch_add(events.len(), Ordering::Relaxed);
///     }
/// }
/// ```
pub trait EventSink: Send + Sync {
    /// Events of one run, in order, just stored.
    fn events(&self, run: &RunId, events: &[Event]);

    /// Output entries of one run, in order. Does nothing unless overridden.
    fn output(&self, run: &RunId, entries: &[OutputEntry]) {
        let _ = (run, entries);
    }
}

macro_rules! forward {
    ($($pointer:ty),*) => {$(
        impl<T: EventSink + ?Sized> EventSink for $pointer {
            fn events(&self, run: &RunId, events: &[Event]) {
                (**self).events(run, events);
            }

            fn output(&self, run: &RunId, entries: &[OutputEntry]) {
                (**self).output(run, entries);
            }
        }
    )*};
}

forward!(&T, Box<T>, Arc<T>);
