//! Recorded calls are replayed.

mod file;
mod playing;
mod recording;
mod suites;

use std::future::Future;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use futures::executor::block_on;
use futures::future::BoxFuture;
use indexmap::IndexMap;
use serde_json::Value;
use tempfile::TempDir;
use workflow_core::output::OutputKind;
use workflow_core::provider::{
    CallContext, CallHost, CallId, CallRequest, Provider, ProviderError, Reply, SessionLost, async_trait,
};
use workflow_core::stop::StopSource;
use workflow_core::usage::Usage;
use workflow_testkit::ManualClock;
use workflow_testkit::cassette::{Cassette, Recorder};
use workflow_testkit::store::runs::id;

type Outcome = Result<Reply, ProviderError>;

/// A provider that is a function of this test.
struct Does<F>(F);

#[async_trait]
impl<F, R> Provider for Does<F>
where
    F: Fn(CallRequest, CallContext) -> R + Send + Sync,
    R: Future<Output = Outcome> + Send,
{
    async fn call(&self, request: CallRequest, context: CallContext) -> Outcome {
        (self.0)(request, context).await
    }
}

/// Answers with the prompt.
async fn echo(request: CallRequest, _: CallContext) -> Outcome {
    Ok(Reply::text(request.prompt))
}

/// Receives all reports of a call, in order.
#[derive(Default)]
struct Ears {
    heard: Mutex<Vec<String>>,
    /// If set, it is told to stop at the first usage report.
    stop: Option<StopSource>,
}

impl CallHost for Ears {
    fn output(&self, call: &CallId, kind: OutputKind, text: String) {
        self.heard.lock().unwrap().push(format!("{} {kind:?} {text}", call.path));
    }

    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::now()
    }

    fn sleep(&self, duration: std::time::Duration) -> BoxFuture<'static, ()> {
        Box::pin(futures_timer::Delay::new(duration))
    }

    fn alive(&self) {
        self.heard.lock().unwrap().push("alive".to_owned());
    }

    fn usage(&self, call: &CallId, usage: Usage) {
        self.heard.lock().unwrap().push(format!("{} {usage:?}", call.path));
        if let Some(stop) = &self.stop {
            stop.stop(workflow_core::stop::Stop::Gracefully);
        }
    }

    fn record_session<'a>(
        &'a self,
        call: &'a CallId,
        session: &'a str,
    ) -> BoxFuture<'a, Result<(), SessionLost>> {
        self.heard.lock().unwrap().push(format!("{} session {session}", call.path));
        Box::pin(std::future::ready(Ok(())))
    }
}

fn request(path: &str, prompt: &str) -> CallRequest {
    CallRequest {
        id: CallId { run: id("r1"), seed: 1, path: path.parse().unwrap(), attempt: 1 },
        prompt: prompt.to_owned(),
        options: Value::Null,
        env: IndexMap::new(),
        cwd: None,
        workspace: workflow_core::provider::Workspace::default(),
        session: None,
        session_usage: None,
        output_schema: None,
        skills: Vec::new(),
    }
}

/// The result of a call, and its reports.
fn ask(provider: &impl Provider, request: CallRequest) -> (Outcome, Vec<String>) {
    let (ears, id) = (Arc::new(Ears::default()), request.id.clone());
    let context = CallContext::new(id, StopSource::new().signal(), ears.clone());
    let outcome = block_on(provider.call(request, context));
    let heard = ears.heard.lock().unwrap().clone();
    (outcome, heard)
}

/// A folder with one cassette, and a shared clock.
struct Shelf {
    _folder: TempDir,
    path: PathBuf,
    clock: ManualClock,
}

impl Shelf {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("calls.cassette");
        Self { _folder: folder, path, clock: ManualClock::new() }
    }

    fn record<P: Provider>(&self, provider: P) -> Recorder<P> {
        Recorder::new(provider, &self.path).unwrap().clock(self.clock.reader())
    }

    fn play(&self) -> Cassette {
        Cassette::open(&self.path).unwrap().clock(self.clock.reader())
    }

    fn text(&self) -> String {
        std::fs::read_to_string(&self.path).unwrap()
    }

    /// Writes a cassette with these lines after the first.
    fn write(&self, lines: &[&str]) {
        std::fs::write(&self.path, format!("{{\"cassette\":1}}\n{}\n", lines.join("\n"))).unwrap();
    }
}
