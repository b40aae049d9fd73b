//! Events for programs.

use std::io::{self, Write as _};

use workflow_core::event::Event;
use workflow_core::ids::RunId;
use workflow_core::output::OutputEntry;

use super::Display;
use crate::print::write_json;

/// One event per line. Output is left to `logs`.
pub(super) struct Json;

impl Display for Json {
    fn event(&mut self, _: &RunId, event: &Event, new: bool) -> io::Result<()> {
        if new { write_json(&mut io::stdout().lock(), event) } else { Ok(()) }
    }

    fn output(&mut self, _: &RunId, _: &OutputEntry) -> io::Result<()> {
        Ok(())
    }

    fn refresh(&mut self) -> io::Result<()> {
        io::stdout().flush()
    }
}
