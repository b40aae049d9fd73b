//! Command lines as providers, shown with real processes; what they leave is looked for in `/proc`.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../common/mod.rs"]
mod common;
mod environment;
mod failure;
mod large;
mod leftovers;
mod output;
mod processes;
mod reclaim;
mod stop;
mod suite;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use common::Said;
use futures::channel::oneshot;
use futures::executor::block_on;
use futures::future::{Either, select};
use serde_json::Value;
use workflow_core::output::OutputKind;
use workflow_core::provider::{CallRequest, Provider as _, ProviderError, Reply};
use workflow_core::stop::StopSource;
use workflow_providers::CommandProvider;

/// No test waits for longer: what takes longer hangs.
const DEADLINE: Duration = Duration::from_secs(60);

/// A run id that no other test has, so that processes can be told apart.
fn unique_run() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::SeqCst))
}

/// Waits until `condition` holds.
fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let until = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < until, "it never happened: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// A provider that does not give processes much time.
fn provider() -> CommandProvider {
    CommandProvider::builder().grace(Duration::from_millis(200)).build()
}

fn request(prompt: &str, options: Value) -> CallRequest {
    common::request(&unique_run(), prompt, options)
}

/// A call under way on a thread of its own.
struct Call {
    run: String,
    said: Arc<Said>,
    stop: StopSource,
    drop: Option<oneshot::Sender<()>>,
    result: mpsc::Receiver<Option<Result<Reply, ProviderError>>>,
}

impl Call {
    fn start(provider: &CommandProvider, request: CallRequest) -> Self {
        let (context, said, stop) = common::context(&request);
        let (drop, dropped) = oneshot::channel();
        let (send, result) = mpsc::channel();
        let (run, provider) = (request.id.run.to_string(), provider.clone());
        thread::spawn(move || {
            let ended = match block_on(select(provider.call(request, context), dropped)) {
                Either::Left((result, _)) => Some(result),
                Either::Right(_) => None,
            };
            send.send(ended).unwrap();
        });
        Self { run, said, stop, drop: Some(drop), result }
    }

    /// Waits until the program has printed a line that starts with `text`, and returns the line.
    fn wait_for(&self, text: &str) -> String {
        let mut found = None;
        eventually(text, || {
            found = self.said.of(OutputKind::Stdout).into_iter().find(|line| line.starts_with(text));
            found.is_some()
        });
        found.unwrap()
    }

    /// Drops the future of the call.
    fn drop_future(&mut self) {
        self.drop.take().unwrap().send(()).unwrap();
        assert!(self.result.recv_timeout(DEADLINE).unwrap().is_none(), "the call was still under way");
    }

    /// Waits for the result, and sees that no process of the call outlived it.
    fn end(&self) -> Result<Reply, ProviderError> {
        let result = self.result.recv_timeout(DEADLINE).unwrap().unwrap();
        assert_eq!(processes::of_run(&self.run), Vec::<i32>::new(), "processes outlived the call");
        result
    }
}

const HOST_OF: &str = "TEST_HOST_OF";

/// Runs the test `name` once more, in a process of its own that stands for a host. There
/// [`host_of`] tells what it is to be.
fn start_host(name: &str, run: &str, file: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name])
        .env(HOST_OF, format!("{run} {}", file.display()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// In a process that [`start_host`] has started: its run, and the file.
fn host_of() -> Option<(String, String)> {
    let host = std::env::var(HOST_OF).ok()?;
    host.split_once(' ').map(|(run, file)| (run.to_owned(), file.to_owned()))
}

/// A whole call with these options.
fn call(prompt: &str, options: Value) -> (Result<Reply, ProviderError>, Arc<Said>) {
    let call = Call::start(&provider(), request(prompt, options));
    (call.end(), call.said.clone())
}

/// The output of a call that succeeds.
fn output(prompt: &str, options: Value) -> Value {
    call(prompt, options).0.unwrap().output.value()
}
