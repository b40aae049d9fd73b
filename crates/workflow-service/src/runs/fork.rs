//! Forking and rerunning runs, and moving them to a newer definition.

use std::sync::Arc;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use workflow_core::bundle::ProviderMap;
use workflow_core::data::Data;
use workflow_core::ids::{NodePath, RunId, StageId, WorkflowId};
use workflow_core::plan::Plan;
use workflow_core::runs::{Fork, ForkPoint, Migration};

use crate::caller::{Caller, Scope, Target};
use crate::error::ServiceError;
use crate::followed::Followed;
use crate::host::Host;
use crate::operation::Operation;
use crate::workflows::{CheckedText, Started};

/// Starts a new run that continues from a point of an old one.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ForkRun {
    /// The old run, which is not changed.
    pub run_id: RunId,
    /// Where the new run continues; from the start unless given.
    #[serde(default)]
    pub at: Option<ForkPointName>,
    /// Variables with other values.
    #[serde(default)]
    pub vars: IndexMap<String, Data>,
    /// Stages that have ended, with other outputs.
    #[serde(default)]
    pub outputs: IndexMap<StageId, Data>,
    /// The id of the new run.
    #[serde(default)]
    pub new_run_id: Option<RunId>,
    /// The providers in place of those that the old run has, as in `workflow:run`.
    #[serde(default)]
    pub providers: ProviderMap,
    /// Whether the new run follows the workflow as it is in the catalog now.
    #[serde(default)]
    pub current: bool,
    /// The YAML text of a definition that the new run follows, in place of `current`. It needs the scope `edit`.
    #[serde(default)]
    pub text: Option<String>,
    /// With `text`: the id that the file's name would give; that of the old run's workflow unless given.
    #[serde(default)]
    pub id: Option<WorkflowId>,
}

/// A point of a run to continue from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum ForkPointName {
    /// At the beginning.
    Start,
    /// Before the stage whose failure was the last.
    Failed,
    /// Before the latest start of a stage.
    Stage(StageId),
    /// Before the first event of a node.
    Node(NodePath),
    /// After the event of that number.
    Event(u64),
}

impl From<ForkPointName> for ForkPoint {
    fn from(point: ForkPointName) -> Self {
        match point {
            ForkPointName::Start => Self::Start,
            ForkPointName::Failed => Self::Failed,
            ForkPointName::Stage(stage) => Self::Stage(stage),
            ForkPointName::Node(path) => Self::Node(path),
            ForkPointName::Event(number) => Self::Event(number),
        }
    }
}

impl ForkRun {
    /// Continues from a point of a run, with nothing changed.
    pub fn of(run_id: RunId) -> Self {
        Self {
            run_id,
            at: None,
            vars: IndexMap::new(),
            outputs: IndexMap::new(),
            new_run_id: None,
            providers: ProviderMap::default(),
            current: false,
            text: None,
            id: None,
        }
    }

    /// The other definition that the new run follows, if there is one.
    async fn definition(&mut self, host: &Host) -> Result<Option<Arc<Plan>>, ServiceError> {
        let (text, given) = (self.text.take(), self.id.take());
        if text.is_some() && self.current || text.is_none() && given.is_some() {
            return Err(ServiceError::invalid_request("give `current`, or `text` and its `id`"));
        }
        if text.is_none() && !self.current {
            return Ok(None);
        }
        let followed = Followed::of(host, &self.run_id).await?.bundle(host).await?;
        // Providers that replace others in the old run do so in the new one.
        let providers = followed.replaced().then(&self.providers);
        let workflow = host.runs().get(&self.run_id).await?.head.workflow_id;
        Ok(Some(match text {
            None => host.engine().load_with(&workflow, &providers).await?,
            Some(text) => CheckedText::of(host, &text, Some(given.as_ref().unwrap_or(&workflow)), &providers)
                .await?
                .plan()?,
        }))
    }
}

impl Operation for ForkRun {
    const NAME: &'static str = "workflow:runs:fork";
    const SCOPE: Scope = Scope::Run;
    const ABOUT: &'static str =
        "Starts a new run that continues from a point of an old one, with other variables or outputs.";
    type Response = Started;

    fn target(&self) -> Target<'_> {
        Target::Run(&self.run_id)
    }

    fn scope(&self) -> Scope {
        if self.text.is_some() { Scope::Edit } else { Self::SCOPE }
    }

    async fn run(mut self, host: &Host, caller: &Caller) -> Result<Started, ServiceError> {
        let definition = self.definition(host).await?;
        let mut fork = Fork::of(self.run_id.clone()).by(caller.actor());
        fork.at = self.at.map_or(ForkPoint::Start, ForkPoint::from);
        (fork.vars, fork.outputs) = (self.vars, self.outputs);
        (fork.run_id, fork.providers) = (self.new_run_id, self.providers);
        fork.definition = definition;
        Ok(Started { run_id: host.runs().fork(fork).await? })
    }
}

/// Runs a workflow again with the variables of an old run: a fork from the start, from a stage, or from the failure.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RerunRun {
    /// The old run, which is not changed.
    pub run_id: RunId,
    /// Where to begin: `"start"`, which is also meant when nothing is given; `"failed"`; `{ "stage": "plan" }`.
    #[serde(default)]
    pub from: Option<RerunPoint>,
    /// Variables with other values.
    #[serde(default)]
    pub vars: IndexMap<String, Data>,
    /// The id of the new run.
    #[serde(default)]
    pub new_run_id: Option<RunId>,
    /// The providers in place of those that the old run has, as in `workflow:run`.
    #[serde(default)]
    pub providers: ProviderMap,
    /// Whether the new run follows the workflow as it is in the catalog now.
    #[serde(default)]
    pub current: bool,
}

/// Where a run that is run again begins.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum RerunPoint {
    /// At the beginning.
    Start,
    /// Before the stage whose failure was the last.
    Failed,
    /// Before the latest start of a stage.
    Stage(StageId),
}

impl Operation for RerunRun {
    const NAME: &'static str = "workflow:runs:rerun";
    const SCOPE: Scope = Scope::Run;
    const ABOUT: &'static str = "Runs a workflow again as an old run did, from the start, from a stage, or from the stage that failed.";
    type Response = Started;

    fn target(&self) -> Target<'_> {
        Target::Run(&self.run_id)
    }

    async fn run(self, host: &Host, caller: &Caller) -> Result<Started, ServiceError> {
        let at = self.from.map(|from| match from {
            RerunPoint::Start => ForkPointName::Start,
            RerunPoint::Failed => ForkPointName::Failed,
            RerunPoint::Stage(stage) => ForkPointName::Stage(stage),
        });
        let Self { run_id, vars, new_run_id, providers, current, .. } = self;
        ForkRun { at, vars, new_run_id, providers, current, ..ForkRun::of(run_id) }.run(host, caller).await
    }
}

/// Shows what the catalog's current definition would change for a run, or moves the run to it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MigrateRun {
    /// The run.
    pub run_id: RunId,
    /// Whether to move the run. Otherwise the changes are only shown.
    #[serde(default)]
    pub apply: bool,
}

impl Operation for MigrateRun {
    const NAME: &'static str = "workflow:runs:migrate";
    const SCOPE: Scope = Scope::Run;
    const ABOUT: &'static str =
        "Shows what the current definition of the workflow would change for a run, or moves the run to it.";
    type Response = Migration;

    fn target(&self) -> Target<'_> {
        Target::Run(&self.run_id)
    }

    async fn run(self, host: &Host, caller: &Caller) -> Result<Migration, ServiceError> {
        Ok(host.runs().migrate(&self.run_id, self.apply, Some(caller.actor().into())).await?)
    }
}
