//! The terminal host of the workflow engine: `workflow run FILE`, and all that belongs to it.
//!
//! - [`args`] says what can be typed; [`commands`] has a module for each command.
//! - [`home`] and [`place`] say where workflows and runs are, [`mod@reference`] which run is meant; [`host`] puts the engine
//!   together: that store, the
//!   providers `command` and `demo`, secrets from the environment.
//! - [`foreground`] drives runs until they rest, and passes [`signals`] on to them.
//! - [`display`] shows runs while they go on, from a thread of its own; [`words`] says what runs wait for and
//!   what they used, and [`history`] when.
//! - [`init`] reaps orphans where the program is the first process of a container.
//! - [`failed`] says why something failed.
//! - [`exit`] and [`error`] are how a command ends.
//!
//! Everything runs on `futures::executor::block_on`. A run is driven by one future, stores and
//! providers have threads of their own, and no signal or timer needs a runtime, so one would only
//! be more to compile and to start.

mod args;
mod commands;
mod display;
mod error;
mod exit;
mod failed;
mod foreground;
mod history;
mod home;
mod host;
mod init;
mod moment;
mod own_call;
mod place;
mod print;
mod reference;
mod signals;
mod source;
mod text;
mod words;

use std::process::ExitCode;

use clap::Parser as _;

use crate::args::Args;
use crate::error::Error;
use crate::exit::Exit;

fn main() -> ExitCode {
    if init::is_needed() {
        return init::run().into();
    }
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(usage) => return explain(&usage).into(),
    };
    log_to_stderr();
    let exit = commands::run(&args).unwrap_or_else(|error| {
        match &error {
            Error::Output(error) => drop(print::failed(error)),
            error => print::to_stderr(&format!("error: {error}")),
        }
        error.exit()
    });
    exit.into()
}

/// Prints help, the version, or what is wrong with the arguments.
fn explain(usage: &clap::Error) -> Exit {
    match usage.print() {
        Err(error) if print::failed(&error) => Exit::UNAVAILABLE,
        _ if usage.use_stderr() => Exit::INVALID,
        _ => Exit::DONE,
    }
}

/// What the engine, the store and the providers warn of. `WORKFLOW_LOG` asks for more or less.
fn log_to_stderr() {
    let level = std::env::var("WORKFLOW_LOG").ok().and_then(|level| level.parse().ok());
    tracing_subscriber::fmt()
        .with_max_level(level.unwrap_or(tracing_subscriber::filter::LevelFilter::WARN))
        .with_writer(std::io::stderr)
        .with_target(false)
        .init();
}
