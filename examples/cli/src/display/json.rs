//! Events for programs.

use std::io::{self, BufWriter, Stdout, Write as _};

use workflow_core::event::Event;
use workflow_core::ids::RunId;
use workflow_core::output::OutputEntry;

use super::Display;
use crate::print;

/// One event per line. Output is left to `logs`.
pub(super) struct Json(BufWriter<Stdout>);

impl Json {
    pub(super) fn new() -> Self {
        Self(BufWriter::new(io::stdout()))
    }
}

impl Display for Json {
    fn event(&mut self, _: &RunId, event: &Event, new: bool) -> io::Result<()> {
        if !new {
            return Ok(());
        }
        writeln!(self.0, "{}", print::object(event)?)
    }

    fn output(&mut self, _: &RunId, _: &OutputEntry) -> io::Result<()> {
        Ok(())
    }

    fn refresh(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
