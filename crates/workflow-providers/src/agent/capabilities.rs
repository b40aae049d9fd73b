//! Combines the capabilities of an agent from its module's constants.

use crate::agent::abilities::{Abilities, Capabilities};
use crate::agent::cli::Cli;
use crate::agent::provider::AgentProvider;

impl<C: Cli> AgentProvider<C> {
    /// What the agent can do.
    pub fn capabilities() -> Capabilities {
        let Abilities { permissions, schema, sessions, text, thoughts, usage, usage_as_it_works, cost } =
            C::ABILITIES;
        let options = schemars::schema_for!(C::Options).to_value();
        let takes = |option: &str| options["properties"].get(option).is_some();
        Capabilities {
            name: C::NAME,
            program: C::PROGRAM,
            package: C::PACKAGE,
            tested: C::TESTED,
            permissions,
            schema,
            sessions,
            forked_sessions: takes("fork_session"),
            text,
            thoughts,
            usage,
            usage_as_it_works,
            cost,
            max_turns: takes("max_turns"),
            budget: takes("max_budget_usd"),
            stopped_with: C::SIGNALS.iter().map(|signal| name(*signal)).collect(),
        }
    }
}

fn name(signal: rustix::process::Signal) -> &'static str {
    use rustix::process::Signal;
    match signal {
        Signal::INT => "SIGINT",
        Signal::TERM => "SIGTERM",
        Signal::HUP => "SIGHUP",
        Signal::QUIT => "SIGQUIT",
        _ => "another signal",
    }
}
