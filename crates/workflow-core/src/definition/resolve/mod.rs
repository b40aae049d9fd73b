//! Filling in what a workflow leaves out, and putting it together with what it refers to.

mod assemble;
mod checked;
mod coding_agents;
mod declared;
mod defaults;
mod fill_in;
mod include;
mod library;
mod named;
mod workflows;

pub(super) use assemble::{Origin, assemble};
pub use checked::CheckedBundle;
pub use defaults::Defaults;
pub use fill_in::resolve;
pub(super) use include::{include, includes};
pub(super) use library::schemas;
pub use library::{Library, SourceFile, recommended_provider};
