//! `cargo xtask test-agents`: runs the real command lines of agents against the tests' fake of the model
//! APIs.
//!
//! They are installed at pinned versions into a separate folder, and never change anything else: a test gives
//! them an empty home, an environment that inherits nothing, and a fake key. If the machine supports it, all
//! of it runs in a sandbox: see [`apart`].

mod apart;
mod install;
mod outcome;

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Result, ensure};

use crate::workspace::{cargo, root, run};
use apart::Place;
use install::{ADAPTERS, ALL, Agent};
use outcome::Outcomes;

/// Which agents to test, and where they are installed.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only this agent; may be given more than once
    #[arg(long, value_name = "AGENT", value_parser = clap::builder::PossibleValuesParser::new(ALL.iter().map(|agent| agent.name)))]
    only: Vec<String>,
    /// Only tests whose name contains this
    #[arg(long, value_name = "TEXT")]
    case: Option<String>,
    /// Install them, and run no test
    #[arg(long)]
    install: bool,
    /// The folder that they are installed in; kept for the next run
    #[arg(long, env = "WORKFLOW_AGENTS", value_name = "DIR")]
    folder: Option<PathBuf>,
}

/// Installs the missing agents and runs the tests.
///
/// # Errors
///
/// If an agent cannot be installed or started.
pub(crate) fn run_tests(options: &Options) -> Result<ExitCode> {
    let folder = options.folder.clone().unwrap_or_else(|| root().join("target/agents"));
    let folder = std::path::absolute(folder)?;
    let asked =
        |agent: &&Agent| options.only.is_empty() || options.only.iter().any(|name| name == agent.name);
    let agents: Vec<&Agent> = ALL.iter().filter(asked).collect();
    println!("agents are installed in {}", folder.display());
    install::node(&folder)?;
    for agent in &agents {
        agent.ensure(&folder)?;
        for adapter in ADAPTERS.iter().filter(|adapter| adapter.name == agent.name) {
            adapter.ensure(&folder)?;
        }
    }
    if options.install {
        return Ok(ExitCode::SUCCESS);
    }

    let mut skipped = Vec::new();
    let place = Place::apart(&[root(), &folder]);
    let mut filter = "all()".to_owned();
    let mut watchable = true;
    if let Place::Shared(reason) = &place {
        skipped.push(format!(
            "the sandbox with its own network and /tmp: {reason}; the tests use the machine's"
        ));
        skipped.push("the tests that watch which files are changed: /tmp is shared".to_owned());
        watchable = false;
    } else if !has_strace() {
        skipped.push("the tests that watch which files are changed: `strace` is not installed".to_owned());
        watchable = false;
    }
    if !options.only.is_empty() {
        let names: Vec<_> = agents.iter().map(|agent| format!("test(/::{}::/)", agent.module())).collect();
        filter = format!("({})", names.join(" + "));
        // These tests need all agents.
        filter.push_str(" - test(/^together::/)");
        skipped.push(format!("everything but {}, because of --only", options.only.join(", ")));
    }
    if !watchable {
        filter.push_str(" - test(/^watched::/)");
    }
    if let Some(case) = &options.case {
        filter = format!("({filter}) & test({case})");
        skipped.push(format!("tests whose names do not contain `{case}`"));
    }

    run(&mut cargo(&["build", "--quiet", "--package", "workflow-cli"]))?;
    let tests = ["nextest", "run", "--package", "workflow-tests", "--test", "agents"];
    run(cargo(&tests).arg("--no-run"))?;
    let mut tests = place.run(cargo(&tests).args(["--offline", "--no-fail-fast", "-E", &filter]));
    // The only way in which nextest reports the result of each test to a program.
    tests.env("NEXTEST_EXPERIMENTAL_LIBTEST_JSON", "1").args(["--message-format", "libtest-json"]);
    tests.env("WORKFLOW_AGENTS", &folder).env("WORKFLOW_PROGRAM", root().join("target/debug/workflow"));
    let outcomes = Outcomes::of(&mut tests)?;

    println!("\n{}", outcomes.table(&agents));
    for skipped in &skipped {
        println!("skipped: {skipped}");
    }
    ensure!(outcomes.count() > 0, "no test was run");
    if outcomes.all_passed() && skipped.is_empty() {
        outcome::write_docs(&outcomes.table(&agents))?;
    } else {
        println!(
            "docs/src/guides/agents.md is not updated: that needs a run without failed or skipped tests"
        );
    }
    Ok(if outcomes.all_passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn has_strace() -> bool {
    Command::new("strace").arg("--version").output().is_ok_and(|shown| shown.status.success())
}
