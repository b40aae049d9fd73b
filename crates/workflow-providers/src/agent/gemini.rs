//! Gemini CLI: `gemini -o stream-json`.

use std::fmt::Write as _;
use std::path::Path;

use rustix::process::Signal;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use workflow_core::failure::FailureClass;
use workflow_core::usage::Usage;

use super::abilities::{Abilities, Cost, Permissions, SchemaBy, TextIn, UsageOf};
use super::answer::Answer;
use super::cli::{Call, Cli, End, Invocation, Outcome, Reader, Said, Trouble, number, text};
use crate::failure::Reason;

/// Gemini CLI, the agent of Google.
#[derive(Debug, Clone, Copy)]
pub enum Gemini {}

/// The options of the `gemini` provider.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, expecting = "a mapping of options")]
#[schemars(rename = "gemini")]
pub struct Options {
    /// The model.
    model: Option<String>,
    /// What the agent may do without asking; default: `default`, without commands and edits.
    approval_mode: ApprovalMode,
}

#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum ApprovalMode {
    #[default]
    Default,
    AutoEdit,
    Plan,
    Yolo,
}

/// The longest prompt that it accepts, in bytes; it cuts a longer one without an error.
const PROMPT_LIMIT: usize = 8 * 1024 * 1024;

impl Cli for Gemini {
    type Options = Options;
    type Reader = Stream;

    const NAME: &'static str = "gemini";
    const PROGRAM: &'static str = "gemini";
    const PACKAGE: &'static str = "@google/gemini-cli";
    const TESTED: &'static str = "0.61.0";
    const BILLING: &'static str = "https://aistudio.google.com/usage";
    const ABILITIES: Abilities = Abilities {
        permissions: Permissions::new("approval_mode", "no commands, no edits"),
        schema: SchemaBy::Prompt,
        sessions: true,
        text: TextIn::Pieces,
        thoughts: false,
        usage: UsageOf::Call,
        usage_as_it_works: false,
        cost: Cost::Unknown,
    };
    const ENV: &'static [&'static str] = &[
        "GEMINI_API_KEY",
        "GOOGLE_API_KEY",
        "GOOGLE_GEMINI_BASE_URL",
        "GOOGLE_CLOUD_PROJECT",
        "GOOGLE_CLOUD_LOCATION",
        "GOOGLE_GENAI_USE_VERTEXAI",
        "GEMINI_SYSTEM_MD",
    ];
    // Otherwise it starts itself again, and the first process ignores signals.
    const SET: &'static [(&'static str, &'static str)] = &[("GEMINI_CLI_NO_RELAUNCH", "true")];
    const SIGNALS: &'static [Signal] = &[Signal::TERM];

    const LOGIN: Option<&'static [&'static str]> = None;

    fn arguments(options: &Options, call: &Call<'_>) -> Result<Invocation, String> {
        if call.request.prompt.len() >= PROMPT_LIMIT {
            return Err(format!("the prompt is longer than the {PROMPT_LIMIT} bytes that gemini accepts"));
        }
        let mut to = Invocation::new(["--skip-trust", "-o", "stream-json", "--approval-mode"]);
        to.push([match options.approval_mode {
            ApprovalMode::Default => "default",
            ApprovalMode::AutoEdit => "auto_edit",
            ApprovalMode::Plan => "plan",
            ApprovalMode::Yolo => "yolo",
        }]);
        to.option("-m", options.model.as_deref());
        to.option("--resume", call.request.session.as_deref());
        if !call.denied.is_empty() {
            to.files.push((POLICY, policy(call)));
            // `--policy` would replace the user's own policies.
            to.push(["--admin-policy", &call.scratch.join(POLICY).to_string_lossy()]);
        }
        Ok(to)
    }

    fn reader(_: &Call<'_>) -> Stream {
        Stream::default()
    }
}

/// The name of the file with the rules for its tools.
const POLICY: &str = "policy.toml";

/// Rules that deny its tools to change files, in every approval mode. They compare the path as the model wrote it: absolute,
/// or relative to the working directory.
fn policy(call: &Call<'_>) -> String {
    let mut rules = String::new();
    for path in call.denied {
        let mut texts = vec![pattern(path)];
        if let Ok(inside) = path.strip_prefix(call.directory) {
            let inside = pattern(inside);
            texts.extend([format!(r"\x2e/{inside}"), inside]);
        }
        for text in texts {
            // The arguments are matched as JSON, with a null character around each.
            let pattern = Value::String(format!(r#"\x00"file_path":"{text}(/|")"#));
            let _ = writeln!(
                rules,
                "[[rule]]\ntoolName = [\"write_file\", \"replace\"]\nargsPattern = {pattern}\ndecision = \"deny\"\n\
                 priority = 999\ndenyMessage = \"This file must not be edited.\"\n"
            );
        }
    }
    rules
}

/// A regular expression for a path in JSON, in which `*` stands for any text within a name.
fn pattern(path: &Path) -> String {
    let quoted = Value::String(path.to_string_lossy().into_owned()).to_string();
    let mut pattern = String::new();
    for character in quoted.trim_matches('"').chars() {
        match character {
            '*' => pattern.push_str(r#"[^/"]*"#),
            '/' => pattern.push('/'),
            _ if character.is_ascii() && !character.is_ascii_alphanumeric() => {
                let _ = write!(pattern, r"\x{:02x}", u32::from(character));
            }
            _ => pattern.push(character),
        }
    }
    pattern
}

/// Reads `-o stream-json`.
#[derive(Default)]
pub struct Stream {
    session: Option<String>,
    answer: Answer,
    error: Option<String>,
    result: Option<Value>,
    seen: bool,
}

impl Reader for Stream {
    fn record(&mut self, record: &Value, say: &mut dyn FnMut(Said)) -> bool {
        self.seen = true;
        match (text(record, "type"), text(record, "role")) {
            ("init", _) => {
                let session = text(record, "session_id").to_owned();
                say(Said::Session(session.clone()));
                self.session = Some(session);
            }
            ("message", "assistant") => say(Said::TextDelta(self.answer.push(text(record, "content")))),
            ("tool_use", _) => {
                say(Said::TextDelta(self.answer.end_part()));
                say(Said::Tool(format!("{} {}", text(record, "tool_name"), record["parameters"])));
            }
            ("tool_result", _) => {
                let mark = if text(record, "status") == "error" { "failed: " } else { "" };
                let said = match text(record, "output") {
                    "" => text(&record["error"], "message"),
                    output => output,
                };
                say(Said::Tool(format!("→ {mark}{}", said.trim_end())));
            }
            ("error", _) => {
                say(Said::Log(text(record, "message").to_owned()));
                self.error = Some(text(record, "message").to_owned());
            }
            ("result", _) => {
                say(Said::TextDelta(self.answer.end_part()));
                self.result = Some(record.clone());
            }
            ("message", _) => {}
            _ => return false,
        }
        true
    }

    fn is_done(&self) -> bool {
        self.result.is_some()
    }

    fn end(self, end: &End) -> Result<Outcome, Trouble> {
        let Some(result) = &self.result else {
            let (line, of_stderr) = (end.line(), Reason::of_message(&end.stderr));
            let trouble = |reason| Trouble::new(reason, format!("gemini: {line}")).hint(&end.stderr);
            return Err(match end.code {
                Some(41) => trouble(Reason::NotLoggedIn),
                Some(42) if end.stderr.contains("session") => trouble(Reason::SessionUnknown),
                Some(42 | 44 | 52 | 55) => trouble(Reason::Refused),
                Some(53) => trouble(Reason::MaxTurns),
                // It may end without a result when its quota is used up.
                Some(0 | 1 | 130) if of_stderr.class() == FailureClass::RateLimited => trouble(of_stderr),
                // It exits like that after it was asked to stop.
                Some(0 | 130) if self.seen => {
                    Trouble::new(Reason::Killed, "gemini ended before its answer did")
                }
                Some(code) if status(code).is_some() => trouble(Reason::of(status(code), &end.stderr)),
                _ => end.cut("gemini", self.seen),
            });
        };
        let stats = &result["stats"];
        let usage = Usage {
            input_tokens: number(stats, "input_tokens"),
            output_tokens: match (number(stats, "total_tokens"), number(stats, "input_tokens")) {
                // Only the total includes thoughts.
                (Some(total), Some(input)) => Some(total.saturating_sub(input)),
                _ => number(stats, "output_tokens"),
            },
            cost_usd: None,
        };
        let usage = Some(usage).filter(|usage| usage.tokens().is_some());
        if text(result, "status") != "success" {
            // The result may have no text; the record of the error before it does.
            let told = [text(&result["error"], "message"), self.error.as_deref().unwrap_or_default()];
            let message = told.into_iter().find(|text| !text.trim().is_empty()).unwrap_or(end.line());
            let reason = match end.code {
                Some(53) => Reason::MaxTurns,
                Some(41) => Reason::NotLoggedIn,
                Some(code) if status(code).is_some() => Reason::of(status(code), message),
                _ => Reason::of_message(message),
            };
            return Err(Trouble::new(reason, message).using(usage).hint(&end.stderr));
        }
        if !end.is_well() {
            let message = "gemini reported success and then exited with an error";
            return Err(Trouble::new(Reason::Failed, message).using(usage));
        }
        if let Some(message) =
            self.error.as_deref().filter(|text| Reason::of_message(text) == Reason::MaxTokens)
        {
            return Err(Trouble::new(Reason::MaxTokens, message).using(usage));
        }
        let text = self.answer.into_text();
        if text.trim().is_empty() {
            return Err(Trouble::new(Reason::EmptyAnswer, "gemini returned no answer").using(usage));
        }
        let details = number(stats, "tool_calls").map(|calls| ("tool_calls".to_owned(), calls.into()));
        Ok(Outcome { text, usage, session: self.session, details: Map::from_iter(details), value: None })
    }
}

/// It exits with the HTTP status, of which the system keeps the low eight bits.
fn status(code: i32) -> Option<u16> {
    u16::try_from(code).ok().filter(|code| (144..=255).contains(code)).map(|code| code + 256)
}
