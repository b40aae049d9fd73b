//! The options of a command under `with`.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::environment::is_variable_name;
use crate::options::{self, holds_expression};
use crate::text::Text;

/// The options of the `command` provider.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping of options")]
#[schemars(rename = "command")]
pub(super) struct CommandOptions {
    /// The program and its arguments. No shell is involved.
    #[schemars(length(min = 1))]
    pub(super) command: Vec<Text>,
    /// Allows a `${…}` to decide which program runs.
    #[serde(default)]
    #[allow(dead_code, reason = "checked before a call, where it is still known what a value decided")]
    pub(super) dynamic_command: bool,
    /// What the program reads from standard input; default: the prompt.
    pub(super) stdin: Option<Text>,
    /// Environment variables to set.
    #[serde(default)]
    pub(super) env: IndexMap<String, Text>,
    /// The working directory, inside the work root; default: the stage's `cwd`, or the work root itself.
    pub(super) cwd: Option<String>,
    /// The format of standard output.
    #[serde(default)]
    pub(super) output: OutputFormat,
    /// The exit codes that mean success; default: 0.
    #[serde(default = "zero")]
    #[schemars(length(min = 1))]
    pub(super) success_codes: Vec<i32>,
}

fn zero() -> Vec<i32> {
    vec![0]
}

/// The format of standard output.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum OutputFormat {
    /// Text.
    #[default]
    Text,
    /// One JSON value, which may be in a code fence.
    Json,
    /// A JSON value in each line that is not blank.
    JsonLines,
}

impl CommandOptions {
    /// Reads options in which all `${…}` are resolved.
    ///
    /// # Errors
    ///
    /// A message with what to write instead.
    pub(super) fn read(options: &Value) -> Result<Self, String> {
        const COMMAND: &str = "write the program and its arguments, as in `command: [\"cargo\", \"test\"]`";
        if !(options.is_null() || options.is_object()) {
            return Err("write an object, with `command` in it".to_owned());
        }
        if options.get("command").is_none() {
            return Err(format!("`command` is missing: {COMMAND}"));
        }
        let read: Self = options::read(options).map_err(|wrong| match wrong.path.as_str() {
            "command" => format!("`command`: {}: {COMMAND}", wrong.problem),
            _ => wrong.told(),
        })?;
        match read.command.first() {
            None => return Err(format!("`command` is empty: {COMMAND}")),
            Some(program) if program.0.is_empty() => {
                return Err("`command[0]` is empty: write the program".to_owned());
            }
            Some(_) => {}
        }
        if read.success_codes.is_empty() {
            return Err("`success_codes` is empty: write at least one exit code, or leave it out".to_owned());
        }
        if let Some(name) = read.env.keys().find(|name| !is_variable_name(name)) {
            return Err(format!("`env`: {name:?} cannot be the name of an environment variable"));
        }
        Ok(read)
    }

    /// Checks options in which a `${…}` may still stand for an unknown value.
    ///
    /// # Errors
    ///
    /// A message with what to write instead.
    pub(super) fn check(options: &Value) -> Result<(), String> {
        let mut likely = options.clone();
        put_in_for_expressions(&mut likely);
        Self::read(&likely)?;
        if holds_expression(&options["command"]) && options["dynamic_command"] != true {
            return Err(
                "`command`: a value decides which program runs: write a list that names the program, or \
                        allow it with `dynamic_command: true`"
                    .to_owned(),
            );
        }
        check_literals(options)
    }
}

/// Inserts values of the right type where an expression stands for something other than text.
fn put_in_for_expressions(options: &mut Value) {
    for (name, value) in [
        ("command", json!(["program"])),
        ("env", json!({})),
        ("output", json!("text")),
        ("success_codes", json!([0])),
    ] {
        if let Some(option) = options.get_mut(name).filter(|option| holds_expression(option)) {
            *option = value;
        }
    }
    if let Some(codes) = options.get_mut("success_codes").and_then(Value::as_array_mut) {
        codes.iter_mut().filter(|code| holds_expression(code)).for_each(|code| *code = json!(0));
    }
}

/// Lists and objects that result from a `${…}` become text; written literally, they are a mistake.
fn check_literals(options: &Value) -> Result<(), String> {
    let arguments = options["command"].as_array().into_iter().flatten().enumerate();
    let arguments = arguments.map(|(n, argument)| (format!("command[{n}]"), argument));
    let variables = options["env"].as_object().into_iter().flatten();
    let variables = variables.map(|(name, value)| (format!("env.{name}"), value));
    for (path, value) in arguments.chain(variables) {
        if value.is_array() || value.is_object() {
            return Err(format!("`{path}`: write a string"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read() {
        let options = CommandOptions::read(&json!({
            "command": ["sleep", 1.5, {"a": [true]}],
            "stdin": {"b": null},
            "env": {"PORT": 8080, "DEBUG": true},
            "output": "json-lines",
            "success_codes": [0, 3],
        }))
        .unwrap();
        let command: Vec<_> = options.command.iter().map(|text| text.0.as_str()).collect();
        assert_eq!(command, ["sleep", "1.5", "{\"a\":[true]}"]);
        assert_eq!(options.stdin.unwrap().0, "{\"b\":null}");
        assert_eq!((&*options.env["PORT"].0, &*options.env["DEBUG"].0), ("8080", "true"));
        assert_eq!((options.output, options.success_codes), (OutputFormat::JsonLines, vec![0, 3]));
    }

    #[test]
    fn expressions_may_stand_anywhere_before_a_run() {
        for options in [
            json!({"command": ["program", "--level=${vars.level}"]}),
            json!({"command": "${vars.command}", "dynamic_command": true, "env": "${vars.env}", "output": "${vars.output}"}),
            json!({"command": ["true"], "success_codes": "${vars.codes}"}),
            json!({"command": ["true"], "success_codes": [0, "${vars.code}"], "cwd": "${vars.repo}/src"}),
        ] {
            assert_eq!(CommandOptions::check(&options), Ok(()), "{options}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        const COMMAND: &str = "write the program and its arguments, as in `command: [\"cargo\", \"test\"]`";
        for (options, message) in [
            (json!(null), format!("`command` is missing: {COMMAND}")),
            (json!({}), format!("`command` is missing: {COMMAND}")),
            (json!([["true"]]), "write an object, with `command` in it".to_owned()),
            (json!({"command": []}), format!("`command` is empty: {COMMAND}")),
            (json!({"command": [""]}), "`command[0]` is empty: write the program".to_owned()),
            (
                json!({"command": "cargo test"}),
                format!("`command`: invalid type: string \"cargo test\", expected a list: {COMMAND}"),
            ),
            (json!({"command": [null]}), "`command[0]`: write a string; this is empty".to_owned()),
            (json!({"command": [["cargo"]]}), "`command[0]`: write a string".to_owned()),
            (json!({"command": ["a"], "env": {"A": {}}}), "`env.A`: write a string".to_owned()),
            (
                json!({"command": ["a"], "env": {"A=B": "c"}}),
                "`env`: \"A=B\" cannot be the name of an environment variable".to_owned(),
            ),
            (
                json!({"command": ["a"], "succes_codes": [1]}),
                "unknown option `succes_codes`, expected one of `command`, `dynamic_command`, \
                 `stdin`, `env`, `cwd`, `output`, `success_codes`"
                    .to_owned(),
            ),
            (
                json!({"command": ["a"], "success_codes": ["1"]}),
                "`success_codes[0]`: invalid type: string \"1\", expected a whole number".to_owned(),
            ),
            (
                json!({"command": ["a"], "success_codes": []}),
                "`success_codes` is empty: write at least one exit code, or leave it out".to_owned(),
            ),
            (
                json!({"command": ["a"], "output": "yaml"}),
                "`output`: unknown value `yaml`, expected one of `text`, `json`, `json-lines`".to_owned(),
            ),
        ] {
            assert_eq!(CommandOptions::check(&options).unwrap_err(), message, "{options}");
        }
    }
}
