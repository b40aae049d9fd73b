//! Figures for operators, in the text format of `OpenMetrics` that Prometheus reads.
//!
//! [`Metrics`] counts what this process does: it is an [`EventSink`](workflow_core::sink::EventSink) of the engine, and wraps the engine's store. What
//! is true of the store as a whole (runs by status) is asked for when the figures are read. [`serve`] offers all of it
//! to a scraper, beside the checks of an orchestrator.
//!
//! | path | |
//! |---|---|
//! | `/metrics` | the figures; without those of the store while it does not answer |
//! | `/healthz` | 200 as long as the process serves |
//! | `/readyz` | 200 while the store answers and the engine accepts runs; otherwise 503, with the reason |
//!
//! The names and labels of the figures are in [`names`]; they do not contain variables, prompts or output.

mod calls;
mod figures;
mod meter;
pub mod names;
mod serve;
mod store;
mod underway;

pub use meter::Metrics;
pub use serve::serve;
