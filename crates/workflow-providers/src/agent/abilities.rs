//! The capabilities of an agent, as data.

/// What an agent can do; see [`AgentProvider::capabilities`](crate::AgentProvider::capabilities).
/// `docs/src/guides/agents.md` shows it as a table.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[allow(clippy::struct_excessive_bools, reason = "none of them depends on another")]
pub struct Capabilities {
    /// The name of the provider.
    pub name: &'static str,
    /// The program.
    pub program: &'static str,
    /// Its npm package.
    pub package: &'static str,
    /// The version that the provider was developed and tested with.
    pub tested: &'static str,
    /// What it may do without asking.
    pub permissions: Permissions,
    /// How it receives the schema of the output.
    pub schema: SchemaBy,
    /// Whether it can resume a session.
    pub sessions: bool,
    /// Whether it can resume a copy of a session and keep the original unchanged: the option `fork_session`.
    pub forked_sessions: bool,
    /// How its text is streamed.
    pub text: TextIn,
    /// Whether it reports its thoughts.
    pub thoughts: bool,
    /// What its token counts refer to.
    pub usage: UsageOf,
    /// Whether it reports its usage while it works, so that a budget can stop it in the middle of a call.
    pub usage_as_it_works: bool,
    /// Whether it reports the cost of a call.
    pub cost: Cost,
    /// Whether it accepts a number of turns: the option `max_turns`.
    pub max_turns: bool,
    /// Whether it accepts a budget itself: the option `max_budget_usd`. The engine enforces the budgets of a
    /// definition in any case.
    pub budget: bool,
    /// The signals that ask it to stop, one after the other, before it is killed.
    pub stopped_with: Vec<&'static str>,
}

/// How an agent is told what it may do without asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Permissions {
    /// The option under `with`.
    pub option: &'static str,
    /// The default, in a few words.
    pub default: &'static str,
}

impl Permissions {
    pub(crate) const fn new(option: &'static str, default: &'static str) -> Self {
        Self { option, default }
    }
}

/// How an agent receives the schema of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SchemaBy {
    /// With an option of its own, so that it enforces the schema.
    Option,
    /// In the prompt.
    Prompt,
}

/// How the text of an agent is streamed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TextIn {
    /// As the model writes it.
    Pieces,
    /// Each message when it is complete.
    Messages,
}

/// What the token counts of an agent refer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum UsageOf {
    /// The call.
    Call,
    /// The whole session: the usage of a call is the difference.
    Session,
}

/// Whether an agent reports the cost of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cost {
    /// Always.
    Told,
    /// If its service reports it.
    Sometimes,
    /// Never: the cost is unknown, not zero.
    Unknown,
}

/// The capabilities that only the agent's module can name; see [`Capabilities`].
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
