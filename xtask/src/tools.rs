//! The cargo tools that CI needs, and where they are kept.
//!
//! A machine may have nothing but Rust and a C compiler, so tools are built from source, as debug builds:
//! they start a little slower and are there minutes sooner. They are kept outside of the clone, for the
//! next run.

use std::env;
use std::process::Stdio;

use anyhow::Result;

use crate::workspace::{cargo, run, tools_folder};

/// A cargo subcommand from crates.io.
pub(crate) struct Tool {
    /// What follows `cargo`; the package is `cargo-` and this.
    subcommand: &'static str,
    version: [u32; 3],
    install_options: &'static [&'static str],
}

pub(crate) const DENY: Tool = Tool { subcommand: "deny", version: [0, 20, 2], install_options: &[] };
pub(crate) const FUZZ: Tool = Tool { subcommand: "fuzz", version: [0, 13, 2], install_options: &[] };
pub(crate) const HACK: Tool = Tool { subcommand: "hack", version: [0, 6, 46], install_options: &[] };
pub(crate) const NEXTEST: Tool = Tool {
    subcommand: "nextest",
    version: [0, 9, 143],
    install_options: &["--no-default-features", "--features", "default-no-update"],
};

pub(crate) const ALL: &[Tool] = &[DENY, NEXTEST, HACK, FUZZ];

impl Tool {
    /// Installs the pinned version, unless that one or a later one is there; says whether it had to.
    ///
    /// # Errors
    ///
    /// When the installation fails.
    pub(crate) fn ensure(&self) -> Result<bool> {
        if self.present().is_some_and(|version| version >= self.version) {
            return Ok(false);
        }
        let [major, minor, patch] = self.version;
        let package = format!("cargo-{}@{major}.{minor}.{patch}", self.subcommand);
        let mut install = cargo(&["install", "--quiet", "--locked", "--debug", "--root"]);
        install.arg(tools_folder()).arg(package).args(self.install_options);
        // Not the clone's target folder and settings: a tool is no part of the workspace.
        install
            .current_dir(env::temp_dir())
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            .env_remove("CARGO_TARGET_DIR");
        run(&mut install)?;
        Ok(true)
    }

    /// The version of the one that cargo would find.
    fn present(&self) -> Option<[u32; 3]> {
        let shown = cargo(&[self.subcommand, "--version"]).stderr(Stdio::null()).output().ok()?;
        parse_version(&String::from_utf8_lossy(&shown.stdout))
    }
}

/// The version in a line such as `cargo-deny 0.20.2 (commit)`.
fn parse_version(line: &str) -> Option<[u32; 3]> {
    let word = line.split_whitespace().nth(1)?;
    let mut numbers = word.split('.').map(|number| number.parse().ok());
    let version = [numbers.next()??, numbers.next()??, numbers.next()??];
    numbers.next().is_none().then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_the_second_word_of_the_first_line() {
        assert_eq!(parse_version("cargo-deny 0.20.2\n"), Some([0, 20, 2]));
        assert_eq!(parse_version("cargo-nextest 0.9.143 (60fa45f63 2026-08-04)\nhost: x"), Some([0, 9, 143]));
    }

    #[test]
    fn what_is_no_version_counts_as_absent() {
        for line in ["", "cargo-deny", "cargo-deny 0.20", "cargo-deny 0.20.2.1", "cargo-deny next.0.1"] {
            assert_eq!(parse_version(line), None, "{line:?}");
        }
    }
}
