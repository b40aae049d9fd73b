//! One call: runs the agent's program, and holds the conversation with it.

use std::sync::Arc;
use std::time::Duration;

use futures::channel::mpsc::UnboundedSender;
use serde_json::Value;
use workflow_core::provider::{CallContext, CallRequest, ProviderError, Reply};

use super::asking::{self, CHOICES, Persons};
use super::options::AcpOptions;
use super::provider::Settings;
use super::session::{Session, Task};
use crate::agent::abilities::SchemaBy;
use crate::agent::call::{EXCERPT, PARTIAL, reply, tell, zone};
use crate::agent::cli::{End, Said, Trouble, text};
use crate::agent::records::{Record, Records};
use crate::agent::secrets::Secrets;
use crate::agent::transcript::Unknown;
use crate::agent::{escapes, prompt};
use crate::failure::{Here, Reason, Refusal};
use crate::process::{self, Control, Ended, Input, Launch, Marker, RunError, Stream, TERMINATE};
use crate::program::{program, run_error};
use crate::tail::Tail;
use crate::{directory, environment};

/// How long an agent may take to exit after the end of its input.
const FAREWELL: Duration = Duration::from_secs(1);

impl Settings {
    pub(super) fn carry_out(
        &self,
        request: &CallRequest,
        context: &CallContext,
        sessions: &UnboundedSender<String>,
        control: &Arc<Control>,
    ) -> Result<Reply, ProviderError> {
        let wrong = |problem: String| ProviderError::permanent(format!("with: {problem}"));
        let options = AcpOptions::read(&request.options).map_err(wrong)?;
        if request.prompt.trim().is_empty() {
            return Err(ProviderError::permanent("acp: the prompt is empty"));
        }
        let directory = directory::of_call(&self.work_root, request, request.cwd.as_deref().unwrap_or("."))?;
        let environment = environment::of_call(&self.allow_env, request, self.env.clone())?;
        let secrets = Secrets::of(&environment)?;
        let redactors = [secrets.redactor(), context.redactor()];
        if options.command.iter().any(|argument| redactors.iter().any(|redactor| redactor.is_in(argument))) {
            let message = "with: an argument of the program would contain a secret, and all users of the machine can \
                           see arguments; pass it in the prompt or in `env`";
            return Err(ProviderError::permanent(message));
        }
        let zone = zone(&environment);
        let answers = context.answers().to_vec();
        let mut prompt = prompt::of(request, SchemaBy::Prompt);
        asking::told(&mut prompt, &answers);
        let mut session = Session::new(Task {
            options: &options,
            prompt,
            directory: &directory,
            session: request.session.as_deref(),
            cost_before: request.session_usage.as_ref().and_then(|usage| usage.cost_usd),
            persons: Persons::new(&answers, &redactors),
        });
        let input = Arc::new(Input::default());
        input.say(&session.take_out());
        let name = options.command.first().cloned().unwrap_or_default();
        let launch = Launch {
            program: program(&name, &directory),
            arguments: options.command.iter().skip(1).cloned().collect(),
            environment,
            stdin: Vec::new(),
            input: Some(input.clone()),
            marker: Marker::of(&request.id),
            signals: TERMINATE,
            grace: self.grace,
            patience: Some(self.patience),
            directory: directory.clone(),
        };

        let tail = |limit| Tail::without(limit, redactors.clone());
        let (mut records, mut unknown) = (Records::default(), Unknown::default());
        let (mut stderr, mut said, mut voice) = (tail(EXCERPT), tail(PARTIAL), secrets.voice());
        let mut say = |piece: Said| {
            if let Said::TextDelta(piece) = &piece {
                said.push(piece.as_bytes());
            }
            tell(context, sessions, &mut voice, piece);
        };
        let mut has_said_all = false;
        let ended = process::run(launch, control, &mut |stream, bytes| {
            context.alive();
            match stream {
                Stream::Stdout => {
                    records.push(bytes, |record| take(&mut session, &mut unknown, record, &mut say));
                    input.say(&session.take_out());
                    input.set_last_words(session.cancel().unwrap_or_default());
                    if session.is_done() {
                        input.close();
                    }
                }
                Stream::Stderr => stderr.push(bytes),
            }
            has_said_all |= session.is_done() && !control.was_silent();
            match session.question() {
                // The agent ends the prompt by itself, or is stopped.
                Some(_) if !has_said_all => Some(self.grace),
                _ => has_said_all.then_some(FAREWELL),
            }
        });
        records.finish(|record| take(&mut session, &mut unknown, record, &mut say));
        unknown.notice().into_iter().for_each(|notice| say(Said::Log(notice)));
        let mut end =
            End { stderr: secrets.hidden(escapes::without(&stderr.excerpt(EXCERPT))), ..End::default() };
        let failed = |trouble: Trouble, end: &End| {
            let message = secrets.hidden(escapes::without(&trouble.message));
            let here = Here { now: context.now(), zone: &zone };
            failure(&name, &Trouble { message, ..trouble }, end, request.id.attempt, &here)
        };
        let used = |session: Session<'_>, end: &End| match session.end(end) {
            Ok(outcome) => outcome.usage,
            Err(trouble) => trouble.usage,
        };
        let question = session.question().map(str::to_owned);
        let result = match ended.map_err(|error| not_run(&name, &error, &failed))? {
            Ended::Stopped => {
                let usage = used(session, &end);
                Err(ProviderError { usage, ..ProviderError::cancelled() })
            }
            _ if question.is_some() => {
                let (usage, question) = (used(session, &end), question.unwrap_or_default());
                Err(ProviderError { usage, ..ProviderError::asks(question, &CHOICES) })
            }
            Ended::Silent if !has_said_all => {
                let usage = used(session, &end);
                let message = format!(
                    "`{name}` printed nothing for {} seconds and was stopped",
                    self.patience.as_secs()
                );
                Err(failed(Trouble::new(Reason::Silent, message).using(usage), &end))
            }
            ended => {
                match ended {
                    Ended::ByItself(status) => end.code = status.code(),
                    _ => end.lingered = true,
                }
                let outcome = session.end(&end);
                outcome
                    .map_err(|trouble| failed(trouble, &end))
                    .and_then(|outcome| secrets.reply(reply(outcome)))
            }
        };
        voice.finish(|kind, text| context.output(kind, text));
        let said = secrets.hidden(said.text(PARTIAL));
        result.map_err(|error| with_text(error, said))
    }
}

pub(super) fn take(
    session: &mut Session<'_>,
    unknown: &mut Unknown,
    record: Record,
    say: &mut dyn FnMut(Said),
) {
    match record {
        Record::Json(value) => {
            if !session.record(&value, say) {
                let update = value.pointer("/params/update").unwrap_or(&Value::Null);
                let kinds = [text(&value, "method"), text(update, "sessionUpdate")];
                unknown.add(kinds.join("/").trim_matches('/'));
            }
        }
        Record::Other(text) => say(Said::Log(escapes::without(&text))),
        Record::TooLong => say(Said::Log("(omitted a line that is too long to read)".to_owned())),
    }
}

fn not_run(name: &str, error: &RunError, failed: &dyn Fn(Trouble, &End) -> ProviderError) -> ProviderError {
    match error {
        RunError::Start(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let message = format!("`{name}` is not installed, or not on the PATH");
            failed(Trouble::new(Reason::NotInstalled, message), &End::default())
        }
        error => run_error(name, error),
    }
}

fn failure(name: &str, trouble: &Trouble, end: &End, attempt: u32, here: &Here<'_>) -> ProviderError {
    let Trouble { reason, message, usage, resets, hint } = trouble;
    let advice = match reason {
        Reason::NotLoggedIn => format!("log in with `{name}`, or set its key under `env`"),
        Reason::Billing => format!("see the account that `{name}` uses"),
        Reason::ArgumentsRefused => {
            format!("check `command`, and whether this version of `{name}` speaks ACP")
        }
        _ => String::new(),
    };
    let refusal = Refusal { reason: *reason, message, advice: &advice, resets: *resets, hint };
    let mut error = refusal.error(attempt, here);
    if let Some(details) = &mut error.failure.details {
        if let Some(code) = end.code {
            details["exit_code"] = code.into();
        }
        if !end.stderr.is_empty() {
            details["stderr_tail"] = end.stderr.clone().into();
        }
    }
    ProviderError { usage: usage.clone(), ..error }
}

/// The error with the text so far.
fn with_text(mut error: ProviderError, said: String) -> ProviderError {
    if said.is_empty() {
        return error;
    }
    if let Some(details) = &mut error.failure.details
        && details["reason"] == serde_json::json!(Reason::MaxTokens)
    {
        let start = said.len().saturating_sub(EXCERPT);
        let start = (start..said.len()).find(|start| said.is_char_boundary(*start)).unwrap_or(0);
        details["text"] = said[start..].into();
    }
    error.with_output(Value::String(said))
}
