//! A program that belongs to no run.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use workflow_core::provider::ProviderError;
use workflow_core::stop::StopSignal;

use crate::environment;
use crate::process::{self, Control, Ended, Launch, Marker, Stream, TERMINATE};
use crate::program::{program, run_error};
use crate::tail::Tail;

/// How much of what it prints to standard error is kept.
const EXCERPT: usize = 2_000;

/// A program that belongs to no run: it is run once, and no process of it is left. Unix only.
///
/// It is started without a shell. It inherits the variables of [`CommandProvider`](crate::CommandProvider) and
/// those of a desktop session, and nothing else. What it prints to standard output is discarded.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use workflow_core::stop::StopSource;
/// use workflow_providers::{Program, ProgramEnd};
///
/// let program = Program::new(["sh", "-c", "exit $CODE"]).env("CODE", "3");
/// let end = futures::executor::block_on(program.run(&StopSource::new().signal()))?;
/// assert!(matches!(end, ProgramEnd::Exited { code: Some(3), .. }));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Program {
    command: Vec<String>,
    environment: BTreeMap<OsString, OsString>,
    directory: PathBuf,
    stdin: Vec<u8>,
    grace: Duration,
}

/// How a [`Program`] ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProgramEnd {
    /// It exited by itself.
    #[non_exhaustive]
    Exited {
        /// The exit code; absent if a signal ended it.
        code: Option<i32>,
        /// The end of what it printed to standard error.
        stderr: String,
    },
    /// It was stopped.
    Stopped,
}

/// Variables of a desktop session, for programs that show something there.
const SESSION: [&str; 4] = ["DISPLAY", "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR"];

impl Program {
    /// The program and its arguments.
    pub fn new<T: Into<String>>(command: impl IntoIterator<Item = T>) -> Self {
        let inherited: Vec<OsString> =
            environment::DEFAULT.into_iter().chain(SESSION).map(OsString::from).collect();
        Self {
            command: command.into_iter().map(Into::into).collect(),
            environment: environment::inherited(&inherited).collect(),
            directory: ".".into(),
            stdin: Vec::new(),
            grace: Duration::from_secs(2),
        }
    }

    /// Adds an environment variable.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.environment.insert(name.into(), value.into());
        self
    }

    /// Where it runs; in the current directory unless set.
    #[must_use]
    pub fn directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = directory.into();
        self
    }

    /// What it reads from standard input; nothing unless set.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// How long it has to end after `SIGTERM`, before it is killed; 2 s unless set.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Runs it until it and all processes that it started are gone. Dropping the future kills them.
    ///
    /// # Errors
    ///
    /// [`ProviderError`] when it cannot be started, or its processes cannot be stopped.
    pub async fn run(self, stop: &StopSignal) -> Result<ProgramEnd, ProviderError> {
        process::on_own_thread(stop, move |control| self.run_here(control)).await
    }

    fn run_here(self, control: &Arc<Control>) -> Result<ProgramEnd, ProviderError> {
        let (marker, mark) = Marker::of_question(&uuid::Uuid::new_v4());
        let mut command = self.command.into_iter();
        let name = command.next().unwrap_or_default();
        let launch = Launch {
            program: program(&name, &self.directory),
            arguments: command.collect(),
            environment: self.environment.into_iter().chain([mark]).collect(),
            directory: self.directory,
            stdin: self.stdin,
            input: None,
            marker,
            signals: TERMINATE,
            grace: self.grace,
            patience: None,
        };
        let mut stderr = Tail::without(EXCERPT, []);
        let ended = process::run(launch, control, &mut |stream, bytes| {
            if matches!(stream, Stream::Stderr) {
                stderr.push(bytes);
            }
            None
        });
        match ended.map_err(|error| run_error(&name, &error))? {
            Ended::ByItself(status) => {
                Ok(ProgramEnd::Exited { code: status.code(), stderr: stderr.excerpt(EXCERPT) })
            }
            Ended::Stopped | Ended::Silent => Ok(ProgramEnd::Stopped),
        }
    }
}
