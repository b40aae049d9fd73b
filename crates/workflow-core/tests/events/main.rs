//! Events: their stored form, and the state that they fold to.

#![allow(clippy::unwrap_used, reason = "the lint's exemption covers test functions, not what they call")]

mod children;
mod fold;
mod kinds;
mod stored;
