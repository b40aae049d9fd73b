//! Where the password of a connection comes from. It is read each time a connection is opened, so that a
//! password that rotates is used as soon as it has changed.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;
use tokio_postgres::Config;
use tokio_postgres::config::Host;

use super::pgpass::{self, Server};

/// The source of the password.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::postgres) enum Password {
    /// The URL; or, if there is none in it, the line of the password file for the server.
    #[default]
    Given,
    /// Like `Given`, with this password file.
    PassFile(PathBuf),
    /// The content of a file.
    File(PathBuf),
    /// What a command prints.
    Command(String),
}

impl Password {
    /// Sets the password for the one host of `config`.
    pub(super) async fn set(&self, config: &mut Config) -> io::Result<()> {
        let password = match self {
            Self::Given | Self::PassFile(_) if config.get_password().is_some() => return Ok(()),
            Self::Given => match default_file() {
                Some(path) => of_pgpass(&path, config),
                None => None,
            },
            Self::PassFile(path) => of_pgpass(path, config),
            Self::File(path) => Some(of_file(path)?),
            Self::Command(command) => Some(of_command(command).await?),
        };
        if let Some(password) = password {
            config.password(password);
        }
        Ok(())
    }
}

/// `PGPASSFILE`, or `.pgpass` in the user's home.
fn default_file() -> Option<PathBuf> {
    let named = std::env::var_os("PGPASSFILE").map(PathBuf::from);
    named.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".pgpass")))
}

fn of_pgpass(path: &Path, config: &Config) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    if !pgpass::is_private(path) {
        let path = path.display();
        tracing::warn!(
            "the password file {path} is ignored because others can read it: run `chmod 0600 {path}`"
        );
        return None;
    }
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(host)) => host.clone(),
        // As libpq has it for a socket in the usual place.
        #[cfg(unix)]
        Some(Host::Unix(path)) if path == Path::new("/var/run/postgresql") => "localhost".to_owned(),
        #[cfg(unix)]
        Some(Host::Unix(path)) => path.display().to_string(),
        None => "localhost".to_owned(),
    };
    let user = config.get_user().unwrap_or_default();
    let port = config.get_ports().first().copied().unwrap_or(5432);
    let server = Server { host: &host, port, database: config.get_dbname().unwrap_or(user), user };
    pgpass::find(&text, &server)
}

fn of_file(path: &Path) -> io::Result<String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| problem(&format!("the password file {}: {error}", path.display())))?;
    Ok(first_line(&text))
}

async fn of_command(command: &str) -> io::Result<String> {
    let (shell, flag) = if cfg!(windows) { ("cmd", "/C") } else { ("/bin/sh", "-c") };
    let output = Command::new(shell)
        .args([flag, command])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|error| problem(&format!("the password command cannot be started: {error}")))?;
    // What it printed is not repeated: it can contain the password.
    if !output.status.success() {
        return Err(problem(&format!("the password command failed: {}", output.status)));
    }
    let text = String::from_utf8(output.stdout)
        .map_err(|_| problem("the password command printed something that is not UTF-8"))?;
    let password = first_line(&text);
    if password.is_empty() {
        return Err(problem("the password command printed nothing"));
    }
    Ok(password)
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

/// Not of a kind that means that the server is down.
fn problem(message: &str) -> io::Error {
    io::Error::other(message)
}
