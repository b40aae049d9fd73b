//! What happened in a simulation, counted: that nothing was violated says nothing where nothing happened.

use std::fmt;
use std::ops::AddAssign;

macro_rules! counts {
    ($($name:ident $words:literal)*) => {
        /// How often what happened.
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
            /// Those of which there is none.
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
    parked "attempts that were over a quota, and parked"
    parked_late "those of them whose quota was refilled before that was known"
    warned "budgets that were nearly used up"
    refused "calls that were not made because a budget was used up"
    stopped "calls that were stopped because they used a budget up"
    sessions "sessions that were recorded"
    continued "calls that went on in a session"
    dropped "sessions that were given up"
    doubted "interrupted calls of which a person was asked what became"
    answered "answers of persons that were given"
    answered_wrong "answers that could not be given"
    answered_twice "answers to what was answered already"
    answered_late "answers to what was not wanted any more"
    answered_unasked "answers to what nobody asked"
    answered_while_cancelling "answers to a run that was being cancelled"
    unheard "answers to a run that had ended"
    forks "runs that were made of another one"
    forked_under_way "those of them whose source was under way"
    forks_of_forks "those of them whose source was one itself"
    edited_vars "those of them with variables of their own"
    edited_outputs "those of them with another output of a stage"
    rerun "those of them that began anew, compared with the reference interpreter"
    crashes "crashes"
    shutdowns "shutdowns in order"
    freezes "processes that stood still"
    partitions "partitions from the store"
    lost "requests that the store did not get"
    unanswered "requests whose answer was lost"
    delayed "requests that took time"
    full "writes to a disk that was full"
    locked "writes that somebody else kept waiting"
    late_hints "hints that came late and twice"
    clocks "clocks that were set"
    taken "answers of which it was said that they were taken"
    controls "controls"
    expired "heartbeats that came too late"
    takeovers "runs taken over from an engine that lost them"
    fenced "writes that were refused as fenced off"
}
