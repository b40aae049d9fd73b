//! Retention in a large PostgreSQL store, and how long a writer waits meanwhile.
//!
//! The store is filled with copies of a run that has ended, and a writer appends to a live run all the time. What
//! counts is its longest append: nothing that cleans may hold up a run for long.

mod filled;
mod writer;

use std::time::Duration;

use futures::executor::block_on;
use jiff::Timestamp;
use workflow_core::status::RunStatus;
use workflow_core::store::{RunFilter, RunStore};
use workflow_store::{PostgresOptions, PostgresStore};
use workflow_testkit::postgres::{Server, anywhere};

use self::filled::{Filled, RUN_EVENTS, copy};
use self::writer::{Waits, Writer};
use crate::measure::{Result, timed};
use crate::sqlite_reads::new_run;
use crate::table::{self, Row};

/// How many events there are unless another number is given.
const EVENTS: u64 = 10_000_000;

/// How many runs a page of a list has.
const PAGE: usize = 50;
/// How many runs are claimed at once.
const CLAIMED: usize = 10;
/// How often short things are repeated.
const TIMES: usize = 20;

/// Settings of a small server of its own.
const SETTINGS: [&str; 3] = ["shared_buffers=1GB", "max_wal_size=4GB", "maintenance_work_mem=256MB"];

/// Measures with `--events N`, and writes the table.
pub(crate) fn measure(arguments: &[&str]) -> Result<String> {
    let events = match arguments {
        [] => EVENTS,
        ["--events", count] => count.parse()?,
        _ => return Err("give nothing or `--events N`".into()),
    };
    let server = Server::start_with(&anywhere(), true, &SETTINGS, &[])?;
    Ok(table::render(&rows(&server.url(), events)?))
}

fn rows(url: &str, events: u64) -> Result<Vec<Row>> {
    let options = PostgresOptions::new(url).lease_time(Duration::from_secs(24 * 60 * 60));
    let store = options.clone().open()?;
    let (filled, time) = timed(|| Filled::new(url, &store, events / RUN_EVENTS));
    let filled = filled?;
    let what = format!("filling a store with {} events of {} runs", filled.runs * RUN_EVENTS, filled.runs);
    let mut bench = Bench { writer: Writer::start(options.clone().open()?), alone: None, rows: Vec::new() };
    bench.rows.push(Row::figure(what, seconds(time)));
    bench.size(&filled, "  size on disk")?;
    let ((), alone) = bench.writer.during(|| {
        std::thread::sleep(Duration::from_secs(20));
        Ok(())
    })?;
    bench.alone = Some(alone.max);
    bench.rows.push(Row::figure("an append, nothing else under way", alone.median()));
    bench.rows.push(Row::figure("  the longest of them", alone.longest()));

    bench.reads(&store, &filled)?;
    bench.indexes(&filled)?;
    bench.long("vacuum of the full store", || Ok(options.vacuum()?))?;
    let half = filled.runs / 2;
    let (first, second) = (half / 2, half - half / 2);
    for runs in [first, second] {
        let what = format!("pruning {runs} runs with {} events", runs * RUN_EVENTS);
        bench.long(&what, || prune(&store, runs))?;
    }
    bench.long("vacuum after half of it was deleted", || Ok(options.vacuum()?))?;
    let few = (filled.runs / 8).max(1);
    let snapshot = filled.snapshot()?;
    let what =
        format!("pruning {runs} runs with {} events while a dump is written", few * RUN_EVENTS, runs = few);
    bench.long(&what, || prune(&store, few))?;
    drop(snapshot);
    bench.long("vacuum after that", || Ok(options.vacuum()?))?;
    bench.size(&filled, "size on disk at the end")?;
    bench.writer.stop()?;
    Ok(bench.rows)
}

/// Deletes that many of the oldest runs.
fn prune(store: &PostgresStore, runs: u64) -> Result<()> {
    let wanted = usize::try_from(runs)?;
    assert_eq!(block_on(store.prune(Timestamp::now(), wanted))?, wanted);
    Ok(())
}

struct Bench {
    writer: Writer,
    alone: Option<Duration>,
    rows: Vec<Row>,
}

impl Bench {
    /// Something that takes long, and the longest append meanwhile.
    fn long(&mut self, what: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
        let (time, waits) = self.writer.during(|| {
            let (ended, time) = timed(work);
            ended.map(|()| time)
        })?;
        self.rows.push(Row::figure(what, seconds(time)));
        self.appends(&waits);
        Ok(())
    }

    fn appends(&mut self, waits: &Waits) {
        let row = Row::figure("  the longest append meanwhile", waits.longest());
        let row = match self.alone {
            Some(alone) => row.floor(milliseconds(alone), waits.max.as_secs_f64() / alone.as_secs_f64()),
            None => row,
        };
        self.rows.push(row);
    }

    /// The median of something short, which tells how long it took.
    fn short(&mut self, what: &str, mut once: impl FnMut() -> Result<Duration>) -> Result<()> {
        let mut times = (0..TIMES).map(|_| once()).collect::<Result<Vec<_>>>()?;
        times.sort_unstable();
        self.rows.push(Row::figure(what, milliseconds(times[TIMES / 2])));
        Ok(())
    }

    fn size(&mut self, filled: &Filled, what: &str) -> Result<()> {
        let [whole, run, event] = filled.bytes()?.map(gigabytes);
        self.rows.push(Row::figure(what, format!("{whole} (runs {run}, events {event})")));
        Ok(())
    }

    fn reads(&mut self, store: &PostgresStore, filled: &Filled) -> Result<()> {
        let newest = RunFilter::all().limit(PAGE);
        let middle = RunFilter::all().limit(PAGE).after(copy(filled.runs / 2)?);
        let failed = RunFilter::all().limit(PAGE).status(RunStatus::Failed);
        for (what, filter, some) in [
            ("a page of the newest runs", newest, true),
            ("a page from the middle", middle, true),
            ("a page of failed runs, of which there are none", failed, false),
        ] {
            self.short(what, || {
                let (page, time) = timed(|| block_on(store.list(&filter)));
                assert_eq!(page?.is_empty(), !some);
                Ok(time)
            })?;
        }
        let completed = RunFilter::all().status(RunStatus::Completed);
        self.short("counting the completed runs", || {
            let (count, time) = timed(|| block_on(store.count(&completed)));
            assert_eq!(count?, filled.runs);
            Ok(time)
        })?;
        for number in 0..CLAIMED {
            let lease = block_on(store.create(new_run(&format!("free-{number}"))?))?;
            block_on(store.release(lease))?;
        }
        self.short(&format!("a claim of {CLAIMED} runs"), || {
            let (leases, time) = timed(|| block_on(store.claim_next(CLAIMED, Timestamp::MAX)));
            let leases = leases?;
            assert_eq!(leases.len(), CLAIMED);
            leases.into_iter().try_for_each(|lease| block_on(store.release(lease)))?;
            Ok(time)
        })
    }

    /// An index over all runs, as a migration may build it.
    fn indexes(&mut self, filled: &Filled) -> Result<()> {
        for (what, how) in [("building an index of the runs", ""), ("  CONCURRENTLY", "CONCURRENTLY")] {
            self.long(what, || {
                filled.execute(&format!("CREATE INDEX {how} built ON workflow.run (priority, created, key)"))
            })?;
            filled.execute("DROP INDEX workflow.built")?;
        }
        Ok(())
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

fn gigabytes(bytes: u64) -> String {
    #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
    let gigabytes = bytes as f64 / 1e9;
    format!("{gigabytes:.2} GB")
}
