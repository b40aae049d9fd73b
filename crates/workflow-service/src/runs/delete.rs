//! Deleting runs.

use schemars::JsonSchema;
use serde::Deserialize;
use workflow_core::ids::RunId;

use crate::caller::{Caller, Scope, Target};
use crate::error::ServiceError;
use crate::host::Host;
use crate::operation::Operation;

/// Deletes a run that no process drives.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeleteRun {
    /// The run.
    pub run_id: RunId,
}

impl Operation for DeleteRun {
    const NAME: &'static str = "workflow:runs:delete";
    const SCOPE: Scope = Scope::Admin;
    const ABOUT: &'static str = "Deletes a run that no process drives, with its events and output.";
    type Response = ();

    fn target(&self) -> Target<'_> {
        Target::Run(&self.run_id)
    }

    async fn run(self, host: &Host, _: &Caller) -> Result<(), ServiceError> {
        Ok(host.runs().delete(&self.run_id).await?)
    }
}
