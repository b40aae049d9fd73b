//! Claude Code: `claude -p`.

use jiff::Timestamp;
use rustix::process::Signal;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use workflow_core::usage::Usage;

use super::abilities::{Abilities, Cost, Permissions, SchemaBy, TextIn, UsageOf};
use super::cli::{Call, Cli, End, Invocation, Outcome, Reader, Said, Trouble, number, sum, text};
use crate::failure::Reason;

/// Claude Code, the agent of Anthropic.
#[derive(Debug, Clone, Copy)]
pub enum ClaudeCode {}

/// The options of the `claude-code` provider.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, expecting = "a mapping of options")]
#[schemars(rename = "claude-code")]
pub struct Options {
    /// The model.
    model: Option<String>,
    /// What the agent may do without asking; default: `default`, which denies everything that it would ask
    /// for.
    permission_mode: Option<PermissionMode>,
    /// Tools that are allowed without asking, as `Bash(cargo test *)`.
    allowed_tools: Vec<String>,
    /// Tools that are denied.
    disallowed_tools: Vec<String>,
    /// Text that is appended to the system prompt.
    system_prompt: Option<String>,
    /// MCP servers, by their names, in the format of `mcpServers` in the agent's configuration; no others are
    /// used.
    mcp_servers: Option<Map<String, Value>>,
    /// The maximum number of turns.
    max_turns: Option<u32>,
    /// The maximum cost of this call in US dollars.
    max_budget_usd: Option<f64>,
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

impl Cli for ClaudeCode {
    type Options = Options;
    type Reader = Stream;

    const NAME: &'static str = "claude-code";
    const PROGRAM: &'static str = "claude";
    const PACKAGE: &'static str = "@anthropic-ai/claude-code";
    const TESTED: &'static str = "2.1.330";
    const BILLING: &'static str = "https://console.anthropic.com/settings/billing, or https://claude.ai/settings/usage for a subscription";
    const ABILITIES: Abilities = Abilities {
        permissions: Permissions::new("permission_mode", "denies what it would ask for"),
        schema: SchemaBy::Option,
        sessions: true,
        text: TextIn::Pieces,
        thoughts: true,
        usage: UsageOf::Call,
        usage_as_it_works: true,
        cost: Cost::Told,
    };
    const ENV: &'static [&'static str] = &[
        "ANTHROPIC_API_KEY",
        "ANTHROPIC_AUTH_TOKEN",
        "ANTHROPIC_BASE_URL",
        "CLAUDE_CODE_OAUTH_TOKEN",
        "CLAUDE_CONFIG_DIR",
        "CLAUDE_CODE_MAX_RETRIES",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC",
        "API_TIMEOUT_MS",
        "DISABLE_TELEMETRY",
        "DISABLE_ERROR_REPORTING",
        "IS_SANDBOX",
    ];
    const SET: &'static [(&'static str, &'static str)] = &[("DISABLE_AUTOUPDATER", "1")];
    // On these signals it stops its tools, which run in sessions of their own, and reports its usage.
    const SIGNALS: &'static [Signal] = &[Signal::INT, Signal::TERM];

    const LOGIN: Option<&'static [&'static str]> = Some(&["auth", "status"]);

    fn login(said: &str) -> String {
        // Warnings may be printed before and after the status.
        let status = said.find('{').and_then(|start| {
            serde_json::Deserializer::from_str(&said[start..]).into_iter::<Value>().next()?.ok()
        });
        match status {
            Some(status) if status["loggedIn"] == true => {
                format!("logged in: {}", text(&status, "authMethod"))
            }
            Some(status) if status["loggedIn"] == false => "not logged in".to_owned(),
            _ => "unknown".to_owned(),
        }
    }

    fn arguments(options: &Options, call: &Call<'_>) -> Result<Invocation, String> {
        let mut to = Invocation::new([
            "-p",
            "--output-format",
            "stream-json",
            "--verbose",
            "--include-partial-messages",
        ]);
        to.option("--model", options.model.as_deref());
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
        let mut disallowed = options.disallowed_tools.clone();
        for path in call.denied {
            // The rules hold for all tools that edit files. A path from the root has two slashes in them, and
            // holds also if the agent asks for nothing.
            let path = path.display();
            disallowed.extend([format!("Edit(/{path})"), format!("Edit(/{path}/**)")]);
        }
        for (name, tools) in [("--allowedTools", &options.allowed_tools), ("--disallowedTools", &disallowed)]
        {
            if !tools.is_empty() {
                if let Some(option) = tools.iter().find(|tool| tool.starts_with('-')) {
                    return Err(format!(
                        "`{option}` is not a tool rule: the agent would read it as an option"
                    ));
                }
                // One argument each: a rule can contain a comma.
                to.push([name]);
                to.arguments.extend(tools.iter().cloned());
            }
        }
        to.option("--append-system-prompt", options.system_prompt.as_deref());
        to.option("--max-turns", options.max_turns.map(|turns| turns.to_string()).as_deref());
        to.option("--max-budget-usd", options.max_budget_usd.map(|cost| cost.to_string()).as_deref());
        if let Some(schema) = &call.request.output_schema {
            let mut schema = Value::clone(schema);
            schema.as_object_mut().map(|schema| schema.shift_remove("$schema"));
            to.push(["--json-schema", &schema.to_string()]);
        }
        if let Some(servers) = &options.mcp_servers {
            // Not passed as an argument: it can contain keys, and every user of the machine can see
            // arguments.
            to.files.push(("mcp.json", json!({ "mcpServers": servers }).to_string()));
            to.push([
                "--strict-mcp-config",
                "--mcp-config",
                &call.scratch.join("mcp.json").to_string_lossy(),
            ]);
        }
        if let Some(session) = &call.request.session {
            to.push(["--resume", session]);
            if options.fork_session {
                to.push(["--fork-session"]);
            }
        }
        // By default its sockets are in a folder that all users share.
        to.environment.push(("CLAUDE_CODE_TMPDIR".to_owned(), call.scratch.to_string_lossy().into_owned()));
        Ok(to)
    }

    fn reader(call: &Call<'_>) -> Stream {
        Stream {
            resumed: call.request.session.is_some(),
            before: call.request.session_usage.clone(),
            ..Stream::default()
        }
    }
}

/// The kinds of `system` records that are left out.
const KNOWN: [&str; 11] = [
    "init",
    "status",
    "thinking_tokens",
    "informational",
    "ui_invalidate",
    "compact_boundary",
    "microcompact_boundary",
    "hook_started",
    "hook_progress",
    "hook_response",
    "task_notification",
];

/// Reads `--output-format stream-json`.
#[derive(Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "facts that do not depend on each other")]
pub struct Stream {
    resumed: bool,
    before: Option<Usage>,
    session: Option<String>,
    /// A message is in progress, and pieces of it were shown.
    open: bool,
    shown: bool,
    thought: String,
    input: u64,
    used: Usage,
    /// The kind of the last error of the service.
    error: Option<String>,
    /// The quota is used up; and until when, if that is known.
    is_rejected: bool,
    resets_at: Option<Timestamp>,
    /// The last message is an error of the service, not an answer.
    last_failed: bool,
    result: Option<Value>,
    /// What the results before the last one used.
    earlier: Option<Usage>,
    seen: bool,
}

impl Reader for Stream {
    fn record(&mut self, record: &Value, say: &mut dyn FnMut(Said)) -> bool {
        self.seen = true;
        if let Some(session) = record.get("session_id").and_then(Value::as_str)
            && self.session.as_deref() != Some(session)
            && text(record, "subtype") == "init"
        {
            self.session = Some(session.to_owned());
            say(Said::Session(session.to_owned()));
        }
        let of_main = record.get("parent_tool_use_id").is_none_or(Value::is_null);
        match (text(record, "type"), text(record, "subtype")) {
            ("system", "api_retry") => {
                self.error = Some(text(record, "error").to_owned());
                let (attempt, most) = (&record["attempt"], &record["max_retries"]);
                say(Said::Log(format!(
                    "the service failed ({}); attempt {attempt} of {most}",
                    text(record, "error")
                )));
            }
            ("system", "permission_denied") => {
                say(Said::Log(format!("denied: {}: {}", text(record, "tool_name"), text(record, "message"))));
            }
            ("stream_event", _) if of_main => self.event(&record["event"], say),
            ("assistant", _) if text(&record["message"], "model") == "<synthetic>" => {
                if let Some(error) = record.get("error").and_then(Value::as_str) {
                    self.error = Some(error.to_owned());
                }
                self.last_failed = record["is_api_error_message"] == true;
            }
            ("assistant", _) => {
                self.last_failed &= !of_main;
                self.blocks(&record["message"], of_main, say);
            }
            ("user", _) => {
                for block in record["message"]["content"].as_array().into_iter().flatten() {
                    if text(block, "type") == "tool_result" {
                        let said = match &block["content"] {
                            Value::String(said) => said.clone(),
                            other => other.to_string(),
                        };
                        let mark = if block["is_error"] == true { "failed: " } else { "" };
                        say(Said::Tool(format!("→ {mark}{}", said.trim_end())));
                    }
                }
            }
            ("rate_limit_event", _) => {
                // The event also says that a request was allowed, and when the quota is refilled that is not
                // used up.
                let info = &record["rate_limit_info"];
                self.is_rejected = !text(info, "status").starts_with("allowed");
                let seconds = number(info, "resetsAt").and_then(|seconds| i64::try_from(seconds).ok());
                let at = seconds.and_then(|seconds| Timestamp::from_second(seconds).ok());
                self.resets_at = at.filter(|_| self.is_rejected);
            }
            ("result", _) => self.result(record),
            ("system", subtype) => return KNOWN.contains(&subtype),
            (
                "control_request"
                | "control_response"
                | "control_cancel_request"
                | "keep_alive"
                | "stream_event",
                _,
            ) => {}
            _ => return false,
        }
        true
    }

    fn is_done(&self) -> bool {
        self.result.is_some()
    }

    fn end(self, end: &End) -> Result<Outcome, Trouble> {
        let Some(result) = &self.result else {
            let trouble = if end.stderr.contains("No conversation found") {
                Trouble::new(Reason::SessionUnknown, end.stderr.trim())
            } else {
                end.cut("claude", self.seen)
            };
            return Err(trouble.using((self.used != Usage::default()).then_some(self.used)));
        };
        let usage = Some(add(self.earlier.clone(), self.usage(result)));
        let errors: Vec<_> =
            result["errors"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let (said, errors) = (text(result, "result"), errors.join("; "));
        let trouble = |reason, message: &str| Err(Trouble::new(reason, message).using(usage.clone()));
        let or = |message: &str| if errors.is_empty() { message.to_owned() } else { errors.clone() };
        match text(result, "subtype") {
            "error_max_turns" => {
                return trouble(Reason::MaxTurns, &or("claude reached the largest number of turns"));
            }
            "error_max_budget_usd" => {
                return trouble(Reason::Budget, &or("claude reached its largest cost"));
            }
            _ if errors.contains("No conversation found") => {
                return trouble(Reason::SessionUnknown, &errors);
            }
            _ if text(result, "terminal_reason").starts_with("aborted") => {
                return trouble(Reason::Killed, "claude was interrupted from outside");
            }
            "success" if result["is_error"] == false && !self.last_failed => {}
            subtype => {
                let message = [said, &errors, end.line()].into_iter().find(|text| !text.trim().is_empty());
                let message = message.map_or_else(
                    || format!("claude ended with `{subtype}` and did not say why"),
                    str::to_owned,
                );
                let resets = self.resets_at;
                return Err(Trouble {
                    resets,
                    ..Trouble::new(self.reason(result, &message), message).using(usage)
                });
            }
        }
        if text(result, "stop_reason") == "max_tokens" {
            return trouble(
                Reason::MaxTokens,
                "the answer of claude was cut at the largest number of tokens",
            );
        }
        if !end.is_well() {
            return trouble(Reason::Failed, "claude reported success and then exited with an error");
        }
        let value = result.get("structured_output").filter(|value| !value.is_null()).cloned();
        if said.trim().is_empty() && value.is_none() {
            return trouble(Reason::EmptyAnswer, "claude returned no answer");
        }
        let mut details = Map::new();
        if let Some(turns) = number(result, "num_turns") {
            details.insert("turns".to_owned(), turns.into());
        }
        let denied = result["permission_denials"].as_array().into_iter().flatten();
        let denied: Vec<_> = denied.map(|denial| denial["tool_name"].clone()).collect();
        if !denied.is_empty() {
            details.insert("denied".to_owned(), denied.into());
        }
        let session = result.get("session_id").and_then(Value::as_str).map(str::to_owned);
        Ok(Outcome { text: said.to_owned(), value, usage, session, details })
    }
}

impl Stream {
    /// One process may make several turns, each with its result; their usage adds up.
    fn result(&mut self, record: &Value) {
        if let Some(before) = self.result.take() {
            let used = self.usage(&before);
            self.earlier = Some(add(self.earlier.take(), used));
            if before["model_usage_since_last_result"].is_null() {
                // The cost is that of the session so far.
                self.earlier = self.earlier.take().map(|earlier| Usage { cost_usd: None, ..earlier });
            }
        }
        self.result = Some(record.clone());
    }

    /// Why the service failed: what the records say, then what the message says.
    fn reason(&self, result: &Value, message: &str) -> Reason {
        let status = number(result, "api_error_status").and_then(|status| u16::try_from(status).ok());
        if text(result, "stop_reason") == "max_tokens" || self.error.as_deref() == Some("max_output_tokens") {
            return Reason::MaxTokens;
        }
        let of_message = Reason::of(status, message);
        if status.is_some() || of_message == Reason::Throttled {
            return of_message;
        }
        if self.is_rejected {
            return Reason::RateLimited;
        }
        let kind = match text(result, "api_error_type") {
            "" => self.error.as_deref().unwrap_or_default(),
            kind => kind,
        };
        match kind {
            "authentication_failed" | "authentication_error" | "permission_error" => Reason::NotLoggedIn,
            "billing_error" => Reason::Billing,
            "rate_limit" | "rate_limit_error" if of_message != Reason::Billing => Reason::RateLimited,
            "overloaded" | "overloaded_error" | "server_error" | "api_error" => Reason::Overloaded,
            _ => of_message,
        }
    }

    fn event(&mut self, event: &Value, say: &mut dyn FnMut(Said)) {
        match text(event, "type") {
            "message_start" => {
                if self.open && self.shown {
                    say(Said::Log("the answer is restarted".to_owned()));
                }
                (self.open, self.shown) = (true, false);
                self.thought.clear();
                self.input = input(&event["message"]["usage"]).unwrap_or(0);
            }
            "content_block_delta" => match text(&event["delta"], "type") {
                "text_delta" => {
                    self.shown = true;
                    say(Said::TextDelta(text(&event["delta"], "text").to_owned()));
                }
                "thinking_delta" => self.thought.push_str(text(&event["delta"], "thinking")),
                _ => {}
            },
            "content_block_stop" if !self.thought.is_empty() => {
                say(Said::Thinking(std::mem::take(&mut self.thought)));
            }
            "message_delta" => {
                let used = &mut self.used;
                used.input_tokens = Some(used.input_tokens.unwrap_or(0) + std::mem::take(&mut self.input));
                let output = number(&event["usage"], "output_tokens").unwrap_or(0);
                used.output_tokens = Some(used.output_tokens.unwrap_or(0) + output);
                say(Said::Usage(used.clone()));
            }
            "message_stop" => self.open = false,
            _ => {}
        }
    }

    /// The blocks of a complete message; its text was shown already if it was streamed in pieces.
    fn blocks(&mut self, message: &Value, of_main: bool, say: &mut dyn FnMut(Said)) {
        for block in message["content"].as_array().into_iter().flatten() {
            match text(block, "type") {
                "text" if of_main && !self.shown => say(Said::Text(text(block, "text").to_owned())),
                "thinking" if of_main && !self.open => {
                    say(Said::Thinking(text(block, "thinking").to_owned()));
                }
                "tool_use" => {
                    say(Said::Tool(format!("{} {}", text(block, "name"), block["input"])));
                }
                _ => {}
            }
        }
    }

    /// The usage of this call: newer versions report it, older ones report the total of the session.
    fn usage(&self, result: &Value) -> Usage {
        let cost_of = |models: &Map<String, Value>| -> f64 {
            models.values().filter_map(|model| model["costUSD"].as_f64()).fold(0.0, |sum, cost| sum + cost)
        };
        if let Some(models) = result["model_usage_since_last_result"].as_object() {
            let all = |names: &[&str]| {
                models.values().filter_map(|model| sum(model, names)).reduce(u64::saturating_add)
            };
            return Usage {
                input_tokens: all(&["inputTokens", "cacheReadInputTokens", "cacheCreationInputTokens"]),
                output_tokens: all(&["outputTokens"]),
                cost_usd: Some(cost_of(models)),
            };
        }
        let total = result["total_cost_usd"].as_f64();
        let before = self.before.as_ref().and_then(|before| before.cost_usd);
        let cost_usd = match (total, before) {
            (Some(total), Some(before)) if self.resumed => Some(total - before).filter(|cost| *cost >= 0.0),
            (total, _) => total.filter(|_| !self.resumed),
        };
        let usage = &result["usage"];
        Usage { input_tokens: input(usage), output_tokens: number(usage, "output_tokens"), cost_usd }
    }
}

/// The sum; what is unknown of one is that of the other.
fn add(earlier: Option<Usage>, last: Usage) -> Usage {
    let Some(earlier) = earlier else { return last };
    let tokens = |a: Option<u64>, b: Option<u64>| a.into_iter().chain(b).reduce(u64::saturating_add);
    Usage {
        input_tokens: tokens(earlier.input_tokens, last.input_tokens),
        output_tokens: tokens(earlier.output_tokens, last.output_tokens),
        cost_usd: earlier.cost_usd.into_iter().chain(last.cost_usd).reduce(|a, b| a + b),
    }
}

fn input(usage: &Value) -> Option<u64> {
    sum(usage, &["input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"])
}
