//! The studio: its built page is the committed one, and its pages work in a browser.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::workspace::{cargo, install, root, run};

/// The browser of the tests, as Debian installs it.
const BROWSER: &str = "/usr/bin/chromium";
/// The built page, in the workspace.
const BUILT: &str = "examples/studio/web/dist";

fn npm(arguments: &[&str]) -> Command {
    let mut command = Command::new("npm");
    command.args(arguments).current_dir(root().join("examples/studio/web"));
    command
}

/// Installs the browser where it is missing.
fn install_browser() -> Result<()> {
    if Path::new(BROWSER).exists() {
        return Ok(());
    }
    install(&["chromium", "fonts-dejavu-core"])
        .with_context(|| format!("the tests of the studio need {BROWSER}: `apt-get install chromium`"))
}

/// Fails if the page that was built just now differs from the committed one.
fn compare_built() -> Result<()> {
    let mut status = Command::new("git");
    status.args(["status", "--porcelain", "--", BUILT]).current_dir(root());
    let output = status.output().context("cannot start git")?;
    ensure!(output.status.success(), "git status: {}", String::from_utf8_lossy(&output.stderr));
    let changed = String::from_utf8_lossy(&output.stdout);
    ensure!(
        changed.is_empty(),
        "{BUILT} is not what its sources build: it was built again now, so commit these files:\n{changed}"
    );
    Ok(())
}

/// Checks and tests the front end, builds it, and tests its pages in the browser against the terminal program.
///
/// # Errors
///
/// If a step fails.
pub(crate) fn check() -> Result<()> {
    run(&mut npm(&["ci", "--ignore-scripts", "--no-audit", "--no-fund"]))?;
    run(&mut npm(&["run", "--silent", "check"]))?;
    run(&mut npm(&["test"]))?;
    run(&mut npm(&["run", "--silent", "build"]))?;
    compare_built()?;
    install_browser()?;
    run(&mut cargo(&["build", "--quiet", "--package", "workflow-cli"]))?;
    let program: PathBuf = root().join("target/debug/workflow");
    run(npm(&["run", "--silent", "e2e"]).env("WORKFLOW_PROGRAM", program))
}
