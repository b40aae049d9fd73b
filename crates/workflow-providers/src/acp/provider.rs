//! ACP agents as providers.

use std::ffi::OsString;
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

use super::options::AcpOptions;
use crate::agent::abilities::{Capabilities, Cost, Permissions, SchemaBy, TextIn, UsageOf};
use crate::process;

/// The version of the protocol, as people write it.
const PROTOCOL: &str = "1.0";

/// A provider that drives any agent that speaks the Agent Client Protocol: Gemini CLI, opencode, goose, and the adapters
/// of other agents. Unix only.
///
/// ```yaml
/// provider: acp
/// prompt: "Fix the failing test"
/// session: continue
/// with:
///   command: [gemini, --acp]
///   allow: [read, search, edit, "execute(cargo test*)"]
/// ```
///
/// Text, thoughts, tools and plans become output as the agent tells them. Its last text is the output of the node; a schema of
/// the output is told in the prompt.
///
/// What the agent asks to be allowed is decided by the rules of the definition: `deny` before `allow`, then `ask`, and nothing
/// is allowed without a rule. What `ask` names is decided by a person: the prompt is cancelled and the program ends, the run
/// waits, and with the answer the session is continued. The client offers neither files nor
/// terminals of its own: agents have theirs.
///
/// `session: continue` resumes or loads the session, where the agent can. A call that is told to stop cancels the prompt by the
/// protocol, and then stops the program by signals.
///
/// The failures have the reasons of [agents](crate::AgentProvider), and no process is left running.
#[derive(Debug, Clone)]
pub struct AcpProvider(pub(super) Arc<Settings>);

#[derive(Clone)]
pub(super) struct Settings {
    pub(super) work_root: PathBuf,
    pub(super) allow_env: Vec<OsString>,
    pub(super) env: Vec<(OsString, OsString)>,
    pub(super) grace: Duration,
    pub(super) patience: Duration,
}

impl std::fmt::Debug for Settings {
    /// Omits the variables that the host sets: they can be keys.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings").field("work_root", &self.work_root).finish_non_exhaustive()
    }
}

impl AcpProvider {
    /// What the provider can do with an agent that supports it.
    pub fn capabilities() -> Capabilities {
        Capabilities {
            name: "acp",
            program: "command",
            package: "any",
            tested: "protocol 1",
            permissions: Permissions::new("allow", "denies what it would ask for"),
            schema: SchemaBy::Prompt,
            sessions: true,
            forked_sessions: false,
            text: TextIn::Pieces,
            thoughts: true,
            usage: UsageOf::Call,
            usage_as_it_works: true,
            cost: Cost::Sometimes,
            max_turns: false,
            budget: false,
            stopped_with: vec!["session/cancel", "SIGTERM"],
        }
    }
}

#[async_trait]
impl Provider for AcpProvider {
    async fn call(&self, request: CallRequest, context: CallContext) -> Result<Reply, ProviderError> {
        let (settings, stop, of_call) = (self.0.clone(), context.stop().clone(), context.clone());
        let (found, mut sessions) = unbounded();
        let work = process::on_own_thread(&stop, move |control| {
            settings.carry_out(&request, &of_call, &found, control)
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
        let (call, grace) = (call.clone(), self.0.grace);
        let never = StopSource::new().signal();
        process::on_own_thread(&never, move |control| process::reclaim(&call, grace, control)).await
    }

    fn needs_grace(&self) -> bool {
        true
    }

    fn options_schema(&self) -> Option<Value> {
        Some(schemars::schema_for!(AcpOptions).to_value())
    }

    fn check_options(&self, options: &Value) -> Result<(), String> {
        AcpOptions::check(options)
    }

    async fn checkup(&self) -> Option<Checkup> {
        let mut checkup = Checkup::new("built in", Ok(PROTOCOL.to_owned()), PROTOCOL);
        checkup.login = Some("the program is in the definition, as `command`; log in with it".to_owned());
        Some(checkup)
    }
}
