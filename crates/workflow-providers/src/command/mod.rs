//! Command lines as providers.

mod builder;
mod options;
mod reply;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use workflow_core::output::OutputKind;
use workflow_core::provider::{CallContext, CallId, CallRequest, Provider, ProviderError, Reply};
use workflow_core::stop::StopSource;

use self::options::CommandOptions;
use self::reply::{EXCERPT, Printed};
use crate::lines::Lines;
use crate::process::{self, Control, Ended, Launch, Marker, RunError, Stream, TERMINATE};
use crate::program::{program, run_error, wrong_first_line};
use crate::tail::Tail;
use crate::{directory, environment};

pub use self::builder::CommandBuilder;

/// A provider that runs a command line. Unix only.
///
/// ```yaml
/// test:
///   provider: command
///   with:
///     command: ["cargo", "test"]   # the program and its arguments; no shell is involved
///     dynamic_command: false       # true: a `${…}` may decide which program runs
///     stdin: "text"                # default: the prompt
///     env: { RUST_LOG: warn }
///     cwd: crates/core             # inside the work root; default: the stage's, or the root
///     output: text                 # text (default) | json | json-lines
///     success_codes: [0]
/// ```
///
/// # Values and program text
///
/// The value of a `${…}` is never inserted into text that an interpreter executes: the argument of `sh -c`,
/// `python3 -c` or `ssh host`, or the standard input of a shell without a script. Known interpreters are
/// recognised by their names anywhere in the command line, when the definition is validated and again in the
/// rendered command line before each call, which then fails. All other arguments accept any value, which is
/// passed on unchanged. A program, or a whole `command`, that is itself an expression needs `dynamic_command:
/// true` beside it.
///
/// This does not recognise an interpreter with another name, a program that executes its arguments in its own
/// way (`git -c alias.x=…`, `make VAR=…`), or a literal text that does so itself (`sh -c 'eval "$1"'`).
///
/// # Output
///
/// What the command prints becomes output entries, line by line, immediately. Standard output is also the
/// node's output: text without trailing line endings, one JSON value (which may be in a code fence), or an
/// array with the JSON value of each line. Text longer than the limit of [`CommandBuilder::max_output`] loses
/// its beginning, and says so; JSON of that length is an error. The output of a command that fails or times
/// out is kept as well, for stages after one with `on_failure: continue`. An exit code that is not in
/// `success_codes` is a failure that may be retried; a program that does not exist is a failure that may not.
///
/// # Environment
///
/// Only the variables of an allow-list are inherited ([`CommandBuilder::allow_env`]). The stage's `env` is
/// added, then that under `with`, then three of this provider: `WORKFLOW_RUN_ID`, `WORKFLOW_IDEMPOTENCY_KEY`
/// (the same for every attempt of a node) and `WORKFLOW_CALL`, which identifies the processes of a call.
///
/// # No process is left running
///
/// A call ends once its program and all processes that the program started are gone. Told to stop, it sends
/// `SIGTERM` to the process group, waits for [`CommandBuilder::grace`], and sends `SIGKILL`; told to stop at
/// once, or dropped, it sends `SIGKILL` immediately. When a program exits by itself, the processes that it
/// left in the background are stopped in the same way.
///
/// On Linux that includes processes that have left the group or the session: they are found in `/proc` by
/// `WORKFLOW_CALL`, and by their parents. A process that has cleared its environment, left the group and lost
/// its parent before it was seen cannot be found; one that belongs to another user cannot be killed. On other
/// systems only the group can be found, and no processes of a host that died.
///
/// Commands are not in the terminal's foreground group: its Ctrl-C does not reach them, and the system stops
/// a command that reads from the terminal instead of from standard input.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use workflow_core::provider::Provider as _;
/// use workflow_providers::CommandProvider;
///
/// let commands = CommandProvider::builder().work_root(".").build();
/// commands.check_options(&serde_json::json!({ "command": ["cargo", "test"] }))?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct CommandProvider(Arc<Settings>);

#[derive(Debug)]
struct Settings {
    work_root: PathBuf,
    allow_env: Vec<OsString>,
    grace: Duration,
    max_output: usize,
}

impl CommandProvider {
    /// Creates a provider with the defaults of [`CommandBuilder`].
    pub fn new() -> Self {
        Self::builder().build()
    }
}

impl Default for CommandProvider {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Provider for CommandProvider {
    async fn call(&self, request: CallRequest, context: CallContext) -> Result<Reply, ProviderError> {
        let (settings, stop) = (self.0.clone(), context.stop().clone());
        process::on_own_thread(&stop, move |control| settings.carry_out(&request, &context, control)).await
    }

    async fn reclaim(&self, call: &CallId) -> Result<(), ProviderError> {
        let (call, grace) = (call.clone(), self.0.grace);
        let never = StopSource::new().signal();
        process::on_own_thread(&never, move |control| process::reclaim(&call, grace, control)).await
    }

    fn takes_exact_numbers(&self) -> bool {
        true
    }

    fn needs_grace(&self) -> bool {
        true
    }

    fn options_schema(&self) -> Option<Value> {
        Some(schemars::schema_for!(CommandOptions).to_value())
    }

    fn check_options(&self, options: &Value) -> Result<(), String> {
        CommandOptions::check(options)
    }
}

impl Settings {
    fn carry_out(
        &self,
        request: &CallRequest,
        context: &CallContext,
        control: &Arc<Control>,
    ) -> Result<Reply, ProviderError> {
        let options = CommandOptions::read(&request.options)
            .map_err(|e| ProviderError::permanent(format!("with: {e}")))?;
        let cwd = options.cwd.as_deref().or(request.cwd.as_deref()).unwrap_or(".");
        let directory = directory::of_call(&self.work_root, request, cwd)?;
        let own = options.env.iter().map(|(name, value)| (name.into(), (&value.0).into()));
        let environment = environment::of_call(&self.allow_env, request, own)?;
        let stdin = options.stdin.map_or_else(|| request.prompt.clone(), |text| text.0).into_bytes();
        let mut command = options.command.into_iter().map(|text| text.0);
        let name = command.next().unwrap_or_default();
        let program = program(&name, &directory);
        let launch = Launch {
            program: program.clone(),
            arguments: command.collect(),
            environment,
            directory,
            stdin,
            input: None,
            marker: Marker::of(&request.id),
            signals: TERMINATE,
            grace: self.grace,
            patience: None,
        };

        let tail = |limit| Tail::without(limit, [context.redactor()]);
        let mut printed = Printed { stdout: tail(self.max_output), stderr: tail(EXCERPT) };
        let (mut stdout, mut stderr) = (Lines::default(), Lines::default());
        let ended = process::run(launch, control, &mut |stream, bytes| {
            // An incomplete line is a sign of life too.
            context.alive();
            match stream {
                Stream::Stdout => {
                    printed.stdout.push(bytes);
                    stdout.push(bytes, |line| context.output(OutputKind::Stdout, line));
                }
                Stream::Stderr => {
                    printed.stderr.push(bytes);
                    stderr.push(bytes, |line| context.output(OutputKind::Stderr, line));
                }
            }
            None
        });
        stdout.finish(|line| context.output(OutputKind::Stdout, line));
        stderr.finish(|line| context.output(OutputKind::Stderr, line));

        let ended = ended.map_err(|error| match (&error, wrong_first_line(&program)) {
            (RunError::Start(start), Some(wrong)) if start.kind() == std::io::ErrorKind::NotFound => {
                ProviderError::permanent(format!("cannot start `{name}`: {wrong}"))
            }
            _ => run_error(&name, &error),
        })?;
        match ended {
            Ended::Stopped | Ended::Silent => {
                Err(ProviderError::cancelled().with_output(printed.text(self.max_output)))
            }
            Ended::ByItself(status)
                if status.code().is_some_and(|code| options.success_codes.contains(&code)) =>
            {
                printed.reply(options.output, self.max_output)
            }
            Ended::ByItself(status) => {
                // The exit codes of a shell and of `env` when they do not find the program.
                let wrong = wrong_first_line(&program).filter(|_| status.code() == Some(127));
                Err(printed.failure(&name, status, wrong.as_deref(), self.max_output))
            }
        }
    }
}
