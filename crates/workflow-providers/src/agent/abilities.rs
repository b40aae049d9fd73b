//! What an agent can do, as data.

/// What an agent can do; see [`AgentProvider::capabilities`](crate::AgentProvider::capabilities). `docs/src/guides/agents.md` has it as a table.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[allow(clippy::struct_excessive_bools, reason = "none of them depends on another")]
pub struct Capabilities {
    /// The name of the provider.
    pub name: &'static str,
    /// The program.
    pub program: &'static str,
    /// Its package in npm.
    pub package: &'static str,
    /// The version that the provider was made with, and tried with.
    pub tested: &'static str,
    /// What it may do without a person.
    pub permissions: Permissions,
    /// How it is told of the schema that an output has to follow.
    pub schema: SchemaBy,
    /// Whether it goes on in a session.
    pub sessions: bool,
    /// Whether it goes on in a copy of a session, and leaves that as it is: the option `fork_session`.
    pub forked_sessions: bool,
    /// How its text comes.
    pub text: TextIn,
    /// Whether it tells its thoughts.
    pub thoughts: bool,
    /// What the tokens are of that it tells.
    pub usage: UsageOf,
    /// Whether it tells what it used while it works, so that a budget stops it in the middle of a call.
    pub usage_as_it_works: bool,
    /// Whether it tells what a call cost.
    pub cost: Cost,
    /// Whether it takes a number of turns: the option `max_turns`.
    pub max_turns: bool,
    /// Whether it takes a budget itself: the option `max_budget_usd`. The engine keeps those of a definition in any case.
    pub budget: bool,
    /// The signals that it is asked to stop with, one after the other, before it is killed.
    pub stopped_with: Vec<&'static str>,
}

/// How an agent is told what it may do without a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Permissions {
    /// The option under `with`.
    pub option: &'static str,
    /// What holds without it, in a few words.
    pub default: &'static str,
}

impl Permissions {
    pub(super) const fn new(option: &'static str, default: &'static str) -> Self {
        Self { option, default }
    }
}

/// How an agent is told of the schema that an output has to follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SchemaBy {
    /// By an option of its own, so that it holds its model to it.
    Option,
    /// In the prompt.
    Prompt,
}

/// How the text of an agent comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TextIn {
    /// As the model writes it.
    Pieces,
    /// Each message when it is complete.
    Messages,
}

/// What the tokens are of that an agent tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum UsageOf {
    /// Of the call.
    Call,
    /// Of the session, all in all: a call is told the difference.
    Session,
}

/// Whether an agent tells what a call cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cost {
    /// Always.
    Told,
    /// Where its service tells it.
    Sometimes,
    /// Never: it is unknown, not zero.
    Unknown,
}

/// What an agent can do, as far as only its module can say it; see [`Capabilities`].
#[derive(Debug)]
pub struct Abilities {
    pub(crate) permissions: Permissions,
    pub(crate) schema: SchemaBy,
    pub(crate) sessions: bool,
    pub(crate) text: TextIn,
    pub(crate) thoughts: bool,
    pub(crate) usage: UsageOf,
    pub(crate) usage_as_it_works: bool,
    pub(crate) cost: Cost,
}
