//! Output entries: what providers write while they work. Not part of a run's state.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::NodePath;
use crate::names::names;

/// A line, text delta or tool activity of a provider, numbered in a sequence of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OutputEntry {
    /// Its number among the run's output entries, from 1.
    pub number: u64,
    /// The last event that was stored when the entry was added.
    pub after_event: u64,
    /// When it was added.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// The node it came from.
    pub path: NodePath,
    /// The attempt.
    pub attempt: u32,
    /// What it is.
    pub kind: OutputKind,
    /// The text, without a line end. Untrusted: it can hold terminal escapes and markup.
    pub text: String,
}

/// What an output entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OutputKind {
    /// A line of standard output.
    Stdout,
    /// A line of standard error.
    Stderr,
    /// Text of the model.
    Text,
    /// A piece of the model's text, as it is produced. The pieces of an attempt, put together, are its text;
    /// only here a text may hold line ends, and end with one.
    TextDelta,
    /// The model's reasoning before it answers: not a part of the answer.
    Thinking,
    /// What a tool does.
    Tool,
    /// A message of the provider itself.
    Log,
    /// Entries were dropped here; the text is their count.
    Dropped,
}

names! {
    OutputKind, "kind of output",
    Stdout => "stdout",
    Stderr => "stderr",
    Text => "text",
    TextDelta => "text_delta",
    Thinking => "thinking",
    Tool => "tool",
    Log => "log",
    Dropped => "dropped",
}
