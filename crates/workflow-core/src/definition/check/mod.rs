//! What values have to be: one set of rules for files and for definitions built in Rust.

mod built;
mod expressions;
mod fields;
mod inputs;
mod needs;
mod profile;
mod role;
mod shell;
mod variables;
mod workflow;

pub(super) use expressions::look_up;
pub(super) use fields::{file, id, provider, role_name};
pub(super) use profile::profile;
pub(super) use role::{role, templates};
pub(super) use workflow::{chosen, workflow};

pub use built::{validate, validate_profile, validate_role};
pub use needs::GraphEdge;
pub(crate) use needs::{NodeNames, after, arms, needs};
pub(crate) use variables::uses;
