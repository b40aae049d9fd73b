//! A call in progress, and the host that receives its reports.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use futures::channel::oneshot;
use futures::future::{BoxFuture, Either, FutureExt as _, ready, select};
use indexmap::IndexMap;
use workflow_core::output::OutputKind;
use workflow_core::provider::{
    CallContext, CallHost, CallId, CallRequest, Provider, ProviderError, Reply, SessionLost, Workspace,
};
use workflow_core::stop::{Stop, StopSource};

use super::fixture::Ask;
use super::runtime::Runtime;
use crate::patience;
use crate::store::runs::{id, in_the_end};

/// Receives the reports of calls.
#[derive(Debug, Default)]
pub struct Host {
    said: Mutex<Vec<(CallId, OutputKind, String)>>,
    sessions: Mutex<Vec<(CallId, String)>>,
}

impl Host {
    /// All output of calls, in order.
    pub fn said(&self) -> Vec<(CallId, OutputKind, String)> {
        self.said.lock().unwrap().clone()
    }

    /// The recorded sessions, in order.
    pub fn sessions(&self) -> Vec<(CallId, String)> {
        self.sessions.lock().unwrap().clone()
    }
}

impl CallHost for Host {
    fn output(&self, call: &CallId, kind: OutputKind, text: String) {
        self.said.lock().unwrap().push((call.clone(), kind, text));
    }

    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::now()
    }

    fn sleep(&self, duration: std::time::Duration) -> BoxFuture<'static, ()> {
        Box::pin(futures_timer::Delay::new(duration))
    }

    fn record_session<'a>(
        &'a self,
        call: &'a CallId,
        session: &'a str,
    ) -> BoxFuture<'a, Result<(), SessionLost>> {
        self.sessions.lock().unwrap().push((call.clone(), session.to_owned()));
        ready(Ok(())).boxed()
    }
}

/// A call id that no other call of this process has.
pub(super) fn new_call() -> CallId {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let number = COUNT.fetch_add(1, Ordering::SeqCst);
    CallId {
        run: id(&format!("kit-{}-{number}", std::process::id())),
        seed: number,
        path: "1/work[0]/run".parse().unwrap(),
        attempt: 1,
    }
}

pub(super) fn request(call: &CallId, ask: Ask) -> CallRequest {
    CallRequest {
        id: call.clone(),
        prompt: ask.prompt,
        options: ask.options,
        env: IndexMap::new(),
        cwd: None,
        session: None,
        session_usage: None,
        output_schema: None,
        skills: Vec::new(),
        workspace: Workspace::Shared,
    }
}

/// The provider under test, and the runtime that polls it.
#[derive(Clone)]
pub(super) struct Subject {
    pub(super) provider: Arc<dyn Provider>,
    pub(super) runtime: Runtime,
}

/// A call on a separate thread.
pub(super) struct Call {
    pub(super) id: CallId,
    pub(super) host: Arc<Host>,
    stop: StopSource,
    drop: oneshot::Sender<()>,
    ended: mpsc::Receiver<Option<Result<Reply, ProviderError>>>,
}

impl Call {
    pub(super) fn start(subject: &Subject, ask: Ask) -> Self {
        Self::start_stopped(subject, ask, Stop::None)
    }

    /// Starts a call that was already told to stop.
    pub(super) fn start_stopped(subject: &Subject, ask: Ask, how: Stop) -> Self {
        let (id, host, stop) = (new_call(), Arc::new(Host::default()), StopSource::new());
        stop.stop(how);
        let context = CallContext::new(id.clone(), stop.signal(), host.clone());
        let (request, subject) = (request(&id, ask), subject.clone());
        let ((drop, dropped), (send, ended)) = (oneshot::channel(), mpsc::channel());
        std::thread::spawn(move || {
            // Dropped on the runtime too, like the future of a call whose run is cancelled.
            let outcome = subject.runtime.block_on(async {
                match select(subject.provider.call(request, context), dropped).await {
                    Either::Left((result, _)) => Some(result),
                    Either::Right(_) => None,
                }
            });
            // The receiver is gone if the case has failed in the meantime.
            let _ = send.send(outcome);
        });
        Self { id, host, stop, drop, ended }
    }

    /// Waits until it has produced output.
    pub(super) fn has_begun(&self) {
        in_the_end("the call produces output", || !self.host.said.lock().unwrap().is_empty());
    }

    pub(super) fn stop(&self, how: Stop) {
        self.stop.stop(how);
    }

    /// Waits until it has ended.
    pub(super) fn end(&self) -> Result<Reply, ProviderError> {
        self.ended.recv_timeout(patience()).expect("the call ends").expect("the call was not dropped")
    }

    /// Drops its future, and waits until that is done.
    pub(super) fn drop_future(self) -> CallId {
        drop(self.drop);
        assert_eq!(self.ended.recv_timeout(patience()).expect("the future is dropped"), None);
        self.id
    }
}
