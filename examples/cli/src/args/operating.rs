//! The arguments of all processes that work until they are stopped.

use std::net::SocketAddr;

use workflow_core::definition::Period;

/// What `worker` and `serve` both take.
#[derive(Debug, clap::Args)]
pub(crate) struct OperatingArgs {
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
