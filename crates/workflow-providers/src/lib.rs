//! Providers of an embeddable workflow engine: what does the work of a node.
//!
//! - [`FunctionProvider`]: a closure of the host.
//! - `DemoProvider` (feature `demo`): calls nobody, so that workflows can be tried.
//! - `CommandProvider` (feature `process`, Unix): a command line, stopped with all that it started.

#[cfg(feature = "demo")]
mod demo;
mod function;

#[cfg(feature = "demo")]
pub use demo::DemoProvider;
pub use function::FunctionProvider;

#[cfg(all(feature = "process", not(unix)))]
compile_error!("the feature `process` of workflow-providers needs Unix: processes are ended by their group");

#[cfg(all(feature = "process", unix))]
mod command;
#[cfg(all(feature = "process", unix))]
mod lines;
#[cfg(all(feature = "process", unix))]
mod process;
#[cfg(all(feature = "process", unix))]
mod tail;

#[cfg(all(feature = "process", unix))]
pub use command::{CommandBuilder, CommandProvider};
