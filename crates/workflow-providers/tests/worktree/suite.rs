//! Command lines in worktrees pass the conformance suite.

use serde_json::{Value, json};
use workflow_core::failure::FailureClass;
use workflow_core::provider::{
    CallContext, CallId, CallRequest, Provider, ProviderError, Reply, Workspace, async_trait,
};
use workflow_providers::{CommandProvider, InWorktree};
use workflow_testkit::provider::{Ask, Fixture};

use crate::repository::Repository;

/// Asks for a workspace for every call, as the engine does for a run with one.
struct Isolated {
    provider: InWorktree<CommandProvider>,
    /// It exists as long as the provider.
    _repository: Repository,
}

#[async_trait]
impl Provider for Isolated {
    async fn call(&self, request: CallRequest, context: CallContext) -> Result<Reply, ProviderError> {
        self.provider.call(CallRequest { workspace: Workspace::Isolated, ..request }, context).await
    }

    async fn reclaim(&self, call: &CallId) -> Result<(), ProviderError> {
        self.provider.reclaim(call).await
    }

    fn options_schema(&self) -> Option<Value> {
        self.provider.options_schema()
    }

    fn check_options(&self, options: &Value) -> Result<(), String> {
        self.provider.check_options(options)
    }
}

struct InWorktrees;

fn shell(script: &str) -> Ask {
    Ask::new("hello", json!({ "command": ["sh", "-c", script] }))
}

impl Fixture for InWorktrees {
    fn provider(&self) -> Box<dyn Provider> {
        let repository = Repository::new();
        Box::new(Isolated { provider: repository.commands(), _repository: repository })
    }

    fn answered(&self) -> Ask {
        shell("tee said")
    }

    fn failing(&self) -> Vec<(Ask, FailureClass)> {
        vec![
            (shell("echo half > half; exit 3"), FailureClass::Transient),
            (Ask::new("", json!({ "command": ["no-such-program-anywhere"] })), FailureClass::Permanent),
        ]
    }

    fn endless(&self) -> Ask {
        shell("sleep 600 & echo ready; wait")
    }

    fn unknown_option(&self) -> (Value, &'static str) {
        (json!({ "command": ["true"], "comand": ["false"] }), "comand")
    }
}

workflow_testkit::provider_suite!(InWorktrees; options);
