//! How soon an event reaches a reader of a run, and a control request the driver: in the same process, and in
//! another. The tail of the distribution counts.
//!
//! The floor is the transport alone: between threads through a channel, between processes through a pipe, at
//! the same rate.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use futures::channel::oneshot;
use futures::executor::{block_on, block_on_stream};
use workflow_core::event::{Event, EventBody};
use workflow_core::ids::RunId;
use workflow_core::provider::{CallContext, CallRequest, Provider, ProviderError, Reply};
use workflow_core::sink::EventSink;
use workflow_core::status::RunStatus;
use workflow_core::store::{MemoryStore, RunStore};
use workflow_exec::{Engine, RunHandle, StartRun};
use workflow_store::{PostgresOptions, SqliteStore};
use workflow_testkit::postgres::{Server, anywhere};

use crate::measure::{Effort, Result, Times};
use crate::table::{Row, time};
use crate::work::{PROVIDER, UntilStopped, chain, directory};

/// Longer than any measurement takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a call takes: by then the reader of the run is waiting.
pub(crate) const RHYTHM: Duration = Duration::from_millis(3);

/// Events within this time of a run's first event are not counted.
const SETTLED: Duration = Duration::from_millis(200);

pub(crate) fn rows(effort: Effort) -> Result<Vec<Row>> {
    let memory = MemoryStore::new();
    let mut rows = of("memory", effort, || Ok(Box::new(memory.clone())), None)?;
    let home = directory()?;
    let path = home.path().join("runs.db");
    let path = path.to_str().ok_or("the directory's name is not UTF-8")?;
    rows.extend(of("SQLite", effort, || open("sqlite", path), Some(["sqlite", path]))?);
    match Server::start(&anywhere(), true) {
        Ok(server) => {
            let url = server.url();
            rows.extend(of("PostgreSQL", effort, || open("postgres", &url), Some(["postgres", &url]))?);
        }
        Err(reason) => {
            let reason = reason.lines().next().unwrap_or_default().to_owned();
            rows.push(Row::figure("latency in PostgreSQL", format!("not measured: {reason}")));
        }
    }
    Ok(rows)
}

fn open(kind: &str, place: &str) -> Result<Box<dyn RunStore>> {
    Ok(match kind {
        "sqlite" => Box::new(SqliteStore::open(place)?),
        _ => Box::new(PostgresOptions::new(place).open()?),
    })
}

/// The rows of a store, which other processes open at `place` if they can.
fn of(
    name: &str,
    effort: Effort,
    open: impl Fn() -> Result<Box<dyn RunStore>>,
    place: Option<[&str; 2]>,
) -> Result<Vec<Row>> {
    let events = effort.amount(1_000).max(200);
    let controls = effort.amount(400);
    let mut rows = Vec::new();
    let floor = thread_to_thread(events)?;
    let (here, there) = follow(&open, place, events)?;
    rows.push(
        row(&format!("{name}: an event, to a reader in the same process"), &here, &floor)
            .goal("G12 p99 ≤ 1 ms", tail(&here) <= Duration::from_millis(1)),
    );
    let asked = ask(&open, None, controls)?;
    rows.push(row("  a control, from the same process until recorded", &asked, &floor));
    let Some(place) = place else { return Ok(rows) };
    let floor = process_to_process(events)?;
    rows.push(
        row("  an event, to a reader in another process", &there, &floor)
            .goal("G12 p99 ≤ 50 ms", tail(&there) <= Duration::from_millis(50)),
    );
    let asked = ask(&open, Some(place), controls)?;
    rows.push(
        row("  a control, from another process until recorded", &asked, &floor).goal(
            "≤ 200 ms",
            asked.iter().max().is_some_and(|longest| *longest <= Duration::from_millis(200)),
        ),
    );
    Ok(rows)
}

pub(crate) fn row(what: &str, latencies: &[Duration], floor: &[Duration]) -> Row {
    let shown = |latency: Duration| time(latency.as_secs_f64() * 1e9);
    let longest = latencies.iter().copied().max().unwrap_or_default();
    let what = format!(
        "{what} ({}: p99 {}, longest {}; the floor's p99 {})",
        latencies.len(),
        shown(tail(latencies)),
        shown(longest),
        shown(tail(floor))
    );
    let times = |latencies: &[Duration]| Times::of(latencies.iter().copied(), 1);
    Row::times(what, times(latencies), Some(times(floor)))
}

/// The 99th percentile.
pub(crate) fn tail(latencies: &[Duration]) -> Duration {
    let mut latencies = latencies.to_vec();
    latencies.sort_unstable();
    let place = (latencies.len() * 99).div_ceil(100).saturating_sub(1);
    latencies.get(place).copied().unwrap_or_default()
}

pub(crate) fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Through a channel, to a waiting thread.
pub(crate) fn thread_to_thread(count: usize) -> Result<Vec<Duration>> {
    let (send, receive) = mpsc::channel::<Duration>();
    let reader = thread::spawn(move || receive.iter().map(|sent| now().saturating_sub(sent)).collect());
    for _ in 0..count {
        thread::sleep(RHYTHM);
        send.send(now())?;
    }
    drop(send);
    reader.join().map_err(|_| "the reader panicked".into())
}

/// Through a pipe, to a waiting process.
fn process_to_process(count: usize) -> Result<Vec<Duration>> {
    let mut child = start(&["pipe"])?;
    let mut pipe = child.stdin.take().ok_or("no pipe")?;
    let mut sent = Vec::new();
    for number in 0..count {
        thread::sleep(RHYTHM);
        sent.push(now());
        writeln!(pipe, "{number}")?;
    }
    drop(pipe);
    let seen = received(child)?;
    Ok(sent.iter().zip(seen).map(|(sent, (_, seen))| seen.saturating_sub(*sent)).collect())
}

/// Answers after a delay, from a thread, so that the driver waits as it does for a process.
pub(crate) struct Paced;

#[async_trait]
impl Provider for Paced {
    async fn call(&self, _: CallRequest, _: CallContext) -> std::result::Result<Reply, ProviderError> {
        let (done, over) = oneshot::channel();
        thread::spawn(move || {
            thread::sleep(RHYTHM);
            // The driver may have been dropped.
            let _ = done.send(());
        });
        let _ = over.await;
        Ok(Reply::default())
    }
}

/// Reports when events were stored.
pub(crate) struct Stored(pub(crate) Sender<StoredEvent>);

/// An event, and when it was stored.
pub(crate) struct StoredEvent {
    pub(crate) run: RunId,
    pub(crate) seq: u64,
    pub(crate) body: EventBody,
    pub(crate) at: Duration,
}

impl EventSink for Stored {
    fn events(&self, run: &RunId, events: &[Event]) {
        let at = now();
        for event in events {
            let (run, seq, body) = (run.clone(), event.seq, event.body.clone());
            // The receiver is gone at the end.
            let _ = self.0.send(StoredEvent { run, seq, body, at });
        }
    }
}

/// The latency of the events of a run to a reader in this process, and to one in another. Both start to read
/// before the run is driven.
fn follow(
    open: &impl Fn() -> Result<Box<dyn RunStore>>,
    place: Option<[&str; 2]>,
    steps: usize,
) -> Result<(Vec<Duration>, Vec<Duration>)> {
    let (send, stored) = mpsc::channel();
    let engine = Engine::builder().store(open()?).provider(PROVIDER, Paced).sink(Stored(send)).build()?;
    let run = block_on(engine.create(StartRun::plan(&engine.prepare(&chain(steps)?)?)))?;
    let other = match place {
        Some([kind, place]) => {
            let mut child = start(&["follow", kind, place, run.id().as_str()])?;
            let mut ready = [0; 1];
            std::io::Read::read_exact(child.stdout.as_mut().ok_or("no pipe")?, &mut ready)?;
            Some(child)
        }
        None => None,
    };
    let (begun, begins) = mpsc::channel();
    let handle = engine.handle(run.id());
    let reader = thread::spawn(move || {
        read(&handle, || {
            // The receiver waits for it, unless the measurement has failed.
            let _ = begun.send(());
        })
    });
    begins.recv_timeout(PATIENCE)?;
    assert_eq!(block_on(engine.drive(run.id()))?.status, RunStatus::Completed);
    let here = reader.join().map_err(|_| "the reader panicked")??;
    let there = other.map(received).transpose()?.unwrap_or_default();
    let appends: Vec<_> = stored.try_iter().map(|stored| (stored.seq, stored.at)).collect();
    Ok((late(appends.clone(), &here), late(appends, &there)))
}

/// How late a reader had each event that was stored.
pub(crate) fn late(mut appends: Vec<(u64, Duration)>, seen: &[(u64, Duration)]) -> Vec<Duration> {
    appends.dedup_by_key(|(_, at)| *at);
    // By then a reader that started before the run was driven has noticed the driver.
    let from = appends.first().map_or(Duration::ZERO, |(_, at)| *at + SETTLED);
    let seen: std::collections::HashMap<_, _> = seen.iter().copied().collect();
    let appends = appends.into_iter().filter(|(_, at)| *at > from);
    appends.filter_map(|(seq, at)| Some(seen.get(&seq)?.saturating_sub(at))).collect()
}

/// When each event of a run was read; `begun` is called at the first.
fn read(run: &RunHandle, mut begun: impl FnMut()) -> Result<Vec<(u64, Duration)>> {
    let mut seen = Vec::new();
    for event in block_on_stream(Box::pin(run.events(0))) {
        let event = event?;
        seen.push((event.seq, now()));
        if event.seq == 1 {
            begun();
        }
    }
    Ok(seen)
}

/// The latency until the driver of a run records pauses and cancellations.
fn ask(
    open: &impl Fn() -> Result<Box<dyn RunStore>>,
    place: Option<[&str; 2]>,
    runs: usize,
) -> Result<Vec<Duration>> {
    let (send, stored) = mpsc::channel();
    let engine =
        Engine::builder().store(open()?).provider(PROVIDER, UntilStopped).sink(Stored(send)).build()?;
    let plan = engine.prepare(&chain(1)?)?;
    let mut late = Vec::new();
    for _ in 0..runs {
        let run = block_on(engine.create(StartRun::plan(&plan)))?;
        let (driver, driven) = (engine.clone(), run.id().clone());
        let driving = thread::spawn(move || block_on(driver.drive(&driven)));
        until(&stored, "attempt_started")?;
        for (what, recorded) in [("pause", "pause_requested"), ("cancel", "cancel_requested")] {
            let asked = match place {
                None => {
                    let asked = now();
                    control(&run, what)?;
                    asked
                }
                Some([kind, place]) => {
                    received(start(&["ask", kind, place, run.id().as_str(), what])?)?
                        .first()
                        .ok_or("the time of the request is missing")?
                        .1
                }
            };
            late.push(until(&stored, recorded)?.saturating_sub(asked));
        }
        assert_eq!(driving.join().map_err(|_| "the driver panicked")??.status, RunStatus::Cancelled);
    }
    Ok(late)
}

fn control(run: &RunHandle, what: &str) -> Result<()> {
    let _ = block_on(async { if what == "pause" { run.pause().await } else { run.cancel().await } })?;
    Ok(())
}

/// When an event of that kind was stored.
fn until(stored: &Receiver<StoredEvent>, kind: &str) -> Result<Duration> {
    loop {
        let stored = stored.recv_timeout(PATIENCE)?;
        if stored.body.kind() == kind {
            return Ok(stored.at);
        }
    }
}

/// Starts another process of this program.
fn start(arguments: &[&str]) -> Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("other").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
    Ok(command.spawn()?)
}

/// The output of another process: lines of a number and a time.
fn received(mut child: Child) -> Result<Vec<(u64, Duration)>> {
    let mut lines = Vec::new();
    for line in BufReader::new(child.stdout.take().ok_or("no pipe")?).lines() {
        let line = line?;
        let (number, at) = line.split_once(' ').ok_or("unexpected output")?;
        lines.push((number.parse()?, Duration::from_nanos(at.parse()?)));
    }
    if child.wait()?.success() { Ok(lines) } else { Err("the other process has failed".into()) }
}

/// The other process: returns its output. A reader of a run first prints one character when it is ready.
pub(crate) fn child(arguments: &[&str]) -> Result<String> {
    let lines = match arguments {
        ["pipe"] => {
            let mut lines = Vec::new();
            for line in std::io::stdin().lines() {
                let at = now();
                lines.push((line?.parse()?, at));
            }
            lines
        }
        ["follow", kind, place, run] => {
            let engine = Engine::builder().store(open(kind, place)?).build()?;
            let handle = engine.handle(&RunId::new(*run)?);
            read(&handle, || {
                let mut stdout = std::io::stdout();
                // The parent is gone if this fails.
                let _ = stdout.write_all(b"!").and_then(|()| stdout.flush());
            })?
        }
        ["ask", kind, place, run, what] => {
            let engine = Engine::builder().store(open(kind, place)?).build()?;
            let handle = engine.handle(&RunId::new(*run)?);
            // The connection is open now.
            block_on(handle.status())?;
            let asked = now();
            control(&handle, what)?;
            vec![(0, asked)]
        }
        _ => return Err("unknown kind of process".into()),
    };
    let lines: Vec<_> = lines.iter().map(|(number, at)| format!("{number} {}\n", at.as_nanos())).collect();
    Ok(lines.concat())
}
