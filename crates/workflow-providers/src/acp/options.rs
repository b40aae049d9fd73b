//! The options of an agent that speaks ACP, under `with`.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::permission::Rule;
use crate::options::{self, holds_expression};

/// The options of the `acp` provider.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping of options")]
#[schemars(rename = "acp")]
pub(super) struct AcpOptions {
    /// The program of the agent and its arguments, as in `[gemini, --acp]`. No shell is involved.
    #[schemars(length(min = 1))]
    pub(super) command: Vec<String>,
    /// The mode of the session, by the name that the agent has for it; default: that of the agent.
    pub(super) mode: Option<String>,
    /// What the agent may do that it asks for: kinds of tools (`read`, `edit`, `delete`, `move`, `search`, `execute`,
    /// `think`, `fetch`, `other`), with a pattern for the title where not all are meant, as in `execute(cargo test*)`, or `*` for
    /// everything. Default: nothing.
    #[serde(default)]
    pub(super) allow: Vec<Rule>,
    /// What it may not do, in the same form. It counts more than `allow`.
    #[serde(default)]
    pub(super) deny: Vec<Rule>,
    /// What a person decides that neither `allow` nor `deny` does, in the same form: the run waits for the answer. Only for
    /// agents that can continue a session.
    #[serde(default)]
    pub(super) ask: Vec<Rule>,
}

impl AcpOptions {
    /// Reads options in which all `${…}` are resolved.
    ///
    /// # Errors
    ///
    /// A message with what to write instead.
    pub(super) fn read(options: &Value) -> Result<Self, String> {
        const COMMAND: &str =
            "write the program of the agent and its arguments, as in `command: [gemini, --acp]`";
        if options.is_null() || (options.is_object() && options.get("command").is_none()) {
            return Err(format!("`command` is missing: {COMMAND}"));
        }
        let read: Self = options::read(options).map_err(options::Wrong::told)?;
        if read.command.first().is_none_or(String::is_empty) {
            return Err(format!("`command` is empty: {COMMAND}"));
        }
        Ok(read)
    }

    /// `deny`, `allow` and `ask`: each counts more than those behind it.
    pub(super) fn rules(&self) -> [&[Rule]; 3] {
        [&self.deny, &self.allow, &self.ask]
    }

    /// Checks options in which a `${…}` may still stand for an unknown value.
    ///
    /// # Errors
    ///
    /// A message with what to write instead.
    pub(super) fn check(options: &Value) -> Result<(), String> {
        let mut known = options::known(options)?;
        let command = &options["command"];
        if holds_expression(command) || command.get(0).is_some_and(holds_expression) {
            return Err("`command`: a value decides which program runs: write a list that names the program"
                .to_owned());
        }
        if let (Some(program), None) = (command.get(0), known.get("command")) {
            known["command"] = Value::Array(vec![program.clone()]);
        }
        Self::read(&known).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn mistakes_are_named_and_expressions_may_stand_behind_the_program() {
        for (options, message) in [
            (
                json!(null),
                "`command` is missing: write the program of the agent and its arguments, as in `command: [gemini, --acp]`",
            ),
            (
                json!({ "command": [] }),
                "`command` is empty: write the program of the agent and its arguments, as in `command: [gemini, --acp]`",
            ),
            (
                json!({ "command": "gemini --acp" }),
                "`command`: invalid type: string \"gemini --acp\", expected a list",
            ),
            (
                json!({ "command": ["${vars.agent}"] }),
                "`command`: a value decides which program runs: write a list that names the program",
            ),
            (
                json!({ "command": ["a"], "allow": ["run"] }),
                "`allow[0]`: `run` is not a kind of tool: write read, edit, delete, move, search, execute, think, fetch, switch_mode, other or *, as in `execute(cargo test*)`",
            ),
            (
                json!({ "command": ["a"], "permissions": [] }),
                "unknown option `permissions`, expected one of `command`, `mode`, `allow`, `deny`, `ask`",
            ),
        ] {
            assert_eq!(AcpOptions::check(&options).unwrap_err(), message, "{options}");
        }
        for options in [
            json!({ "command": ["gemini", "--model", "${vars.model}"], "mode": "${vars.mode}" }),
            json!({ "command": ["agent"], "allow": ["*"], "deny": ["execute(git push*)", "delete"] }),
        ] {
            assert_eq!(AcpOptions::check(&options), Ok(()), "{options}");
        }
    }
}
