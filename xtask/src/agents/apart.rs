//! A sandbox, if the machine supports one: a network with only loopback, and a private `/tmp`.
//!
//! Agents connect to their vendors and leave files in `/tmp`, whatever they are told. In the sandbox neither
//! has an effect.

use std::path::Path;
use std::process::{Command, Stdio};

/// Where the tests run.
pub(crate) enum Place {
    /// In a sandbox that this command enters.
    Apart(&'static [&'static str]),
    /// Without a sandbox, for that reason.
    Shared(String),
}

/// As root, and as a user who may become root in a namespace.
const WAYS: &[&[&str]] =
    &[&["unshare", "--net", "--mount"], &["unshare", "--map-root-user", "--net", "--mount"]];

/// Sets the sandbox up, and runs a command in it.
const SCRIPT: &str = "ip link set lo up && mount -t tmpfs -o mode=1777 tmpfs /tmp && exec \"$@\"";

impl Place {
    /// Tries to create a sandbox in which these folders are visible.
    pub(crate) fn apart(seen: &[&Path]) -> Self {
        if let Some(folder) = seen.iter().find(|folder| folder.starts_with("/tmp")) {
            return Self::Shared(format!("{} lies in /tmp", folder.display()));
        }
        let mut reasons = Vec::new();
        for way in WAYS {
            match enter(way).arg("true").stdin(Stdio::null()).output() {
                Ok(shown) if shown.status.success() => return Self::Apart(way),
                Ok(shown) => reasons.push(String::from_utf8_lossy(&shown.stderr).trim().to_owned()),
                Err(error) => reasons.push(format!("cannot start `unshare`: {error}")),
            }
        }
        Self::Shared(reasons.join("; "))
    }

    /// The command that runs `command` in the sandbox.
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

/// Copies arguments, variables and folder from one command to the other.
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
