//! The run stores, seen through the trait.

#![cfg(test)]

#[cfg(feature = "files")]
mod crashes;
#[cfg(feature = "files")]
mod files;
mod fixture;
mod memory;
#[cfg(feature = "files")]
mod model;
#[cfg(feature = "files")]
mod processes;
