//! The program as users and scripts see it: real processes, in separate directories.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod agents;
mod answers;
mod app_home;
mod book;
mod catalog;
mod children;
mod damaged;
mod deadly;
mod definitions;
mod deleting;
mod doctor;
mod document;
mod examples;
mod explaining;
mod finding;
mod forks;
mod graphs;
mod home;
mod hostile;
mod inputs;
mod logs;
mod monitoring;
mod notifying;
mod numbers;
mod older;
mod outages;
mod output;
mod pages;
mod permissions;
mod postgres;
mod private;
mod readme;
mod runs;
#[cfg(target_os = "linux")]
#[path = "../../../../crates/workflow-providers/tests/common/service.rs"]
mod service;
mod services;
mod serving;
mod signalling;
mod signals;
mod steering;
mod stores;
mod studio;
mod suspending;
mod templates;
mod terminal;
mod top;
mod traces;
mod trust;
mod unwritable;
mod waiting;
mod watching;
mod workers;
mod worktrees;
