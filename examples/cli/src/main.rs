//! The terminal host of the workflow engine: `workflow run FILE`, and all that belongs to it.
//!
//! - [`args`] says what can be typed; [`commands`] has a module for each command.
//! - [`home`] and [`place`] say where workflows and runs are, [`mod@reference`] which run is meant; [`host`] puts the engine
//!   together: that store, which [`trust`] knows or does not, the
//!   providers, and [`secrets`] from files and the environment.
//! - [`private`] keeps the memory and the environment of this process from the programs that it starts.
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
mod print;
mod private;
mod reference;
mod secrets;
mod signals;
mod source;
mod store_url;
mod text;
mod trust;
mod words;

use std::process::ExitCode;

use clap::Parser as _;

use crate::args::Args;
use crate::error::Error;
use crate::exit::Exit;

fn main() -> ExitCode {
    // Before anything is read: the environment holds secrets.
    private::hide();
    std::panic::set_hook(Box::new(panicked));
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
    if usage.use_stderr() {
        // It repeats what was typed.
        print::to_stderr(&usage.render().to_string());
        return Exit::INVALID;
    }
    match usage.print() {
        Err(error) if print::failed(&error) => Exit::UNAVAILABLE,
        _ => Exit::DONE,
    }
}

/// Reports a panic, whose text can come from anywhere.
fn panicked(panic: &std::panic::PanicHookInfo<'_>) {
    let backtrace = std::backtrace::Backtrace::capture();
    print::to_stderr(&panic.to_string());
    if backtrace.status() == std::backtrace::BacktraceStatus::Captured {
        print::to_stderr(&backtrace.to_string());
    }
}

/// What the engine, the store and the providers warn of. `WORKFLOW_LOG` asks for more or less.
fn log_to_stderr() {
    let level = std::env::var("WORKFLOW_LOG").ok().and_then(|level| level.parse().ok());
    tracing_subscriber::fmt()
        .with_max_level(level.unwrap_or(tracing_subscriber::filter::LevelFilter::WARN))
        .with_writer(|| print::Log)
        // An escape in a line would be one of somebody else.
        .with_ansi(false)
        .with_target(false)
        .init();
}
