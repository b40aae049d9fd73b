//! `cargo xtask test-agents`: the real command lines of agents, against the fake model API of the tests.
//!
//! They are installed at pinned versions into a folder of their own, and never touch anything else: a test gives
//! them an empty home, an environment that is built from nothing, and a key that opens nothing. Where the machine
//! can, all of it runs apart: see [`apart`].

mod apart;
mod install;
mod outcome;

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Result, ensure};

use crate::workspace::{cargo, root, run};
use apart::Place;
use install::{ALL, Agent};
use outcome::Outcomes;

/// Which of them, and where they are.
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
    /// Where they are installed, and found the next time
    #[arg(long, env = "WORKFLOW_AGENTS", value_name = "DIR")]
    folder: Option<PathBuf>,
}

/// Installs what is missing and runs the tests.
///
/// # Errors
///
/// When something cannot be installed or started.
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
    }
    if options.install {
        return Ok(ExitCode::SUCCESS);
    }

    let mut skipped = Vec::new();
    let place = Place::apart(&[root(), &folder]);
    let mut filter = "all()".to_owned();
    let mut watchable = true;
    if let Place::Shared(reason) = &place {
        skipped.push(format!("a network and a /tmp of their own: {reason}; the tests use the machine's"));
        skipped.push("the tests that watch which files are touched: /tmp is not theirs".to_owned());
        watchable = false;
    } else if !has_strace() {
        skipped.push("the tests that watch which files are touched: `strace` is not there".to_owned());
        watchable = false;
    }
    if !options.only.is_empty() {
        let names: Vec<_> = agents.iter().map(|agent| format!("test(/::{}::/)", agent.module())).collect();
        filter = format!("({})", names.join(" + "));
        // Those that need all agents.
        filter.push_str(" - test(/^together::/)");
        skipped.push(format!("everything but {}: nothing else was asked for", options.only.join(", ")));
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
    // The one way by which nextest tells a program what came of each test.
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
            "docs/src/guides/agents.md is left as it is: that takes a run in which nothing fails and nothing is skipped"
        );
    }
    Ok(if outcomes.all_passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn has_strace() -> bool {
    Command::new("strace").arg("--version").output().is_ok_and(|shown| shown.status.success())
}
