//! The clients in other languages: their generated types, and their tests against the terminal program.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::workspace::{cargo, root, run};

fn folder() -> PathBuf {
    root().join("clients/typescript")
}

fn node(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder());
    command
}

/// Installs the packages of the lock file.
fn install() -> Result<()> {
    run(&mut node("npm", &["ci", "--ignore-scripts", "--no-audit", "--no-fund"]))
}

/// Writes the schema and the types of the TypeScript client from the Rust types.
///
/// # Errors
///
/// If Node or npm is missing, or a step fails.
pub(crate) fn generate() -> Result<()> {
    let mut test = cargo(&["test", "--quiet", "--package", "workflow-service", "--all-features"]);
    run(test.args(["--test", "typescript", "committed"]).env("UPDATE_TYPESCRIPT", "1"))?;
    install()?;
    run(&mut node("node", &["generate.mjs"]))
}

/// Why the clients cannot be tested here, if they cannot.
pub(crate) fn hindrance() -> Option<String> {
    let missing = ["node", "npm", "python3"].into_iter().filter(|program| {
        !Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
    });
    let missing: Vec<_> = missing.collect();
    (!missing.is_empty()).then(|| format!("{} cannot be started", missing.join(", ")))
}

/// Checks the generated types, and lets the clients in TypeScript and Python work with the terminal program.
///
/// # Errors
///
/// If a step fails.
pub(crate) fn check() -> Result<()> {
    run(&mut cargo(&["build", "--quiet", "--package", "workflow-cli"]))?;
    let program = root().join("target/debug/workflow");
    install()?;
    run(&mut node("node", &["generate.mjs", "--check"]))?;
    // Tests that no longer exist must not be run.
    let compiled = folder().join("dist");
    if compiled.exists() {
        fs::remove_dir_all(&compiled).with_context(|| format!("cannot remove {}", compiled.display()))?;
    }
    run(&mut node("npx", &["tsc"]))?;
    // The files of examples/desktop-bridge, with the types of Electron.
    run(&mut node("npx", &["tsc", "--project", "tsconfig.bridge.json"]))?;
    run(node("node", &["--test"]).args(tests(&folder().join("dist/test"))?))?;
    run(node("node", &["--test"])
        .args(tests(&folder().join("dist/test/story"))?)
        .env("WORKFLOW_PROGRAM", &program))?;
    run(node("python3", &["test/story/story.py"]).env("WORKFLOW_PROGRAM", &program))
}

/// The compiled tests of a folder.
fn tests(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in folder.read_dir().with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        if path.to_string_lossy().ends_with(".test.js") {
            paths.push(path);
        }
    }
    ensure!(!paths.is_empty(), "there is no test in {}", folder.display());
    paths.sort();
    Ok(paths)
}
