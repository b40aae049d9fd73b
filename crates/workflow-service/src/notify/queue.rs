//! What is to be delivered, and when.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::Timestamp;

use crate::notify::pick::Picked;

/// How many notices of a target are kept for later. Further ones are left to other processes, or to this one after
/// it has been started again.
const MOST: usize = 10_000;
/// How many deliveries to a target are under way at once.
const AT_ONCE: usize = 4;

/// A notice for a target.
pub(super) struct Job {
    pub target: String,
    pub picked: Arc<Picked>,
}

/// The notices of all targets.
#[derive(Default)]
pub(super) struct Queue {
    targets: HashMap<String, Waiting>,
    /// The number of the last job: jobs that are due at the same time keep their order.
    last: u64,
}

/// The notices of one target.
#[derive(Default)]
struct Waiting {
    jobs: BTreeMap<(Timestamp, u64), Job>,
    under_way: usize,
    /// Whether it was told that some are left out.
    is_full: bool,
}

impl Queue {
    /// Adds a job that is due at that time.
    pub(super) fn add(&mut self, job: Job, due: Timestamp) {
        let waiting = self.targets.entry(job.target.clone()).or_default();
        if waiting.jobs.len() >= MOST {
            if !std::mem::replace(&mut waiting.is_full, true) {
                tracing::error!(
                    target_name = job.target,
                    most = MOST,
                    "too many notices wait for a target: more are left out"
                );
            }
            return;
        }
        waiting.is_full = false;
        self.last += 1;
        waiting.jobs.insert((due, self.last), job);
    }

    /// Takes the jobs that are due and can start.
    pub(super) fn start(&mut self, now: Timestamp) -> Vec<Job> {
        let mut jobs = Vec::new();
        for waiting in self.targets.values_mut() {
            while waiting.under_way < AT_ONCE
                && let Some(first) = waiting.jobs.first_entry()
                && first.key().0 <= now
            {
                jobs.push(first.remove());
                waiting.under_way += 1;
            }
        }
        jobs
    }

    /// A job of that target that was started has ended.
    pub(super) fn ended(&mut self, target: &str) {
        if let Some(waiting) = self.targets.get_mut(target) {
            waiting.under_way = waiting.under_way.saturating_sub(1);
            if waiting.under_way == 0 && waiting.jobs.is_empty() {
                self.targets.remove(target);
            }
        }
    }

    /// When the next job is due that can start.
    pub(super) fn next(&self) -> Option<Timestamp> {
        let can_start = self.targets.values().filter(|waiting| waiting.under_way < AT_ONCE);
        can_start.filter_map(|waiting| Some(waiting.jobs.first_key_value()?.0.0)).min()
    }
}
