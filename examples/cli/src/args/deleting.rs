//! The arguments of `delete` and `prune`.

use clap::ArgGroup;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use serde_json::Value;
use workflow_core::definition::Period;
use workflow_core::ids::WorkflowId;
use workflow_core::status::RunStatus;

use crate::reference::RunRef;

/// What `delete` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct DeleteArgs {
    /// The runs. They must have ended.
    #[arg(required = true, value_name = "RUN")]
    pub runs: Vec<RunRef>,
    /// Do not ask for confirmation.
    #[arg(long, short)]
    pub yes: bool,
}

/// What `prune` takes.
#[derive(Debug, clap::Args)]
#[command(group = ArgGroup::new("which").required(true).multiple(true))]
pub(crate) struct PruneArgs {
    /// Only runs that ended longer ago: `30d`, `12h`.
    #[arg(long, value_name = "TIME", group = "which")]
    pub older_than: Option<Period>,
    /// Only runs with this status; can be given several times.
    #[arg(long, value_name = "STATUS", group = "which", value_parser = ended())]
    pub status: Vec<RunStatus>,
    /// Keep the newest N of them.
    #[arg(long, value_name = "N", group = "which")]
    pub keep: Option<usize>,
    /// Only runs of this workflow.
    #[arg(long, value_name = "ID")]
    pub workflow: Option<WorkflowId>,
    /// Do not ask for confirmation.
    #[arg(long, short)]
    pub yes: bool,
}

fn ended() -> impl clap::builder::TypedValueParser<Value = RunStatus> {
    let names = ["completed", "failed", "cancelled"];
    PossibleValuesParser::new(names).try_map(|name| serde_json::from_value(Value::String(name)))
}
