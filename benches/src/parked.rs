//! The cost of runs that wait for a time, a person, a signal or another run in a running host: memory, wake-ups and processor
//! time.
//!
//! Their logs are in files, so that only the engine's memory grows.

use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use async_trait::async_trait;
use futures::channel::mpsc::{UnboundedSender, unbounded};
use futures::executor::block_on;
use futures::future::{BoxFuture, Either, select};
use futures::stream::{FuturesUnordered, StreamExt as _};
use jiff::Timestamp;
use workflow_core::bundle::Bundle;
use workflow_core::definition::{GraphNode, Node, Profile, Stage, WaitNode, Workflow, WorkflowNode};
use workflow_core::ids::RunId;
use workflow_core::plan::Plan;
use workflow_core::provider::{CallContext, CallRequest, Provider, ProviderError, Reply};
use workflow_core::status::RunStatus;
use workflow_core::store::RunHead;
use workflow_exec::{Engine, Spawn, StartRun};
use workflow_store::FileStore;

use crate::graphs::bundle;
use crate::measure::{Effort, Result, all_busy};
use crate::memory::resident;
use crate::table::{Row, time};
use crate::work::PROVIDER;

/// Runs before the counted ones: they trigger one-time allocations of the process.
const WARM_UP: usize = 500;
/// So many runs start another one at a time: they stay in memory for a second. In the warm-up twice as many do, so that those
/// which are counted need no more memory for being under way.
const WAVE: usize = 100;
/// So many are started before the first of them, after a minute, look at the others.
const MOST_PARENTS: usize = 4_000;

pub(crate) fn rows(effort: Effort) -> Result<Vec<Row>> {
    let runs = effort.amount(10_000).max(1_000);
    if resident().is_err() {
        return Ok(vec![Row::figure("runs that wait", "not measured: needs /proc")]);
    }
    let mut rows = Vec::new();
    // The memory of a run that waits for another one is that of both.
    let kinds = [
        ("time", "a time"),
        ("person", "a person"),
        ("signal", "a signal"),
        ("child", "another run, which waits for a signal"),
    ];
    for (kind, what) in kinds {
        let runs = if kind == "child" { runs.min(MOST_PARENTS) } else { runs };
        let seconds = if effort.quick { 2 } else { 10 };
        let figures = in_child(kind, runs, seconds)?;
        let each = figures[0] / runs;
        let mut memory = Row::figure(
            format!("{runs} runs that wait for {what}, memory per run in the engine"),
            format!("{each} B"),
        );
        // The process also grows by as many as are under way at a time, which depends on what else the machine does:
        // `tests/tests/parked.rs` counts live bytes.
        if kind != "child" {
            memory = memory.goal("G4 ≤ 100 B", each <= 100);
        }
        rows.push(memory);
        // Compared with the same process before it had runs.
        #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
        let [idle, idle_busy, woken, busy] =
            [1, 2, 3, 4].map(|figure| figures[figure] as f64 / f64::from(seconds));
        let what = format!("  with {} of them: wake-ups of all threads per second", WARM_UP + runs);
        rows.push(Row::figure(what, format!("{woken:.1}")).floor(format!("{idle:.1}"), woken / idle));
        rows.push(
            Row::figure("  processor time per second", time(busy)).floor(time(idle_busy), busy / idle_busy),
        );
    }
    Ok(rows)
}

fn in_child(kind: &str, runs: usize, seconds: u32) -> Result<[usize; 5]> {
    let mut command = Command::new(std::env::current_exe()?);
    let output = command.args(["parked", kind, &runs.to_string(), &seconds.to_string()]).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let said = String::from_utf8(output.stdout)?;
    let figures = said.split_whitespace().map(str::parse).collect::<std::result::Result<Vec<_>, _>>()?;
    figures.try_into().map_err(|_| "unexpected output".into())
}

/// Has no quota left for a day.
struct Exhausted;

#[async_trait]
impl Provider for Exhausted {
    async fn call(&self, _: CallRequest, _: CallContext) -> std::result::Result<Reply, ProviderError> {
        let until = Timestamp::now().checked_add(Duration::from_secs(24 * 60 * 60)).ok();
        Err(ProviderError::rate_limited("the quota is used up", until))
    }
}

/// Passes futures to the thread that polls all of them.
struct Queue(Mutex<UnboundedSender<BoxFuture<'static, ()>>>);

impl Spawn for Queue {
    fn spawn(&self, future: BoxFuture<'static, ()>) {
        if let Ok(queue) = self.0.lock() {
            // The receiver is gone at the end.
            let _ = queue.unbounded_send(future);
        }
    }
}

/// The process that measures itself: by how many bytes it grew; and in this many seconds, without runs and
/// with all of them, how often one of its threads was woken, and for how many nanoseconds it was busy.
pub(crate) fn child(kind: &str, runs: usize, seconds: u64) -> Result<String> {
    // The stored data does not matter here, and a disk would take minutes for so many runs.
    let home = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir())?;
    let store = FileStore::open(home.path())?;
    let (queue, mut spawned) = unbounded();
    let engine = Engine::builder()
        .store(store)
        .provider(PROVIDER, Exhausted)
        .spawner(Queue(Mutex::new(queue)))
        .build()?;
    // The thread ends with the process.
    thread::spawn(move || {
        block_on(async {
            let mut under_way = FuturesUnordered::new();
            loop {
                let next = select(spawned.next(), under_way.next()).await;
                match next {
                    Either::Left((Some(future), _)) => under_way.push(future),
                    Either::Left((None, _)) => return,
                    Either::Right((Some(()), _)) => {}
                    Either::Right((None, waiting)) => match waiting.await {
                        Some(future) => under_way.push(future),
                        None => return,
                    },
                }
            }
        });
    });
    let idle_for = || -> Result<(usize, u128)> {
        let before = switches()?;
        let ((), busy) = all_busy(|| thread::sleep(Duration::from_secs(seconds)));
        Ok((switches()?.saturating_sub(before), busy.as_nanos()))
    };
    let (idle, idle_busy) = idle_for()?;
    block_on(wait(&engine, kind, WARM_UP, 2 * WAVE))?;
    let before = resident()?;
    block_on(wait(&engine, kind, runs, WAVE))?;
    let grown = resident()?.saturating_sub(before);
    let (woken, busy) = idle_for()?;
    Ok(format!("{grown} {idle} {idle_busy} {woken} {busy}"))
}

/// Starts this many runs, and returns when all of them wait.
async fn wait(engine: &Engine, kind: &str, runs: usize, wave: usize) -> Result<()> {
    let plan = match kind {
        "signal" => Arc::new(Plan::load(graph(signal())?)?),
        "child" => Arc::new(Plan::load(parent()?)?),
        _ => {
            let stage = Stage::new(PROVIDER);
            let approval = (kind == "person").then(|| "Continue?".into());
            let stage = Stage { approval, ..stage };
            engine.prepare(&Workflow::new("waits".parse()?, "Waits").stage("stage".parse()?, stage))?
        }
    };
    let wave = if kind == "child" { wave } else { 1 };
    for first in (0..runs).step_by(wave) {
        let mut started = Vec::with_capacity(wave);
        for _ in first..runs.min(first + wave) {
            started.push(engine.start(StartRun::plan(&plan)).await?);
        }
        for run in started {
            let wait =
                at_rest(engine, run.id()).await?.wait.ok_or("the run does not say what it waits for")?;
            assert_eq!(wait.until.is_some(), matches!(kind, "time" | "child"));
            assert_eq!(wait.run.is_some(), kind == "child");
            if let Some(other) = &wait.run {
                at_rest(engine, other).await?;
            }
        }
    }
    Ok(())
}

/// The head of a run, once it waits and no process drives it.
async fn at_rest(engine: &Engine, run: &RunId) -> Result<RunHead> {
    loop {
        let record = engine.store().get(run).await?;
        if record.head.status == RunStatus::Paused && record.holder.is_none() {
            return Ok(record.head);
        }
        thread::sleep(Duration::from_micros(100));
    }
}

fn signal() -> Node {
    Node::Wait(WaitNode { signal: Some("go".to_owned()), ..WaitNode::default() })
}

/// A workflow that runs another one, which waits for a signal.
fn parent() -> Result<Arc<Bundle>> {
    let mut other = Arc::unwrap_or_clone(graph(signal())?);
    other.workflow.id = "other".parse()?;
    let node = WorkflowNode { workflow: "other".to_owned(), ..WorkflowNode::default() };
    let mut parent = Arc::unwrap_or_clone(graph(Node::Workflow(node))?);
    parent.workflows.insert(other.workflow.id.clone(), Arc::new(other));
    Ok(Arc::new(parent))
}

/// A workflow that consists of one node.
fn graph(node: Node) -> Result<Arc<Bundle>> {
    bundle(Profile { graph: vec![GraphNode::new("node".parse()?, node)], ..Profile::default() })
}

/// How often threads of this process have waited so far.
fn switches() -> Result<usize> {
    let mut count = 0;
    for thread in std::fs::read_dir("/proc/self/task")? {
        let status = std::fs::read_to_string(thread?.path().join("status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        count += line.ok_or("the value is missing")?.trim().parse::<usize>()?;
    }
    Ok(count)
}
