//! The arguments of `serve`, `studio` and `mcp`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::ValueEnum;

use super::OperatingArgs;

/// What `serve` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct ServeArgs {
    /// Speak JSON lines on standard input and output, with the program that started this one, instead of HTTP. That
    /// program may use every operation. Ends when standard input ends.
    #[arg(long, conflicts_with_all = ["listen", "token_file", "allow", "hosts", "origins"])]
    pub stdio: bool,
    /// The address and port of the HTTP server; with port 0 a free one is chosen.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:7411")]
    pub listen: SocketAddr,
    /// A file with the token that callers have to send [default: `serve-token` in the home, created when missing].
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// What callers with the token may do besides `read` and `run`; can be given several times.
    #[arg(long, value_name = "SCOPE")]
    pub allow: Vec<More>,
    /// Another name by which the server is called, with its port, for instance behind a proxy; can be given several
    /// times.
    #[arg(long = "host", value_name = "NAME:PORT")]
    pub hosts: Vec<String>,
    /// A site whose pages may call the server, for instance `https://studio.example`; can be given several times.
    #[arg(long = "origin", value_name = "URL")]
    pub origins: Vec<String>,
    /// Drive only the runs that are started here, and leave all others of the store to workers.
    #[arg(long)]
    pub no_worker: bool,
    /// What `worker` takes too.
    #[command(flatten)]
    pub operating: OperatingArgs,
}

/// What `studio` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct StudioArgs {
    /// The port of the page on 127.0.0.1; with 0 a free one is chosen.
    #[arg(long, default_value_t = 7412)]
    pub port: u16,
    /// Only print the address of the page, and do not open the browser.
    #[arg(long)]
    pub no_open: bool,
    /// Drive only the runs that are started here, and leave all others of the store to workers.
    #[arg(long)]
    pub no_worker: bool,
}

/// What `mcp` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct McpArgs {
    /// Let the agent only read: tools that start, answer and cancel runs are refused.
    #[arg(long)]
    pub read_only: bool,
    /// Drive only the runs that are started here, and leave all others of the store to workers.
    #[arg(long)]
    pub no_worker: bool,
}

/// Scopes that a token does not have by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum More {
    /// Change workflows and what they refer to.
    Edit,
    /// Delete runs, and change the configuration; includes `edit`.
    Admin,
}
