//! The scenarios that a URL selects.

use std::error::Error;
use std::fmt;
use std::str::FromStr;

/// The behaviour of the model behind a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scenario {
    /// `ok`: one text.
    Ok,
    /// `think`: a thought, then the text.
    Think,
    /// `tool`: a call of the shell, and the text after its result.
    Tool,
    /// `toolfail`: the same with a command that exits with 3.
    ToolFail,
    /// `slowtool`: the same with a command that never exits.
    SlowTool,
    /// `loop`: a call of the shell, again and again.
    Loop,
    /// `edits`: calls of the tools that read, overwrite and edit the file that the prompt names (``the file
    /// `PATH` ``), one after the other.
    Edits,
    /// `json`: a value that matches the requested schema.
    Json,
    /// `badjson`: prose, whatever was requested.
    BadJson,
    /// `e401`, `e529`, …: this HTTP status, with a body in the vendor's format.
    Status(u16),
    /// `once500`: 500 for the first request of a path, then `ok`.
    Once500,
    /// `midfail`: half of the text, then an error in the vendor's format within the stream.
    MidFail,
    /// `cut`: half of the text, then a closed connection.
    Cut,
    /// `hang`: half of the text, then nothing.
    Hang,
    /// `stall`: nothing at all, not even headers.
    Stall,
    /// `empty`: an answer without content.
    Empty,
    /// `maxtok`: the text, ended by the token limit.
    MaxTokens,
}

use Scenario::{
    BadJson, Cut, Edits, Empty, Hang, Json, Loop, MaxTokens, MidFail, Ok as Fine, Once500, SlowTool, Stall,
    Status, Think, Tool, ToolFail,
};

const NAMES: &[(&str, Scenario)] = &[
    ("ok", Fine),
    ("think", Think),
    ("tool", Tool),
    ("toolfail", ToolFail),
    ("slowtool", SlowTool),
    ("loop", Loop),
    ("edits", Edits),
    ("json", Json),
    ("badjson", BadJson),
    ("once500", Once500),
    ("midfail", MidFail),
    ("cut", Cut),
    ("hang", Hang),
    ("stall", Stall),
    ("empty", Empty),
    ("maxtok", MaxTokens),
];

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Status(status) = self {
            return write!(f, "e{status}");
        }
        let named = NAMES.iter().find(|(_, scenario)| scenario == self);
        named.map_or(Err(fmt::Error), |(name, _)| f.write_str(name))
    }
}

/// The name of an unknown scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownScenario(String);

impl fmt::Display for UnknownScenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = NAMES.iter().map(|(name, _)| *name).collect();
        write!(f, "`{}` is not a scenario: use one of {}, or e400 to e599", self.0, names.join(", "))
    }
}

impl Error for UnknownScenario {}

impl FromStr for Scenario {
    type Err = UnknownScenario;

    fn from_str(name: &str) -> Result<Self, UnknownScenario> {
        let status = || {
            let status = name.strip_prefix('e')?.parse().ok()?;
            (400..600).contains(&status).then_some(Status(status))
        };
        let known = NAMES.iter().find(|(known, _)| *known == name).map(|(_, scenario)| *scenario);
        known.or_else(status).ok_or_else(|| UnknownScenario(name.to_owned()))
    }
}
