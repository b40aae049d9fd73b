//! The root of the workspace, and how a task runs cargo in it.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

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

/// Runs a command to its end.
///
/// # Errors
///
/// If it cannot be started, or does not exit with success.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let line = line(command);
    println!("$ {line}");
    let status = command.status().with_context(|| format!("cannot start `{line}`"))?;
    ensure!(status.success(), "`{line}` exited with {status}");
    Ok(())
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
