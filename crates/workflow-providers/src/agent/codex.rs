//! Codex: `codex exec --json`.

use rustix::process::Signal;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use workflow_core::usage::Usage;

use super::abilities::{Abilities, Cost, Permissions, SchemaBy, TextIn, UsageOf};
use super::cli::{Call, Cli, End, Invocation, Outcome, Reader, Said, Trouble, number, text};
use crate::failure::Reason;

/// Codex, the agent of `OpenAI`.
#[derive(Debug, Clone, Copy)]
pub enum Codex {}

/// The options of the `codex` provider.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, expecting = "a mapping of options")]
#[schemars(rename = "codex")]
pub struct Options {
    /// The model.
    model: Option<String>,
    /// What commands may do; default: `read-only`.
    sandbox: Sandbox,
    /// Instructions in addition to the prompt.
    system_prompt: Option<String>,
    /// Values of the agent's configuration, by their dotted names. Other users of the machine can see them.
    config: Map<String, Value>,
    /// Resume a copy of the session, and keep the session unchanged.
    fork_session: bool,
}

#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Sandbox {
    #[default]
    ReadOnly,
    WorkspaceWrite,
    DangerFullAccess,
}

/// The longest prompt that it accepts, in characters.
const PROMPT_LIMIT: usize = 1_048_576;

impl Cli for Codex {
    type Options = Options;
    type Reader = Stream;

    const NAME: &'static str = "codex";
    const PROGRAM: &'static str = "codex";
    const PACKAGE: &'static str = "@openai/codex";
    const TESTED: &'static str = "0.169.0";
    const BILLING: &'static str = "https://chatgpt.com/codex/settings/usage, or https://platform.openai.com/settings/organization/billing for an API key";
    const ABILITIES: Abilities = Abilities {
        permissions: Permissions::new("sandbox", "`read-only`"),
        schema: SchemaBy::Option,
        sessions: true,
        text: TextIn::Messages,
        thoughts: true,
        usage: UsageOf::Session,
        usage_as_it_works: false,
        cost: Cost::Unknown,
    };
    const ENV: &'static [&'static str] = &["CODEX_API_KEY", "CODEX_HOME", "OPENAI_API_KEY"];
    const SET: &'static [(&'static str, &'static str)] = &[];
    // After an interrupt it leaves empty folders in the workspace.
    const SIGNALS: &'static [Signal] = &[Signal::TERM];

    const LOGIN: Option<&'static [&'static str]> = Some(&["login", "status"]);

    fn arguments(options: &Options, call: &Call<'_>) -> Result<Invocation, String> {
        if call.request.prompt.chars().count() > PROMPT_LIMIT {
            return Err(format!(
                "the prompt is longer than the {PROMPT_LIMIT} characters that codex accepts"
            ));
        }
        let mut to = Invocation::new(["exec", "--json", "--skip-git-repo-check", "-s"]);
        to.push([match options.sandbox {
            Sandbox::ReadOnly => "read-only",
            Sandbox::WorkspaceWrite => "workspace-write",
            Sandbox::DangerFullAccess => "danger-full-access",
        }]);
        to.option("-m", options.model.as_deref());
        for (name, value) in &options.config {
            to.push(["-c", &format!("{name}={}", toml(value)?)]);
        }
        if let Some(instructions) = &options.system_prompt {
            to.push(["-c", &format!("developer_instructions={}", toml(&instructions.as_str().into())?)]);
        }
        if let Some(schema) = &call.request.output_schema {
            to.files.push(("schema.json", schema.to_string()));
            to.push(["--output-schema", &call.scratch.join("schema.json").to_string_lossy()]);
        }
        if let Some(session) = &call.request.session {
            // It reads an argument that is not a UUID as a name, and silently begins a new session.
            if session.parse::<uuid::Uuid>().is_err() {
                return Err(format!("`{session}` is not a session id of codex"));
            }
            to.push([if options.fork_session { "fork" } else { "resume" }, session]);
        }
        to.push(["-"]);
        Ok(to)
    }

    fn reader(call: &Call<'_>) -> Stream {
        let before = call.request.session_usage.clone().filter(|_| call.request.session.is_some());
        Stream { resumed: call.request.session.is_some(), before, ..Stream::default() }
    }
}

/// Encodes a value for its configuration.
fn toml(value: &Value) -> Result<String, String> {
    Ok(match value {
        Value::Null => return Err("`config`: there is no null in TOML".to_owned()),
        // JSON strings are TOML strings, except for an escaped slash, which is not written.
        Value::Bool(_) | Value::Number(_) | Value::String(_) => value.to_string(),
        Value::Array(values) => {
            let values: Result<Vec<_>, _> = values.iter().map(toml).collect();
            format!("[{}]", values?.join(", "))
        }
        Value::Object(fields) => {
            let fields: Result<Vec<_>, String> = fields
                .iter()
                .map(|(name, value)| Ok(format!("{} = {}", Value::from(name.as_str()), toml(value)?)))
                .collect();
            format!("{{ {} }}", fields?.join(", "))
        }
    })
}

/// Reads `--json`.
#[derive(Debug, Default)]
pub struct Stream {
    resumed: bool,
    before: Option<Usage>,
    session: Option<String>,
    answer: Option<String>,
    total: Option<Value>,
    failed: Option<String>,
    error: Option<String>,
    seen: bool,
}

impl Reader for Stream {
    fn record(&mut self, record: &Value, say: &mut dyn FnMut(Said)) -> bool {
        self.seen = true;
        match text(record, "type") {
            "thread.started" => {
                let session = text(record, "thread_id").to_owned();
                say(Said::Session(session.clone()));
                self.session = Some(session);
            }
            "item.started" | "item.completed" => {
                self.item(&record["item"], text(record, "type") == "item.completed", say);
            }
            "error" => {
                self.error = Some(text(record, "message").to_owned());
                say(Said::Log(text(record, "message").to_owned()));
            }
            "turn.failed" => self.failed = Some(text(&record["error"], "message").to_owned()),
            "turn.completed" => self.total = Some(record["usage"].clone()),
            "turn.started" | "item.updated" => {}
            _ => return false,
        }
        true
    }

    fn is_done(&self) -> bool {
        self.total.is_some() || self.failed.is_some()
    }

    fn end(self, end: &End) -> Result<Outcome, Trouble> {
        if let Some(failed) = &self.failed {
            let told = [Some(failed), self.error.as_ref()].into_iter().flatten();
            let message = told.map(String::as_str).find(|text| !text.trim().is_empty()).unwrap_or(end.line());
            return Err(Trouble::new(Reason::of_message(message), message));
        }
        let Some(total) = &self.total else {
            let stderr = end.stderr.trim();
            return Err(match &self.error {
                _ if stderr.contains("no rollout found") || stderr.contains("no thread with id") => {
                    Trouble::new(Reason::SessionUnknown, stderr)
                }
                Some(message) if end.code.is_some_and(|code| code != 0) => {
                    Trouble::new(Reason::of_message(message), message)
                }
                _ => end.cut("codex", self.seen),
            });
        };
        let usage = self.usage(total);
        if !end.is_well() {
            let message = "codex reported success and then exited with an error";
            return Err(Trouble::new(Reason::Failed, message).using(usage));
        }
        match self.answer {
            Some(text) if !text.trim().is_empty() => {
                Ok(Outcome { text, usage, session: self.session, ..Outcome::default() })
            }
            _ => Err(Trouble::new(Reason::EmptyAnswer, "codex returned no answer").using(usage)),
        }
    }
}

impl Stream {
    fn item(&mut self, item: &Value, is_done: bool, say: &mut dyn FnMut(Said)) {
        match (text(item, "type"), is_done) {
            ("agent_message", true) => {
                let message = text(item, "text").to_owned();
                say(Said::Text(message.clone()));
                self.answer = Some(message);
            }
            ("reasoning", true) => say(Said::Thinking(text(item, "text").to_owned())),
            ("error", true) => say(Said::Log(text(item, "message").to_owned())),
            ("command_execution", false) => say(Said::Tool(text(item, "command").to_owned())),
            ("command_execution", true) => {
                let mark = match item["exit_code"].as_i64() {
                    Some(0) | None => String::new(),
                    Some(code) => format!("exit code {code}: "),
                };
                say(Said::Tool(format!("→ {mark}{}", text(item, "aggregated_output").trim_end())));
            }
            ("agent_message" | "reasoning" | "error", false) => {}
            (kind, is_done) => say(Said::Tool(format!("{}{kind} {}", if is_done { "→ " } else { "" }, item))),
        }
    }

    /// It reports the total usage of the session.
    fn usage(&self, total: &Value) -> Option<Usage> {
        let before = self.before.as_ref();
        let since = |name: &str, before: Option<u64>| {
            let total = number(total, name)?;
            match before {
                // A smaller total belongs to another session.
                Some(before) => Some(total.checked_sub(before).unwrap_or(total)),
                // The former usage of a resumed session is unknown.
                None => Some(total).filter(|_| !self.resumed),
            }
        };
        let input_tokens = since("input_tokens", before.and_then(|before| before.input_tokens));
        let output_tokens = since("output_tokens", before.and_then(|before| before.output_tokens));
        Some(Usage { input_tokens, output_tokens, cost_usd: None }).filter(|usage| usage.tokens().is_some())
    }
}
