//! Guarantees for a host, independent of the workflow.

#![cfg(test)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot continue has failed")]

mod actors;
mod asking;
mod before_start;
mod beginnings;
mod budgets;
mod building;
mod call_runner;
mod cassettes;
mod checking;
mod children;
mod clocks;
mod control_outcomes;
mod controls;
mod deadly_runs;
mod deaths;
mod failing;
mod finally;
mod forking;
mod host;
mod inputs;
mod items;
mod labels;
mod leases;
mod limits;
mod linked;
mod migrating;
mod names;
mod numbers;
mod outages;
mod panics;
mod paused;
mod program_text;
mod provider_settings;
mod replaced;
mod roles;
mod rules;
mod runs;
mod secrets;
mod selection;
mod sessions;
mod signed_runs;
mod slots;
mod starting;
mod stopping;
mod takeovers;
mod traces;
mod trouble;
mod waiting;
mod watching;
