//! A second, naive reading of what a run comes to, and what is needed to compare the engine with it.
//!
//! - [`case`]: a random workflow with its graphs, what its run is started with and what happens to the
//!   run from outside. [`generate`] makes one of a seed; [`shrink`] makes it smaller.
//! - [`answers`]: what providers answer, as a pure function of the case, the node and the count.
//! - [`interpret`]: what the run has to come to, from the definition and the answers alone: no events, no
//!   scheduling, no state. Written from the requirements and from the docs of the definition's types.
//! - [`play`]: what it comes to when the engine drives it in a simulated world.
//! - [`outcome`]: the two side by side.
//!
//! What a run comes to is defined but for what happens at the same time. What is not defined, and is left
//! out of the comparison or taken from the engine's log, is said in [`interpret`].

pub mod answers;
pub mod case;
mod chance;
pub mod generate;
pub mod interpret;
pub mod outcome;
pub mod play;
pub mod shrink;
