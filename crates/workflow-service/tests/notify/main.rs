//! The notifier: each target is told of each event once, whatever fails.
#![cfg(all(unix, feature = "notify-command"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that fails is to say where")]

mod command;
mod exactly_once;
mod killed;
mod looking;
mod receiver;
mod retries;
mod webhook;
mod world;
