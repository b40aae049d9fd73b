//! What is measured, and how.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::str::FromStr;
use std::time::Instant;

use tempfile::TempDir;

/// Any error ends the program.
pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Steps of each of many runs.
pub(crate) const FEW: usize = 5;

/// The work of a measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// One run of so many steps, one after the other.
    Row(usize),
    /// One run of so many steps, all at once.
    FanOut(usize),
    /// So many runs at the same time, each of five steps, one after the other.
    Runs(usize),
}

impl Work {
    pub(crate) fn steps(self) -> usize {
        match self {
            Self::Row(steps) | Self::FanOut(steps) => steps,
            Self::Runs(runs) => runs * FEW,
        }
    }

    /// How a child process is told what to do.
    pub(crate) fn told(self) -> String {
        match self {
            Self::Row(steps) => format!("row-{steps}"),
            Self::FanOut(steps) => format!("fan-out-{steps}"),
            Self::Runs(runs) => format!("runs-{runs}"),
        }
    }
}

impl FromStr for Work {
    type Err = Box<dyn std::error::Error + Send + Sync>;

    fn from_str(told: &str) -> Result<Self> {
        let (what, size) = told.rsplit_once('-').ok_or("no size")?;
        let size = size.parse()?;
        match what {
            "row" => Ok(Self::Row(size)),
            "fan-out" => Ok(Self::FanOut(size)),
            "runs" => Ok(Self::Runs(size)),
            _ => Err(format!("no work is called `{what}`").into()),
        }
    }
}

/// Does the work once to warm up and then five times, and returns the median, in microseconds per step.
///
/// `prepare` makes what the work needs, `work` does it, and `end` tidies up: only `work` is measured.
pub(crate) fn median<T>(
    steps: usize,
    prepare: impl AsyncFn() -> Result<T>,
    work: impl AsyncFn(&T) -> Result<()>,
    end: impl AsyncFn(T),
) -> Result<f64> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let mut times = Vec::new();
        for is_warm in [false, true, true, true, true, true] {
            let prepared = prepare().await?;
            let began = Instant::now();
            work(&prepared).await?;
            let took = began.elapsed().as_secs_f64() * 1e6 / steps as f64;
            if is_warm {
                times.push(took);
            }
            end(prepared).await;
        }
        times.sort_by(f64::total_cmp);
        Ok(times[times.len() / 2])
    })
}

/// A folder on the disk that has the program: the system's folder for temporary files may be in memory.
pub(crate) fn folder() -> Result<TempDir> {
    let program = std::env::current_exe()?;
    Ok(tempfile::tempdir_in(program.parent().ok_or("the program is in no folder")?)?)
}

/// The folder of the project, from which this program is built.
fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Builds the program that measures this engine.
pub(crate) fn build_ours() -> Result<()> {
    let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    build.args(["build", "--release", "--package", "workflow-benches"]).current_dir(project());
    if build.status()?.success() { Ok(()) } else { Err("workflow-benches was not built".into()) }
}

/// This engine, measured by the project's own program in the same way.
pub(crate) fn ours(work: Work, store: &str) -> Result<f64> {
    let program = project().join("target/release/workflow-benches");
    let output = Command::new(program).args(["step", &work.told(), store]).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().parse()?)
}
