//! The conversation of one call: `initialize`, a session, a prompt, and what the agent says and asks meanwhile.

use std::collections::HashMap;
use std::path::Path;

use serde_json::{Map, Value, json};
use workflow_core::usage::Usage;

use super::asking::Persons;
use super::options::AcpOptions;
use super::permission::{Decision, Verdict, decide, verdict};
use super::rpc;
use crate::agent::cli::{End, Outcome, Said, Trouble, number, text};
use crate::failure::Reason;

/// The version of the protocol.
pub(super) const VERSION: u64 = 1;

/// The largest number of tools whose titles are remembered, and of denials that are recorded.
const MOST: usize = 1000;

/// Continues a session, and repeats it.
const LOAD: &str = "session/load";

/// What of a session is repeated when it is loaded.
const REPEATED: [&str; 6] = [
    "user_message_chunk",
    "agent_message_chunk",
    "agent_thought_chunk",
    "tool_call",
    "tool_call_update",
    "plan",
];

/// What a call asks of its agent.
#[derive(Debug)]
pub(super) struct Task<'c> {
    pub(super) options: &'c AcpOptions,
    pub(super) prompt: String,
    pub(super) directory: &'c Path,
    /// The session to continue, and what it has cost so far.
    pub(super) session: Option<&'c str>,
    pub(super) cost_before: Option<f64>,
    pub(super) persons: Persons<'c>,
}

/// Where the conversation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Initialize,
    Open,
    /// Waits until the agent has repeated a session that it has loaded.
    Repeats,
    Mode,
    Prompt,
    Done,
}

/// A conversation.
#[derive(Debug)]
pub(super) struct Session<'c> {
    task: Task<'c>,
    phase: Phase,
    /// The id of the request that is not answered yet.
    awaited: u64,
    /// The lines to send.
    out: Vec<u8>,
    id: Option<String>,
    /// The method that continues a session, if the agent has one. The session of another agent is not recorded, as no
    /// later call could continue it.
    continues: Option<&'static str>,
    /// Whether the agent has repeated something of the session since it was last asked whether it is ready.
    has_repeated: bool,
    agent: Value,
    /// How one logs in, as the agent names it.
    logins: Vec<String>,
    /// The last part of the text that is not empty: the message that follows the last tool.
    part: String,
    part_has_ended: bool,
    /// The id of the message that the part is of, where the agent has ids.
    message: Option<String>,
    /// What another message has of the part so far.
    again: Option<String>,
    /// A notice behind the last message: some agents tell an error so, and nothing else of it.
    trailing: String,
    titles: HashMap<String, (String, String)>,
    denied: Vec<Value>,
    /// What a person is asked: the prompt is cancelled for it.
    question: Option<String>,
    usage: Usage,
    stop_reason: Option<String>,
    trouble: Option<Trouble>,
    seen: bool,
}

impl<'c> Session<'c> {
    /// Begins it: the first request is in [`take_out`](Self::take_out).
    pub(super) fn new(task: Task<'c>) -> Self {
        let mut session = Self {
            task,
            phase: Phase::Initialize,
            awaited: 0,
            out: Vec::new(),
            id: None,
            continues: None,
            has_repeated: false,
            agent: Value::Null,
            logins: Vec::new(),
            part: String::new(),
            part_has_ended: false,
            message: None,
            again: None,
            trailing: String::new(),
            titles: HashMap::new(),
            denied: Vec::new(),
            question: None,
            usage: Usage::default(),
            stop_reason: None,
            trouble: None,
            seen: false,
        };
        let capabilities =
            json!({ "fs": { "readTextFile": false, "writeTextFile": false }, "terminal": false });
        let info = json!({ "name": "workflow", "version": env!("CARGO_PKG_VERSION") });
        let params =
            json!({ "protocolVersion": VERSION, "clientCapabilities": capabilities, "clientInfo": info });
        session.request(Phase::Initialize, "initialize", &params);
        session
    }

    /// The lines to send since the last time.
    pub(super) fn take_out(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    /// Whether nothing more is to be said.
    pub(super) fn is_done(&self) -> bool {
        self.phase == Phase::Done
    }

    /// The line that asks the agent to stop, while it works on the prompt.
    pub(super) fn cancel(&self) -> Option<Vec<u8>> {
        let id = self.id.as_ref().filter(|_| self.phase == Phase::Prompt)?;
        Some(rpc::notification("session/cancel", &json!({ "sessionId": id })))
    }

    /// What a person has to decide before the agent can continue.
    pub(super) fn question(&self) -> Option<&str> {
        self.question.as_deref()
    }

    /// Reads a message of the agent; returns whether its kind is known.
    pub(super) fn record(&mut self, record: &Value, say: &mut dyn FnMut(Said)) -> bool {
        self.seen = true;
        let params = record.get("params").unwrap_or(&Value::Null);
        let id = record.get("id").filter(|id| !id.is_null());
        match (record.get("method").and_then(Value::as_str), id) {
            (Some("session/request_permission"), Some(id)) => self.permission(id, params, say),
            (Some(_), Some(id)) => {
                let message = "this client does not offer the method";
                self.out.extend(rpc::error(id, rpc::METHOD_NOT_FOUND, message));
            }
            (Some("session/update"), None) => return self.update(params, say),
            // Extensions, and requests of the protocol itself.
            (Some(method), None) => return method.starts_with(['_', '$']),
            (None, Some(id)) if id.as_u64() == Some(self.awaited) && !self.is_done() => {
                match record.get("error").filter(|error| !error.is_null()) {
                    // An agent does not know the request, and answers in any case.
                    _ if self.phase == Phase::Repeats => self.has_waited(),
                    Some(error) => self.refused(error),
                    None => self.answered(record.get("result").unwrap_or(&Value::Null), say),
                }
            }
            _ => return false,
        }
        true
    }

    fn request(&mut self, phase: Phase, method: &str, params: &Value) {
        self.phase = phase;
        self.awaited += 1;
        self.out.extend(rpc::request(self.awaited, method, params));
    }

    fn answered(&mut self, result: &Value, say: &mut dyn FnMut(Said)) {
        match self.phase {
            Phase::Initialize => self.initialized(result),
            Phase::Open => {
                let told = Some(text(result, "sessionId")).filter(|id| !id.is_empty());
                let Some(id) = told.or(self.task.session).map(str::to_owned) else {
                    return self.fail(Reason::Failed, "the agent opened a session without an id");
                };
                if self.continues.is_some() {
                    say(Said::Session(id.clone()));
                }
                self.id = Some(id);
                if self.task.session.is_some() && self.continues == Some(LOAD) {
                    self.wait_for_repetition();
                } else {
                    self.set_mode();
                }
            }
            Phase::Repeats => self.has_waited(),
            Phase::Mode => self.prompt(),
            Phase::Prompt => {
                self.stop_reason = Some(text(result, "stopReason").to_owned());
                self.tokens(result);
                self.phase = Phase::Done;
            }
            Phase::Done => {}
        }
    }

    fn initialized(&mut self, result: &Value) {
        let version = number(result, "protocolVersion");
        if version != Some(VERSION) {
            let version = version.map_or("none that is known".to_owned(), |version| version.to_string());
            let message = format!(
                "the agent speaks version {version} of the protocol, and this provider version {VERSION}"
            );
            return self.fail(Reason::ArgumentsRefused, &message);
        }
        self.agent = result.get("agentInfo").cloned().unwrap_or_default();
        let logins = result.get("authMethods").and_then(Value::as_array).into_iter().flatten();
        self.logins =
            logins.map(|login| text(login, "name").to_owned()).filter(|name| !name.is_empty()).collect();
        let capabilities = result.get("agentCapabilities").unwrap_or(&Value::Null);
        let resumes =
            capabilities.pointer("/sessionCapabilities/resume").is_some_and(|resume| !resume.is_null());
        let loads = capabilities.get("loadSession") == Some(&Value::Bool(true));
        self.continues = match (resumes, loads) {
            (true, _) => Some("session/resume"),
            (false, true) => Some(LOAD),
            (false, false) => None,
        };
        let directory = self.task.directory.to_string_lossy().into_owned();
        let Some(session) = self.task.session else {
            let params = json!({ "cwd": directory, "mcpServers": [] });
            return self.request(Phase::Open, "session/new", &params);
        };
        let params = json!({ "sessionId": session, "cwd": directory, "mcpServers": [] });
        match self.continues {
            Some(method) => self.request(Phase::Open, method, &params),
            None => self.fail(Reason::SessionUnknown, "the agent cannot continue a session"),
        }
    }

    /// Asks for something that no agent knows, before the prompt. An agent that loads a session repeats it, and may do so
    /// after it has answered (Gemini CLI 0.61); its messages are in order. So once it has answered without a
    /// repetition in between, what follows belongs to the prompt.
    fn wait_for_repetition(&mut self) {
        self.has_repeated = false;
        self.request(Phase::Repeats, "_workflow/is_ready", &json!({ "sessionId": self.id }));
    }

    fn has_waited(&mut self) {
        if self.has_repeated { self.wait_for_repetition() } else { self.set_mode() }
    }

    fn set_mode(&mut self) {
        match &self.task.options.mode {
            Some(mode) => {
                let params = json!({ "sessionId": self.id, "modeId": mode });
                self.request(Phase::Mode, "session/set_mode", &params);
            }
            None => self.prompt(),
        }
    }

    fn prompt(&mut self) {
        let block = json!({ "type": "text", "text": self.task.prompt });
        let params = json!({ "sessionId": self.id, "prompt": [block] });
        self.request(Phase::Prompt, "session/prompt", &params);
    }

    /// A request failed.
    fn refused(&mut self, error: &Value) {
        let mut message = text(error, "message").to_owned();
        let data = error.get("data").unwrap_or(&Value::Null);
        let details = ["details", "message", "error"].into_iter().find_map(|name| data.get(name)?.as_str());
        if let Some(details) = details.or(data.as_str()).filter(|details| !message.contains(details)) {
            message = format!("{message}: {details}");
        }
        let code = error.get("code").and_then(Value::as_i64).unwrap_or_default();
        let reason = match (code, self.phase) {
            (rpc::AUTH_REQUIRED, _) => Reason::NotLoggedIn,
            (rpc::METHOD_NOT_FOUND | rpc::INVALID_PARAMS, Phase::Initialize | Phase::Mode) => {
                Reason::ArgumentsRefused
            }
            (_, Phase::Open) if self.task.session.is_some() => match Reason::of_message(&message) {
                Reason::Failed | Reason::Refused => Reason::SessionUnknown,
                reason => reason,
            },
            _ => Reason::of_message(&message),
        };
        if message.is_empty() {
            message = format!("the agent refused with error {code} and did not say why");
        }
        self.fail(reason, &message);
    }

    fn fail(&mut self, reason: Reason, message: &str) {
        self.phase = Phase::Done;
        self.trouble.get_or_insert_with(|| Trouble::new(reason, message));
    }

    fn permission(&mut self, id: &Value, params: &Value, say: &mut dyn FnMut(Said)) {
        let call = params.get("toolCall").unwrap_or(&Value::Null);
        let known = self.titles.get(text(call, "toolCallId"));
        let told = |name: &str| Some(text(call, name)).filter(|text| !text.is_empty());
        let title = told("title").or(known.map(|known| &*known.0)).unwrap_or("a tool").to_owned();
        let kind = told("kind").or(known.map(|known| &*known.1)).unwrap_or("other").to_owned();
        let options = params.get("options").unwrap_or(&Value::Null);
        let cancelled = json!({ "outcome": "cancelled" });
        // It is not asked for in vain: the call is over.
        if self.is_done() || self.question.is_some() {
            return self.out.extend(rpc::result(id, &json!({ "outcome": cancelled })));
        }
        let is_allowed = match verdict(self.task.options.rules(), &kind, &title) {
            Verdict::Allow => true,
            Verdict::Deny => false,
            Verdict::Ask => {
                let Some(is_allowed) = self.asked(&title, &kind, call) else {
                    self.out.extend(self.cancel().unwrap_or_default());
                    return self.out.extend(rpc::result(id, &json!({ "outcome": cancelled })));
                };
                is_allowed
            }
        };
        let decision = decide(is_allowed, options);
        let outcome = match decision {
            Decision::Allowed(option) | Decision::Denied(option) => {
                json!({ "outcome": "selected", "optionId": option })
            }
            Decision::Cancelled => cancelled,
        };
        if !matches!(decision, Decision::Allowed(_)) {
            say(Said::Log(format!("not allowed: {title} ({kind})")));
            if self.denied.len() < MOST {
                self.denied.push(json!({ "kind": kind, "title": title }));
            }
        }
        self.out.extend(rpc::result(id, &json!({ "outcome": outcome })));
    }

    /// What a person has decided on a request. `None` if a person is asked, which is possible for a prompt of a session that a
    /// later call can continue.
    fn asked(&mut self, title: &str, kind: &str, call: &Value) -> Option<bool> {
        let Some(question) = self.task.persons.question(title, kind, call) else { return Some(false) };
        if let Some(is_allowed) = self.task.persons.decided(&question) {
            return Some(is_allowed);
        }
        if self.phase != Phase::Prompt || self.continues.is_none() {
            return Some(false);
        }
        self.question = Some(question);
        None
    }

    /// What happens in the session. What a session repeats while it is loaded is not shown again.
    fn update(&mut self, params: &Value, say: &mut dyn FnMut(Said)) -> bool {
        let is_of_prompt =
            self.phase == Phase::Prompt && self.id.as_deref() == Some(text(params, "sessionId"));
        let update = params.get("update").unwrap_or(&Value::Null);
        let content = || text(update.get("content").unwrap_or(&Value::Null), "text");
        let kind = text(update, "sessionUpdate");
        self.has_repeated |= REPEATED.contains(&kind);
        match kind {
            "agent_message_chunk" if is_of_prompt => {
                let message = update.get("messageId").and_then(Value::as_str);
                self.say(message, content(), say);
            }
            "agent_thought_chunk" if is_of_prompt => say(Said::Thinking(content().to_owned())),
            "tool_call" if is_of_prompt => {
                self.part_has_ended = true;
                let (title, kind) = (text(update, "title").to_owned(), text(update, "kind").to_owned());
                say(Said::Tool(format!("{title}{}", behind(text(update, "status")))));
                if self.titles.len() < MOST {
                    self.titles.insert(text(update, "toolCallId").to_owned(), (title, kind));
                }
            }
            "tool_call_update" if is_of_prompt => {
                self.part_has_ended = true;
                let known = self.titles.get_mut(text(update, "toolCallId"));
                let title = Some(text(update, "title")).filter(|title| !title.is_empty());
                // What it will do is often not known when it begins.
                let title = match (title, known) {
                    (Some(title), Some(known)) => {
                        title.clone_into(&mut known.0);
                        title
                    }
                    (None, Some(known)) => &known.0,
                    (title, None) => title.unwrap_or("a tool"),
                };
                if let status @ ("completed" | "failed") = text(update, "status") {
                    say(Said::Tool(format!("{title}{}", behind(status))));
                }
            }
            "plan" if is_of_prompt => say(Said::Log(plan(update))),
            "usage_update" if is_of_prompt => self.cost(update, say),
            "notice" if is_of_prompt => say(Said::Log(text(update, "message").to_owned())),
            "agent_message_chunk"
            | "agent_thought_chunk"
            | "user_message_chunk"
            | "tool_call"
            | "tool_call_update"
            | "plan"
            | "plan_update"
            | "plan_removed"
            | "available_commands_update"
            | "current_mode_update"
            | "config_option_update"
            | "session_info_update"
            | "usage_update"
            | "notice"
            | "compaction_update"
            | "compaction_summary_chunk" => {}
            _ => return false,
        }
        true
    }

    fn say(&mut self, message: Option<&str>, text: &str, say: &mut dyn FnMut(Said)) {
        if text.is_empty() {
            return;
        }
        if std::mem::take(&mut self.part_has_ended) {
            self.part.clear();
            (self.message, self.again) = (None, None);
            self.trailing.clear();
        }
        say(Said::TextDelta(text.to_owned()));
        match (&self.message, message) {
            // A notice of the program, within or behind a message of the model.
            (Some(_), None) => return self.trailing.push_str(text),
            // What was said before the first message is a notice too.
            (None, Some(message)) => {
                self.part.clear();
                self.message = Some(message.to_owned());
            }
            (Some(before), Some(message)) if before != message => {
                self.message = Some(message.to_owned());
                self.again = Some(String::new());
            }
            _ => {}
        }
        self.trailing.clear();
        let Some(mut again) = self.again.take() else { return self.part.push_str(text) };
        // An agent that has lost its connection begins again, with another message.
        again.push_str(text);
        if self.part.starts_with(&again) {
            self.again = Some(again);
        } else if again.starts_with(&self.part) {
            self.part = again;
        } else {
            self.part.push_str(&again);
        }
    }

    /// The tokens of the prompt. Agents differ in whether they count those of the whole session, so only those of a new
    /// session are known.
    fn tokens(&mut self, result: &Value) {
        if self.task.session.is_some() {
            return;
        }
        if let Some(usage) = result.get("usage").filter(|usage| !usage.is_null()) {
            let input =
                crate::agent::cli::sum(usage, &["inputTokens", "cachedReadTokens", "cachedWriteTokens"]);
            self.usage.input_tokens = input;
            self.usage.output_tokens = number(usage, "outputTokens");
            return;
        }
        // Extensions of Gemini CLI and of Grok, whose numbers of input tokens contain those of the cache.
        for (place, input, output) in [
            ("/_meta/quota/token_count", "input_tokens", "output_tokens"),
            ("/_meta/usage", "inputTokens", "outputTokens"),
        ] {
            if let Some(usage) = result.pointer(place) {
                self.usage.input_tokens = number(usage, input);
                self.usage.output_tokens = number(usage, output);
            }
        }
    }

    /// The cost of the session so far; that of the call is the difference.
    fn cost(&mut self, update: &Value, say: &mut dyn FnMut(Said)) {
        let cost = update.get("cost").unwrap_or(&Value::Null);
        let amount = cost.get("amount").and_then(Value::as_f64).filter(|amount| amount.is_finite());
        let before = if self.task.session.is_some() { self.task.cost_before } else { Some(0.0) };
        if let (Some(amount), Some(before), "USD") = (amount, before, text(cost, "currency")) {
            self.usage.cost_usd = Some((amount - before).max(0.0));
            say(Said::Usage(self.usage.clone()));
        }
    }

    /// The outcome of the call, when the agent has ended.
    pub(super) fn end(self, end: &End) -> Result<Outcome, Trouble> {
        let usage = Some(self.usage).filter(|usage| *usage != Usage::default());
        if let Some(mut trouble) = self.trouble {
            if trouble.reason == Reason::NotLoggedIn && !self.logins.is_empty() {
                trouble.message = format!("{} (it offers: {})", trouble.message, self.logins.join(", "));
            }
            return Err(trouble.using(usage).hint(&end.stderr));
        }
        let Some(stop_reason) = self.stop_reason else {
            return Err(end.cut("the agent", self.seen).using(usage));
        };
        let trouble = |reason, message: &str| Err(Trouble::new(reason, message).using(usage.clone()));
        match stop_reason.as_str() {
            "max_tokens" => trouble(Reason::MaxTokens, "the answer was cut at the largest number of tokens"),
            "max_turn_requests" => trouble(Reason::MaxTurns, "the agent reached its largest number of turns"),
            "refusal" => trouble(Reason::Refused, "the agent refused to continue"),
            "cancelled" => trouble(Reason::Killed, "the agent reports that the prompt was cancelled"),
            "" => trouble(Reason::StreamCut, "the agent ended the prompt without a reason"),
            _ if self.part.trim().is_empty() => trouble(Reason::EmptyAnswer, "the agent returned no answer"),
            _ => {
                let mut details = Map::new();
                if !self.agent.is_null() {
                    details.insert("agent".to_owned(), self.agent);
                }
                if !self.denied.is_empty() {
                    details.insert("permission_denials".to_owned(), self.denied.into());
                }
                let session = self.id.filter(|_| self.continues.is_some());
                Ok(Outcome { text: self.part + &self.trailing, value: None, usage, session, details })
            }
        }
    }
}

fn behind(status: &str) -> String {
    match status {
        "" | "pending" | "in_progress" => String::new(),
        status => format!(": {status}"),
    }
}

/// A plan in one line.
fn plan(update: &Value) -> String {
    let entries = update.get("entries").and_then(Value::as_array).into_iter().flatten();
    let entries = entries.map(|entry| {
        let mark = match text(entry, "status") {
            "completed" => "x",
            "in_progress" => ">",
            _ => " ",
        };
        format!("[{mark}] {}", text(entry, "content"))
    });
    format!("plan: {}", entries.collect::<Vec<_>>().join(" "))
}
