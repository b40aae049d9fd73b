//! The pure heart of an embeddable workflow engine.

pub mod bundle;
pub mod catalog;
pub mod data;
pub mod definition;
pub mod event;
pub mod expr;
pub mod failure;
pub mod ids;
pub mod machine;
pub mod output;
pub mod plan;
pub mod provider;
mod reply;
pub mod schema;
pub mod sink;
pub mod status;
pub mod stop;
pub mod store;
pub mod usage;

pub use schema::schemas;
