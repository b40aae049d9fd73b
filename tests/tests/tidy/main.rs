//! Rules for the code base itself, checked like any behaviour.
//!
//! A check is a function that returns a list of violations. It is applied to this workspace, where the list
//! must be empty, and to an artificial violation, which it must find.
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
