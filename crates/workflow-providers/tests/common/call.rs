//! A call in progress, whose processes a test can inspect.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use futures::channel::oneshot;
use futures::executor::block_on;
use futures::future::{Either, select};
use workflow_core::output::OutputKind;
use workflow_core::provider::{CallRequest, Provider, ProviderError, Reply};
use workflow_core::stop::StopSource;

use crate::common::{self, Said};
use crate::processes;

/// The time-out of all waits: a test that takes longer hangs.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// A unique run id, so that processes of tests can be told apart.
pub(crate) fn unique_run() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::SeqCst))
}

/// Waits until `condition` holds.
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let until = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < until, "it never happened: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// A call in progress on a separate thread.
pub(crate) struct Call {
    pub(crate) run: String,
    pub(crate) said: Arc<Said>,
    pub(crate) stop: StopSource,
    drop: Option<oneshot::Sender<()>>,
    result: mpsc::Receiver<Option<Result<Reply, ProviderError>>>,
}

impl Call {
    pub(crate) fn start<P: Provider + Clone + 'static>(provider: &P, request: CallRequest) -> Self {
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

    /// Waits for an output line, or a line of an agent that is not a record, that starts with `text`, and
    /// returns it.
    pub(crate) fn wait_for(&self, text: &str) -> String {
        let mut found = None;
        eventually(text, || {
            let said = [OutputKind::Stdout, OutputKind::Log].into_iter().flat_map(|kind| self.said.of(kind));
            found = { said }.find(|line| line.starts_with(text));
            found.is_some()
        });
        found.unwrap()
    }

    /// Drops the future of the call.
    pub(crate) fn drop_future(&mut self) {
        self.drop.take().unwrap().send(()).unwrap();
        assert!(self.result.recv_timeout(DEADLINE).unwrap().is_none(), "the call was still under way");
    }

    /// Waits for the result, and checks that no process of the call outlived it.
    pub(crate) fn end(&self) -> Result<Reply, ProviderError> {
        let result = self.result.recv_timeout(DEADLINE).unwrap().unwrap();
        assert_eq!(processes::of_run(&self.run), Vec::<i32>::new(), "processes outlived the call");
        result
    }
}
