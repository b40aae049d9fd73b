//! Counts the events of a simulation: a passed simulation in which nothing happened shows nothing.

use std::fmt;
use std::ops::AddAssign;

macro_rules! counts {
    ($($name:ident $words:literal)*) => {
        /// How often each kind of event happened.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct Counts {
            $(#[doc = $words] pub $name: u64,)*
        }

        impl AddAssign for Counts {
            fn add_assign(&mut self, other: Self) {
                $(self.$name += other.$name;)*
            }
        }

        impl fmt::Display for Counts {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                $(writeln!(f, "{:>12}  {}", self.$name, $words)?;)*
                Ok(())
            }
        }

        impl Counts {
            /// The kinds that never happened.
            pub fn absent(&self) -> Vec<&'static str> {
                [$((self.$name, $words)),*].into_iter().filter(|(n, _)| *n == 0).map(|(_, words)| words).collect()
            }
        }
    };
}

counts! {
    runs "runs"
    completed "runs that completed"
    failed "runs that failed"
    cancelled "runs that were cancelled"
    compared "runs compared with the reference interpreter"
    events "events"
    appends "appends"
    calls "calls of providers"
    interrupted "attempts that were interrupted"
    panics "calls that panicked"
    sinks "event sinks that panicked"
    reclaimed "calls of dead processes that were reclaimed"
    stopped_alive "calls of living processes that another one stopped"
    parked "attempts that were parked because of a quota"
    parked_late "those of them whose quota was reset before that was noticed"
    warned "budgets that were nearly used up"
    refused "calls that were refused because a budget was used up"
    stopped "calls that were stopped because they used up a budget"
    sessions "sessions that were recorded"
    continued "calls that resumed a session"
    dropped "sessions that were dropped"
    doubted "interrupted calls whose outcome a person was asked for"
    answered "answers of persons that were applied"
    answered_wrong "invalid answers"
    answered_twice "answers to questions that were answered already"
    answered_late "answers to questions that were no longer open"
    answered_unasked "answers without a question"
    answered_while_cancelling "answers to a run that was being cancelled"
    unheard "answers and signals to a run that had ended"
    signals "signals that were received"
    children "runs that nodes have started, and whose end they were told"
    forks "forked runs"
    forked_under_way "forks of a run in progress"
    forks_of_forks "forks of a fork"
    edited_vars "forks with other variables"
    edited_outputs "forks with another output of a stage"
    rerun "forks from the start, compared with the reference interpreter"
    crashes "crashes"
    shutdowns "regular shutdowns"
    freezes "processes that were suspended"
    partitions "partitions from the store"
    lost "requests that the store did not receive"
    unanswered "requests whose answer was lost"
    delayed "requests that took time"
    full "writes to a disk that was full"
    locked "writes that waited for a lock"
    late_hints "hints that were delayed and duplicated"
    clocks "clocks that were set"
    taken "answers that were reported as accepted"
    controls "control requests"
    expired "heartbeats that came too late"
    takeovers "runs claimed from an engine that lost them"
    fenced "writes that were refused as fenced off"
}
