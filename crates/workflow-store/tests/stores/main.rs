//! The run stores, seen through the trait.

#![cfg(test)]

#[cfg(feature = "files")]
mod crashes;
#[cfg(feature = "files")]
mod files;
mod fixture;
mod memory;
#[cfg(any(feature = "files", feature = "sqlite"))]
mod model;
#[cfg(all(unix, feature = "postgres"))]
mod postgres;
#[cfg(feature = "files")]
mod processes;
mod slots;
#[cfg(feature = "sqlite")]
mod sqlite;
