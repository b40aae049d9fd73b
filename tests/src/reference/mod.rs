//! A second, naive interpretation of workflows, and the comparison of the engine with it.
//!
//! - [`case`]: a random workflow with its graphs, the inputs of its run and external events. [`generate`]
//!   creates one from a seed; [`shrink`] shrinks it.
//! - [`answers`]: the answers of providers, as a pure function of the case, the node and the count.
//! - [`interpret`]: the expected outcome of the run, from the definition and the answers alone: without
//!   events, scheduling or state. Written from the requirements and from the docs of the definition's types.
//! - [`play`]: the actual outcome, when the engine drives the run in a simulated world.
//! - [`outcome`]: the comparison of both.
//!
//! The outcome of a run is defined except for the order of simultaneous events. [`interpret`] says what is
//! not defined, and is left out of the comparison or taken from the engine's log.

pub mod answers;
pub mod case;
pub(crate) mod chance;
mod children;
pub mod generate;
pub mod interpret;
pub mod outcome;
pub mod play;
pub mod shrink;
