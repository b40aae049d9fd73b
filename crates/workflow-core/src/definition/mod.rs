//! Definitions: what a user writes.

mod duration;
mod model;

pub use duration::{InvalidDuration, Period};
pub use model::{
    Budget, Exhausted, Lane, LoopSpec, Mode, OnFailure, OnInterrupt, ParallelStrategy, SessionMode, Stage,
    Workflow,
};
