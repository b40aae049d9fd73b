//! The store and the providers of worker processes, and traces of each call.
//!
//! Every process of a test appends to the same two files in the directory of the traces. `calls` has a line
//! for each call that was begun: `run:seed:path:attempt .`, which commands write themselves (the variable
//! `TRACE` names the file). `told` has one for each event that was shown to a sink, which is short however
//! long the event is ([`Shown`]). A process that is killed may leave a partial line, so each line also begins
//! with a line ending.

use std::error::Error;
use std::fs::{File, OpenOptions};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use workflow_core::event::Event;
use workflow_core::ids::RunId;
use workflow_core::provider::{CallContext, CallId, CallRequest, Provider, ProviderError, Reply};
use workflow_core::sink::EventSink;
use workflow_core::store::{RunStore, StoreError};
use workflow_exec::{Engine, EngineBuilder, WorkOptions};
use workflow_providers::{CommandProvider, FunctionProvider};
use workflow_store::{FileStore, PostgresOptions, SqliteOptions, SqliteStore};

/// The arguments of a worker process.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Orders {
    /// Where the runs are.
    pub place: Place,
    /// The directory of the traces, which exists.
    pub traces: PathBuf,
    /// Whether it behaves as if it were on another machine: it cannot stop processes that others left
    /// running.
    pub elsewhere: bool,
}

/// Where runs are kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Place {
    /// In files.
    Files(PathBuf),
    /// In an SQLite database, with leases of this many milliseconds.
    Sqlite(PathBuf, u64),
    /// In a PostgreSQL database, with leases of this many milliseconds.
    Postgres(String, u64),
}

impl Place {
    /// Opens the store.
    ///
    /// # Errors
    ///
    /// The error of the store.
    pub fn open(&self) -> Result<Box<dyn RunStore>, StoreError> {
        Ok(match self {
            Self::Files(home) => Box::new(FileStore::open(home)?),
            Self::Sqlite(path, lease) => {
                let options = SqliteOptions::new().lease_time(Duration::from_millis(*lease));
                let options = options.busy_timeout(Duration::from_secs(3));
                Box::new(SqliteStore::open_with(path, options)?)
            }
            Self::Postgres(url, lease) => {
                let options = PostgresOptions::new(url).lease_time(Duration::from_millis(*lease));
                Box::new(options.poll_every(Duration::from_millis(100)).connections(2).open()?)
            }
        })
    }
}

impl Orders {
    /// The engine of a worker, to which a test may add a catalog.
    ///
    /// # Errors
    ///
    /// The error of the store or the file system.
    pub fn engine(&self) -> Result<EngineBuilder, Box<dyn Error>> {
        let calls = appending(&self.calls())?;
        let tracing = FunctionProvider::from_fn(move |request| {
            let CallId { run, seed, path, attempt } = &request.id;
            note(&calls, &format!("{run}:{seed:016x}:{path}:{attempt} ."));
            Ok(Reply::json(&json!({ "attempt": attempt })))
        });
        // Long before the engine stops waiting.
        let commands = CommandProvider::builder().grace(Duration::from_millis(200)).build();
        let commands = Commands { commands, elsewhere: self.elsewhere };
        let told = Told(appending(&self.told())?);
        let builder = Engine::builder().store(self.place.open()?).sink(told);
        Ok(builder.provider("tracing", tracing).provider("command", commands))
    }

    /// The options of a worker: it polls often, and executes few runs at a time.
    pub fn options() -> WorkOptions {
        let mut options = WorkOptions::default();
        options.runs = 12;
        options.poll = Duration::from_millis(100);
        options.longest_pause = Duration::from_millis(800);
        options
    }

    /// The file with the calls that were begun.
    pub fn calls(&self) -> PathBuf {
        self.traces.join("calls")
    }

    /// The file with the events that were shown.
    pub fn told(&self) -> PathBuf {
        self.traces.join("told")
    }
}

fn appending(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

/// Appends a line with one write.
fn note(mut file: &File, line: &str) {
    file.write_all(format!("\n{line}\n").as_bytes()).unwrap();
}

/// An event that was shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// The run.
    pub run: RunId,
    /// The event's number.
    pub seq: u64,
    /// The event's kind.
    pub kind: String,
    /// A hash that identifies the event.
    pub digest: u64,
}

impl Shown {
    /// The record of an event.
    pub fn of(run: &RunId, event: &Event) -> Self {
        let mut hasher = DefaultHasher::new();
        serde_json::to_string(event).unwrap().hash(&mut hasher);
        Self { run: run.clone(), seq: event.seq, kind: event.body.kind().to_owned(), digest: hasher.finish() }
    }
}

struct Told(File);

impl EventSink for Told {
    fn events(&self, run: &RunId, events: &[Event]) {
        for event in events {
            note(&self.0, &serde_json::to_string(&Shown::of(run, event)).unwrap());
        }
    }
}

/// Command lines, of a host that may be unable to see the processes of other hosts.
struct Commands {
    commands: CommandProvider,
    elsewhere: bool,
}

#[async_trait]
impl Provider for Commands {
    async fn call(&self, request: CallRequest, context: CallContext) -> Result<Reply, ProviderError> {
        self.commands.call(request, context).await
    }

    async fn reclaim(&self, call: &CallId) -> Result<(), ProviderError> {
        if self.elsewhere { Ok(()) } else { self.commands.reclaim(call).await }
    }

    fn takes_exact_numbers(&self) -> bool {
        self.commands.takes_exact_numbers()
    }

    fn needs_grace(&self) -> bool {
        self.commands.needs_grace()
    }

    fn options_schema(&self) -> Option<Value> {
        self.commands.options_schema()
    }

    fn check_options(&self, options: &Value) -> Result<(), String> {
        self.commands.check_options(options)
    }
}
