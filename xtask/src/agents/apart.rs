//! A place apart, where the machine can give one: a network of loopback alone, and a `/tmp` that nobody else has.
//!
//! Agents call home, and leave things in `/tmp` whatever they are told. Here neither comes to anything.

use std::path::Path;
use std::process::{Command, Stdio};

/// Where the tests run.
pub(crate) enum Place {
    /// Apart, entered by these words.
    Apart(&'static [&'static str]),
    /// Where everything runs, for that reason.
    Shared(String),
}

/// As root, and as somebody who may become it in a namespace.
const WAYS: &[&[&str]] =
    &[&["unshare", "--net", "--mount"], &["unshare", "--map-root-user", "--net", "--mount"]];

/// Makes the place, and runs what follows there.
const SCRIPT: &str = "ip link set lo up && mount -t tmpfs -o mode=1777 tmpfs /tmp && exec \"$@\"";

impl Place {
    /// Tries to make one in which these folders are still seen.
    pub(crate) fn apart(seen: &[&Path]) -> Self {
        if let Some(folder) = seen.iter().find(|folder| folder.starts_with("/tmp")) {
            return Self::Shared(format!("{} lies in /tmp", folder.display()));
        }
        let mut reasons = Vec::new();
        for way in WAYS {
            match enter(way).arg("true").stdin(Stdio::null()).output() {
                Ok(shown) if shown.status.success() => return Self::Apart(way),
                Ok(shown) => reasons.push(String::from_utf8_lossy(&shown.stderr).trim().to_owned()),
                Err(error) => reasons.push(format!("`unshare` cannot be started: {error}")),
            }
        }
        Self::Shared(reasons.join("; "))
    }

    /// The command, there.
    pub(crate) fn run(&self, command: &Command) -> Command {
        let Self::Apart(way) = self else { return copy(command, Command::new(command.get_program())) };
        let mut inside = enter(way);
        inside.arg(command.get_program());
        let mut inside = copy(command, inside);
        inside.env("TMPDIR", "/tmp");
        inside
    }
}

fn enter(way: &[&str]) -> Command {
    let mut command = Command::new(way[0]);
    command.args(&way[1..]).args(["sh", "-c", SCRIPT, "sh"]);
    command
}

/// Arguments, variables and folder of the one for the other.
fn copy(from: &Command, mut to: Command) -> Command {
    to.args(from.get_args());
    for (name, value) in from.get_envs() {
        match value {
            Some(value) => to.env(name, value),
            None => to.env_remove(name),
        };
    }
    if let Some(folder) = from.get_current_dir() {
        to.current_dir(folder);
    }
    to
}
