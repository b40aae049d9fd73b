//! Runs, shown while they go on.
//!
//! A [`Feed`] reads what is stored of the runs that are driven here, on a thread of its own, and
//! gives it to a [`Display`]. So a terminal that is slow, or stopped, never stalls a run; and what
//! is shown is what is stored, without gaps.

mod feed;
mod json;
mod live;
mod pieces;
mod plain;
mod roll;
mod rows;

use std::io::{self, IsTerminal as _};
use std::sync::Arc;

use workflow_core::event::Event;
use workflow_core::ids::RunId;
use workflow_core::output::OutputEntry;
use workflow_core::store::RunStore;

use crate::print;

pub(crate) use feed::{Bell, Feed, Shown};
pub(crate) use pieces::Pieces;
pub(crate) use plain::{Story, entry_line};
pub(crate) use roll::{Log, Roll};

/// A way to show runs.
pub(crate) trait Display: Send {
    /// Takes an event of a run. One that is not `new` is only to know where the run stands.
    fn event(&mut self, run: &RunId, event: &Event, new: bool) -> io::Result<()>;

    /// Takes a new output entry of a run.
    fn output(&mut self, run: &RunId, entry: &OutputEntry) -> io::Result<()>;

    /// Takes what this program itself has to say.
    fn note(&mut self, text: &str) -> io::Result<()> {
        print::to_stderr(text);
        Ok(())
    }

    /// Shows what has changed: called after news, and several times a second without any.
    fn refresh(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What is shown of runs in the foreground.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// Nothing.
    Nothing,
    /// Events as JSON.
    Json,
    /// A live view on a terminal, plain lines elsewhere, of one run.
    OneRun,
    /// Plain lines that name their run.
    ManyRuns,
}

/// A display of that style for where standard output goes.
pub(crate) fn of(style: Style, store: &Arc<dyn RunStore>) -> Box<dyn Display> {
    match style {
        Style::Nothing => Box::new(Nothing),
        Style::Json => Box::new(json::Json::new()),
        Style::OneRun if is_terminal() => Box::new(live::Live::new(store.clone())),
        Style::OneRun => Box::new(plain::Plain::new(false)),
        Style::ManyRuns => Box::new(plain::Plain::new(true)),
    }
}

struct Nothing;

impl Display for Nothing {
    fn event(&mut self, _: &RunId, _: &Event, _: bool) -> io::Result<()> {
        Ok(())
    }

    fn output(&mut self, _: &RunId, _: &OutputEntry) -> io::Result<()> {
        Ok(())
    }
}

fn is_terminal() -> bool {
    io::stdout().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}
