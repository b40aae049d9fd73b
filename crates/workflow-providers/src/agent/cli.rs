//! What differs between the command lines of agents.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustix::process::Signal;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use workflow_core::provider::CallRequest;
use workflow_core::usage::Usage;

use super::abilities::Abilities;
use crate::failure::Reason;

/// One agent's command line: how it is called, what it prints, how it is stopped.
pub trait Cli: Send + Sync + Sized + 'static {
    /// The options under `with`.
    #[doc(hidden)]
    type Options: DeserializeOwned + JsonSchema + Send;
    /// Reads what it prints.
    #[doc(hidden)]
    type Reader: Reader;

    /// The name of the provider.
    const NAME: &'static str;
    /// The program.
    const PROGRAM: &'static str;
    /// Its npm package.
    const PACKAGE: &'static str;
    /// The version that the module was written for.
    const TESTED: &'static str;
    /// The capabilities that no other item here shows.
    #[doc(hidden)]
    const ABILITIES: Abilities;
    /// Where a person sees and changes what is paid for.
    #[doc(hidden)]
    const BILLING: &'static str;
    /// The variables that it inherits besides the usual ones, if they are set: its keys, its home, its
    /// service.
    const ENV: &'static [&'static str];
    /// The variables that are set for it.
    #[doc(hidden)]
    const SET: &'static [(&'static str, &'static str)];
    /// The signals that ask it to stop, one after the other.
    #[doc(hidden)]
    const SIGNALS: &'static [Signal];

    /// How to install it.
    #[doc(hidden)]
    fn install() -> String {
        format!("`npm install -g {}`", Self::PACKAGE)
    }

    /// The arguments that ask for its login status, if there are any.
    #[doc(hidden)]
    const LOGIN: Option<&'static [&'static str]>;

    /// The login status from the answer, in a few words.
    #[doc(hidden)]
    fn login(said: &str) -> String {
        said.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("it printed nothing").to_owned()
    }

    /// The command line of a call.
    #[doc(hidden)]
    fn arguments(options: &Self::Options, call: &Call<'_>) -> Result<Invocation, String>;

    /// A reader for one call.
    #[doc(hidden)]
    fn reader(call: &Call<'_>) -> Self::Reader;
}

/// The properties of a call that a command line depends on.
#[derive(Debug)]
pub struct Call<'c> {
    pub(crate) request: &'c CallRequest,
    /// The id for a new session, if the agent lets the caller choose it.
    pub(crate) new_session: &'c str,
    /// A temporary directory of this call; it is deleted afterwards.
    pub(crate) scratch: &'c Path,
    /// The working directory.
    pub(crate) directory: &'c Path,
    /// The absolute paths that it must not change, if it can be told so.
    pub(crate) denied: &'c [PathBuf],
}

/// The command line of an agent.
#[derive(Debug, Default)]
pub struct Invocation {
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: Vec<(String, String)>,
    /// Files to write into the scratch directory before the start.
    pub(crate) files: Vec<(&'static str, String)>,
}

impl Invocation {
    pub(crate) fn new<const N: usize>(arguments: [&str; N]) -> Self {
        Self { arguments: arguments.map(str::to_owned).into(), ..Self::default() }
    }

    pub(crate) fn push<const N: usize>(&mut self, arguments: [&str; N]) {
        self.arguments.extend(arguments.map(str::to_owned));
    }

    /// Adds an option with its value, if there is one.
    pub(crate) fn option(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.push([name, value]);
        }
    }
}

/// A piece of an agent's output.
#[derive(Debug, Clone, PartialEq)]
pub enum Said {
    /// A complete text.
    Text(String),
    /// A piece of text.
    TextDelta(String),
    /// A thought.
    Thinking(String),
    /// The use of a tool, or its result.
    Tool(String),
    /// A notice.
    Log(String),
    /// The usage of the call so far.
    Usage(Usage),
    /// The session.
    Session(String),
}

/// Reads the records of one call.
pub trait Reader: Send {
    /// Reads a record; returns whether its kind is known.
    fn record(&mut self, record: &Value, say: &mut dyn FnMut(Said)) -> bool;

    /// Whether the record was the last one: the agent only needs to exit.
    fn is_done(&self) -> bool;

    /// The outcome of the call.
    fn end(self, end: &End) -> Result<Outcome, Trouble>;
}

/// How an agent ended.
#[derive(Debug, Clone, Default)]
pub struct End {
    /// Its exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// The end of its standard error.
    pub stderr: String,
    /// It was done, and was stopped because it did not exit.
    pub lingered: bool,
}

impl End {
    /// Whether it exited with success, or was done at least.
    pub(crate) fn is_well(&self) -> bool {
        self.lingered || self.code == Some(0)
    }

    /// The line of standard error that says what failed.
    pub(crate) fn line(&self) -> &str {
        let lines = || self.stderr.lines().map(str::trim);
        let names_it = |line: &&str| {
            let line = line.to_lowercase();
            line.starts_with("error")
                || line.starts_with("unknown")
                || Reason::of_message(&line).is_of_service()
        };
        // The rest of a stack or of an object says nothing.
        let says = |line: &&str| line.contains(char::is_alphabetic) && !line.starts_with("at ");
        lines().find(names_it).or_else(|| lines().rfind(says)).unwrap_or_default()
    }

    /// The failure of a call whose records are incomplete.
    pub(crate) fn cut(&self, name: &str, seen: bool) -> Trouble {
        let (stderr, last) = (self.stderr.trim(), self.line());
        let of_stderr = Reason::of_message(stderr);
        match self.code {
            None => Trouble::new(Reason::Killed, format!("{name} was terminated by a signal")),
            Some(130 | 137 | 143) => {
                Trouble::new(Reason::Killed, format!("{name} was terminated by another process"))
            }
            Some(code) if !seen && code != 0 && !last.is_empty() => {
                let lower = stderr.to_lowercase();
                let is_usage = code == 2
                    || [
                        "unknown option",
                        "unknown argument",
                        "unexpected argument",
                        "invalid choice",
                        "invalid value",
                    ]
                    .iter()
                    .any(|words| lower.contains(words));
                let reason = match of_stderr {
                    _ if is_usage => Reason::ArgumentsRefused,
                    Reason::Failed => Reason::Refused,
                    reason => reason,
                };
                Trouble::new(reason, format!("{name}: {last}")).hint(stderr)
            }
            Some(code) if code != 0 && of_stderr.is_of_service() => {
                Trouble::new(of_stderr, format!("{name}: {last}")).hint(stderr)
            }
            Some(code) => Trouble::new(
                Reason::StreamCut,
                format!("{name} exited with code {code} and did not finish its answer"),
            ),
        }
    }
}

/// The outcome of a successful call.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outcome {
    pub(crate) text: String,
    /// The answer as a value, if the agent returns one.
    pub(crate) value: Option<Value>,
    pub(crate) usage: Option<Usage>,
    pub(crate) session: Option<String>,
    pub(crate) details: Map<String, Value>,
}

/// Why a call failed.
#[derive(Debug, Clone, PartialEq)]
pub struct Trouble {
    pub(crate) reason: Reason,
    pub(crate) message: String,
    pub(crate) usage: Option<Usage>,
    /// When the quota is refilled, if a record contains it.
    pub(crate) resets: Option<Timestamp>,
    /// Text that is not shown and may say when the quota is refilled.
    pub(crate) hint: Box<str>,
}

impl Trouble {
    pub(crate) fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), usage: None, resets: None, hint: Box::default() }
    }

    pub(crate) fn using(self, usage: Option<Usage>) -> Self {
        Self { usage, ..self }
    }

    pub(crate) fn hint(self, hint: &str) -> Self {
        Self { hint: hint.into(), ..self }
    }
}

/// A text field of a record; empty if it is missing or not a text.
pub(crate) fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A numeric field of a record.
pub(crate) fn number(value: &Value, name: &str) -> Option<u64> {
    value.get(name).and_then(Value::as_u64)
}

/// The sum of those fields that exist.
pub(crate) fn sum(value: &Value, names: &[&str]) -> Option<u64> {
    names.iter().filter_map(|name| number(value, name)).reduce(u64::saturating_add)
}

pub(super) fn read_options<C: Cli>(options: &Value) -> Result<C::Options, String> {
    let empty = json!({});
    let options = if options.is_null() { &empty } else { options };
    crate::options::read(options).map_err(crate::options::Wrong::told)
}
