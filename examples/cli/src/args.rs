//! What can be typed.

mod deleting;
mod steering;
mod variables;

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::{Parser, Subcommand, ValueEnum};
use jiff::Timestamp;
use serde_json::{Map, Value};
use workflow_core::definition::OnFailure;
use workflow_core::ids::{RunId, StageId, WorkflowId};
use workflow_core::output::OutputKind;
use workflow_core::status::RunStatus;

use crate::host::PROVIDERS;
use crate::moment::moment;
use crate::reference::RunRef;

pub(crate) use deleting::{DeleteArgs, PruneArgs};
pub(crate) use steering::{AnswerArgs, ForkArgs, Other, RerunArgs};

const AFTER_HELP: &str = "\
Exit codes:
  0  completed, or done
  1  the run failed
  2  wrong usage, or an invalid definition
  3  the run was cancelled
  4  the run waits for a person: it asks something, or is paused
  5  not found, driven elsewhere (also: taken over by another process), or the store failed
  6  the run refused the request: it has ended, is being cancelled, does not ask that, or was answered already
  7  the request is recorded, and the driver of the run has not decided on it yet
  129, 143  SIGHUP, SIGTERM: calls were stopped; `workflow recover` takes the run up again

While a run is driven in the foreground, Ctrl-C cancels it: calls are asked to stop and have a grace
period. Ctrl-C again kills them. Ctrl-Z stops the calls with the program, and `fg` continues both. A worker
that is asked to end, by whichever signal, stops its calls, leaves its runs to others, and ends with 0; asked
again, it kills what has not stopped.

A run that asks something (an approval, a question, what became of a call) is left by who drives it:
`workflow answer RUN` shows what it asks, `workflow answer RUN ANSWER` answers it. A run whose provider
is over its quota continues by itself when the quota is refilled, if a worker, `recover` or the command that
drove it is there then.

Stores:
  file:DIR           files that a person can read, for the processes of one machine
  sqlite:PATH        a database in one file, for the processes of one machine
  postgres://USER:PASSWORD@HOST/DATABASE
                     a PostgreSQL database, for any number of machines
Without --store, runs are in the database runs.db of the home. A home that has runs in files, as earlier
versions kept them, and no such database stays with its files (file:HOME).

Providers:
  command  runs a command line; stages that name no provider have it. In a home of the desktop app, which has the
           file config/providers.yml, they have claude-code, and the stages plan, code, test, check, analyze and
           review have their roles; the roles planner, coder, tester, checker and reviewer need no file there
  demo     calls nobody and answers by itself, so that workflows can be tried: all templates have it; it can
           also play failures, quotas, usage and sessions
  claude-code, codex, gemini, grok
           drive the vendors' agents, where they are installed; `doctor` says what is there

Environment:
  WORKFLOW_STORE     the store where --store is not given; a password stays out of the list of processes
  WORKFLOW_SECRETS_DIR
                     a folder with a file for each secret: ${secrets.X} is the text of the file X
  WORKFLOW_SECRET_X  the value of ${secrets.X} where there is no such file
  WORKFLOW_KEY_FILE  a file with a key: runs are signed with it when they are made, and only such runs are driven
  WORKFLOW_LOG       what is logged to standard error: off, error, warn (default), info, debug, trace

RUN is an id, the beginning of one, the id of a workflow that has one run, `@latest`, or `WORKFLOW@latest`.

The home is the directory .orch, here or in the nearest directory above that has one, up to the root of the git
repository or your home directory. Stages work in the directory that has it, and below, wherever the command was
given; with --home, in the current directory. With `run --worktree` they work in a git worktree of the run,
HOME/worktrees/ID, that begins with what is committed here; this checkout stays as it is. `diff ID` shows what
was changed. Go on with such a run from the same repository. Of the runs that have ended the oldest worktrees are
removed when there are more than 20, or 10 GiB of them; the branches stay.";

/// Runs workflows of stages that are written in YAML.
#[derive(Debug, Parser)]
#[command(name = "workflow", version, after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// Where workflows are kept, and runs unless `--store` says otherwise [default: the nearest `.orch`].
    #[arg(long, global = true, value_name = "DIR")]
    pub home: Option<PathBuf>,
    /// A folder of roles beside the home's own, which is only read; can be given several times, and be listed in the
    /// home's `config/roles.yml` (`folders: [DIR]`).
    #[arg(long, global = true, value_name = "DIR")]
    pub roles: Vec<PathBuf>,
    /// Where runs are kept: `file:DIR`, `sqlite:PATH` or `postgres://…`.
    // Read by hand: the parser's errors would repeat it, and a password with it.
    #[arg(long, global = true, value_name = "URL", env = "WORKFLOW_STORE", hide_env = true)]
    pub store: Option<String>,
    /// A file with the URL of the store, in place of `--store`: no other process sees it there. `/dev/fd/3` is a
    /// descriptor.
    #[arg(long, global = true, value_name = "FILE")]
    pub store_file: Option<PathBuf>,
    /// Drive the runs of this store from now on, although this program has not made it for you: a run can execute
    /// commands, so a store that came with a checkout is only looked at.
    #[arg(long, global = true)]
    pub trust_store: bool,
    /// Print bare JSON objects, one per line, and everything else on standard error.
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a home with a workflow to try. Overwrites nothing.
    Init,
    /// Make a workflow of a template, with the roles, profiles and schemas that it uses. Overwrites nothing.
    New {
        /// The workflow's id.
        id: WorkflowId,
        /// The template, as `templates` lists it.
        #[arg(long, value_name = "NAME")]
        template: String,
    },
    /// List the workflows of the home.
    List,
    /// List the templates to make workflows of.
    Templates,
    /// List the roles of the home, and the variables that they use.
    Roles,
    /// List the profiles of the home, and their nodes.
    Profiles,
    /// Say everything that is wrong with workflows.
    Validate {
        /// Files, or ids of workflows of the home.
        #[arg(required = true, value_name = "FILE|ID")]
        workflows: Vec<String>,
        /// Unknown keys are errors.
        #[arg(long)]
        strict: bool,
    },
    /// Say which agents are there, in which versions, and what they say of being logged in.
    Doctor,
    /// Print a JSON Schema.
    Schema {
        /// What it describes.
        #[arg(value_parser = schema_names())]
        name: String,
    },
    /// Start a run and drive it until it rests, or leave it to workers.
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
        /// Only so many, the newest.
        #[arg(long, value_name = "N")]
        limit: Option<usize>,
    },
    /// Show a run: its stages, lanes and nodes, its variables, and what went wrong.
    Show {
        /// The run.
        run: RunRef,
    },
    /// Show what a run with a worktree has changed and committed.
    Diff {
        /// The run.
        run: RunRef,
    },
    /// List what happened to a run, with the numbers that `fork --at` takes.
    Events {
        /// The run.
        run: RunRef,
    },
    /// Show what the providers of a run said.
    Logs(LogsArgs),
    /// Start nothing new; the run is paused when what runs has ended.
    Pause {
        /// The run.
        run: RunRef,
    },
    /// Stop what runs, and end the run.
    Cancel {
        /// The run.
        run: RunRef,
    },
    /// Go on with a run, and drive it until it rests, or leave it to workers.
    Resume {
        /// The run.
        run: RunRef,
        /// Drive nothing: a worker, or whoever drives the run, goes on with it.
        #[arg(long)]
        detach: bool,
    },
    /// Show what a run asks, or answer it and drive the run until it rests, or leave it to workers.
    Answer(AnswerArgs),
    /// Make a new run that continues from a point of another one, which stays as it is.
    Fork(ForkArgs),
    /// Run a run again, from the start or from a stage, as a new run.
    Rerun(RerunArgs),
    /// Say what the workflow as it is in the home now would change for a run, or move the run to it.
    Migrate {
        /// The run.
        run: RunRef,
        /// Move it.
        #[arg(long)]
        apply: bool,
    },
    /// Delete runs that have ended, with their output.
    Delete(DeleteArgs),
    /// Delete the runs that ended some time ago, ended in some way, or are not among the newest.
    Prune(PruneArgs),
    /// Drive all unfinished runs that nobody drives, as after a crash, also those that wait for a time. Runs
    /// that wait for a person stay as they are.
    Recover,
    /// Drive whatever runs of the store nobody drives, also those to come, until it is asked to end.
    Worker(WorkerArgs),
}

/// What `worker` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct WorkerArgs {
    /// How many runs are driven at a time.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..))]
    pub runs: u16,
    /// Only runs of these workflows; others are left to other workers.
    #[arg(long, value_name = "ID", num_args = 1..)]
    pub workflow: Vec<WorkflowId>,
    /// Only runs that call none but these providers, and name none by an expression.
    #[arg(long, value_name = "NAME", num_args = 1.., value_parser = PossibleValuesParser::new(PROVIDERS))]
    pub provider: Vec<String>,
    /// Only runs whose definition is that of the workflow as it is in the home now.
    #[arg(long)]
    pub only_catalog: bool,
}

/// What `run` takes.
#[derive(Debug, clap::Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct RunArgs {
    /// A file, or the id of a workflow of the home.
    #[arg(value_name = "FILE|ID")]
    pub workflow: String,
    /// Set a variable: `name=text` or `name:=json`, or `name=@file` with what is in a file (`-` for standard
    /// input); can be given several times.
    #[arg(long = "var", value_name = "NAME=TEXT|NAME:=JSON", value_parser = variables::variable)]
    pub vars: Vec<(String, Value)>,
    /// Set variables from a file with an object in JSON or YAML (`-` for standard input); `--var` comes before it.
    #[arg(long, value_name = "FILE", value_parser = variables::variables)]
    pub var_file: Vec<Map<String, Value>>,
    /// Label the run, for instance with an owner or a ticket: `name=value`; can be given several times. `runs --label`
    /// finds it by its labels.
    #[arg(long = "label", value_name = "NAME=VALUE", value_parser = variables::label)]
    pub labels: Vec<(String, String)>,
    /// The run's id. A run of that id with the same inputs is gone on with.
    #[arg(long, value_name = "ID")]
    pub run_id: Option<RunId>,
    /// What a failure does, for every stage.
    #[arg(long, value_name = "POLICY")]
    pub on_failure: Option<Policy>,
    /// Have every call made by this provider, whatever the definitions say; it is recorded with the run. `demo`
    /// tries a workflow out without an agent.
    #[arg(long, value_name = "NAME")]
    pub provider: Option<String>,
    /// Ask a person before every stage.
    #[arg(long)]
    pub interactive: bool,
    /// Work in a git worktree of the run's own, on the branch `workflow/ID`, and commit what each node changes.
    #[arg(long)]
    pub worktree: bool,
    /// Unknown keys in the definition are errors.
    #[arg(long)]
    pub strict: bool,
    /// Drive nothing: print the run's id, and leave the run to a worker.
    #[arg(long)]
    pub detach: bool,
}

/// What `logs` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct LogsArgs {
    /// The run.
    pub run: RunRef,
    /// Go on until the run has ended.
    #[arg(long, short)]
    pub follow: bool,
    /// Only what this stage said.
    #[arg(long, value_name = "ID")]
    pub stage: Option<StageId>,
    /// Only this stream.
    #[arg(long)]
    pub stream: Option<Stream>,
    /// Only what failed attempts said.
    #[arg(long, conflicts_with = "follow")]
    pub failed: bool,
    /// Only the last lines, so many.
    #[arg(long, value_name = "N")]
    pub tail: Option<usize>,
    /// Only what was said since then: `10m` ago, a time of day (`14:30`), or a date (`2026-01-31T14:30`).
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
    pub(crate) fn is(self, kind: OutputKind) -> bool {
        match self {
            Self::Stdout => kind == OutputKind::Stdout,
            Self::Stderr => kind == OutputKind::Stderr,
        }
    }
}

/// The failure strategies.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Policy {
    /// The run fails.
    Stop,
    /// The run goes on, and its result names the stage.
    Continue,
    /// What failed is tried again.
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
