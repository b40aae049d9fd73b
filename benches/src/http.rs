//! How soon a client over HTTP has an event, alone and while another client is sent output at 50,000 lines a second.
//!
//! The server, its engine and the clients are threads of this process; between them is a loopback connection.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::channel::oneshot;
use futures::executor::block_on;
use serde_json::Value;
use workflow_core::definition::{Stage, Workflow};
use workflow_core::ids::RunId;
use workflow_core::output::OutputKind;
use workflow_core::provider::{CallContext, CallRequest, Provider, ProviderError, Reply};
use workflow_exec::{Engine, StartRun};
use workflow_service::http::{self, Options, Tokens};
use workflow_service::{Caller, Service};
use workflow_store::SqliteStore;

use crate::latency::{Paced, RHYTHM, Stored, late, now, row, tail, thread_to_thread};
use crate::measure::{Effort, Result};
use crate::table::Row;
use crate::work::{PROVIDER, chain, directory};

const TOKEN: &str = "a-token-for-benchmarks";

/// Every so often this many lines are written: 50,000 a second.
const TICK: Duration = Duration::from_millis(10);
const LINES: usize = 500;

/// What a program writes to a log.
const LINE: &str = "test engine::resumes_after_a_crash has been running for over 60 seconds on worker 3";

/// Longer than any measurement takes.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn rows(effort: Effort) -> Result<Vec<Row>> {
    let steps = effort.amount(1_000).max(200);
    let floor = thread_to_thread(steps)?;
    let (alone, _) = follow(steps, 0)?;
    let ticks = effort.amount(400).max(50);
    let during = u32::try_from(ticks)? * TICK;
    let (busy, flow) = follow(usize::try_from(during.as_millis() / RHYTHM.as_millis())?, ticks)?;
    let flow = flow.ok_or("no output was followed")?;
    let goal = |late: &[Duration]| tail(late) <= Duration::from_millis(20);
    Ok(vec![
        row("SQLite: an event, to a client over HTTP", &alone, &floor).goal("p99 ≤ 20 ms", goal(&alone)),
        row("  the same, while another run writes 50,000 lines a second", &busy, &floor)
            .goal("p99 ≤ 20 ms", goal(&busy)),
        Row::figure(
            format!(
                "  these {} lines, to a client: received, dropped, and how long after the last",
                ticks * LINES
            ),
            format!("{}, {}, {} ms", flow.received, flow.dropped, flow.behind.as_millis()),
        )
        .goal("none dropped", flow.dropped == 0 && flow.received == ticks * LINES),
    ])
}

/// A client that reads in a thread of its own.
type Reader<T> = JoinHandle<Result<T>>;

/// How output reached a client.
struct Flow {
    received: usize,
    dropped: usize,
    /// The time between the last line and its receipt.
    behind: Duration,
}

/// The latency of the events of a run of `steps` to a client, while another run writes lines for `ticks`.
fn follow(steps: usize, ticks: usize) -> Result<(Vec<Duration>, Option<Flow>)> {
    let home = directory()?;
    let path = home.path().join("runs.db");
    let (send, stored) = mpsc::channel();
    let (written, last) = mpsc::channel();
    let engine = Engine::builder()
        .store(SqliteStore::open(&path)?)
        .provider(PROVIDER, Paced)
        .provider("lines", Lines { ticks, written })
        .sink(Stored(send))
        .build()?;
    let address = serve(engine.clone())?;
    let lines = Workflow::new("lines".parse()?, "Lines").stage("lines".parse()?, Stage::new("lines"));
    let other = block_on(engine.create(StartRun::plan(&engine.prepare(&lines)?)))?;
    let run = block_on(engine.create(StartRun::plan(&engine.prepare(&chain(steps)?)?)))?;
    let reader = read_events(address, run.id())?;
    let flow = if ticks > 0 {
        let reader = read_lines(address, other.id())?;
        let (driver, id) = (engine.clone(), other.id().clone());
        Some((reader, thread::spawn(move || block_on(driver.drive(&id)).map(drop))))
    } else {
        None
    };
    block_on(engine.drive(run.id()))?;
    let seen = reader.join().map_err(|_| "the client panicked")??;
    let flow = match flow {
        Some((reader, driving)) => {
            driving.join().map_err(|_| "the driver panicked")??;
            let (received, dropped, at) = reader.join().map_err(|_| "the client panicked")??;
            let behind = at.saturating_sub(last.recv_timeout(PATIENCE)?);
            Some(Flow { received, dropped, behind })
        }
        None => None,
    };
    let own = run.id().clone();
    let appends = stored.try_iter().filter(|stored| stored.run == own);
    Ok((late(appends.map(|stored| (stored.seq, stored.at)).collect(), &seen), flow))
}

/// A server in a thread of its own; it ends with the process.
fn serve(engine: Engine) -> Result<SocketAddr> {
    let (bound, address) = mpsc::channel();
    thread::spawn(move || -> Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
            bound.send(listener.local_addr()?)?;
            let mut tokens = Tokens::default();
            tokens.add(TOKEN, Caller::host())?;
            let service = Service::builder(engine).build();
            http::serve(service, listener, Options::new(tokens), std::future::pending()).await?;
            Ok(())
        })
    });
    Ok(address.recv_timeout(PATIENCE)?)
}

/// The stream of a client.
struct Client(BufReader<TcpStream>);

impl Client {
    /// Subscribes to a run; `also` are members of its entry in the subscription.
    fn open(address: SocketAddr, run: &RunId, also: &str) -> Result<Self> {
        let wanted = format!(r#"{{"runs":[{{"runId":"{run}"{also}}}]}}"#);
        let wanted: String = wanted
            .bytes()
            .map(|byte| match byte {
                b'{' | b'}' | b'[' | b']' | b'"' => format!("%{byte:02X}"),
                other => char::from(other).to_string(),
            })
            .collect();
        let mut stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(
            stream,
            "GET /api/v1/stream?subscribe={wanted} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
        )?;
        Ok(Self(BufReader::new(stream)))
    }

    /// The next batch of messages as JSON; `None` when the stream has ended.
    fn batch(&mut self) -> Result<Option<String>> {
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line)? == 0 || line.starts_with("event: end") {
                return Ok(None);
            }
            if let Some(batch) = line.strip_prefix("data: ") {
                return Ok(Some(batch.to_owned()));
            }
        }
    }

    /// Adds when the events of the next batch were received, by number. False when the stream has ended.
    fn read_events(&mut self, seen: &mut Vec<(u64, Duration)>) -> Result<bool> {
        let Some(batch) = self.batch()? else { return Ok(false) };
        let at = now();
        let messages: Vec<Value> = serde_json::from_str(&batch)?;
        let events = messages.iter().filter(|message| message["type"] == "workflow-run:event");
        seen.extend(events.filter_map(|message| Some((message["seq"].as_u64()?, at))));
        Ok(true)
    }
}

/// When each event of a run was received. Returns when the first one was.
fn read_events(address: SocketAddr, run: &RunId) -> Result<Reader<Vec<(u64, Duration)>>> {
    let mut client = Client::open(address, run, "")?;
    let mut seen = Vec::new();
    while seen.is_empty() && client.read_events(&mut seen)? {}
    Ok(thread::spawn(move || {
        while client.read_events(&mut seen)? {}
        Ok(seen)
    }))
}

/// How many lines of a run were received, how many the run dropped, and when the last one came.
fn read_lines(address: SocketAddr, run: &RunId) -> Result<Reader<(usize, usize, Duration)>> {
    let mut client = Client::open(address, run, r#","afterOutput":0"#)?;
    Ok(thread::spawn(move || {
        let (mut received, mut dropped, mut at) = (0, 0, Duration::ZERO);
        while let Some(batch) = client.batch()? {
            let count = batch.matches(LINE).count();
            if count > 0 {
                (received, at) = (received + count, now());
            }
            if batch.contains(r#""kind":"dropped""#) {
                let messages: Vec<Value> = serde_json::from_str(&batch)?;
                let entries = messages.iter().map(|message| &message["entry"]);
                for entry in entries.filter(|entry| entry["kind"] == "dropped") {
                    dropped += entry["text"].as_str().unwrap_or_default().parse::<usize>()?;
                }
            }
        }
        Ok((received, dropped, at))
    }))
}

/// Writes lines at a steady rate, from a thread of its own, and reports when the last one was written.
struct Lines {
    ticks: usize,
    written: Sender<Duration>,
}

#[async_trait]
impl Provider for Lines {
    async fn call(&self, _: CallRequest, context: CallContext) -> std::result::Result<Reply, ProviderError> {
        let (done, over) = oneshot::channel();
        let (ticks, written) = (self.ticks, self.written.clone());
        thread::spawn(move || {
            let begun = Instant::now();
            for tick in 1..=ticks {
                for _ in 0..LINES {
                    context.output(OutputKind::Stdout, LINE);
                }
                let next = TICK * u32::try_from(tick).unwrap_or(u32::MAX);
                thread::sleep(next.saturating_sub(begun.elapsed()));
            }
            // The receivers may be gone.
            let _ = written.send(now());
            let _ = done.send(());
        });
        let _ = over.await;
        Ok(Reply::default())
    }
}
