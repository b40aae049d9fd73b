//! Agents: the vendors' command lines, without a person.
//!
//! What all have in common is here; a module an agent has what is its own. [`cli`] says what that is.

mod answer;
mod builder;
mod capabilities;
mod checkup;
pub(crate) mod cli;
mod quota;
mod reason;
mod records;
mod secrets;

#[cfg(feature = "claude-code")]
pub(crate) mod claude_code;
#[cfg(feature = "codex")]
pub(crate) mod codex;
#[cfg(all(test, feature = "claude-code", feature = "codex", feature = "gemini", feature = "grok"))]
mod fixtures;
#[cfg(feature = "gemini")]
pub(crate) mod gemini;
#[cfg(feature = "grok")]
pub(crate) mod grok;

use std::ffi::OsString;
use std::fmt;
use std::marker::PhantomData;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::channel::mpsc::{UnboundedSender, unbounded};
use futures::future::join;
use futures::stream::StreamExt as _;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use workflow_core::output::OutputKind;
use workflow_core::provider::{CallContext, CallId, CallRequest, Provider, ProviderError, Reply};
use workflow_core::stop::StopSource;
use workflow_core::usage::Usage;

pub use self::builder::AgentBuilder;
pub use self::capabilities::{Capabilities, Cost, Permissions, SchemaBy, TextIn, UsageOf};
pub use self::checkup::Checkup;
use self::cli::{Call, Cli, End, Invocation, Outcome, Reader as _, Said, Trouble};
use self::reason::Reason;
use self::records::{Record, Records};
use self::secrets::{Secrets, Voice};
use crate::process::{self, Control, Ended, Launch, Marker, RunError, Stream};
use crate::start::{program, run_error};
use crate::tail::Tail;
use crate::{directory, environment};

/// How much of standard error goes into a failure.
const EXCERPT: usize = 4 * 1024;

/// How much of what it has said is kept of a call that fails.
const PARTIAL: usize = 256 * 1024;

/// How long an agent may take to exit once it has said all.
const FAREWELL: Duration = Duration::from_secs(30);

/// A provider that drives an agent's command line. Unix only.
///
/// What the agent says becomes output entries as it comes: text, thoughts, the use of tools. Its last text is the
/// node's output, or the value that it gives where a schema was asked for. What it used is told where it tells it; a
/// cost that it does not tell is unknown, not zero. A call has succeeded when the agent says so *and* exits well.
///
/// A failure's details have a `reason`: `not_installed`, `arguments_refused`, `not_logged_in`, `rate_limited` (with the
/// time until which the run waits, where the agent tells it), `overloaded`, `context_too_long`, `budget`, `max_turns`,
/// `permission_denied`, `refused`, `session_unknown`, `empty_answer`, `killed`, `stream_cut`, `silent`, `failed`.
///
/// The session is recorded as soon as it is known, so that `session: continue` goes on in it.
///
/// Nothing is left running: see [`CommandProvider`](crate::CommandProvider), of which all that is said of processes
/// and of the environment holds here as well.
pub struct AgentProvider<C> {
    settings: Arc<Settings>,
    cli: PhantomData<C>,
}

#[derive(Debug, Clone)]
struct Settings {
    work_root: PathBuf,
    program: OsString,
    arguments: Vec<String>,
    allow_env: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    /// What the agent must not change.
    denied: Vec<PathBuf>,
    grace: Duration,
    patience: Duration,
}

impl<C> Clone for AgentProvider<C> {
    fn clone(&self) -> Self {
        Self { settings: self.settings.clone(), cli: PhantomData }
    }
}

impl<C: Cli> fmt::Debug for AgentProvider<C> {
    /// Without the variables that the host sets: they can be keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(C::NAME).field("program", &self.settings.program).finish_non_exhaustive()
    }
}

impl<C: Cli> AgentProvider<C> {
    /// A provider with the defaults of [`AgentBuilder`].
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// Sets what the defaults are not right for.
    pub fn builder() -> AgentBuilder<C> {
        AgentBuilder::new()
    }
}

impl<C: Cli> Default for AgentProvider<C> {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl<C: Cli> Provider for AgentProvider<C> {
    async fn call(&self, request: CallRequest, context: CallContext) -> Result<Reply, ProviderError> {
        let (settings, stop, of_call) = (self.settings.clone(), context.stop().clone(), context.clone());
        let (found, mut sessions) = unbounded();
        let work = process::on_own_thread(&stop, move |control| {
            settings.carry_out::<C>(&request, &of_call, &found, control)
        });
        let record = async {
            while let Some(session) = sessions.next().await {
                let session: String = session;
                // Where it cannot be recorded the run is driven elsewhere, and this call is told to stop.
                let _ = context.record_session(&session).await;
            }
        };
        join(work, record).await.0
    }

    async fn reclaim(&self, call: &CallId) -> Result<(), ProviderError> {
        let (call, grace) = (call.clone(), self.settings.grace);
        let never = StopSource::new().signal();
        process::on_own_thread(&never, move |control| process::reclaim(&call, grace, control)).await
    }

    fn needs_grace(&self) -> bool {
        true
    }

    fn options_schema(&self) -> Option<Value> {
        Some(schemars::schema_for!(C::Options).to_value())
    }

    fn check_options(&self, options: &Value) -> Result<(), String> {
        // What a `${…}` will come to is not known yet.
        let holds_expression = |value: &Value| value.to_string().contains("${");
        let known: Map<String, Value> = match options {
            Value::Object(options) => {
                let known = options.iter().filter(|(_, value)| !holds_expression(value));
                known.map(|(name, value)| (name.clone(), value.clone())).collect()
            }
            Value::Null => Map::new(),
            _ => return Err("write an object".to_owned()),
        };
        read_options::<C>(&known.into()).map(drop)
    }
}

fn read_options<C: Cli>(options: &Value) -> Result<C::Options, String> {
    let empty = json!({});
    let options = if options.is_null() { &empty } else { options };
    crate::options::read(options).map_err(crate::options::Wrong::told)
}

impl Settings {
    fn carry_out<C: Cli>(
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
            |error| ProviderError::transient(format!("no directory for the call could be made: {error}"));
        let scratch = tempfile::Builder::new().prefix("workflow-").tempdir().map_err(unable)?;
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
        let mut prompt = request.prompt.clone();
        for (name, skill) in &request.skills {
            let folder = skill
                .folder
                .as_ref()
                .map(|folder| format!(" (its files are in {folder})"))
                .unwrap_or_default();
            prompt = format!("# Skill {name}{folder}\n\n{}\n\n{prompt}", skill.text.trim());
        }
        if C::ABILITIES.schema == SchemaBy::Prompt
            && let Some(schema) = &request.output_schema
        {
            let task = "Answer with one JSON value that follows this JSON Schema, and with nothing else:";
            prompt.extend(["\n\n", task, "\n", &schema.to_string(), "\n"]);
        }
        let name = self.program.to_string_lossy().into_owned();
        let launch = Launch {
            program: program(&name, &directory),
            arguments: self.arguments.iter().cloned().chain(arguments).collect(),
            environment,
            stdin: prompt.into_bytes(),
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
        // An agent that is stopped may well say that this is the end: it had not said all before.
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
        let mut end = End { stderr: secrets.hidden(stderr.excerpt(EXCERPT)), ..End::default() };
        let failed = |trouble: Trouble, end| {
            let message = secrets.hidden(trouble.message.clone());
            failure::<C>(Trouble { message, ..trouble }, end, context.now())
        };
        let result = match ended.map_err(|error| not_run::<C>(&name, &error, context.now()))? {
            Ended::Stopped => {
                // What it used until then is told all the same.
                let usage = used(transcript.end(&end, &mut say));
                Err(ProviderError { usage, ..ProviderError::cancelled() })
            }
            Ended::Silent if !has_said_all => {
                let usage = used(transcript.end(&end, &mut say));
                let silence = self.patience.as_secs();
                let message = format!("{} was silent for {silence} seconds and was stopped", C::NAME);
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
        result.map_err(|error| if said.is_empty() { error } else { error.with_output(Value::String(said)) })
    }
}

fn not_run<C: Cli>(name: &str, error: &RunError, now: Timestamp) -> ProviderError {
    match error {
        RunError::Start(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let message = format!("`{name}` is not installed, or not on the PATH: {}", C::install());
            failure::<C>(Trouble::new(Reason::NotInstalled, message), &End::default(), now)
        }
        error => run_error(name, error),
    }
}

/// What an agent prints, as far as it has come.
struct Transcript<C: Cli> {
    records: Records,
    reader: C::Reader,
}

impl<C: Cli> Transcript<C> {
    fn new(call: &Call<'_>) -> Self {
        Self { records: Records::default(), reader: C::reader(call) }
    }

    fn push(&mut self, bytes: &[u8], say: &mut dyn FnMut(Said)) {
        let reader = &mut self.reader;
        self.records.push(bytes, |record| take(reader, record, say));
    }

    fn end(mut self, end: &End, say: &mut dyn FnMut(Said)) -> Result<Outcome, Trouble> {
        let reader = &mut self.reader;
        self.records.finish(|record| take(reader, record, say));
        self.reader.end(end)
    }
}

fn take(reader: &mut impl cli::Reader, record: Record, say: &mut dyn FnMut(Said)) {
    match record {
        Record::Json(value) => reader.record(&value, say),
        Record::Other(text) => say(Said::Log(text)),
        Record::TooLong => say(Said::Log("(a line that is too long to be read was left out)".to_owned())),
    }
}

/// What was used, whatever it came to.
fn used(result: Result<Outcome, Trouble>) -> Option<Usage> {
    result.map_or_else(|trouble| trouble.usage, |outcome| outcome.usage)
}

fn tell(context: &CallContext, sessions: &UnboundedSender<String>, voice: &mut Voice, said: Said) {
    let (kind, text) = match said {
        Said::Text(text) => (OutputKind::Text, text),
        Said::TextDelta(text) => (OutputKind::TextDelta, text),
        Said::Thinking(text) => (OutputKind::Thinking, text),
        Said::Tool(text) => (OutputKind::Tool, voice.short(text, &context.redactor())),
        Said::Log(text) => (OutputKind::Log, voice.short(text, &context.redactor())),
        Said::Usage(usage) => return context.usage(usage),
        Said::Session(session) => {
            // Nobody listens any more when the call was dropped.
            let _ = sessions.unbounded_send(session);
            return;
        }
    };
    if !text.is_empty() {
        voice.say(kind, text, |text| context.output(kind, text));
    }
}

fn reply(outcome: Outcome) -> Reply {
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

fn failure<C: Cli>(trouble: Trouble, end: &End, now: Timestamp) -> ProviderError {
    let Trouble { reason, mut message, usage } = trouble;
    let until = (reason == Reason::RateLimited).then(|| quota::until(&message, now)).flatten();
    let advice = match reason {
        Reason::NotLoggedIn => format!("; log in with `{}`, or set its key", C::PROGRAM),
        Reason::ArgumentsRefused => format!("; this was made with version {} of `{}`", C::TESTED, C::PROGRAM),
        _ => String::new(),
    };
    message.push_str(&advice);
    let mut details = json!({ "reason": reason });
    if let Some(code) = end.code {
        details["exit_code"] = code.into();
    }
    if !end.stderr.is_empty() {
        details["stderr_tail"] = end.stderr.clone().into();
    }
    ProviderError { until, usage, ..ProviderError::new(reason.class(), message).with_details(details) }
}
