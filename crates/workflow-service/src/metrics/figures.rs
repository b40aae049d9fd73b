//! The figures of a process, and their text.

use std::collections::HashSet;
use std::sync::atomic::{AtomicI64, AtomicU64};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use workflow_core::ids::RunId;
use workflow_core::output::{OutputEntry, OutputKind};
use workflow_core::status::RunStatus;
use workflow_core::store::{Lease, RunHead, StoreError};
use workflow_exec::LimitUsage;

use super::names;
use super::underway::Underway;

/// A provider.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Of {
    pub provider: String,
}

/// How attempts at a provider ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Outcome {
    pub provider: String,
    pub outcome: String,
}

/// A kind of token.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Tokens {
    pub provider: String,
    pub kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Status {
    status: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Age {
    longer_than: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refusal {
    operation: &'static str,
    reason: &'static str,
}

/// What was counted in the store.
#[derive(Default)]
pub(super) struct Stored {
    /// Runs by status.
    pub runs: Vec<(RunStatus, u64)>,
    /// Runs that have been pending for longer than so many seconds.
    pub pending: Vec<(u32, u64)>,
}

/// What is counted.
pub(super) struct Figures {
    registry: Registry,
    runs: Family<Status, Gauge>,
    pending: Family<Age, Gauge>,
    store_up: Gauge,
    driven: Gauge,
    start_delay: Histogram,
    pub ended: Ended,
    pub attempts: Family<Outcome, Counter>,
    pub attempt_time: Family<Of, Histogram, fn() -> Histogram>,
    pub cost: Family<Of, Counter<f64, AtomicU64>>,
    pub tokens: Family<Tokens, Counter>,
    pub calls: Family<Of, Gauge>,
    limit: Family<Of, Gauge>,
    queued: Family<Of, Gauge>,
    output: Counter,
    output_gaps: Counter,
    events: Counter,
    append_time: Histogram,
    store_errors: Family<Refusal, Counter>,
    renewals: Counter,
    takeovers: Counter,
    /// The calls that are under way.
    pub underway: Mutex<Underway>,
    /// The runs that this process holds.
    held: Mutex<HashSet<RunId>>,
}

/// How runs ended.
#[derive(Clone, Default)]
pub(super) struct Ended(Family<Status, Counter>);

impl Ended {
    pub(super) fn as_(&self, status: RunStatus) {
        self.0.get_or_create(&Status { status: status.to_string() }).inc();
    }
}

impl Default for Figures {
    fn default() -> Self {
        let mut registry = Registry::default();
        Self {
            runs: family(&mut registry, names::RUNS, "Runs of the store by status"),
            pending: family(
                &mut registry,
                names::PENDING,
                "Runs that have been pending for longer than this",
            ),
            store_up: one(
                &mut registry,
                names::STORE_UP,
                "Whether the store answers",
                Gauge::<i64, AtomicI64>::default(),
            ),
            driven: one(
                &mut registry,
                names::DRIVEN,
                "Runs that this process drives",
                Gauge::<i64, AtomicI64>::default(),
            ),
            start_delay: one(&mut registry, names::START_DELAY, "How long runs were pending", seconds(0.01)),
            ended: Ended(family(&mut registry, names::ENDED, "Runs that ended in this process")),
            attempts: family(&mut registry, names::ATTEMPTS, "Attempts that ended in this process"),
            attempt_time: one(
                &mut registry,
                names::ATTEMPT_TIME,
                "How long attempts took",
                Family::new_with_constructor((|| seconds(0.1)) as fn() -> Histogram),
            ),
            cost: family(&mut registry, names::COST, "Known cost of attempts in US dollars"),
            tokens: family(&mut registry, names::TOKENS, "Known tokens of attempts"),
            calls: family(&mut registry, names::CALLS, "Calls that are under way"),
            limit: family(&mut registry, names::LIMIT, "How many calls may run at once"),
            queued: family(&mut registry, names::QUEUED, "Calls that wait for a slot"),
            output: one(&mut registry, names::OUTPUT, "Output entries of calls", Counter::default()),
            output_gaps: one(
                &mut registry,
                names::OUTPUT_GAPS,
                "Gaps in the output of calls",
                Counter::default(),
            ),
            events: one(&mut registry, names::EVENTS, "Events that were stored", Counter::default()),
            append_time: one(
                &mut registry,
                names::APPEND_TIME,
                "How long appends of events took",
                seconds(0.0001),
            ),
            store_errors: store_errors(&mut registry),
            renewals: one(&mut registry, names::RENEWALS, "Renewals of leases", Counter::default()),
            takeovers: one(
                &mut registry,
                names::TAKEOVERS,
                "Runs of dead processes that were continued",
                Counter::default(),
            ),
            underway: Mutex::default(),
            held: Mutex::default(),
            registry,
        }
    }
}

impl Figures {
    /// The text, with what was counted in the store, unless it did not answer, and with these limits.
    pub(super) fn text(&self, stored: Option<&Stored>, limits: &[LimitUsage]) -> String {
        self.store_up.set(stored.is_some().into());
        // What it had earlier says nothing about now.
        self.runs.clear();
        self.pending.clear();
        for (status, count) in stored.iter().flat_map(|stored| &stored.runs) {
            let status = Status { status: status.to_string() };
            self.runs.get_or_create(&status).set(i64::try_from(*count).unwrap_or(i64::MAX));
        }
        for (longer_than, count) in stored.iter().flat_map(|stored| &stored.pending) {
            let age = Age { longer_than: *longer_than };
            self.pending.get_or_create(&age).set(i64::try_from(*count).unwrap_or(i64::MAX));
        }
        for LimitUsage { provider, limit, queued, .. } in limits {
            let of = Of { provider: provider.to_string() };
            self.limit.get_or_create(&of).set(i64::try_from(*limit).unwrap_or(i64::MAX));
            self.queued.get_or_create(&of).set(i64::try_from(*queued).unwrap_or(i64::MAX));
        }
        let mut text = String::new();
        if let Err(error) = encode(&mut text, &self.registry) {
            // A string takes everything.
            tracing::error!(%error, "the metrics could not be written");
        }
        text
    }

    pub(super) fn output(&self, entries: &[OutputEntry]) {
        self.output.inc_by(entries.len() as u64);
        let gaps = entries.iter().filter(|entry| entry.kind == OutputKind::Dropped).count();
        self.output_gaps.inc_by(gaps as u64);
    }

    pub(super) fn appended(&self, events: usize, head: Option<&RunHead>, took: Duration, starts: bool) {
        self.append_time.observe(took.as_secs_f64());
        self.events.inc_by(events as u64);
        if let Some(head) = head.filter(|_| starts)
            && let Some(started) = head.started_at
        {
            self.start_delay.observe(started.duration_since(head.created_at).as_secs_f64().max(0.0));
        }
    }

    /// Leases were given out.
    pub(super) fn granted(&self, leases: &[Lease]) {
        let died = leases.iter().filter(|lease| lease.deaths > 0).count();
        self.takeovers.inc_by(died as u64);
        let mut held = lock(&self.held);
        held.extend(leases.iter().map(|lease| lease.run.clone()));
        self.show_held(&held);
    }

    /// A run is no longer driven here.
    pub(super) fn left(&self, run: &RunId) {
        let mut held = lock(&self.held);
        held.remove(run);
        self.show_held(&held);
        drop(held);
        for provider in lock(&self.underway).leave(run) {
            self.calls.get_or_create(&Of { provider }).dec();
        }
    }

    fn show_held(&self, held: &HashSet<RunId>) {
        self.driven.set(i64::try_from(held.len()).unwrap_or(i64::MAX));
    }

    pub(super) fn renewed(&self) {
        self.renewals.inc();
    }

    /// The store refused a request, or could not carry it out.
    pub(super) fn refused(&self, operation: &'static str, error: &StoreError) {
        let reason = match error {
            // What a caller asks for and is not there, or what another run has, is not a failure of the store.
            StoreError::NotFound(_)
            | StoreError::Exists(_)
            | StoreError::Held { .. }
            | StoreError::Queued { .. }
            | StoreError::Busy { .. } => return,
            StoreError::Fenced(_) => "fenced",
            StoreError::Expired => "expired",
            StoreError::Io { .. } | StoreError::Closed(_) => "unavailable",
            _ => "other",
        };
        self.store_errors.get_or_create(&Refusal { operation, reason }).inc();
    }
}

/// The operations of a store whose errors are 0 from the start: the rate of a figure that begins with its first outage shows
/// nothing of that one.
const OPERATIONS: [&str; 9] =
    ["append", "append_output", "claim", "create", "delete", "read", "release", "renew", "request"];

fn store_errors(registry: &mut Registry) -> Family<Refusal, Counter> {
    let errors: Family<Refusal, Counter> =
        family(registry, names::STORE_ERRORS, "Requests that the store did not carry out");
    for operation in OPERATIONS {
        drop(errors.get_or_create(&Refusal { operation, reason: "unavailable" }));
    }
    errors
}

/// Times from `first` seconds on, each four times the one before.
fn seconds(first: f64) -> Histogram {
    Histogram::new(exponential_buckets(first, 4.0, 9))
}

fn family<L, M>(registry: &mut Registry, name: &str, help: &str) -> Family<L, M>
where
    Family<L, M>: Default + Clone + prometheus_client::registry::Metric,
{
    one(registry, name, help, Family::default())
}

/// Registers a figure. The registry adds `_total` to the names of counters itself.
fn one<M: Clone + prometheus_client::registry::Metric>(
    registry: &mut Registry,
    name: &str,
    help: &str,
    figure: M,
) -> M {
    registry.register(name.trim_end_matches("_total"), help, figure.clone());
    figure
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that can panic runs under these locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_store_could_not_do_is_an_error_of_it() {
        let figures = Figures::default();
        let [run, behind] = ["r1", "r2"].map(|run| run.parse::<RunId>().expect("an id"));
        let refusals = [
            StoreError::NotFound("run `r1`".to_owned()),
            StoreError::Exists(run.clone()),
            StoreError::Held { run: run.clone(), holder: "process 1".to_owned() },
            StoreError::Queued { run: run.clone(), behind: behind.clone() },
            StoreError::Busy { key: "deploy".to_owned(), holder: behind },
        ];
        for error in &refusals {
            figures.refused("create", error);
        }
        let text = figures.text(None, &[]);
        let mut counts = text.lines().filter(|line| line.starts_with("workflow_store_errors_total{"));
        assert!(
            counts.all(|line| line.ends_with(" 0")) && text.contains("reason=\"unavailable\"} 0"),
            "{text}"
        );
        figures.refused("append", &StoreError::Fenced(run));
        let told = r#"workflow_store_errors_total{operation="append",reason="fenced"} 1"#;
        assert!(figures.text(None, &[]).contains(told));
    }
}
