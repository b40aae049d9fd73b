//! The arguments of `worker`.

use clap::builder::PossibleValuesParser;
use workflow_core::ids::WorkflowId;
use workflow_core::store::LabelLimit;

use super::OperatingArgs;
use crate::host::PROVIDERS;

/// What `worker` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct WorkerArgs {
    /// How many runs to drive at a time.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..))]
    pub runs: u16,
    /// Only runs of these workflows.
    #[arg(long, value_name = "ID", num_args = 1..)]
    pub workflow: Vec<WorkflowId>,
    /// Only runs that call only these providers, and name no provider by an expression.
    #[arg(long, value_name = "NAME", num_args = 1.., value_parser = PossibleValuesParser::new(PROVIDERS))]
    pub provider: Vec<String>,
    /// Only runs whose definition equals the current workflow in the home.
    #[arg(long)]
    pub only_catalog: bool,
    /// Drive at most N runs with the same value of this label at a time, together with all workers of the store that have the
    /// same limit: `tenant=4`. Other runs are driven in their place; runs without the label are not limited.
    #[arg(long, value_name = "LABEL=N")]
    pub limit_per_label: Option<LabelLimit>,
    /// What `serve` takes too.
    #[command(flatten)]
    pub operating: OperatingArgs,
}
