//! One call of an agent: runs its program, and turns its records into output, a reply or a failure.

use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use futures::channel::mpsc::UnboundedSender;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use workflow_core::output::OutputKind;
use workflow_core::provider::{CallContext, CallRequest, ProviderError, Reply};
use workflow_core::usage::Usage;

use crate::agent::cli::{Call, Cli, End, Invocation, Outcome, Reader as _, Said, Trouble, read_options};
use crate::agent::escapes;
use crate::agent::prompt;
use crate::agent::provider::Settings;
use crate::agent::scratch::Scratch;
use crate::agent::secrets::{Secrets, Voice};
use crate::agent::transcript::Transcript;
use crate::failure::{Here, Reason, Refusal};
use crate::process::{self, Control, Ended, Launch, Marker, RunError, Stream};
use crate::program::{program, run_error};
use crate::tail::Tail;
use crate::{directory, environment};

/// How many bytes of standard error a failure contains.
pub(crate) const EXCERPT: usize = 4 * 1024;

/// How many bytes of its text are kept of a call that fails.
pub(crate) const PARTIAL: usize = 256 * 1024;

/// How long an agent may take to exit after its last record.
const FAREWELL: Duration = Duration::from_secs(30);

impl Settings {
    pub(super) fn carry_out<C: Cli>(
        &self,
        request: &CallRequest,
        context: &CallContext,
        sessions: &UnboundedSender<String>,
        control: &Arc<Control>,
    ) -> Result<Reply, ProviderError> {
        let wrong = |problem: String| ProviderError::permanent(format!("with: {problem}"));
        let options = read_options::<C>(&request.options).map_err(wrong)?;
        if request.prompt.trim().is_empty() {
            return Err(ProviderError::permanent(format!("{}: the prompt is empty", C::NAME)));
        }
        let cwd = request.cwd.as_deref().unwrap_or(".");
        let directory = directory::of_call(&self.work_root, request, cwd)?;
        let unable =
            |error| ProviderError::transient(format!("cannot create a directory for the call: {error}"));
        let scratch = Scratch::new().map_err(unable)?;
        let new_session = uuid::Uuid::new_v4().to_string();
        let call = Call {
            request,
            new_session: &new_session,
            scratch: scratch.path(),
            directory: &directory,
            denied: &self.denied,
        };
        let Invocation { arguments, environment, files } = C::arguments(&options, &call).map_err(wrong)?;
        for (name, text) in files {
            std::fs::write(scratch.path().join(name), text).map_err(unable)?;
        }
        let own = C::SET.iter().map(|(name, value)| (name.into(), value.into()));
        let own = own.chain(environment.into_iter().map(|(name, value)| (name.into(), value.into())));
        let environment = environment::of_call(&self.allow_env, request, own.chain(self.env.clone()))?;
        let secrets = Secrets::of(&environment)?;
        let zone = zone(&environment);
        let arguments: Vec<String> = self.arguments.iter().cloned().chain(arguments).collect();
        let is_secret = |argument: &&String| {
            [secrets.redactor(), context.redactor()]
                .iter()
                .any(|redactor| redactor.text(&mut (*argument).clone()))
        };
        if arguments.iter().any(|argument| is_secret(&argument)) {
            let message = "with: an argument of the program would contain a secret, and all users of the machine can \
                           see arguments; pass it in the prompt or in `env`";
            return Err(ProviderError::permanent(message));
        }
        let name = self.program.to_string_lossy().into_owned();
        let launch = Launch {
            program: program(&name, &directory),
            arguments,
            environment,
            stdin: prompt::of(request, C::ABILITIES.schema).into_bytes(),
            input: None,
            marker: Marker::of(&request.id),
            signals: C::SIGNALS,
            grace: self.grace,
            patience: Some(self.patience),
            directory: directory.clone(),
        };

        let tail = |limit| Tail::without(limit, [secrets.redactor(), context.redactor()]);
        let (mut transcript, mut stderr) = (Transcript::<C>::new(&call), tail(EXCERPT));
        let (mut text, mut voice) = (tail(PARTIAL), secrets.voice());
        let mut say = |said| {
            match &said {
                Said::Text(whole) => {
                    text.push(whole.as_bytes());
                    text.push(b"\n");
                }
                Said::TextDelta(piece) => text.push(piece.as_bytes()),
                _ => {}
            }
            tell(context, sessions, &mut voice, said);
        };
        // The last record of an agent that is being stopped may look like a regular end: it was not done
        // before.
        let mut has_said_all = false;
        let ended = process::run(launch, control, &mut |stream, bytes| {
            context.alive();
            match stream {
                Stream::Stdout => transcript.push(bytes, &mut say),
                Stream::Stderr => stderr.push(bytes),
            }
            has_said_all |= transcript.reader.is_done() && !control.was_silent();
            has_said_all.then_some(FAREWELL)
        });
        let stderr = escapes::without(&stderr.excerpt(EXCERPT));
        let mut end = End { stderr: secrets.hidden(stderr), ..End::default() };
        let failed = |trouble: Trouble, end: &End| {
            let message = secrets.hidden(escapes::without(&trouble.message));
            let here = Here { now: context.now(), zone: &zone };
            failure::<C>(Trouble { message, ..trouble }, end, request.id.attempt, &here)
        };
        let result = match ended.map_err(|error| not_run::<C>(&name, &error, &failed))? {
            Ended::Stopped => {
                // The usage until then is reported all the same.
                let usage = used(transcript.end(&end, &mut say));
                Err(ProviderError { usage, ..ProviderError::cancelled() })
            }
            Ended::Silent if !has_said_all => {
                let usage = used(transcript.end(&end, &mut say));
                let silence = self.patience.as_secs();
                let message = format!("{} printed nothing for {silence} seconds and was stopped", C::NAME);
                Err(failed(Trouble::new(Reason::Silent, message).using(usage), &end))
            }
            ended => {
                match ended {
                    Ended::ByItself(status) => end.code = status.code(),
                    _ => end.lingered = true,
                }
                let outcome = transcript.end(&end, &mut say);
                outcome
                    .map_err(|trouble| failed(trouble, &end))
                    .and_then(|outcome| secrets.reply(reply(outcome)))
            }
        };
        voice.finish(|kind, text| context.output(kind, text));
        let said = secrets.hidden(text.text(PARTIAL));
        result.map_err(|mut error| {
            if said.is_empty() {
                return error;
            }
            if let Some(details) = &mut error.failure.details
                && details["reason"] == json!(Reason::MaxTokens)
            {
                let mut so_far = tail(EXCERPT);
                so_far.push(said.as_bytes());
                details["text"] = so_far.text(EXCERPT).into();
            }
            error.with_output(Value::String(said))
        })
    }
}

fn not_run<C: Cli>(
    name: &str,
    error: &RunError,
    failed: &dyn Fn(Trouble, &End) -> ProviderError,
) -> ProviderError {
    match error {
        RunError::Start(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let message = format!("`{name}` is not installed, or not on the PATH: {}", C::install());
            failed(Trouble::new(Reason::NotInstalled, message), &End::default())
        }
        error => run_error(name, error),
    }
}

/// The zone of the times that the agent writes: its variable `TZ`, or that of the machine.
pub(crate) fn zone(environment: &[(OsString, OsString)]) -> TimeZone {
    let name = environment.iter().find(|(name, _)| name == "TZ").and_then(|(_, value)| value.to_str());
    let known = name.and_then(|name| TimeZone::get(name).or_else(|_| TimeZone::posix(name)).ok());
    known.unwrap_or_else(TimeZone::system)
}

/// The usage, whatever the outcome.
fn used(result: Result<Outcome, Trouble>) -> Option<Usage> {
    result.map_or_else(|trouble| trouble.usage, |outcome| outcome.usage)
}

pub(crate) fn tell(context: &CallContext, sessions: &UnboundedSender<String>, voice: &mut Voice, said: Said) {
    let (kind, text) = match said {
        Said::Text(text) => (OutputKind::Text, text),
        Said::TextDelta(text) => (OutputKind::TextDelta, text),
        Said::Thinking(text) => (OutputKind::Thinking, text),
        Said::Tool(text) => (OutputKind::Tool, voice.short(text, &context.redactor())),
        Said::Log(text) => (OutputKind::Log, voice.short(text, &context.redactor())),
        Said::Usage(usage) => return context.usage(usage),
        Said::Session(session) => {
            // The receiver is gone if the call was dropped.
            let _ = sessions.unbounded_send(session);
            return;
        }
    };
    if !text.is_empty() {
        voice.say(kind, text, |text| context.output(kind, text));
    }
}

pub(crate) fn reply(outcome: Outcome) -> Reply {
    let Outcome { text, value, usage, session, details } = outcome;
    let reply = value.map_or_else(|| Reply::text(text), |value| Reply::json(&value));
    Reply {
        usage,
        session,
        details: Some(details)
            .filter(|details| !details.is_empty())
            .map(|details| Box::new(Value::Object(details))),
        ..reply
    }
}

fn failure<C: Cli>(trouble: Trouble, end: &End, attempt: u32, here: &Here<'_>) -> ProviderError {
    let Trouble { reason, message, usage, resets, hint } = trouble;
    let message = match (message.trim(), end.line()) {
        ("", "") => format!("{} failed and did not say why", C::NAME),
        ("", line) => format!("{}: {line}", C::NAME),
        _ => message,
    };
    let advice = match reason {
        Reason::NotLoggedIn => format!("log in with `{}`, or set its key", C::PROGRAM),
        Reason::Billing => format!("see {}", C::BILLING),
        Reason::ArgumentsRefused => {
            format!("this provider was tested with version {} of `{}`", C::TESTED, C::PROGRAM)
        }
        _ => String::new(),
    };
    let refusal = Refusal { reason, message: &message, advice: &advice, resets, hint: &hint };
    let mut error = refusal.error(attempt, here);
    if let Some(details) = &mut error.failure.details {
        if let Some(code) = end.code {
            details["exit_code"] = code.into();
        }
        if !end.stderr.is_empty() {
            details["stderr_tail"] = end.stderr.clone().into();
        }
    }
    ProviderError { usage, ..error }
}
