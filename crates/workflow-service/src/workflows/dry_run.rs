//! What a run of a workflow needs and would do.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use workflow_core::bundle::BundleHash;
use workflow_core::data::Data;
use workflow_core::definition::{LoopSpec, VariableType, WorktreeSpec};
use workflow_core::ids::WorkflowId;
use workflow_core::labels::check_labels;
use workflow_core::plan::{Plan, RunInput};
use workflow_core::runs::StartRun;
use workflow_core::store::RunSlot;

use super::check::CheckedText;
use crate::caller::{Caller, Scope, Target};
use crate::error::ServiceError;
use crate::host::Host;
use crate::operation::Operation;
use crate::planned::{PlannedStage, Replaced};
use crate::problem::Problem;

/// Lists the variables that a run of a workflow can be given.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListInputs {
    /// The workflow, which must have no errors.
    pub id: WorkflowId,
}

/// What a run of a workflow can be given: the fields of a dialog that starts one.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct InputList {
    /// The variables: those that the workflow declares in their order, or else by name.
    pub inputs: Vec<Input>,
    /// The names of the secrets that it needs, which the host has to provide.
    pub secrets: Vec<String>,
}

/// A variable that a run can be given.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Input {
    /// The name.
    pub name: String,
    /// The type, where the workflow or a role declares it; otherwise any value will do.
    #[serde(rename = "type")]
    pub kind: Option<VariableType>,
    /// The only values that it may have; none where any value of the type will do.
    #[serde(rename = "enum")]
    pub choices: Vec<Data>,
    /// Whether a run needs it.
    pub required: bool,
    /// The value where the run is given none.
    pub default: Option<Data>,
    /// What it is for.
    pub description: Option<String>,
    /// Where it is used: `plan.prompt`, `profile test.deep: graph[0].items`, `role planner`.
    pub used_in: Vec<String>,
}

impl From<RunInput> for Input {
    fn from(input: RunInput) -> Self {
        let RunInput { name, kind, choices, required, default, description, used_in, .. } = input;
        Self { name, kind, choices, required, default, description, used_in }
    }
}

impl Operation for ListInputs {
    const NAME: &'static str = "workflow:inputs";
    const SCOPE: Scope = Scope::Read;
    const ABOUT: &'static str =
        "Lists the variables that a run of a workflow can be given, with types and defaults.";
    type Response = InputList;

    fn target(&self) -> Target<'_> {
        Target::Workflow(&self.id)
    }

    async fn run(self, host: &Host, _: &Caller) -> Result<InputList, ServiceError> {
        let plan = host.engine().load(&self.id).await?;
        Ok(InputList {
            inputs: inputs(&plan),
            secrets: plan.secrets().map(|(name, _)| name.to_owned()).collect(),
        })
    }
}

fn inputs(plan: &Plan) -> Vec<Input> {
    plan.inputs().into_iter().map(Input::from).collect()
}

/// What would run, and what is missing for that.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct DryRun {
    /// The workflow.
    pub workflow: WorkflowId,
    /// Whether the run would start.
    pub ready: bool,
    /// What is missing.
    pub missing: Missing,
    /// The errors and warnings of the definition.
    pub diagnostics: Vec<Problem>,
    /// The hash of the resolved definition; absent where it has errors, as are the stages then.
    pub bundle: Option<BundleHash>,
    /// The stages, in order.
    pub stages: Vec<PlannedStage>,
    /// The loop, with the `maxIters` of this run.
    #[serde(rename = "loop")]
    pub repeat: Option<LoopSpec>,
    /// Whether its calls would work in a workspace of the run's own.
    pub isolated: bool,
    /// What the workflow says about git worktrees.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worktree: Option<WorktreeSpec>,
    /// What the run would share with others: only one of them works at a time. Absent where the workflow says nothing of it,
    /// or the key has no value yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slot: Option<RunSlot>,
    /// The variables that it can be given.
    pub inputs: Vec<Input>,
}

/// What is missing for a run.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Missing {
    /// What is wrong with the variables, labels and options, for people.
    pub problems: Vec<String>,
    /// The names of variables that are required and not given.
    pub variables: Vec<String>,
    /// The names of secrets that the host does not have.
    pub secrets: Vec<String>,
    /// What is said of providers that are not registered.
    pub providers: Vec<String>,
}

/// Checks all that a start checks, without creating a run.
pub(super) async fn dry_run(
    host: &Host,
    id: WorkflowId,
    text: Option<String>,
    request: &StartRun,
) -> Result<DryRun, ServiceError> {
    let text = match text {
        Some(text) => text,
        None => host.workflow(&id).await?.text,
    };
    let checked = CheckedText::of(host, &text, Some(&id), &request.providers).await?;
    let mut dry = DryRun {
        workflow: id,
        ready: false,
        missing: Missing { problems: check_labels(&request.labels), ..Missing::default() },
        bundle: None,
        stages: Vec::new(),
        repeat: None,
        isolated: false,
        worktree: None,
        slot: None,
        inputs: Vec::new(),
        diagnostics: Vec::new(),
    };
    let unknown = checked.problems.iter().filter(|found| found.code == "unknown-provider");
    dry.missing.providers = unknown.map(|found| found.message.clone()).collect();
    dry.diagnostics = checked.problems;
    let Some(plan) = checked.plan else { return Ok(dry) };
    add_plan(&mut dry, host, &plan, request);
    if dry.isolated
        && let Some(worktrees) = host.worktrees()
        && let base = dry.worktree.as_ref().and_then(|worktree| worktree.base.as_deref())
        && let Err(error) = worktrees.check_base(base).await
    {
        dry.missing.problems.push(error.message);
        dry.ready = false;
    }
    Ok(dry)
}

fn add_plan(dry: &mut DryRun, host: &Host, plan: &Arc<Plan>, request: &StartRun) {
    dry.missing.problems.extend(plan.check_variables(&request.vars));
    let wrong = request.max_iters.and_then(|most| plan.check_max_iters(most).err());
    dry.missing.problems.extend(wrong);
    match plan.slot(&plan.start_variables(request.vars.clone())) {
        Ok(slot) => dry.slot = slot,
        // The problem of a variable that is missing is told already.
        Err(problem) if dry.missing.problems.is_empty() => dry.missing.problems.push(problem),
        Err(_) => {}
    }
    dry.ready = dry.missing.problems.is_empty();
    dry.missing.secrets = host.engine().missing_secrets(plan);
    dry.inputs = inputs(plan);
    let is_missing = |input: &&Input| input.required && !request.vars.contains_key(&input.name);
    dry.missing.variables = dry.inputs.iter().filter(is_missing).map(|input| input.name.clone()).collect();
    dry.bundle = Some(plan.hash().clone());
    let bundle = plan.bundle();
    let replaced = Replaced::from(request);
    dry.isolated = request.is_isolated(plan);
    dry.worktree = plan.workflow().worktree.as_deref().cloned();
    (dry.stages, dry.repeat) = (replaced.stages(bundle), replaced.repeat(bundle));
}
