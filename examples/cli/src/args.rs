//! The command line: global options, commands and their arguments.

mod catalog;
mod deleting;
mod operating;
mod serving;
mod steering;
mod storing;
mod variables;
mod working;

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::{Parser, Subcommand, ValueEnum};
use jiff::Timestamp;
use serde_json::{Map, Value};
use workflow_core::bundle::ProviderMap;
use workflow_core::definition::OnFailure;
use workflow_core::ids::{RunId, StageId, WorkflowId};
use workflow_core::output::OutputKind;
use workflow_core::priority::Priority;
use workflow_core::status::RunStatus;
use workflow_service::runs::LogLevel;

use crate::moment::moment;
use crate::reference::RunRef;

pub(crate) use catalog::{EditArgs, GraphArgs, ImportArgs, ReportArgs};
pub(crate) use deleting::{DeleteArgs, PruneArgs};
pub(crate) use operating::OperatingArgs;
pub(crate) use serving::{McpArgs, More, ServeArgs, StudioArgs};
pub(crate) use steering::{AnswerArgs, ForkArgs, Other, RerunArgs, SignalArgs};
pub(crate) use storing::StoreCommand;
pub(crate) use working::WorkerArgs;

const AFTER_HELP: &str = "\
Exit codes:
  0  the run completed, or the command succeeded
  1  the run failed
  2  wrong usage, an invalid definition, or something with that name exists already
  3  the run was cancelled
  4  the run, or one that it has started, waits for a person or a signal: it has a question, names a signal, or is paused
  5  not found, driven or taken over by another process, or the store failed
  6  the run refused the request: it has ended, is being cancelled, has no such question, or was answered already
  7  the request is recorded, and the process that drives the run has not decided on it yet
  129, 143  SIGHUP, SIGTERM: calls were stopped; `workflow recover` resumes the run

To drive a run is to execute its steps; one process at a time does that. While this program drives a run in the
foreground, Ctrl-C cancels it: its calls are asked to stop and have a grace period. Ctrl-C again kills them. Ctrl-Z
suspends the calls with the program, and `fg` continues both. A worker that receives any of the signals SIGINT,
SIGTERM and SIGHUP stops its calls, leaves its runs to other processes, and exits with 0; a second signal, or
SIGQUIT, kills the calls that have not stopped. With --drain it first lets its calls end for that long.

A run pauses when it needs a person: for an approval, for the answer to a question, or to say whether an interrupted
call did its work. `workflow answer RUN` shows what it asks, `workflow answer RUN ANSWER` answers it. A run whose
provider is over its quota continues by itself when the quota is refilled, if a worker, `recover` or the command that
drove it is running then.

Stores:
  file:DIR           human-readable files, for the processes of one machine
  sqlite:PATH        a database in one file, for the processes of one machine
  postgres://USER:PASSWORD@HOST/DATABASE
                     a PostgreSQL database, for any number of machines
Without --store, runs are in the database runs.db of the home. A home without that database in which an earlier
version stored runs as files keeps using them (file:HOME).

Providers:
  command  runs a command line; the default of stages that name no provider. In a home of the desktop app, which has
           the file config/providers.yml, the default is claude-code, the stages plan, code, test, check, analyze
           and review have default roles, and the roles planner, coder, tester, checker and reviewer need no file
  demo     calls no program or service and makes up its answers, to try workflows out: all templates use it; it can
           also simulate failures, quotas, usage and sessions
  claude-code, codex, gemini, grok
           run the vendors' agents; `workflow doctor` lists those that are installed
  acp      runs any agent that speaks the Agent Client Protocol, as in command: [gemini, --acp]
  http     makes a request to a service; private addresses only where WORKFLOW_PRIVATE_HOSTS names them
  model    asks a model over HTTP, without a program; its prices are in config/prices.yml of the home

Environment:
  WORKFLOW_STORE     the store, unless --store names one; keeps a password out of the list of processes
  WORKFLOW_SECRETS_DIR
                     a folder with a file for each secret: ${secrets.X} is the text of the file X
  WORKFLOW_SECRET_X  the value of ${secrets.X} where there is no such file
  WORKFLOW_PRIVATE_HOSTS
                     hosts with private addresses that `http` and `model` may reach: localhost:11434,10.1.2.3, or * for all
  WORKFLOW_KEY_FILE  a file with a key: new runs are signed with it, and only runs with its signature are driven
  WORKFLOW_LOG       the log level on standard error: off, error, warn (default), info, debug, trace
  WORKFLOW_LOG_FORMAT
                     `json`: each message of the log is a JSON object on a line of its own

RUN is the id of a run, the beginning of one, the id of a workflow that has one run, `@latest`, or
`WORKFLOW@latest`.

The home is the directory .orch, in the current directory or in the nearest one above it, up to the root of the git
repository or your home directory. Stages work in the directory that contains the home, wherever in it the command
was started; with --home, in the current directory. With `run --worktree` they work in a git worktree of the run,
HOME/worktrees/ID, which starts from the last commit here; this checkout is not changed. `workflow diff RUN` shows
the changes. Resume such a run from the same repository. When there are more than 20 worktrees, or 10 GiB of them,
the oldest worktrees of runs that have ended are removed; their branches stay.";

/// Runs workflows that are written in YAML: stages with command lines, AI agents and approvals.
#[derive(Debug, Parser)]
#[command(name = "workflow", version, after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// The directory of the workflows, and of the runs unless `--store` names another place [default: the nearest
    /// `.orch`].
    #[arg(long, global = true, value_name = "DIR")]
    pub home: Option<PathBuf>,
    /// Another folder of roles, which is only read; can be given several times. The home's `config/roles.yml` can list
    /// folders too (`folders: [DIR]`).
    #[arg(long, global = true, value_name = "DIR")]
    pub roles: Vec<PathBuf>,
    /// The store of the runs: `file:DIR`, `sqlite:PATH` or `postgres://…`.
    // Read by hand: the parser's errors would repeat it, and a password with it.
    #[arg(long, global = true, value_name = "URL", env = "WORKFLOW_STORE", hide_env = true)]
    pub store: Option<String>,
    /// A file that contains the URL of the store, in place of `--store`: other processes can read the command line.
    /// `/dev/fd/3` reads the file descriptor 3.
    #[arg(long, global = true, value_name = "FILE")]
    pub store_file: Option<PathBuf>,
    /// Trust this store from now on. A run can execute commands, so the runs of a store that this program has not
    /// created for you, such as one that came with a checkout, are shown and not driven.
    #[arg(long, global = true)]
    pub trust_store: bool,
    /// Print JSON on standard output, an object per line, as the service returns it (`workflow serve`); and an error as JSON
    /// on standard error.
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create a home with an example workflow. Overwrites nothing.
    Init,
    /// Create a workflow from a template, with the roles, profiles and schemas that it uses. Overwrites nothing.
    New {
        /// The workflow's id.
        id: WorkflowId,
        /// The template, as `templates` lists it.
        #[arg(long, value_name = "NAME")]
        template: WorkflowId,
    },
    /// List the workflows of the home.
    List,
    /// Copy a workflow under another id. Overwrites nothing.
    Duplicate {
        /// The workflow.
        id: WorkflowId,
        /// The id of the copy.
        #[arg(value_name = "NEW-ID")]
        new_id: WorkflowId,
        /// The name of the copy, for people.
        #[arg(long, value_name = "TEXT")]
        name: Option<String>,
    },
    /// Change fields of a workflow, or open it in your editor (`VISUAL` or `EDITOR`). A text with errors is not saved.
    Edit(EditArgs),
    /// Print a workflow with the profiles, roles, schemas and skills that it uses, as one YAML file for `import`.
    Export {
        /// The workflow.
        id: WorkflowId,
    },
    /// Add a workflow from a file that `export` wrote, with all that it uses. Overwrites nothing.
    Import(ImportArgs),
    /// Draw the stages of a workflow, with loops and what failures do.
    Graph(GraphArgs),
    /// Estimate how long a run of a workflow takes and what it costs, by its earlier runs.
    Estimate {
        /// The workflow.
        id: WorkflowId,
    },
    /// List the templates for `new`.
    Templates,
    /// List the roles of the home, and the variables that they use.
    Roles,
    /// List the profiles (the graphs of stages) of the home, and their nodes.
    Profiles,
    /// Check workflows, and print all errors and warnings.
    Validate {
        /// Files, or ids of workflows in the home.
        #[arg(required = true, value_name = "FILE|ID")]
        workflows: Vec<String>,
        /// Treat unknown keys as errors.
        #[arg(long)]
        strict: bool,
        /// Show each value that the stages have when they run, and where it comes from.
        #[arg(long)]
        explain: bool,
    },
    /// Show which agents are installed, their versions and their login status.
    Doctor,
    /// Print a JSON Schema of a file format.
    Schema {
        /// The format.
        #[arg(value_parser = schema_names())]
        name: String,
    },
    /// Start a run, and drive it until it ends or pauses, or leave it to a worker.
    Run(RunArgs),
    /// List runs, the newest last.
    Runs {
        /// Only runs of this workflow.
        #[arg(long, value_name = "ID")]
        workflow: Option<WorkflowId>,
        /// Only runs with this status; can be given several times.
        #[arg(long, value_name = "STATUS", value_parser = statuses())]
        status: Vec<RunStatus>,
        /// Only runs with this label and exactly this value; can be given several times, and a run must have them all.
        #[arg(long = "label", value_name = "NAME=VALUE", value_parser = variables::label)]
        labels: Vec<(String, String)>,
        /// Only runs with this text in their id, the id of their workflow or the value of a label.
        #[arg(long, value_name = "TEXT")]
        text: Option<String>,
        /// Only runs that nodes of this run started.
        #[arg(long, value_name = "RUN")]
        parent: Option<RunRef>,
        /// Only runs that wait for a person; `inbox` lists what they ask.
        #[arg(long)]
        waiting: bool,
        /// Only the newest N runs.
        #[arg(long, value_name = "N")]
        limit: Option<usize>,
    },
    /// List all questions, approvals and other waits for a person, over all runs, the oldest first.
    Inbox {
        /// Only runs of this workflow.
        #[arg(long, value_name = "ID")]
        workflow: Option<WorkflowId>,
        /// Only runs with this label and exactly this value; can be given several times, and a run must have them all.
        #[arg(long = "label", value_name = "NAME=VALUE", value_parser = variables::label)]
        labels: Vec<(String, String)>,
        /// At most N of them [default: 100].
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
        limit: Option<u16>,
    },
    /// Show a run: its status, stages, lanes, nodes, variables and errors.
    Show {
        /// The run.
        run: RunRef,
    },
    /// Show what a run with a worktree has changed and committed.
    Diff {
        /// The run.
        run: RunRef,
    },
    /// List the git worktrees of runs, print what a run has committed in its worktree, or remove a worktree.
    Worktree {
        /// What to do.
        #[command(subcommand)]
        what: Worktree,
    },
    /// List the events of a run, with the numbers for `fork --at`.
    Events {
        /// The run.
        run: RunRef,
    },
    /// Print what a person needs to help with a run, as JSON, without its prompts, variables and outputs.
    ///
    /// It has versions, the names of environment variables, the definition and the events. Prompts, options, variables,
    /// outputs and messages are replaced by their length.
    SupportBundle {
        /// The run.
        run: RunRef,
        /// With prompts, options, variables, outputs and messages. Secrets are left out in any case.
        #[arg(long)]
        with_content: bool,
    },
    /// Show the output of the programs and agents that a run called.
    Logs(LogsArgs),
    /// Show the progress of a run until it ends, whichever process drives it. Ctrl-C stops only the display.
    Watch {
        /// The run.
        run: RunRef,
    },
    /// Show all runs on a full screen, live: open one, answer what it asks, pause, resume or cancel it. Drives no run.
    Top,
    /// Print a report of a run: what it did, what failed and why, what to do next, what it used.
    Report(ReportArgs),
    /// Compare two runs: their status, times, usage, stages, variables and definitions, and the first point where they differ.
    Compare {
        /// The first run.
        run: RunRef,
        /// The second run.
        #[arg(value_name = "OTHER-RUN")]
        other: RunRef,
    },
    /// Pause a run: it starts no new calls, and is paused when its current calls have ended.
    Pause {
        /// The run.
        run: RunRef,
    },
    /// Cancel a run: stop its calls, and end it.
    Cancel {
        /// The run.
        run: RunRef,
    },
    /// Kill a run: kill its calls without a grace period, also those of stages of `finally`, and end it.
    Kill {
        /// The run.
        run: RunRef,
    },
    /// Resume a run, and drive it until it ends or pauses, or leave it to a worker.
    Resume {
        /// The run.
        run: RunRef,
        /// Only record the request: the process that drives the run, or a worker, continues it.
        #[arg(long)]
        detach: bool,
    },
    /// Show what a run asks, or answer it, and drive the run until it ends or pauses, or leave it to a worker.
    Answer(AnswerArgs),
    /// Send a signal to a run: a node of type `wait` that names it takes it, now or when it starts.
    Signal(SignalArgs),
    /// Create a new run that continues from a point of another run, which is not changed.
    Fork(ForkArgs),
    /// Repeat a run as a new run, from the start or from a stage.
    Rerun(RerunArgs),
    /// Compare the definition of a run with the current workflow in the home, or move the run to it.
    Migrate {
        /// The run.
        run: RunRef,
        /// Move the run to the current workflow.
        #[arg(long)]
        apply: bool,
    },
    /// Delete runs that have ended, with their output.
    Delete(DeleteArgs),
    /// Delete runs that have ended: old ones, those with a status, or all but the newest.
    Prune(PruneArgs),
    /// Resume all unfinished runs that no process drives, as after a crash, including those that wait until a time.
    /// Runs that wait for a person stay paused.
    Recover,
    /// Drive the runs of the store that no other process drives, and new ones, until it is stopped.
    Worker(WorkerArgs),
    /// List the processes that drive runs of the store at the moment, and count the runs that no process drives.
    Workers,
    /// Show where the runs are stored, and how many there are of each status.
    Stores,
    /// Look after the store of the runs: what it has, migration, cleaning.
    Store {
        /// What to do.
        #[command(subcommand)]
        what: StoreCommand,
    },
    /// Offer every operation to other programs: over HTTP, or over standard input and output. Runs that are started
    /// through it are driven here, and so are those of the store that no other process drives.
    Serve(ServeArgs),
    /// Open the studio in the browser: the web page to make, run, watch and answer workflows. Drives runs as `serve` does,
    /// until Ctrl-C.
    Studio(StudioArgs),
    /// Offer workflows as tools to the agent that started this program, in the Model Context Protocol over standard input
    /// and output. Drives runs as `serve` does, and ends when standard input ends.
    Mcp(McpArgs),
    /// Print a script that completes the command line in a shell: `source <(workflow completions bash)`.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page of this program or of a command: `workflow man run | man -l -`.
    Man {
        /// The command.
        command: Option<String>,
    },
}

/// What `run` takes.
#[derive(Debug, clap::Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct RunArgs {
    /// A file, or the id of a workflow in the home.
    #[arg(value_name = "FILE|ID")]
    pub workflow: String,
    /// Set a variable: `name=text`, `name:=json`, or `name=@file` for the text of a file (`@-` for standard input); can
    /// be given several times.
    #[arg(long = "var", value_name = "NAME=TEXT|NAME:=JSON", value_parser = variables::variable)]
    pub vars: Vec<(String, Value)>,
    /// Set variables from a file with a JSON or YAML object (`-` for standard input); `--var` overrides it.
    #[arg(long, value_name = "FILE", value_parser = variables::variables)]
    pub var_file: Vec<Map<String, Value>>,
    /// Label the run, for instance with an owner or a ticket: `name=value`; can be given several times. `runs --label`
    /// finds it by its labels.
    #[arg(long = "label", value_name = "NAME=VALUE", value_parser = variables::label)]
    pub labels: Vec<(String, String)>,
    /// Which of the runs that wait for a worker comes first: the one with the highest priority, from -9 to 9, or `low` (-5),
    /// `normal` (0) or `high` (5) [default: as the workflow says, or 0].
    #[arg(long, value_name = "PRIORITY", allow_negative_numbers = true)]
    pub priority: Option<Priority>,
    /// The id of the run. If a run with this id and the same inputs exists, it is resumed.
    #[arg(long, value_name = "ID")]
    pub run_id: Option<RunId>,
    /// What happens when a stage fails, for all stages.
    #[arg(long, value_name = "POLICY")]
    pub on_failure: Option<Policy>,
    /// Make all calls with this provider, in place of those of the definition; recorded with the run. `demo` tries a
    /// workflow out without an agent. `codex=demo` replaces only `codex`; can be given several times.
    #[arg(long = "provider", value_name = "NAME|FROM=TO", value_parser = variables::provider)]
    pub providers: Vec<(String, String)>,
    /// Make the calls of one provider with another (`claude-code=codex`), as `--provider` with two names does; can be
    /// given several times.
    #[arg(long = "map", value_name = "FROM=TO", value_parser = variables::mapping)]
    pub maps: Vec<(String, String)>,
    /// Ask for approval before every stage.
    #[arg(long)]
    pub interactive: bool,
    /// Work in a separate git worktree, on the branch `workflow/ID` or as the workflow says, and commit the changes of
    /// each node.
    #[arg(long)]
    pub worktree: bool,
    /// Work in the shared files, also where the workflow has a `worktree`.
    #[arg(long, conflicts_with = "worktree")]
    pub no_worktree: bool,
    /// Treat unknown keys in the definition as errors.
    #[arg(long)]
    pub strict: bool,
    /// Only create the run: print its id, and leave it to a worker.
    #[arg(long)]
    pub detach: bool,
    /// Show what would run and what is missing for it, and start nothing.
    #[arg(long, conflicts_with_all = ["detach", "run_id"])]
    pub dry_run: bool,
}

/// What `logs` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct LogsArgs {
    /// The run.
    pub run: RunRef,
    /// Print new output until the run has ended.
    #[arg(long, short)]
    pub follow: bool,
    /// Only the output of this stage.
    #[arg(long, value_name = "ID")]
    pub stage: Option<StageId>,
    /// Only this stream.
    #[arg(long)]
    pub stream: Option<Stream>,
    /// Only output of this level or a more severe one: `warn` is standard error and notes of dropped output, `info` also
    /// standard output and text, `debug` everything.
    #[arg(long, conflicts_with = "stream")]
    pub level: Option<Level>,
    /// Only output with this text; the case of the letters A to Z does not matter.
    #[arg(long, value_name = "TEXT")]
    pub search: Option<String>,
    /// Only the output of failed attempts.
    #[arg(long, conflicts_with = "follow")]
    pub failed: bool,
    /// Only the last N lines.
    #[arg(long, value_name = "N")]
    pub tail: Option<usize>,
    /// Only output since then: `10m` ago, a time of day (`14:30`), or a date (`2026-01-31T14:30`).
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub since: Option<Timestamp>,
}

/// The streams of a process.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    /// The kind of its output entries.
    pub(crate) fn kind(self) -> OutputKind {
        match self {
            Self::Stdout => OutputKind::Stdout,
            Self::Stderr => OutputKind::Stderr,
        }
    }
}

/// What `worktree` does.
#[derive(Debug, Subcommand)]
pub(crate) enum Worktree {
    /// List the worktrees of runs, the least recently used first.
    List,
    /// Print what a run has committed as a patch for `git apply`.
    Patch {
        /// The run.
        run: RunRef,
    },
    /// Remove the worktree of a run that has ended. Its branch stays; files that git ignores are lost.
    Remove {
        /// The run.
        run: RunRef,
    },
}

/// The levels of output.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Level {
    /// Standard error, and where output was dropped.
    Warn,
    /// Standard output and text too.
    Info,
    /// Everything.
    Debug,
}

impl From<Level> for LogLevel {
    fn from(level: Level) -> Self {
        match level {
            Level::Warn => Self::Warn,
            Level::Info => Self::Info,
            Level::Debug => Self::Debug,
        }
    }
}

/// The failure strategies.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Policy {
    /// The run fails.
    Stop,
    /// The run continues, and its result names the stage.
    Continue,
    /// What failed is retried.
    Retry,
}

impl From<Policy> for OnFailure {
    fn from(policy: Policy) -> Self {
        match policy {
            Policy::Stop => Self::Stop,
            Policy::Continue => Self::Continue,
            Policy::Retry => Self::Retry,
        }
    }
}

fn statuses() -> impl clap::builder::TypedValueParser<Value = RunStatus> {
    let names = RunStatus::ALL.iter().map(|status| status.as_str());
    PossibleValuesParser::new(names).try_map(|name| name.parse::<RunStatus>())
}

impl Args {
    /// Where traces are sent.
    #[cfg(feature = "otlp")]
    pub(crate) fn otlp(&self) -> Option<&str> {
        match &self.command {
            Command::Worker(args) => args.operating.otlp.as_deref(),
            Command::Serve(args) => args.operating.otlp.as_deref(),
            _ => None,
        }
        .filter(|url| !url.is_empty())
    }
}

impl RunArgs {
    /// Whether the run works in a worktree of its own; `None`: as the workflow says.
    pub(crate) fn isolated(&self) -> Option<bool> {
        match (self.worktree, self.no_worktree) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            _ => None,
        }
    }

    /// Which providers are replaced.
    pub(crate) fn replaced(&self) -> ProviderMap {
        self.providers.iter().chain(&self.maps).cloned().collect()
    }
}

fn schema_names() -> PossibleValuesParser {
    PossibleValuesParser::new(workflow_core::schema::schemas().into_iter().map(|(name, _)| name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_definition_of_the_arguments_is_sound() {
        Args::command().debug_assert();
    }
}
