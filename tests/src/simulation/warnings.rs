//! Listens to the warnings of the engines: a machine that decides what its own rules refuse leaves no other trace
//! than a run that a worker tries to drive again and again.

use std::fmt::{Debug, Write as _};

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use super::journal::Journal;

/// A part of [`Broken`](workflow_core::machine::Broken)'s text.
const BROKEN: &str = "does not follow from the events before it";

/// Adds a violation for each warning that a decision does not follow from the log.
pub struct Warnings(Journal);

impl Warnings {
    /// Those of the engines of a world.
    pub fn of(journal: &Journal) -> Self {
        Self(journal.clone())
    }
}

impl Subscriber for Warnings {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::WARN
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::WARN)
    }

    fn event(&self, event: &Event<'_>) {
        let mut text = Text::default();
        event.record(&mut text);
        if text.0.contains(BROKEN) {
            self.0.entries().violated(text.0);
        }
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// The fields of an event.
#[derive(Default)]
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, "{field}: {value:?}; ");
    }
}
