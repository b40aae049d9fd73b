//! Providers of an embeddable workflow engine: what does the work of a node.
//!
//! - [`FunctionProvider`]: a closure of the host.

mod function;

pub use function::FunctionProvider;
