//! Every operation: success, and each way in which it can fail, by name and JSON.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that fails is to say where")]

mod catalog;
mod host;
mod table;
