//! The model and what is drawn of it, without a terminal.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot continue has failed")]

mod drawn;
mod keys;
mod made;
