//! The tools that CI needs, and where they are installed.
//!
//! A machine may only have Rust and a C compiler, so tools are built from source, as debug builds: they start
//! a little slower, but compile minutes faster. They are kept outside of the clone, for the next run.

use std::env;
use std::process::{Command, Stdio};

use anyhow::Result;

use crate::workspace::{cargo, root, run, search_path, tools_folder};

/// A program from crates.io.
pub(crate) struct Tool {
    /// The name of the package and of its program. If it begins with `cargo-`, it is called as a subcommand
    /// of cargo.
    package: &'static str,
    version: [u32; 3],
    install_options: &'static [&'static str],
}

pub(crate) const DENY: Tool = Tool { package: "cargo-deny", version: [0, 20, 2], install_options: &[] };
pub(crate) const EXTERNAL_TYPES: Tool =
    Tool { package: "cargo-check-external-types", version: [0, 5, 0], install_options: &[] };
pub(crate) const FUZZ: Tool = Tool { package: "cargo-fuzz", version: [0, 13, 2], install_options: &[] };
pub(crate) const HACK: Tool = Tool { package: "cargo-hack", version: [0, 6, 46], install_options: &[] };
pub(crate) const MACHETE: Tool = Tool { package: "cargo-machete", version: [0, 9, 2], install_options: &[] };
pub(crate) const MDBOOK: Tool =
    Tool { package: "mdbook", version: [0, 5, 4], install_options: &["--no-default-features"] };
pub(crate) const NEXTEST: Tool = Tool {
    package: "cargo-nextest",
    version: [0, 9, 143],
    install_options: &["--no-default-features", "--features", "default-no-update"],
};

pub(crate) const ALL: &[Tool] = &[MACHETE, MDBOOK, DENY, NEXTEST, EXTERNAL_TYPES, HACK, FUZZ];

impl Tool {
    /// Installs the pinned version, unless that one or a later one is installed; returns whether it was
    /// installed now.
    ///
    /// # Errors
    ///
    /// If the installation fails.
    pub(crate) fn ensure(&self) -> Result<bool> {
        if self.present().is_some_and(|version| version >= self.version) {
            return Ok(false);
        }
        let [major, minor, patch] = self.version;
        let package = format!("{}@{major}.{minor}.{patch}", self.package);
        let mut install = cargo(&["install", "--quiet", "--locked", "--debug", "--root"]);
        install.arg(tools_folder()).arg(package).args(self.install_options);
        // Without the clone's target folder and settings: a tool is not part of the workspace.
        install
            .current_dir(env::temp_dir())
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            .env_remove("CARGO_TARGET_DIR");
        run(&mut install)?;
        Ok(true)
    }

    /// The command of the tool, from the `PATH` or its folder.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = match self.package.strip_prefix("cargo-") {
            Some(subcommand) => cargo(&[subcommand]),
            None => Command::new(self.package),
        };
        command.args(arguments).current_dir(root()).env("PATH", search_path());
        // `cargo run` sets this variable, and with it cargo-machete reads its own name as a folder.
        command.env_remove("CARGO_PKG_NAME");
        command
    }

    /// The installed version.
    fn present(&self) -> Option<[u32; 3]> {
        // Some know the option only as a program, others only as a subcommand.
        let mut program = Command::new(self.package);
        program.current_dir(root()).env("PATH", search_path());
        [program, self.command(&[])].into_iter().find_map(|mut command| {
            let shown = command.arg("--version").stderr(Stdio::null()).output().ok()?;
            parse_version(&String::from_utf8_lossy(&shown.stdout))
        })
    }
}

/// The version in a line such as `cargo-deny 0.20.2 (commit)`, `mdbook v0.5.4` or `0.9.2`.
fn parse_version(line: &str) -> Option<[u32; 3]> {
    let word = line.split_whitespace().take(2).last()?;
    let word = word.strip_prefix('v').unwrap_or(word);
    let mut numbers = word.split('.').map(|number| number.parse().ok());
    let version = [numbers.next()??, numbers.next()??, numbers.next()??];
    numbers.next().is_none().then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_the_second_word_or_the_only_one() {
        assert_eq!(parse_version("mdbook v0.5.4\n"), Some([0, 5, 4]));
        assert_eq!(parse_version("0.9.2\n"), Some([0, 9, 2]));
        assert_eq!(parse_version("cargo-deny 0.20.2\n"), Some([0, 20, 2]));
        assert_eq!(parse_version("cargo-nextest 0.9.143 (60fa45f63 2026-08-04)\nhost: x"), Some([0, 9, 143]));
    }

    #[test]
    fn an_invalid_version_counts_as_absent() {
        for line in ["", "cargo-deny", "cargo-deny 0.20", "cargo-deny 0.20.2.1", "cargo-deny next.0.1"] {
            assert_eq!(parse_version(line), None, "{line:?}");
        }
    }
}
