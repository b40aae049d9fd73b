//! Grok: `grok --output-format streaming-json`.

use rustix::process::Signal;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use workflow_core::usage::Usage;

use super::abilities::{Abilities, Cost, Permissions, SchemaBy, TextIn, UsageOf};
use super::answer::Answer;
use super::cli::{Call, Cli, End, Invocation, Outcome, Reader, Said, Trouble, number, sum, text};
use crate::failure::Reason;

/// Grok, the agent of xAI.
#[derive(Debug, Clone, Copy)]
pub enum Grok {}

/// The options of the `grok` provider.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, expecting = "a mapping of options")]
#[schemars(rename = "grok")]
pub struct Options {
    /// The model.
    model: Option<String>,
    /// What the agent may do without asking; default: the agent's own. A tool that is not allowed ends the
    /// call.
    permission_mode: Option<PermissionMode>,
    /// The tools that it has.
    tools: Vec<String>,
    /// Text that is appended to the system prompt.
    system_prompt: Option<String>,
    /// The maximum number of turns.
    max_turns: Option<u32>,
    /// Resume a copy of the session, and keep the session unchanged.
    fork_session: bool,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum PermissionMode {
    Default,
    AcceptEdits,
    DontAsk,
    Plan,
    BypassPermissions,
}

impl Cli for Grok {
    type Options = Options;
    type Reader = Stream;

    const NAME: &'static str = "grok";
    const PROGRAM: &'static str = "grok";
    const PACKAGE: &'static str = "@xai-official/grok";
    const TESTED: &'static str = "1.0.41";
    const BILLING: &'static str = "https://console.x.ai";
    const ABILITIES: Abilities = Abilities {
        permissions: Permissions::new("permission_mode", "asking ends the call"),
        schema: SchemaBy::Option,
        sessions: true,
        text: TextIn::Pieces,
        thoughts: true,
        usage: UsageOf::Call,
        usage_as_it_works: true,
        cost: Cost::Sometimes,
    };
    const ENV: &'static [&'static str] = &[
        "XAI_API_KEY",
        "GROK_HOME",
        "GROK_XAI_API_BASE_URL",
        "GROK_MODELS_BASE_URL",
        "GROK_CLI_CHAT_PROXY_BASE_URL",
        "GROK_TELEMETRY_ENABLED",
        "GROK_TELEMETRY_TRACE_UPLOAD",
        "GROK_FEEDBACK_ENABLED",
    ];
    const SET: &'static [(&'static str, &'static str)] = &[("GROK_DISABLE_AUTOUPDATER", "1")];
    const SIGNALS: &'static [Signal] = &[Signal::TERM];

    const LOGIN: Option<&'static [&'static str]> = None;

    fn arguments(options: &Options, call: &Call<'_>) -> Result<Invocation, String> {
        // It reads standard input only as a named file.
        let mut to = Invocation::new(["--prompt-file", "/dev/stdin", "--output-format", "streaming-json"]);
        to.push(["--cwd", &call.directory.to_string_lossy()]);
        to.option("-m", options.model.as_deref());
        to.option(
            "--permission-mode",
            options.permission_mode.map(|mode| match mode {
                PermissionMode::Default => "default",
                PermissionMode::AcceptEdits => "acceptEdits",
                PermissionMode::DontAsk => "dontAsk",
                PermissionMode::Plan => "plan",
                PermissionMode::BypassPermissions => "bypassPermissions",
            }),
        );
        if !options.tools.is_empty() {
            to.push(["--tools", &options.tools.join(",")]);
        }
        for path in call.denied {
            // They hold in every permission mode. `Write` is for the tool that makes files.
            let path = path.display();
            for rule in ["Edit", "Write"]
                .iter()
                .flat_map(|tool| [format!("{tool}({path})"), format!("{tool}({path}/**)")])
            {
                to.push(["--deny", &rule]);
            }
        }
        to.option("--rules", options.system_prompt.as_deref());
        to.option("--max-turns", options.max_turns.map(|turns| turns.to_string()).as_deref());
        if let Some(schema) = &call.request.output_schema {
            to.push(["--json-schema", &schema.to_string()]);
        }
        match &call.request.session {
            Some(session) => {
                to.push(["-r", session]);
                if options.fork_session {
                    to.push(["--fork-session"]);
                }
            }
            None => to.push(["-s", call.new_session]),
        }
        Ok(to)
    }

    fn reader(call: &Call<'_>) -> Stream {
        Stream {
            chosen: call.request.session.is_none().then(|| call.new_session.to_owned()),
            ..Stream::default()
        }
    }
}

/// Reads `--output-format streaming-json`.
#[derive(Default)]
pub struct Stream {
    /// The id that was chosen for a new session. The agent reports it only at the very end, but uses it from
    /// its first record on.
    chosen: Option<String>,
    answer: Answer,
    thought: String,
    used: Usage,
    max_turns: bool,
    end: Option<Value>,
    error: Option<String>,
    seen: bool,
}

impl Reader for Stream {
    fn record(&mut self, record: &Value, say: &mut dyn FnMut(Said)) -> bool {
        if !std::mem::replace(&mut self.seen, true)
            && text(record, "type") != "error"
            && let Some(session) = &self.chosen
        {
            say(Said::Session(session.clone()));
        }
        let kind = text(record, "type");
        if kind != "thought" && !self.thought.is_empty() {
            say(Said::Thinking(std::mem::take(&mut self.thought)));
        }
        match kind {
            "text" => say(Said::TextDelta(self.answer.push(text(record, "data")))),
            "thought" => self.thought.push_str(text(record, "data")),
            "tool_call" => {
                say(Said::TextDelta(self.answer.end_part()));
                say(Said::Tool(format!("{} {}", text(record, "toolName"), record["rawInput"])));
            }
            "tool_call_update" if matches!(text(record, "status"), "completed" | "failed") => {
                let mark = if text(record, "status") == "failed" { "failed: " } else { "" };
                let said = match text(&record["rawOutput"], "output_for_prompt") {
                    "" => text(&record["content"][0]["content"], "text"),
                    output => output,
                };
                say(Said::Tool(format!("→ {mark}{}", said.trim_end())));
            }
            "usage" => {
                let more = usage(&record["usage"], None);
                let add = |sum: &mut Option<u64>, more: Option<u64>| {
                    *sum = Some(sum.unwrap_or(0) + more.unwrap_or(0));
                };
                add(&mut self.used.input_tokens, more.input_tokens);
                add(&mut self.used.output_tokens, more.output_tokens);
                say(Said::Usage(self.used.clone()));
            }
            "max_turns_reached" => self.max_turns = true,
            "end" => {
                say(Said::TextDelta(self.answer.end_part()));
                self.end = Some(record.clone());
            }
            "error" => self.error = Some(text(record, "message").to_owned()),
            "available_commands" | "tool_call_update" | "plan" => {}
            // The agent shortens its history.
            kind => return kind.starts_with("auto_compact"),
        }
        true
    }

    fn is_done(&self) -> bool {
        self.end.is_some() || self.error.is_some()
    }

    fn end(self, end: &End) -> Result<Outcome, Trouble> {
        let used = (self.used != Usage::default()).then_some(self.used);
        if let Some(message) = &self.error {
            let message = if message.trim().is_empty() { end.line() } else { message };
            let reason = match Reason::of_message(message) {
                Reason::Failed if end.stderr.contains("session") => Reason::SessionUnknown,
                reason => reason,
            };
            return Err(Trouble::new(reason, message).using(used).hint(&end.stderr));
        }
        let Some(last) = &self.end else {
            let lower = end.stderr.to_lowercase();
            let is_session =
                lower.contains("session") && (lower.contains("not found") || lower.contains("restore"));
            return Err(match end.cut("grok", self.seen) {
                trouble if is_session => Trouble { reason: Reason::SessionUnknown, ..trouble },
                trouble => trouble,
            }
            .using(used));
        };
        let usage = Some(usage(&last["usage"], last["total_cost_usd"].as_f64()))
            .filter(|usage| usage.tokens().is_some());
        let usage = usage.or(used);
        let trouble = |reason, message: &str| Err(Trouble::new(reason, message).using(usage.clone()));
        match text(last, "stopReason") {
            _ if self.max_turns => {
                return trouble(Reason::MaxTurns, "grok reached the largest number of turns");
            }
            "end_turn" => {}
            "cancelled" => {
                return trouble(Reason::PermissionDenied, "grok wanted to use a tool that is not allowed");
            }
            "max_tokens" | "max_output_tokens" | "length" => {
                let message = "the answer of grok was cut at the largest number of tokens";
                return trouble(Reason::MaxTokens, message);
            }
            other => return trouble(Reason::Failed, &format!("grok stopped: {other}")),
        }
        if !end.is_well() {
            return trouble(Reason::Failed, "grok reported success and then exited with an error");
        }
        let text_said = self.answer.into_text();
        let value = last.get("structuredOutput").filter(|value| !value.is_null()).cloned();
        if text_said.trim().is_empty() && value.is_none() {
            return trouble(Reason::EmptyAnswer, "grok returned no answer");
        }
        let details = number(last, "num_turns").map(|turns| ("turns".to_owned(), turns.into()));
        let session = last.get("sessionId").and_then(Value::as_str).map(str::to_owned);
        Ok(Outcome { text: text_said, value, usage, session, details: Map::from_iter(details) })
    }
}

/// The token counts of a record; tokens that were not read from a cache are counted separately.
fn usage(usage: &Value, cost_usd: Option<f64>) -> Usage {
    let input = sum(usage, &["input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"]);
    Usage { input_tokens: input, output_tokens: number(usage, "output_tokens"), cost_usd }
}
