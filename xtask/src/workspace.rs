//! The root of the workspace, and how a task runs cargo in it.

use std::collections::VecDeque;
use std::env;
use std::ffi::OsString;
use std::io::{self, BufRead as _, BufReader, IsTerminal as _, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

/// The folder of the workspace's `Cargo.toml`.
pub(crate) fn root() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package)
}

/// A cargo command at the workspace's root, which finds its subcommands in the tools' folder first.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(root()).env("PATH", search_path());
    command
}

/// Where tools are installed: `$WORKFLOW_TOOLS`, or a folder of this project in the user's cache.
pub(crate) fn tools_folder() -> PathBuf {
    match env::var_os("WORKFLOW_TOOLS") {
        Some(folder) => folder.into(),
        None => env::home_dir().unwrap_or_else(env::temp_dir).join(".cache/workflow-tools"),
    }
}

/// `PATH` with the tools' folder first.
pub(crate) fn search_path() -> OsString {
    let others = env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(tools_folder().join("bin")).chain(env::split_paths(&others));
    env::join_paths(folders).unwrap_or(others)
}

/// How many of the last lines of a command's output its error contains.
const LAST_LINES: usize = 60;

/// Runs a command to its end, and shows its output.
///
/// # Errors
///
/// If it cannot be started, or does not exit with success. Where the output is not shown in a terminal, the error
/// contains its last lines: what follows may be long.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let line = line(command);
    println!("$ {line}");
    if io::stdout().is_terminal() {
        let status = command.status().with_context(|| format!("cannot start `{line}`"))?;
        ensure!(status.success(), "`{line}` exited with {status}");
        return Ok(());
    }
    let (status, last) = watch(command, |output| println!("{output}"))?;
    ensure!(status.success(), "`{line}` exited with {status}; the end of its output:\n{last}");
    Ok(())
}

/// Runs a command to its end, and shows only those lines of its output that are chosen.
///
/// # Errors
///
/// If it cannot be started, or does not exit with success: then with its last lines.
pub(crate) fn run_showing(command: &mut Command, chosen: fn(&str) -> bool) -> Result<()> {
    let line = line(command);
    println!("$ {line}");
    let show = |output: &str| {
        if chosen(output) {
            println!("{output}");
        }
    };
    let (status, last) = watch(command, show)?;
    ensure!(status.success(), "`{line}` exited with {status}; the end of its output:\n{last}");
    Ok(())
}

/// Runs a command to its end, passes on each line of its output, and returns the last ones.
fn watch(command: &mut Command, mut show: impl FnMut(&str)) -> Result<(ExitStatus, String)> {
    let line = line(command);
    let (reader, writer) = io::pipe().context("cannot make a pipe")?;
    let child = command.stdout(writer.try_clone()?).stderr(writer).spawn();
    // The command has the pipe's other end, too, and the output would not end.
    command.stdout(Stdio::inherit()).stderr(Stdio::inherit());
    let mut child = child.with_context(|| format!("cannot start `{line}`"))?;
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || read_lines(reader, &sender));
    let mut last = VecDeque::new();
    let mut exited = None;
    loop {
        match lines.recv_timeout(Duration::from_millis(200)) {
            Ok(output) => {
                show(&output);
                last.push_back(output);
                if last.len() > LAST_LINES {
                    last.pop_front();
                }
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                let status = child.wait().with_context(|| format!("cannot wait for `{line}`"))?;
                return Ok((status, Vec::from(last).join("\n")));
            }
            // What the command started may keep the pipe open after it has exited.
            Err(mpsc::RecvTimeoutError::Timeout) => match exited {
                Some(status) => return Ok((status, Vec::from(last).join("\n"))),
                None => exited = child.try_wait().with_context(|| format!("cannot wait for `{line}`"))?,
            },
        }
    }
}

/// Sends each line, until the output ends or the receiver is dropped.
fn read_lines(output: impl Read, lines: &mpsc::Sender<String>) {
    for line in BufReader::new(output).split(b'\n') {
        let Ok(line) = line else { return };
        if lines.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
            return;
        }
    }
}

/// Installs packages of Debian, which needs root.
///
/// # Errors
///
/// If that is not possible.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    run(Command::new("apt-get").args(["update", "--quiet"]))?;
    let mut install = Command::new("apt-get");
    install.args(["install", "--yes", "--quiet", "--no-install-recommends"]).args(packages);
    run(install.env("DEBIAN_FRONTEND", "noninteractive"))
}

/// The libraries of the workspace: the packages under `crates/`.
///
/// # Errors
///
/// If that folder cannot be read.
pub(crate) fn libraries() -> Result<Vec<String>> {
    let crates = root().join("crates");
    let mut names = Vec::new();
    for entry in crates.read_dir().with_context(|| format!("cannot read {}", crates.display()))? {
        let folder: PathBuf = entry?.path();
        if folder.join("Cargo.toml").is_file()
            && let Some(name) = folder.file_name()
        {
            names.push(name.to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// The command as a user would type it.
pub(crate) fn line(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
