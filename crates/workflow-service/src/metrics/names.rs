//! The names of the figures. Those that count end in `_total`; times are in seconds.

/// Runs of the store by `status`. Pending runs are the queue.
pub const RUNS: &str = "workflow_runs";
/// Runs of the store that have been pending for longer than `longer_than` seconds: how old the queue is.
pub const PENDING: &str = "workflow_pending_runs";
/// 1 if the store answered when the figures were read, otherwise 0; what is asked of the store is left out then.
pub const STORE_UP: &str = "workflow_store_up";
/// Runs that this process drives.
pub const DRIVEN: &str = "workflow_driven_runs";
/// How long runs were pending before this process began to drive them.
pub const START_DELAY: &str = "workflow_run_start_delay_seconds";
/// Runs that ended in this process, by `status`.
pub const ENDED: &str = "workflow_runs_ended_total";
/// Attempts that ended in this process, by `provider` and `outcome`: `succeeded`, `cancelled`, `interrupted`, or the class
/// of the failure.
pub const ATTEMPTS: &str = "workflow_attempts_total";
/// How long these attempts took, by `provider`.
pub const ATTEMPT_TIME: &str = "workflow_attempt_seconds";
/// What they cost as far as it is known, in US dollars, by `provider`.
pub const COST: &str = "workflow_cost_usd_total";
/// What they used, by `provider` and `kind`: `input`, `output`.
pub const TOKENS: &str = "workflow_tokens_total";
/// Calls that are under way in this process, by `provider`.
pub const CALLS: &str = "workflow_calls";
/// How many calls may run at once, by `provider`, where there is a limit.
pub const LIMIT: &str = "workflow_provider_limit";
/// Calls that wait for a slot, by `provider`, where there is a limit.
pub const QUEUED: &str = "workflow_provider_queued";
/// Output entries of calls.
pub const OUTPUT: &str = "workflow_output_entries_total";
/// Gaps in the output of calls, because more was written than is stored.
pub const OUTPUT_GAPS: &str = "workflow_output_gaps_total";
/// Events that were stored.
pub const EVENTS: &str = "workflow_events_total";
/// How long appends of events took.
pub const APPEND_TIME: &str = "workflow_append_seconds";
/// Requests of this process that the store refused or could not carry out, by `operation` and `reason`: `fenced`, `expired`,
/// `unavailable`, `other`.
pub const STORE_ERRORS: &str = "workflow_store_errors_total";
/// Renewals of leases that succeeded.
pub const RENEWALS: &str = "workflow_lease_renewals_total";
/// Runs that this process continued after the process that drove them had died.
pub const TAKEOVERS: &str = "workflow_takeovers_total";
