//! Shared code for tests of providers: a host that records output, and requests.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::{Arc, Mutex};

use futures::future::{BoxFuture, FutureExt as _, ready};
use indexmap::IndexMap;
use serde_json::Value;
use workflow_core::ids::RunId;
use workflow_core::output::OutputKind;
use workflow_core::provider::{CallContext, CallHost, CallId, CallRequest, SessionLost, Workspace};
use workflow_core::stop::StopSource;

/// Records every output entry, and every session.
#[derive(Default)]
pub(crate) struct Said(Mutex<Vec<(OutputKind, String)>>, Mutex<Vec<String>>);

impl CallHost for Said {
    fn output(&self, _: &CallId, kind: OutputKind, text: String) {
        self.0.lock().unwrap().push((kind, text));
    }

    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::now()
    }

    fn sleep(&self, duration: std::time::Duration) -> BoxFuture<'static, ()> {
        Box::pin(futures_timer::Delay::new(duration))
    }

    fn record_session<'a>(
        &'a self,
        _: &'a CallId,
        session: &'a str,
    ) -> BoxFuture<'a, Result<(), SessionLost>> {
        self.1.lock().unwrap().push(session.to_owned());
        ready(Ok(())).boxed()
    }
}

impl Said {
    /// The entries of `kind` so far.
    #[allow(dead_code, reason = "not every test looks at them")]
    pub(crate) fn of(&self, kind: OutputKind) -> Vec<String> {
        let entries = self.0.lock().unwrap();
        entries.iter().filter(|(k, _)| *k == kind).map(|(_, text)| text.clone()).collect()
    }

    /// The sessions that were recorded so far.
    #[allow(dead_code, reason = "not every provider has sessions")]
    pub(crate) fn sessions(&self) -> Vec<String> {
        self.1.lock().unwrap().clone()
    }
}

/// A call of the run `run`.
pub(crate) fn call_id(run: &str) -> CallId {
    CallId { run: RunId::new(run).unwrap(), seed: 7, path: "1/work[0]/run".parse().unwrap(), attempt: 1 }
}

/// A request with `prompt` and `options`.
pub(crate) fn request(run: &str, prompt: &str, options: Value) -> CallRequest {
    CallRequest {
        id: call_id(run),
        prompt: prompt.to_owned(),
        options,
        env: IndexMap::new(),
        cwd: None,
        session: None,
        session_usage: None,
        output_schema: None,
        skills: Vec::new(),
        workspace: Workspace::Shared,
    }
}

/// A context for `request`, with its host and stop source.
pub(crate) fn context(request: &CallRequest) -> (CallContext, Arc<Said>, StopSource) {
    let (said, stop) = (Arc::new(Said::default()), StopSource::new());
    (CallContext::new(request.id.clone(), stop.signal(), said.clone()), said, stop)
}
