//! The fake model API, asked over plain HTTP: what every test of a real command line stands on.
#![allow(clippy::unwrap_used, reason = "a test that cannot continue has failed")]

mod conversations;
mod endings;
mod http;
mod records;
mod streams;
