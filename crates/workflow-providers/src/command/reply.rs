//! Converts the exit of a command to a reply or a failure.

use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

use serde_json::{Map, Value};
use workflow_core::data::Data;
use workflow_core::provider::{ProviderError, Reply};

use super::options::OutputFormat;
use crate::tail::Tail;

/// How many bytes of an output a failure contains.
pub(super) const EXCERPT: usize = 4 * 1024;

/// The output of a command.
pub(super) struct Printed {
    pub(super) stdout: Tail,
    pub(super) stderr: Tail,
}

impl Printed {
    /// The failure of a command that exited with `status`; `wrong` is its cause, if it is known.
    pub(super) fn failure(
        mut self,
        program: &str,
        status: ExitStatus,
        wrong: Option<&str>,
        limit: usize,
    ) -> ProviderError {
        let (how, name, number) = match (status.code(), status.signal()) {
            (Some(code), _) => ("exited with code", "exit_code", code),
            (None, signal) => ("was terminated by signal", "signal", signal.unwrap_or_default()),
        };
        let mut details = self.excerpts();
        details.insert(name.to_owned(), number.into());
        let error = match wrong {
            Some(wrong) => ProviderError::permanent(format!("`{program}` {how} {number}: {wrong}")),
            None => ProviderError::transient(format!("`{program}` {how} {number}")),
        };
        error.with_details(details.into()).with_output(self.text(limit))
    }

    /// Standard output, as text.
    pub(super) fn text(&mut self, limit: usize) -> Value {
        self.stdout.text(limit).into()
    }

    /// The reply of a command that succeeded. Its output takes at most `limit` bytes.
    pub(super) fn reply(mut self, format: OutputFormat, limit: usize) -> Result<Reply, ProviderError> {
        let read = match format {
            OutputFormat::Text => return Ok(Reply::text(self.stdout.text(limit))),
            OutputFormat::Json => self.utf8(limit).and_then(Reply::parse_json),
            OutputFormat::JsonLines => self.utf8(limit).and_then(json_lines),
        };
        read.map_err(|error| error.with_details(self.excerpts().into()).with_output(self.text(limit)))
    }

    fn utf8(&mut self, limit: usize) -> Result<&str, ProviderError> {
        if self.stdout.left_out() > 0 {
            return Err(ProviderError::permanent(format!(
                "the output is longer than {limit} bytes, and JSON cannot be cut; print less, or `output: text`"
            )));
        }
        str::from_utf8(self.stdout.bytes()).map_err(|error| {
            let message = format!("the output is not JSON: byte {} is not UTF-8", error.valid_up_to() + 1);
            ProviderError::invalid_output(message)
        })
    }

    fn excerpts(&mut self) -> Map<String, Value> {
        let mut details = Map::new();
        for (name, output) in [("stdout_tail", &mut self.stdout), ("stderr_tail", &mut self.stderr)] {
            let text = output.excerpt(EXCERPT);
            if !text.is_empty() {
                details.insert(name.to_owned(), text.into());
            }
        }
        details
    }
}

fn json_lines(text: &str) -> Result<Reply, ProviderError> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let values = lines.map(|(n, line)| {
        Data::parse(line).map_err(|error| {
            let message = error.to_string();
            let problem = message.rsplit_once(" at line ").map_or(message.as_str(), |(problem, _)| problem);
            let (line, column) = (n + 1, error.column());
            ProviderError::invalid_output(format!(
                "the output is not lines of JSON: {problem} at line {line}, column {column}"
            ))
        })
    });
    Ok(Reply::data(Data::array(&values.collect::<Result<Vec<_>, _>>()?)))
}
