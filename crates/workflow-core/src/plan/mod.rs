//! Plans: bundles compiled and checked, ready to be run.
//!
//! `model`: what a plan is made of. `compile`: from a bundle to a plan. `given` and `variables`: whether a
//! run has the variables that it needs, and none that nothing uses. `secrets`: which ones a run needs. `inputs`: what a run
//! can be given.

mod compile;
mod given;
mod inputs;
mod model;
mod secrets;
mod slot;
mod variables;

pub use inputs::RunInput;
pub use model::Plan;
pub(crate) use model::{
    AskPlan, BodiesPlan, CallPlan, ChildPlan, EndPlan, FailurePlan, ForeachPlan, GraphPlan, InputPlan, Items,
    LanePlan, NodeKind, NodePlan, RepeatPlan, RoleInput, RolePlan, Source, StagePlan, Strategy, WaitPlan,
    Work,
};
