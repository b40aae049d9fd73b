//! Filling in what a workflow leaves out, and putting it together with what it refers to.

mod assemble;
mod coding_agents;
mod defaults;
mod fill_in;
mod library;
mod named;

pub use assemble::{Bundled, bundle};
pub use defaults::Defaults;
pub use fill_in::resolve;
pub use library::{Library, SourceFile, recommended_provider, schemas};
