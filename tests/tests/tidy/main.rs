//! Rules that hold for the code base itself, checked like any behaviour.
//!
//! A check is a function from what it looks at to a list of violations. It is applied to this workspace, where
//! the list has to be empty, and to a made-up violation, which it has to find.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot continue has failed")]

mod blocks;
mod codes;
mod dependencies;
mod imports;
mod layers;
mod links;
mod manifests;
mod phrases;
mod sources;
mod text;
mod workspace;
