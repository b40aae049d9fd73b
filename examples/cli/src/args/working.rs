//! The arguments of `worker`.

use std::net::SocketAddr;

use clap::builder::PossibleValuesParser;
use workflow_core::definition::Period;
use workflow_core::ids::WorkflowId;
use workflow_core::store::LabelLimit;

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
    /// Tell the targets of `config/notify.yml` in the home (webhooks and commands) when runs of the store wait for a
    /// person, fail, complete, or near their budgets. The commands in that file are executed: look at it first where the
    /// home came with a checkout.
    #[arg(long)]
    pub notify: bool,
    /// Serve metrics for Prometheus at `/metrics` of this address, and the checks `/healthz` and `/readyz`. They need no
    /// token: use an address that only your own machines reach.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub metrics: Option<SocketAddr>,
    /// Send traces of runs, stages and calls to this OpenTelemetry collector, over HTTP (OTLP): `http://127.0.0.1:4318`.
    #[cfg(feature = "otlp")]
    #[arg(long, value_name = "URL", env = "OTEL_EXPORTER_OTLP_ENDPOINT", hide_env_values = true)]
    pub otlp: Option<String>,
    /// When asked to stop, let calls that are under way end for at most this long (`30s`, `10m`) before they are stopped. No
    /// further call is made meanwhile.
    #[arg(long, value_name = "TIME")]
    pub drain: Option<Period>,
}
