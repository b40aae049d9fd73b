//! How soon the driver of a run records a control request of another process.

use std::process::Command;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::executor::block_on;
use workflow_core::event::{Event, EventBody};
use workflow_core::ids::RunId;
use workflow_core::sink::EventSink;
use workflow_core::status::RunStatus;
use workflow_exec::{Engine, StartRun};
use workflow_store::FileStore;

use crate::measure::{Effort, Result, Times};
use crate::table::{Row, time};
use crate::work::{PROVIDER, UntilStopped, chain, directory};

/// Longer than any measurement takes.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn rows(effort: Effort) -> Result<Vec<Row>> {
    let home = directory()?;
    let (stored, events) = mpsc::channel();
    let engine = Engine::builder()
        .store(FileStore::open(home.path())?)
        .provider(PROVIDER, UntilStopped)
        .sink(Stored(stored))
        .build()?;
    let plan = engine.prepare(&chain(1)?)?;
    let (mut pauses, mut cancels) = (Vec::new(), Vec::new());
    for number in 0..effort.repetitions() {
        let run = RunId::new(format!("run-{number}"))?;
        let start = StartRun::plan(&plan).run_id(run.clone());
        let driver = engine.clone();
        let driven = thread::spawn(move || block_on(driver.run(start)));
        wait_for(&events, |body| matches!(body, EventBody::AttemptStarted { .. }))?;
        let home = home.path().to_str().ok_or("the directory's name is not UTF-8")?;
        let asked = ask(home, &run, "pause")?;
        let seen = wait_for(&events, |body| matches!(body, EventBody::PauseRequested { .. }))?;
        pauses.push(seen.saturating_sub(asked));
        let asked = ask(home, &run, "cancel")?;
        let seen = wait_for(&events, |body| matches!(body, EventBody::CancelRequested { .. }))?;
        cancels.push(seen.saturating_sub(asked));
        let view = driven.join().map_err(|_| "the driver panicked")??;
        assert_eq!(view.status, RunStatus::Cancelled);
    }
    Ok(vec![row("pause", &pauses), row("cancel", &cancels)])
}

fn row(what: &str, latencies: &[Duration]) -> Row {
    let longest = latencies.iter().copied().max().unwrap_or_default();
    let times = Times::of(latencies.iter().copied(), 1);
    let what = format!(
        "{what} asked by another process until recorded (longest {})",
        time(longest.as_secs_f64() * 1e9)
    );
    Row::times(what, times, None).goal("≤ 200 ms", longest <= Duration::from_millis(200))
}

/// Reports when events were stored.
struct Stored(Sender<(EventBody, Duration)>);

impl EventSink for Stored {
    fn events(&self, _: &RunId, events: &[Event]) {
        for event in events {
            // The receiver is gone at the end.
            let _ = self.0.send((event.body.clone(), now()));
        }
    }
}

/// When the event that `is_it` matches was stored.
fn wait_for(events: &Receiver<(EventBody, Duration)>, is_it: fn(&EventBody) -> bool) -> Result<Duration> {
    loop {
        let (body, at) = events.recv_timeout(PATIENCE)?;
        if is_it(&body) {
            return Ok(at);
        }
    }
}

/// Starts another process that sends the request; returns when it did.
fn ask(home: &str, run: &RunId, what: &str) -> Result<Duration> {
    let output =
        Command::new(std::env::current_exe()?).args(["control", home, run.as_str(), what]).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    Ok(Duration::from_nanos(String::from_utf8(output.stdout)?.trim().parse()?))
}

/// The other process: prints when it sent the request, in nanoseconds.
pub(crate) fn child(home: &str, run: &str, what: &str) -> Result<u128> {
    let engine = Engine::builder().store(FileStore::open(home)?).build()?;
    let run = engine.handle(&RunId::new(run)?);
    let began = now();
    // The other process drives the run: the outcome is that the request is recorded.
    let _ = block_on(async { if what == "pause" { run.pause().await } else { run.cancel().await } })?;
    Ok(began.as_nanos())
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
