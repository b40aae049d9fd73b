//! The fake model API, tested over plain HTTP: the tests of the real command lines rely on it.
#![allow(clippy::unwrap_used, reason = "a test that cannot continue has failed")]

mod conversations;
mod endings;
mod http;
mod records;
mod streams;
