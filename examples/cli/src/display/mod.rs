//! The progress of runs on the terminal.
//!
//! A [`Feed`] reads the stored events and output of the runs that this process drives, on a thread of its own, and gives
//! them to a [`Display`]. So a slow or stopped terminal never stalls a run, and nothing that is stored is left out.

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
    /// Takes an event of a run. One that is not `new` only updates the state of the run.
    fn event(&mut self, run: &RunId, event: &Event, new: bool) -> io::Result<()>;

    /// Takes a new output entry of a run.
    fn output(&mut self, run: &RunId, entry: &OutputEntry) -> io::Result<()>;

    /// Takes a message of this program.
    fn note(&mut self, text: &str) -> io::Result<()> {
        print::to_stderr(text);
        Ok(())
    }

    /// Shows what has changed: called after news, and several times a second without any.
    fn refresh(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How runs in the foreground are shown.
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
