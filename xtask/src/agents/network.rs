//! A network that consists of loopback, where the machine can give one.

use std::process::{Command, Stdio};

/// The network in which the tests run.
pub(crate) enum Network {
    /// Of loopback alone, entered by these words.
    Own(&'static [&'static str]),
    /// The machine's, for that reason.
    Shared(String),
}

/// As root, and as somebody who may become it in a namespace.
const WAYS: &[&[&str]] = &[&["unshare", "--net"], &["unshare", "--map-root-user", "--net"]];

/// Runs what follows once loopback is up.
const SCRIPT: &str = "ip link set lo up && exec \"$@\"";

impl Network {
    pub(crate) fn of_its_own() -> Self {
        let mut reasons = Vec::new();
        for way in WAYS {
            match enter(way).arg("true").stdin(Stdio::null()).output() {
                Ok(shown) if shown.status.success() => return Self::Own(way),
                Ok(shown) => reasons.push(String::from_utf8_lossy(&shown.stderr).trim().to_owned()),
                Err(error) => reasons.push(format!("`unshare` cannot be started: {error}")),
            }
        }
        Self::Shared(reasons.join("; "))
    }

    /// The command, in this network.
    pub(crate) fn inside(&self, command: &Command) -> Command {
        let Self::Own(way) = self else { return copy(command, Command::new(command.get_program())) };
        let mut inside = enter(way);
        inside.arg(command.get_program());
        copy(command, inside)
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
