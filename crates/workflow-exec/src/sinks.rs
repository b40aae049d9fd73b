//! The event sinks of an engine. One that panics is switched off, and the runs continue.

use std::any::type_name;
use std::sync::OnceLock;

use tracing::error;
use workflow_core::event::Event;
use workflow_core::ids::RunId;
use workflow_core::output::OutputEntry;
use workflow_core::sink::EventSink;

use crate::panics::caught;

/// Whether an event sink is still shown what happens; see [`Engine::sinks`](crate::Engine::sinks).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SinkStatus {
    /// Its type.
    pub name: &'static str,
    /// The text of the panic for which it was switched off.
    pub switched_off: Option<String>,
}

/// The sinks, in the order in which they were registered.
#[derive(Default)]
pub(crate) struct Sinks(Vec<Slot>);

struct Slot {
    name: &'static str,
    sink: Box<dyn EventSink>,
    /// Set once it has panicked.
    off: OnceLock<String>,
}

impl Sinks {
    pub(crate) fn add<S: EventSink + 'static>(&mut self, sink: S) {
        self.0.push(Slot { name: type_name::<S>(), sink: Box::new(sink), off: OnceLock::new() });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn statuses(&self) -> Vec<SinkStatus> {
        let status = |slot: &Slot| SinkStatus { name: slot.name, switched_off: slot.off.get().cloned() };
        self.0.iter().map(status).collect()
    }

    pub(crate) fn events(&self, run: &RunId, events: &[Event]) {
        self.0.iter().for_each(|slot| slot.show(|sink| sink.events(run, events)));
    }

    pub(crate) fn output(&self, run: &RunId, entries: &[OutputEntry]) {
        self.0.iter().for_each(|slot| slot.show(|sink| sink.output(run, entries)));
    }
}

impl Slot {
    fn show(&self, shown: impl FnOnce(&dyn EventSink)) {
        if self.off.get().is_some() {
            return;
        }
        if let Err(panic) = caught(|| shown(&*self.sink)) {
            error!(sink = self.name, panic, "the event sink panicked and is switched off");
            // Another run may have recorded a panic first; the first text is kept.
            let _ = self.off.set(panic);
        }
    }
}
