//! The memory of waiting runs.
//!
//! Each figure is the growth of the resident memory of a separate process: it includes the allocator's
//! overhead, which a count of requested bytes would hide.

use std::future::poll_fn;
use std::process::Command;
use std::sync::Arc;
use std::task::Poll;

use futures::executor::block_on;
use futures::future::{Either, select};
use futures::stream::{FuturesUnordered, StreamExt as _};
use workflow_core::ids::RunId;
use workflow_core::plan::Plan;
use workflow_core::status::RunStatus;
use workflow_exec::{Engine, StartRun};
use workflow_store::{FileStore, MemoryStore};

use crate::graphs::{Shape, bundle};
use crate::measure::{Effort, Result};
use crate::table::Row;
use crate::work::{Bare, Holding, Never, NoOp, chain, directory, engine, engine_on};

/// Runs before the counted ones: they trigger one-time allocations of the process.
const WARM_UP: usize = 100;

pub(crate) fn rows(effort: Effort) -> Result<Vec<Row>> {
    let runs = effort.amount(10_000);
    if resident().is_err() {
        return Ok(vec![Row::figure("memory per run", "not measured: needs /proc")]);
    }
    let each = |what: &str| in_child(what, runs).map(|bytes| bytes / runs);
    let (calls, held) = (each("calls")?, each("held")?);
    let (stored, parked) = (each("stored")?, each("parked")?);
    #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
    let ratio = held as f64 / calls.max(1) as f64;
    Ok(vec![
        Row::figure(format!("{runs} runs held at a step, memory per run, its log included"), bytes(held))
            .floor(bytes(calls), ratio)
            .goal("G4 ≤ 2.5 kB", held <= 2_500),
        Row::figure(format!("{runs} runs paused, memory per run in the engine"), bytes(parked))
            .goal("G4 ≤ 100 B", parked <= 100),
        Row::figure("  and in the store", bytes(stored)),
    ]
    .into_iter()
    .chain(items(effort)?)
    .collect())
}

/// The memory of the items of a `foreach` in the engine, with the log in files. The cost of a `foreach` with
/// few items is subtracted: it has as many calls in progress.
fn items(effort: Effort) -> Result<Vec<Row>> {
    const FEW: usize = 100;
    let many = effort.amount(10_000).max(1_000);
    let each = |what: &str| -> Result<usize> {
        Ok(in_child(what, many)?.saturating_sub(in_child(what, FEW)?) / (many - FEW))
    };
    let (unstarted, ended, peak) = (each("unstarted")?, each("ended")?, each("peak")?);
    Ok(vec![
        Row::figure(
            format!("foreach, {many} items, memory per unstarted item, its text included"),
            bytes(unstarted),
        ),
        Row::figure("  per finished item", bytes(ended)).goal("≤ 200 B", ended <= 200),
        Row::figure("  the most that the run ever needs, per item", bytes(peak)),
    ])
}

fn bytes(bytes: usize) -> String {
    format!("{bytes} B")
}

fn in_child(what: &str, runs: usize) -> Result<usize> {
    let output = Command::new(std::env::current_exe()?).args(["memory", what, &runs.to_string()]).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}

/// The process that measures itself: returns by how many bytes it grew.
pub(crate) fn child(what: &str, runs: usize) -> Result<usize> {
    block_on(async {
        match what {
            "calls" => calls(runs).await,
            "held" => held(runs).await,
            "stored" => Ok(pause(&MemoryStore::new(), runs).await?.1),
            "parked" => parked(runs).await,
            "unstarted" | "ended" | "peak" => foreach(what, runs).await,
            _ => Err(format!("unknown measurement `{what}`").into()),
        }
    })
}

/// Calls that never end, without an engine.
async fn calls(runs: usize) -> Result<usize> {
    let bare = Bare::new(Never)?;
    hold(runs, || bare.call()).await
}

/// Runs whose first call never ends.
async fn held(runs: usize) -> Result<usize> {
    let engine = engine(Never)?;
    let plan = engine.prepare(&chain(5)?)?;
    hold(runs, || engine.run(StartRun::plan(&plan))).await
}

/// Polls this many futures once and keeps them.
async fn hold<F: Future>(runs: usize, begin: impl Fn() -> F) -> Result<usize> {
    let mut under_way = FuturesUnordered::new();
    let mut before = 0;
    for number in 0..WARM_UP + runs {
        if number == WARM_UP {
            before = resident()?;
        }
        under_way.push(begin());
        let polled = poll_fn(|cx| Poll::Ready(under_way.poll_next_unpin(cx))).await;
        if polled.is_ready() {
            return Err("a future that must not end has ended".into());
        }
    }
    let grown = resident()?.saturating_sub(before);
    assert_eq!(under_way.len(), WARM_UP + runs);
    Ok(grown)
}

/// The memory that an engine keeps for paused runs that it finds and does not resume.
async fn parked(runs: usize) -> Result<usize> {
    let store = MemoryStore::new();
    let (paused, _) = pause(&store, runs).await?;
    let engine = engine_on(store, NoOp)?;
    let mut before = 0;
    for (number, run) in paused.iter().enumerate() {
        if number == WARM_UP {
            before = resident()?;
        }
        assert_eq!(engine.drive(run).await?.status, RunStatus::Paused);
    }
    Ok(resident()?.saturating_sub(before))
}

/// Creates runs and pauses them; returns them, and by how much the process grew.
async fn pause(store: &MemoryStore, runs: usize) -> Result<(Vec<RunId>, usize)> {
    let engine: Engine = engine_on(store.clone(), NoOp)?;
    let plan = engine.prepare(&chain(5)?)?;
    let mut paused = Vec::with_capacity(WARM_UP + runs);
    let mut before = 0;
    for number in 0..WARM_UP + runs {
        if number == WARM_UP {
            before = resident()?;
        }
        let run = engine.create(StartRun::plan(&plan)).await?;
        let _ = run.pause().await?;
        assert_eq!(run.status().await?, RunStatus::Paused);
        paused.push(run.id().clone());
    }
    Ok((paused, resident()?.saturating_sub(before)))
}

/// The memory of a run with a `foreach` over this many items: when only the first of them have begun, when
/// all but the first have ended, or at the peak.
async fn foreach(what: &str, items: usize) -> Result<usize> {
    let plan = Arc::new(Plan::load(bundle(Shape::Foreach.profile(items)?)?)?);
    let home = directory()?;
    let held = match what {
        "unstarted" => usize::MAX,
        "ended" => 1,
        _ => 0,
    };
    let holding = Holding::new(held, if held == 1 { items } else { 1 });
    // The first run triggers one-time allocations of the process.
    let warm = engine_on(FileStore::open(home.path().join("warm"))?, NoOp)?;
    warm.run(Shape::Foreach.start(&plan, WARM_UP)).await?;
    let engine = engine_on(FileStore::open(home.path())?, holding.clone())?;
    let start = Shape::Foreach.start(&plan, items);
    let before = resident()?;
    match select(Box::pin(engine.run(start)), Box::pin(holding.reached())).await {
        Either::Left((view, _)) => {
            assert_eq!(view?.status, RunStatus::Completed);
            Ok(most_resident()?.saturating_sub(before))
        }
        Either::Right(((), _under_way)) => Ok(resident()?.saturating_sub(before)),
    }
}

/// The resident memory of this process, in bytes.
pub(crate) fn resident() -> Result<usize> {
    kilobytes("/proc/self/smaps_rollup", "Rss:")
}

/// Its peak.
fn most_resident() -> Result<usize> {
    kilobytes("/proc/self/status", "VmHWM:")
}

fn kilobytes(file: &str, name: &str) -> Result<usize> {
    let text = std::fs::read_to_string(file)?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)).ok_or("the value is missing")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<usize>()? * 1024)
}
