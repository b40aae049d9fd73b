//! The terminal host of the workflow engine: `workflow run FILE`, and all that belongs to it.
//!
//! - [`args`] defines the command line; [`commands`] has a module for each command. A command calls operations of
//!   `workflow-service` and shows what they return; those that drive runs use the engine.
//! - [`home`] finds the workflows, [`store_url`] the store, and [`mod@reference`] the run that a name means; [`host`]
//!   builds the engine with that store, the providers, and the [`secrets`] from files and the environment. [`trust`]
//!   records which stores belong to the user.
//! - [`private`] keeps the memory and the environment of this process from the programs that it starts.
//! - [`foreground`] drives runs until they end or pause, and translates [`signals`] into requests.
//! - [`browser`] opens the studio's page in the user's browser.
//! - [`display`] shows the progress of runs, from a thread of its own; [`words`] puts what a run waits for and used into
//!   words.
//! - [`mod@top`] shows all runs of a store on a full screen; [`said`] checks what a person answers.
//! - [`init`] reaps orphans when the program is the first process of a container.
//! - [`failed`] formats failures; [`exit`] and [`error`] map the result of a command to its exit code and message.
//!
//! Everything runs on `futures::executor::block_on`: a run is driven by one future, stores and providers have threads
//! of their own, and neither signals nor timers need an asynchronous runtime.

mod args;
mod browser;
mod commands;
mod display;
mod drain;
mod error;
mod exit;
mod failed;
mod foreground;
mod home;
mod host;
mod init;
mod moment;
mod monitoring;
mod notify;
#[cfg(feature = "otlp")]
mod otlp;
mod own_call;
mod prices;
mod print;
mod private;
mod reference;
mod said;
mod secrets;
mod signals;
mod source;
mod store_url;
mod text;
mod top;
mod trust;
mod words;

use std::process::ExitCode;

use clap::Parser as _;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, Registry};

use crate::args::Args;
use crate::error::Error;
use crate::exit::Exit;
use crate::text::harmless_json;

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
    #[cfg(feature = "otlp")]
    let traces = match args.otlp().map(otlp::Traces::to).transpose() {
        Ok(traces) => traces,
        Err(error) => {
            print::to_stderr(&format!("error: {error}"));
            return error.exit().into();
        }
    };
    #[cfg(feature = "otlp")]
    log_to_stderr(traces.as_ref().map(otlp::Traces::layer));
    #[cfg(not(feature = "otlp"))]
    log_to_stderr(None::<LevelFilter>);
    let exit = commands::run(&args).unwrap_or_else(|error| {
        match &error {
            Error::Output(error) => drop(print::failed(error)),
            error if args.json => print::to_stderr(&harmless_json(&error.envelope().to_json())),
            error => print::to_stderr(&format!("error: {error}")),
        }
        error.exit()
    });
    exit.into()
}

/// Prints help, the version, or what is wrong with the arguments.
fn explain(usage: &clap::Error) -> Exit {
    if usage.use_stderr() {
        // It repeats the arguments, which may contain control characters.
        print::to_stderr(&usage.render().to_string());
        return Exit::INVALID;
    }
    match usage.print() {
        Err(error) if print::failed(&error) => Exit::UNAVAILABLE,
        _ => Exit::DONE,
    }
}

/// Reports a panic. Its text may contain control characters.
fn panicked(panic: &std::panic::PanicHookInfo<'_>) {
    let backtrace = std::backtrace::Backtrace::capture();
    print::to_stderr(&panic.to_string());
    if backtrace.status() == std::backtrace::BacktraceStatus::Captured {
        print::to_stderr(&backtrace.to_string());
    }
}

/// Records traces, and logs the warnings of the engine, the store and the providers to standard error. `WORKFLOW_LOG` sets another level, and
/// `WORKFLOW_LOG_FORMAT=json` writes one JSON object per line, with the fields of the spans around it.
fn log_to_stderr<L: Layer<Registry> + Send + Sync>(traces: Option<L>) {
    let level = std::env::var("WORKFLOW_LOG").ok().and_then(|level| level.parse().ok());
    // So every escape sequence in a line comes from the logged text, and is made harmless.
    let log = tracing_subscriber::fmt::layer().with_writer(|| print::Log).with_ansi(false);
    let log = if std::env::var_os("WORKFLOW_LOG_FORMAT").is_some_and(|format| format == "json") {
        log.json().boxed()
    } else {
        log.with_target(false).boxed()
    };
    let log = log.with_filter(level.unwrap_or(LevelFilter::WARN));
    tracing_subscriber::registry().with(traces).with(log).init();
}
