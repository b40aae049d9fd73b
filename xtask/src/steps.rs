//! What CI checks, in the order in which it checks it: cheap and likely failures first.

use anyhow::Result;

use crate::examples;
use crate::tools::{DENY, HACK, NEXTEST, Tool};
use crate::workspace::{cargo, libraries, run};

/// One check of CI.
pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) tool: Option<Tool>,
    pub(crate) check: fn() -> Result<()>,
}

pub(crate) const ALL: &[Step] = &[
    Step { name: "fmt", about: "every file is formatted", tool: None, check: fmt },
    Step { name: "clippy", about: "no lint fires, with all features", tool: None, check: clippy },
    Step {
        name: "deny",
        about: "licences, bans and sources of all dependencies",
        tool: Some(DENY),
        check: deny,
    },
    Step { name: "test", about: "all tests but those in docs", tool: Some(NEXTEST), check: test },
    Step { name: "doctest", about: "the examples in docs", tool: None, check: doctest },
    Step {
        name: "examples",
        about: "the example workflows and hosts run to their end",
        tool: None,
        check: examples::run,
    },
    Step { name: "doc", about: "the docs build without a warning", tool: None, check: doc },
    Step {
        name: "features",
        about: "each library compiles, without a lint, with each pair of its features",
        tool: Some(HACK),
        check: features,
    },
];

fn fmt() -> Result<()> {
    run(&mut cargo(&["fmt", "--all", "--check"]))
}

fn clippy() -> Result<()> {
    run(&mut cargo(&["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"]))
}

fn deny() -> Result<()> {
    // Not the advisories: their database is not to be had on every machine that runs this.
    run(&mut cargo(&["deny", "--all-features", "check", "bans", "licenses", "sources"]))
}

fn test() -> Result<()> {
    run(&mut cargo(&["nextest", "run", "--workspace", "--all-features", "--profile", "ci"]))
}

fn doctest() -> Result<()> {
    run(&mut cargo(&["test", "--doc", "--workspace", "--all-features", "--quiet"]))
}

fn doc() -> Result<()> {
    let mut doc = cargo(&["doc", "--no-deps", "--workspace", "--all-features"]);
    run(doc.env("RUSTDOCFLAGS", "-D warnings"))
}

fn features() -> Result<()> {
    // Clippy and not `check`: its flags reach the workspace's own packages only, so that dependencies are
    // not compiled anew for the sake of `-D warnings`.
    let mut hack = cargo(&["hack", "clippy", "--feature-powerset", "--depth", "2"]);
    for library in libraries()? {
        hack.args(["--package", &library]);
    }
    run(hack.args(["--", "-D", "warnings"]))
}
