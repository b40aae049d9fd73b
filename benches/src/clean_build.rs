//! How long a clean build of a host's dependencies takes. Takes a minute: on request only.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::measure::{Result, timed};
use crate::table::Row;

const PACKAGE: &str = "workflow-exec";

pub(crate) fn rows() -> Result<Vec<Row>> {
    let target = tempfile::tempdir()?;
    let (built, took) = timed(|| {
        cargo()
            .args(["build", "--package", PACKAGE, "--target-dir"])
            .arg(target.path())
            .stderr(Stdio::null())
            .status()
    });
    if !built?.success() {
        return Err("the build failed".into());
    }
    let tree = cargo()
        .args(["tree", "--package", PACKAGE, "--edges", "normal,build", "--prefix", "none"])
        .output()?;
    let tree = String::from_utf8(tree.stdout)?;
    let name = |line: &str| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    let crates = tree.lines().filter(|line| !line.is_empty()).map(name).collect::<BTreeSet<_>>().len();
    let seconds = took.as_secs_f64();
    Ok(vec![
        Row::figure("clean build of core and exec, default features", format!("{seconds:.0} s"))
            .goal("G14 ≤ 30 s", seconds <= 30.0),
        Row::figure("  crates in the tree", crates.to_string()).goal("G14 ≤ 80", crates <= 80),
    ])
}

fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")));
    cargo
}
