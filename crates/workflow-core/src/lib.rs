//! The pure core of an embeddable workflow engine: no I/O, no clock, no randomness, no runtime.
//!
//! What a user writes is a [`definition`]; with its gaps filled in it is a [`bundle`], and compiled a
//! [`plan`]. A run of a plan is a log of [`event`]s. The [`machine`] folds them into a state and decides
//! what comes next; `workflow-exec` stores its decisions and carries them out.
//!
//! A host implements the traits, or takes what the other crates bring:
//!
//! - [`provider::Provider`] does the work of a node; [`usage`], [`failure`] and [`stop`] are what it and the
//!   engine exchange.
//! - [`store::RunStore`] keeps runs: events, controls, and the [`output`] of providers, which is not part
//!   of a run's state. [`store::MemoryStore`] keeps them in memory.
//! - [`catalog::Catalog`] keeps definitions; [`catalog::templates`] are definitions to start from.
//! - [`sink::EventSink`] observes runs.
//!
//! [`runs::Runs`] is what a host does with the runs of an engine, whichever engine executes them.
//!
//! [`actor`] says who did something to a run. [`expr`] has the `${…}` templates and the conditions of definitions; [`ids`], [`data`] and [`status`] the
//! words that everything else uses; [`schema`] the JSON Schemas of what is written and stored.

pub mod actor;
pub mod bundle;
pub mod catalog;
mod command_line;
pub mod data;
pub mod definition;
pub mod event;
mod exact;
pub mod expr;
pub mod failure;
pub mod ids;
pub mod labels;
pub mod machine;
pub mod names;
pub mod output;
pub mod output_schema;
pub mod plan;
pub mod priority;
pub mod provider;
pub mod redact;
pub mod role;
pub mod runs;
pub mod schema;
pub mod sink;
mod slot;
pub mod status;
pub mod stop;
pub mod store;
mod suggest;
pub mod usage;
pub mod view;
