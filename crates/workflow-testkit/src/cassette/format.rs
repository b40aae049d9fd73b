//! The file format: lines of JSON. The first line names the format; each other line is one complete call.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use workflow_core::data::Data;
use workflow_core::failure::Failure;
use workflow_core::output::OutputKind;
use workflow_core::provider::{CallRequest, Question};
use workflow_core::usage::Usage;

/// The format that is written, and the only one that is read.
const FORMAT: u64 = 1;

/// Why a cassette cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CassetteError {
    /// The file cannot be read or written.
    #[error("the cassette {path}: {error}")]
    File {
        /// The path of the cassette.
        path: PathBuf,
        /// The I/O error.
        #[source]
        error: io::Error,
    },
    /// The first line is not the header of a cassette.
    #[error("{path} is not a cassette: its first line is not {{\"cassette\":{FORMAT}}}")]
    NoCassette {
        /// The path of the cassette.
        path: PathBuf,
    },
    /// It was written in a format that this version does not know.
    #[error(
        "the cassette {path} has the format {found}, and this version reads only {FORMAT}: record it again"
    )]
    UnknownFormat {
        /// The path of the cassette.
        path: PathBuf,
        /// Its format.
        found: u64,
    },
    /// The last line has no line ending.
    #[error(
        "the cassette {path}: line {line} is incomplete, as after a crash while recording: delete the line, or \
         continue recording, which deletes it"
    )]
    Torn {
        /// The path of the cassette.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
    },
    /// A line is not a call.
    #[error("the cassette {path}: line {line} is not a recorded call: {error}")]
    NoCall {
        /// The path of the cassette.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with the line.
        #[source]
        error: serde_json::Error,
    },
}

#[derive(Serialize, Deserialize)]
struct Header {
    cassette: u64,
}

/// A recorded call.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Call {
    /// The node, without its iteration.
    pub(super) node: String,
    pub(super) asked: Asked,
    pub(super) said: Vec<Said>,
    /// How long it took, in milliseconds.
    pub(super) took: u64,
    pub(super) result: Recorded,
}

/// What identifies a call, besides its node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Asked {
    pub(super) prompt: String,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub(super) options: Value,
    /// Whether it resumed a session.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) session: bool,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub(super) output_schema: Value,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_false(value: &bool) -> bool {
    !value
}

impl Asked {
    pub(super) fn of(request: &CallRequest) -> Self {
        Self {
            prompt: request.prompt.clone(),
            // Without exact notation, also for a provider that takes exact numbers.
            options: Data::new(&request.options).value(),
            session: request.session.is_some(),
            output_schema: request.output_schema.as_deref().cloned().unwrap_or_default(),
        }
    }
}

/// The node of a call without the iteration: in a loop the calls of a node follow one another.
pub(super) fn node(request: &CallRequest) -> String {
    let path = request.id.path.to_string();
    path.split_once('/').map(|(_, node)| node.to_owned()).unwrap_or(path)
}

/// A report of the provider during a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Said {
    /// How many milliseconds after the start of the call.
    pub(super) at: u64,
    #[serde(flatten)]
    pub(super) what: What,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum What {
    Output { kind: OutputKind, text: String },
    Usage(Usage),
    Session(String),
    Alive {},
}

/// The result of a call.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Recorded {
    Reply {
        output: Data,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        usage: Option<Usage>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        details: Option<Box<Value>>,
    },
    Error {
        #[serde(flatten)]
        failure: Failure,
        /// How many milliseconds after its end it may be retried.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after: Option<i64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        usage: Option<Usage>,
        /// The output before it failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        output: Option<Data>,
        /// What a person has to decide.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        question: Option<Box<Question>>,
    },
    /// It was told to stop, and stopped.
    Stopped {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        usage: Option<Usage>,
    },
}

/// The calls of a cassette, each with its line.
pub(super) fn read(path: &Path) -> Result<Vec<(usize, Call)>, CassetteError> {
    let bytes = std::fs::read(path).map_err(|error| failed(path, error))?;
    calls(path, &bytes)
}

fn calls(path: &Path, bytes: &[u8]) -> Result<Vec<(usize, Call)>, CassetteError> {
    let mut lines = bytes.split_inclusive(|byte| *byte == b'\n').zip(1..);
    let header = lines.next().map(|(line, _)| line).unwrap_or_default();
    let Ok(Header { cassette }) = serde_json::from_slice(header) else {
        return Err(CassetteError::NoCassette { path: path.to_owned() });
    };
    if cassette != FORMAT {
        return Err(CassetteError::UnknownFormat { path: path.to_owned(), found: cassette });
    }
    lines
        .map(|(text, line)| {
            // Refused even if the line can be parsed: the next call would be appended to the same line.
            if !text.ends_with(b"\n") {
                return Err(CassetteError::Torn { path: path.to_owned(), line });
            }
            let call = serde_json::from_slice(text);
            call.map(|call| (line, call)).map_err(|error| CassetteError::NoCall {
                path: path.to_owned(),
                line,
                error,
            })
        })
        .collect()
}

fn failed(path: &Path, error: io::Error) -> CassetteError {
    CassetteError::File { path: path.to_owned(), error }
}

/// A cassette that calls are appended to.
#[derive(Debug)]
pub(super) struct Tape {
    file: File,
    length: u64,
}

impl Tape {
    /// Opens or creates a cassette. An incomplete line of a host that died is removed.
    pub(super) fn open(path: &Path) -> Result<Self, CassetteError> {
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).map_err(|error| failed(path, error))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(|error| failed(path, error))?;
        let header = format!("{{\"cassette\":{FORMAT}}}\n");
        // A line can be cut within a character, and the first line can be incomplete too.
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        if !header.as_bytes().starts_with(&bytes) {
            calls(path, &bytes[..whole])?;
        }
        let mut tape = Self { file, length: u64::try_from(whole).unwrap_or(u64::MAX) };
        // Until here it may be another program's file, which is not changed.
        tape.begin(&header).map_err(|error| failed(path, error))?;
        Ok(tape)
    }

    fn begin(&mut self, header: &str) -> io::Result<()> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            self.file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
        }
        self.file.set_len(self.length)?;
        if self.length == 0 { self.write(header) } else { Ok(()) }
    }

    /// Appends a call: the whole line, or nothing.
    pub(super) fn append(&mut self, call: &Call) -> io::Result<()> {
        let mut line = serde_json::to_string(call)?;
        line.push('\n');
        self.write(&line)
    }

    fn write(&mut self, line: &str) -> io::Result<()> {
        let written = self.file.write_all(line.as_bytes());
        if written.is_ok() {
            self.length += u64::try_from(line.len()).unwrap_or(u64::MAX);
        } else {
            // If that fails as well, readers notice the incomplete line.
            let _ = self.file.set_len(self.length);
        }
        written
    }
}
