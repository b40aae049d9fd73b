//! Runs what a new user runs: the example workflows and the templates from the command line, and the small
//! hosts.

use anyhow::{Context, Result, ensure};

use crate::workspace::{self, cargo, root};

/// Runs all examples, in a separate home.
///
/// # Errors
///
/// If one does not run to `completed`.
pub(crate) fn run() -> Result<()> {
    let home = tempfile::tempdir().context("cannot create a home for the examples")?;
    let program = |package| {
        let mut command = cargo(&["run", "--quiet", "--package", package, "--"]);
        command.env("NO_COLOR", "1");
        command
    };
    for name in workflows("examples/workflows")? {
        let file = format!("examples/workflows/{name}.workflow.yml");
        workspace::run(program("workflow-cli").arg("--home").arg(home.path()).args(["run", &file]))?;
    }
    for name in workflows("examples/graphs/workflows")? {
        workspace::run(program("workflow-cli").args(["--home", "examples/graphs", "run", &name]))?;
    }
    for template in templates()? {
        for arguments in [&["new", &template, "--template", &template][..], &["run", &template]] {
            workspace::run(program("workflow-cli").arg("--home").arg(home.path()).args(arguments))?;
        }
    }
    for host in ["workflow-quickstart", "workflow-no-tokio"] {
        let shown =
            program(host).arg(home.path()).output().with_context(|| format!("cannot start {host}"))?;
        let text = String::from_utf8_lossy(&shown.stdout);
        println!("$ {host}\n{text}{}", String::from_utf8_lossy(&shown.stderr));
        ensure!(shown.status.success() && text.contains("Completed"), "{host} did not complete its run");
    }
    Ok(())
}

/// The templates: the names of the folders.
fn templates() -> Result<Vec<String>> {
    let folder = root().join("crates/workflow-core/templates");
    let mut names = Vec::new();
    for entry in folder.read_dir().with_context(|| format!("cannot read {}", folder.display()))? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    ensure!(!names.is_empty(), "there is no template in {}", folder.display());
    names.sort();
    Ok(names)
}

/// The ids of the workflows in a folder of the workspace.
fn workflows(folder: &str) -> Result<Vec<String>> {
    let folder = root().join(folder);
    let mut names = Vec::new();
    for entry in folder.read_dir().with_context(|| format!("cannot read {}", folder.display()))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        names.extend(name.strip_suffix(".workflow.yml").map(str::to_owned));
    }
    ensure!(!names.is_empty(), "there is no workflow in {}", folder.display());
    names.sort();
    Ok(names)
}
