//! Starting a run of a workflow.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use workflow_core::bundle::{BundleHash, ProviderMap};
use workflow_core::data::Data;
use workflow_core::definition::OnFailure;
use workflow_core::ids::{RunId, WorkflowId};
use workflow_core::priority::Priority;
use workflow_core::runs::{RunWhat, StartRun};

use super::check::CheckedText;
use super::dry_run::{DryRun, dry_run};
use crate::caller::{Caller, Scope, Target};
use crate::error::ServiceError;
use crate::host::Host;
use crate::operation::Operation;

/// Starts a run of a workflow, and returns at once.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RunWorkflow {
    /// The workflow.
    pub id: WorkflowId,
    /// Another text of the workflow than that of the catalog, for instance one that is not saved yet. Without `dryRun` it
    /// needs the scope `edit`.
    #[serde(default)]
    pub text: Option<String>,
    /// The values of variables.
    #[serde(default)]
    pub vars: IndexMap<String, Data>,
    /// Short texts that are stored with the run, and that lists are filtered by.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// The id of the run: starting twice with the same id and inputs returns the same run.
    #[serde(default)]
    pub run_id: Option<RunId>,
    /// Any text in place of a run id: starting twice with the same key and inputs returns the same run; with other
    /// inputs it is the error `other_inputs`.
    #[serde(default)]
    pub idempotency_key: Option<String>,
    /// The providers in place of those that the definitions name: `{ "claude-code": "codex" }`, or `{ "*": "demo" }` for all.
    /// Options under `with` of a provider that is replaced are left out.
    #[serde(default)]
    pub providers: ProviderMap,
    /// What replaces `on_failure` of every stage.
    #[serde(default)]
    pub on_failure: Option<OnFailure>,
    /// What replaces `max_iters` of the loop, 1–20; an error where there is no loop.
    #[serde(default)]
    pub max_iters: Option<u32>,
    /// Whether a person is asked before every stage.
    #[serde(default)]
    pub interactive: bool,
    /// Whether the calls work in a workspace of the run's own; absent: as the workflow says with `worktree`.
    #[serde(default)]
    pub isolated: Option<bool>,
    /// Which of the runs that no process drives is claimed first: the one with the highest priority, from -9 to 9; absent: as the
    /// workflow says, or 0.
    #[serde(default)]
    pub priority: Option<Priority>,
    /// Whether to return what would run and what is missing for that, without creating a run.
    #[serde(default)]
    pub dry_run: bool,
}

/// A run that was started.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Started {
    /// The id of the run.
    pub run_id: RunId,
}

/// A run that was started, or what would run.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(untagged)]
#[non_exhaustive]
pub enum StartOutcome {
    /// The run was started.
    Started(Started),
    /// With `dryRun`: what would run.
    DryRun(Box<DryRun>),
}

impl RunWorkflow {
    /// The id of the run, chosen by the caller or derived from its key.
    fn chosen_id(&self) -> Result<Option<RunId>, ServiceError> {
        let Some(key) = &self.idempotency_key else { return Ok(self.run_id.clone()) };
        if self.run_id.is_some() {
            return Err(ServiceError::invalid_request("give either a `runId` or an `idempotencyKey`"));
        }
        if key.is_empty() || key.len() > 1_000 {
            return Err(ServiceError::invalid_request("an `idempotencyKey` has from 1 to 1,000 bytes"));
        }
        let digest = BundleHash::of(key);
        let id = RunId::new(format!("key-{}", &digest.as_str()[..40]));
        id.map(Some).map_err(|error| ServiceError::invalid_request(error.to_string()))
    }
}

impl Operation for RunWorkflow {
    const NAME: &'static str = "workflow:run";
    const SCOPE: Scope = Scope::Run;
    const ABOUT: &'static str =
        "Starts a run of a workflow, and returns its id at once; or shows what would run, with `dryRun`.";
    type Response = StartOutcome;

    fn target(&self) -> Target<'_> {
        Target::Workflow(&self.id)
    }

    fn scope(&self) -> Scope {
        if self.text.is_some() && !self.dry_run { Scope::Edit } else { Self::SCOPE }
    }

    async fn run(self, host: &Host, caller: &Caller) -> Result<StartOutcome, ServiceError> {
        let run_id = self.chosen_id()?;
        let mut start = StartRun::workflow(self.id.clone()).labels(self.labels).by(caller.actor());
        start.vars = self.vars;
        start.run_id = run_id;
        start.providers = self.providers;
        start.on_failure = self.on_failure;
        start.max_iters = self.max_iters;
        start.interactive = self.interactive;
        start.isolated = self.isolated;
        start.priority = self.priority;
        if self.dry_run {
            return Ok(StartOutcome::DryRun(Box::new(dry_run(host, self.id, self.text, &start).await?)));
        }
        if let Some(text) = self.text {
            // The plan has the other providers already.
            let providers = std::mem::take(&mut start.providers);
            let checked = CheckedText::of(host, &text, Some(&self.id), &providers).await?;
            start.what = RunWhat::Plan(checked.plan()?);
        }
        Ok(StartOutcome::Started(Started { run_id: host.runs().start(start).await? }))
    }
}
