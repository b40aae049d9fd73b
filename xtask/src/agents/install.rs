//! The agents, their pinned versions, and how each is installed into the folder without changing anything
//! else.

use std::env;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::workspace::run;

/// An agent's command line, as npm packages it.
pub(crate) struct Agent {
    /// The name of its provider.
    pub(crate) name: &'static str,
    /// The name of its program.
    program: &'static str,
    package: &'static str,
    pub(crate) version: &'static str,
    /// Where its program is in the packages. `{platform}` is npm's name of this platform, such as
    /// `linux-x64`.
    place: Place,
}

/// The programs that let those speak the Agent Client Protocol that do not do so by themselves, for the oldest Node.js.
/// They start the programs of [`ALL`], so the copies that they would bring are left out.
pub(crate) const ADAPTERS: &[Agent] = &[
    Agent {
        name: "claude-code",
        program: "claude-agent-acp",
        package: "@agentclientprotocol/claude-agent-acp",
        // Later versions need Node.js 22.
        version: "0.49.0",
        place: Place::Adapter("@agentclientprotocol/claude-agent-acp/dist/index.js"),
    },
    Agent {
        name: "codex",
        program: "codex-acp",
        package: "@agentclientprotocol/codex-acp",
        version: "2.6.0",
        place: Place::Adapter("@agentclientprotocol/codex-acp/dist/index.js"),
    },
];

/// Where a program is once its package is installed. Scripts of packages are not run, because they write into
/// the home.
enum Place {
    /// In a package, ready to use.
    In(&'static str),
    /// In a package, compressed with Brotli.
    Packed(&'static str),
    /// The same as `In`, without the optional packages.
    Adapter(&'static str),
}

pub(crate) const ALL: &[Agent] = &[
    Agent {
        name: "claude-code",
        program: "claude",
        package: "@anthropic-ai/claude-code",
        version: "2.1.330",
        place: Place::In("@anthropic-ai/claude-code-{platform}/claude"),
    },
    Agent {
        name: "codex",
        program: "codex",
        package: "@openai/codex",
        version: "0.169.0",
        // Not the launcher, which leaves its child running when it is killed.
        place: Place::In("@openai/codex-{platform}/vendor/{triple}/bin/codex"),
    },
    Agent {
        name: "gemini",
        program: "gemini",
        package: "@google/gemini-cli",
        version: "0.61.0",
        place: Place::In("@google/gemini-cli/bundle/gemini.js"),
    },
    Agent {
        name: "grok",
        program: "grok",
        package: "@xai-official/grok",
        version: "1.0.41",
        place: Place::Packed("@xai-official/grok-{platform}/bin/grok.br"),
    },
];

/// The oldest version of Node.js that all of them support.
const NODE: u32 = 20;

/// Checks that Node.js and npm are installed, and links the former where the agents find it.
pub(crate) fn node(folder: &Path) -> Result<()> {
    let missing = "install Node.js 20 or later, with npm";
    let Some(node) = on_path("node") else { bail!("`node` is not on the PATH: {missing}") };
    ensure!(on_path("npm").is_some(), "`npm` is not on the PATH: {missing}");
    let shown = Command::new(&node).arg("--version").output().context("cannot start `node`")?;
    let version = String::from_utf8_lossy(&shown.stdout).trim().to_owned();
    let major = version.trim_start_matches('v').split('.').next().and_then(|major| major.parse().ok());
    ensure!(major >= Some(NODE), "`node` is {version}: {missing}");
    link(&node, &folder.join("bin/node"))
}

impl Agent {
    /// The name of its module among the tests.
    pub(crate) fn module(&self) -> String {
        self.name.replace('-', "_")
    }

    /// Installs the pinned version, unless it is installed.
    pub(crate) fn ensure(&self, folder: &Path) -> Result<()> {
        let own = folder.join(format!("{}-{}", self.program, self.version));
        let modules = own.join("node_modules");
        let (Place::In(place) | Place::Packed(place) | Place::Adapter(place)) = &self.place;
        let (platform, triple) = platform()?;
        let place = place.replace("{platform}", platform).replace("{triple}", triple);
        let program = match self.place {
            Place::In(_) | Place::Adapter(_) => modules.join(&place),
            Place::Packed(_) => own.join(self.program),
        };
        if program.is_file() {
            println!("{} {} is installed", self.program, self.version);
        } else {
            self.download(&own)?;
            if let Place::Packed(_) = self.place {
                unpack(&modules.join(&place), &program)?;
            }
            ensure!(
                program.is_file(),
                "{}@{} has no {}: does it support {platform}?",
                self.package,
                self.version,
                program.display()
            );
        }
        link(&program, &folder.join("bin").join(self.program))
    }

    /// Downloads the package with npm, with one retry.
    fn download(&self, own: &Path) -> Result<()> {
        // Removes what an earlier attempt left.
        let _ = fs::remove_dir_all(own);
        fs::create_dir_all(own).with_context(|| format!("cannot create {}", own.display()))?;
        // Without this file, npm would use one in a parent folder.
        fs::write(own.join("package.json"), "{ \"private\": true }\n")?;
        let install = || {
            let mut npm = Command::new("npm");
            npm.args(["install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"]);
            if matches!(self.place, Place::Adapter(_)) {
                npm.arg("--omit=optional");
            }
            npm.args(["--loglevel=error", "--no-save"]).arg(format!("{}@{}", self.package, self.version));
            run(npm.current_dir(own))
        };
        install().or_else(|error| {
            println!("{error:#}; trying again");
            install()
        })
    }
}

/// The names of this platform for npm and for codex.
fn platform() -> Result<(&'static str, &'static str)> {
    Ok(match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => ("linux-x64", "x86_64-unknown-linux-musl"),
        ("linux", "aarch64") => ("linux-arm64", "aarch64-unknown-linux-musl"),
        ("macos", "x86_64") => ("darwin-x64", "x86_64-apple-darwin"),
        ("macos", "aarch64") => ("darwin-arm64", "aarch64-apple-darwin"),
        (os, arch) => bail!("there are no agents for {os} on {arch}"),
    })
}

/// Unpacks a program with Node.js, which is installed in any case.
fn unpack(packed: &Path, program: &Path) -> Result<()> {
    const SCRIPT: &str = "const [from, to] = process.argv.slice(1), fs = require('fs');\
        fs.writeFileSync(to, require('zlib').brotliDecompressSync(fs.readFileSync(from)), { mode: 0o755 });";
    // The rename makes the file complete or absent.
    let partial = program.with_extension("partial");
    run(Command::new("node").args(["-e", SCRIPT]).arg(packed).arg(&partial))?;
    fs::rename(&partial, program).context("cannot move the unpacked program")
}

fn link(to: &Path, link: &Path) -> Result<()> {
    let folder = link.parent().unwrap_or(link);
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let _ = fs::remove_file(link);
    symlink(to, link).with_context(|| format!("cannot create the link {}", link.display()))
}

/// The path of a program in the `PATH`.
fn on_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(name)).find(|program| program.is_file())
}
