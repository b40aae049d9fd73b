//! The steps of CI, in the order in which they run: cheap and likely failures first.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::tools::{DENY, EXTERNAL_TYPES, FUZZ, HACK, MACHETE, MDBOOK, NEXTEST, Tool};
use crate::workspace::{cargo, install, libraries, line, run, run_showing};
use crate::{clients, examples, schemathesis, studio};

/// One step of CI.
pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) tool: Option<Tool>,
    /// Why it cannot be run on this machine, if it cannot.
    pub(crate) hindrance: Option<fn() -> Option<String>>,
    pub(crate) check: fn() -> Result<()>,
}

pub(crate) const ALL: &[Step] = &[
    Step { name: "fmt", about: "every file is formatted", tool: None, hindrance: None, check: fmt },
    Step {
        name: "unused",
        about: "every dependency is used",
        tool: Some(MACHETE),
        hindrance: None,
        check: || run(&mut MACHETE.command(&[])),
    },
    Step {
        name: "book",
        about: "the book in docs builds without a warning",
        tool: Some(MDBOOK),
        hindrance: None,
        check: book,
    },
    Step {
        name: "clippy",
        about: "no lint fires, with all features",
        tool: None,
        hindrance: None,
        check: clippy,
    },
    Step {
        name: "deny",
        about: "licences, bans and sources of all dependencies",
        tool: Some(DENY),
        hindrance: None,
        check: deny,
    },
    Step {
        name: "advisories",
        about: "no dependency has a known vulnerability",
        tool: Some(DENY),
        hindrance: Some(no_advisories),
        check: advisories,
    },
    Step {
        name: "test",
        about: "all tests except doctests",
        tool: Some(NEXTEST),
        hindrance: None,
        check: test,
    },
    Step { name: "doctest", about: "the examples in docs", tool: None, hindrance: None, check: doctest },
    Step {
        name: "examples",
        about: "the example workflows and hosts run to their end",
        tool: None,
        hindrance: None,
        check: examples::run,
    },
    Step {
        name: "clients",
        about: "the TypeScript client's types are current, and clients in TypeScript and Python work",
        tool: None,
        hindrance: Some(clients::hindrance),
        check: clients::check,
    },
    Step {
        name: "studio",
        about: "the studio's built page is current, and its pages work in Chromium against the terminal program",
        tool: None,
        hindrance: Some(clients::hindrance),
        check: studio::check,
    },
    Step {
        name: "openapi",
        about: "schemathesis finds no response that is not as the OpenAPI says",
        tool: None,
        hindrance: Some(schemathesis::hindrance),
        check: schemathesis::check,
    },
    Step { name: "doc", about: "the docs build without a warning", tool: None, hindrance: None, check: doc },
    Step {
        name: "external-types",
        about: "public APIs name no types of dependencies but those that each manifest lists",
        tool: Some(EXTERNAL_TYPES),
        hindrance: None,
        check: external_types,
    },
    Step {
        name: "features",
        about: "libraries pass clippy with each of their features, core and exec with each combination",
        tool: Some(HACK),
        hindrance: None,
        check: features,
    },
    Step {
        name: "simulation",
        about: "10,000 seeds of whole engines in a simulated world with faults",
        tool: None,
        hindrance: None,
        check: || simulate(10_000, 0, false),
    },
    Step {
        name: "fuzz",
        about: "hostile definitions, secrets in any encoding, times of quotas, and streams of agents, for a short while",
        tool: Some(FUZZ),
        hindrance: None,
        check: fuzz,
    },
];

fn fmt() -> Result<()> {
    run(&mut cargo(&["fmt", "--all", "--check"]))
}

/// Builds the book. mdBook exits with success if it only warned, so its output is checked.
fn book() -> Result<()> {
    let mut build = MDBOOK.command(&["build", "docs"]);
    println!("$ {}", line(&build));
    let output = build.output().context("cannot start mdbook")?;
    let said = String::from_utf8_lossy(&output.stderr);
    print!("{said}");
    ensure!(output.status.success(), "mdbook exited with {}", output.status);
    ensure!(!said.lines().any(|line| line.trim_start().starts_with("WARN")), "mdbook warned");
    Ok(())
}

fn clippy() -> Result<()> {
    run(&mut cargo(&["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"]))?;
    // Tests that only run on request are not part of "all targets".
    let on_request = ["clippy", "--workspace", "--test", "agents", "--all-features"];
    run(cargo(&on_request).args(["--", "-D", "warnings"]))?;
    // A package outside of the workspace: compile errors should show before the long steps.
    run(&mut cargo(&["clippy", "--manifest-path", "fuzz/Cargo.toml", "--", "-D", "warnings"]))
}

fn deny() -> Result<()> {
    for manifest in ["Cargo.toml", "fuzz/Cargo.toml"] {
        let mut deny = cargo(&["deny", "--manifest-path", manifest, "check"]);
        // The two manifests share the exceptions, and each meets only some of them.
        deny.args(["--allow", "license-exception-not-encountered"]);
        run(deny.args(["bans", "licenses", "sources"]))?;
    }
    Ok(())
}

/// The database of advisories comes from the network, which a machine may not have.
fn no_advisories() -> Option<String> {
    let fetched = cargo(&["deny", "fetch", "db"]).output();
    match fetched {
        Ok(output) if output.status.success() => None,
        _ => Some("the database of advisories (github.com/RustSec/advisory-db) cannot be fetched".to_owned()),
    }
}

fn advisories() -> Result<()> {
    for manifest in ["Cargo.toml", "fuzz/Cargo.toml"] {
        run(&mut cargo(&["deny", "--manifest-path", manifest, "check", "--disable-fetch", "advisories"]))?;
    }
    Ok(())
}

fn test() -> Result<()> {
    for (program, version, needed_by) in [
        ("tmux", "-V", "the tests of `workflow top`"),
        ("pgbouncer", "--version", "the tests of the PostgreSQL store"),
    ] {
        if Command::new(program).arg(version).output().is_err() {
            install(&[program])
                .with_context(|| format!("{needed_by} need {program}: `apt-get install {program}`"))?;
        }
    }
    run(&mut cargo(&["nextest", "run", "--workspace", "--all-features", "--profile", "ci"]))
}

fn doctest() -> Result<()> {
    run(&mut cargo(&["test", "--doc", "--workspace", "--all-features", "--quiet"]))
}

fn doc() -> Result<()> {
    let mut doc = cargo(&["doc", "--no-deps", "--workspace", "--all-features"]);
    run(doc.env("RUSTDOCFLAGS", "-D warnings"))
}

/// Compares the public API of each library with `[package.metadata.cargo_check_external_types]` of its manifest.
fn external_types() -> Result<()> {
    // Documentation in JSON needs an unstable option. Only rustdoc sees the variable that allows it: build scripts look at
    // it, too, and all dependencies would be compiled again.
    let scripts = tempfile::tempdir().context("cannot create a folder for a script")?;
    let rustdoc = scripts.path().join("rustdoc");
    fs::write(&rustdoc, "#!/bin/sh\nRUSTC_BOOTSTRAP=1 exec rustdoc \"$@\"\n")?;
    fs::set_permissions(&rustdoc, fs::Permissions::from_mode(0o755))?;
    for name in libraries()? {
        let mut check = EXTERNAL_TYPES.command(&["--all-features", "--manifest-path"]);
        check.arg(format!("crates/{name}/Cargo.toml")).env("RUSTDOC", &rustdoc);
        run(&mut check).with_context(|| format!("the public API of {name}"))?;
    }
    Ok(())
}

/// Features of the façade that turn on those of another library and nothing in the façade itself.
const FORWARDED: &str = "acp,claude-code,codex,demo,gemini,grok,http,json-schema,model,process,roles,service-http,service-mcp,\
                         service-notify,service-notify-command,service-stdio,worktree";

/// Lints libraries with few of their features. Clippy instead of `check`: its flags apply only to the workspace's own
/// packages, so that dependencies are not compiled again for `-D warnings`.
fn features() -> Result<()> {
    let lint = |how: &[&str], library: &str, without: &[&str]| {
        let mut hack = cargo(&["hack", "clippy"]);
        // With all features at once, the step `external-types` compiles each library alone.
        hack.args(how).args(["--exclude-all-features", "--package", library]).args(without);
        // Each library is linted itself, with features of its own.
        run(hack.args(["--", "--no-deps", "-D", "warnings"]))
    };
    for library in libraries()? {
        match library.as_str() {
            // Their features change what the same modules do.
            "workflow-core" | "workflow-exec" => lint(&["--feature-powerset"], &library, &[])?,
            "workflow" => lint(&["--each-feature"], &library, &["--exclude-features", FORWARDED])?,
            // Their features are modules that know little of each other: each must compile alone.
            _ => lint(&["--each-feature"], &library, &[])?,
        }
    }
    Ok(())
}

/// Plays whole engines in a simulated world, and reports the first seed that violates a rule.
pub(crate) fn simulate(seeds: u64, from: u64, keep_going: bool) -> Result<()> {
    let mut sim = cargo(&["run", "--quiet", "--profile", "simulation", "--package", "workflow-tests"]);
    sim.args(["--no-default-features", "--bin", "simulate", "--"]);
    sim.args(["--seeds", &seeds.to_string(), "--from", &from.to_string()]);
    run(sim.args(keep_going.then_some("--keep-going")))
}

/// The fuzz targets and their options.
const FUZZ_TARGETS: &[(&str, &[&str])] = &[
    ("definition", &["-max_total_time=20", "-dict=fuzz/definition.dict"]),
    ("redact", &["-max_total_time=15", "-max_len=256"]),
    ("reset", &["-max_total_time=10", "-max_len=512", "-dict=fuzz/reset.dict"]),
    ("streams", &["-max_total_time=10", "-max_len=4096"]),
];

fn fuzz() -> Result<()> {
    // A package outside of the workspace has its own lock file, which cargo-fuzz would silently update.
    run(&mut cargo(&["fetch", "--locked", "--manifest-path", "fuzz/Cargo.toml"]))?;
    for (target, arguments) in FUZZ_TARGETS {
        // New inputs go to the first folder, so that the committed ones do not change.
        let new = tempfile::tempdir().context("cannot create a folder for new inputs")?;
        // Without a sanitizer, because those need a nightly compiler. With several codegen units it runs a little
        // slower, and compiles on all cores.
        let mut fuzz = cargo(&["fuzz", "run", "--sanitizer", "none", "--codegen-units", "16", target]);
        fuzz.arg(new.path());
        let corpus = Path::new("fuzz/corpus").join(target);
        if corpus.is_dir() {
            fuzz.arg(corpus);
        }
        fuzz.args(["--", "-verbosity=0", "-print_final_stats=1"]);
        // Without the dictionary that it recommends, which is longer than the output of all other steps.
        let is_said =
            |line: &str| line.starts_with("stat::") || line.contains("Compiling") || line.contains("error");
        run_showing(fuzz.args(*arguments), is_said)?;
    }
    Ok(())
}
