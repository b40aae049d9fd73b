//! Agents as providers.

use std::ffi::OsString;
use std::fmt;
use std::marker::PhantomData;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::channel::mpsc::unbounded;
use futures::future::join;
use futures::stream::StreamExt as _;
use serde_json::Value;
use workflow_core::provider::{CallContext, CallId, CallRequest, Checkup, Provider, ProviderError, Reply};
use workflow_core::stop::StopSource;

use crate::agent::cli::{Cli, read_options};
use crate::{options, process};

/// A provider that drives an agent's command line. Unix only.
///
/// What the agent prints becomes output entries immediately: text, thoughts, the use of tools. Its last text
/// is the node's output, or the value that it returns if a schema was requested. Its usage is reported if the
/// agent reports it; a cost that it does not report is unknown, not zero. A call has succeeded if the agent
/// reports success *and* exits with success.
///
/// A failure's details have a `reason`: `not_installed`, `arguments_refused`, `not_logged_in`, `billing`,
/// `rate_limited`, `throttled`, `overloaded`, `context_too_long`, `budget`, `max_turns`, `max_tokens` (with the
/// text so far as `text`), `permission_denied`, `refused`, `session_unknown`, `empty_answer`, `killed`,
/// `stream_cut`, `silent`, `failed`.
///
/// After `rate_limited` and `throttled` the run waits until `retry_at`. If the agent does not report that time, it
/// is guessed, `retry_at_is_guess` is true, and the message says so. Times without a zone are in that of the
/// agent's variable `TZ`, or of the machine.
///
/// The session is recorded as soon as it is known, so that `session: continue` resumes it.
///
/// No process is left running: everything that [`CommandProvider`](crate::CommandProvider) guarantees about
/// processes and the environment holds here as well.
pub struct AgentProvider<C> {
    pub(super) settings: Arc<Settings>,
    pub(super) cli: PhantomData<C>,
}

#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) work_root: PathBuf,
    pub(super) program: OsString,
    pub(super) arguments: Vec<String>,
    pub(super) allow_env: Vec<OsString>,
    pub(super) env: Vec<(OsString, OsString)>,
    /// The paths that the agent must not change.
    pub(super) denied: Vec<PathBuf>,
    pub(super) grace: Duration,
    pub(super) patience: Duration,
}

impl<C> Clone for AgentProvider<C> {
    fn clone(&self) -> Self {
        Self { settings: self.settings.clone(), cli: PhantomData }
    }
}

impl<C: Cli> fmt::Debug for AgentProvider<C> {
    /// Omits the variables that the host sets: they can be keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(C::NAME).field("program", &self.settings.program).finish_non_exhaustive()
    }
}

impl<C: Cli> Default for AgentProvider<C> {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl<C: Cli> Provider for AgentProvider<C> {
    async fn call(&self, request: CallRequest, context: CallContext) -> Result<Reply, ProviderError> {
        let (settings, stop, of_call) = (self.settings.clone(), context.stop().clone(), context.clone());
        let (found, mut sessions) = unbounded();
        let work = process::on_own_thread(&stop, move |control| {
            settings.carry_out::<C>(&request, &of_call, &found, control)
        });
        let record = async {
            while let Some(session) = sessions.next().await {
                let session: String = session;
                // If it cannot be recorded, another process drives the run, and this call is told to stop.
                let _ = context.record_session(&session).await;
            }
        };
        join(work, record).await.0
    }

    async fn reclaim(&self, call: &CallId) -> Result<(), ProviderError> {
        let (call, grace) = (call.clone(), self.settings.grace);
        let never = StopSource::new().signal();
        process::on_own_thread(&never, move |control| process::reclaim(&call, grace, control)).await
    }

    fn needs_grace(&self) -> bool {
        true
    }

    fn options_schema(&self) -> Option<Value> {
        Some(schemars::schema_for!(C::Options).to_value())
    }

    fn check_options(&self, options: &Value) -> Result<(), String> {
        read_options::<C>(&options::known(options)?).map(drop)
    }

    async fn checkup(&self) -> Option<Checkup> {
        Some(Self::checkup(self).await)
    }
}
