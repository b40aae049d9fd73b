//! Checking the text of a workflow.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use workflow_core::bundle::ProviderMap;
use workflow_core::data::Data;
use workflow_core::definition::{self, Diagnostic, Draft, Severity, ValueOrigin};
use workflow_core::ids::{StageId, WorkflowId};
use workflow_core::plan::Plan;

use super::get::{Range, ranges};
use crate::caller::{Caller, Scope};
use crate::error::ServiceError;
use crate::host::Host;
use crate::operation::Operation;
use crate::planned::{PlannedStage, Replaced};
use crate::problem::Problem;

/// Checks the text of a workflow, with everything that it refers to.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ValidateWorkflow {
    /// The id that the file's name would give, if there is one.
    #[serde(default)]
    pub id: Option<WorkflowId>,
    /// The YAML text.
    pub text: String,
    /// Whether unknown keys are errors.
    #[serde(default)]
    pub strict: bool,
    /// The providers that the run replaces for which the text is checked, as in `workflow:run`.
    #[serde(default)]
    pub providers: ProviderMap,
    /// Whether the values of the text are returned too, with where they are: for forms beside a text.
    #[serde(default)]
    pub values: bool,
    /// Whether the values that the stages have when they run are returned too, each with where it comes from.
    #[serde(default)]
    pub explain: bool,
}

/// The result of a check.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Validated {
    /// Whether the workflow can be run: there are no errors.
    pub valid: bool,
    /// All errors and warnings, in the order of the text.
    pub diagnostics: Vec<Problem>,
    /// The values of the text, if they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub values: Option<TextValues>,
    /// The values that the workflow and its stages have when they run, if they were asked for: those of the workflow
    /// first, then by stage, in the order of the stages; empty while the text has errors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effective: Option<Vec<Effective>>,
}

/// A value that a stage has when it runs, and where it comes from.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Effective {
    /// The stage.
    pub stage: StageId,
    /// The field of the stage: `provider`, `with.model`, `providers[1].role`.
    pub field: String,
    /// The value.
    pub value: Data,
    /// Where it comes from.
    pub from: ValueOrigin,
    /// Where it is in the text, if it is written there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range: Option<Range>,
}

/// What is in the text of a workflow.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct TextValues {
    /// The text as JSON, with its keys as they are written there; absent when it is not YAML.
    pub model: Option<Data>,
    /// Where each value of the model is in the text, by the path that diagnostics and edits name it by.
    pub ranges: BTreeMap<String, Range>,
    /// The stages as a run executes them, with all that the text leaves out; empty while it has errors.
    pub stages: Vec<PlannedStage>,
}

/// A text that was checked with all that it refers to.
pub(crate) struct CheckedText {
    /// The workflow, ready to run, if there is no error.
    pub plan: Option<Arc<Plan>>,
    /// All errors and warnings.
    pub problems: Vec<Problem>,
    /// The text as it was read, with what it refers to.
    draft: Draft,
}

impl CheckedText {
    /// Checks a text, for a run in which providers are replaced.
    pub(crate) async fn of(
        host: &Host,
        text: &str,
        id: Option<&WorkflowId>,
        providers: &ProviderMap,
    ) -> Result<Self, ServiceError> {
        let mut draft = definition::read(text.as_bytes(), id);
        host.engine().look_up(&mut draft).await?;
        let checked = host.engine().finish(draft.clone(), providers);
        Ok(Self { plan: checked.plan, problems: problems(checked.diagnostics, &draft), draft })
    }

    /// The values of the text.
    fn values(&self) -> TextValues {
        let stages = self.plan.as_ref().map(|plan| Replaced::default().stages(plan.bundle()));
        TextValues {
            model: self.draft.file(),
            ranges: ranges(&self.draft),
            stages: stages.unwrap_or_default(),
        }
    }

    /// The values of the stages, with where they come from.
    fn effective(&self, host: &Host) -> Vec<Effective> {
        let values = self.plan.as_ref().map(|plan| host.engine().explain(&self.draft, plan));
        let effective = values.unwrap_or_default().into_iter().map(|found| Effective {
            stage: found.stage,
            field: found.field,
            value: Data::new(&found.value),
            from: found.from,
            range: found.range.map(Range::from),
        });
        effective.collect()
    }

    /// The workflow. A text with errors is refused; they are in the details.
    pub(crate) fn plan(self) -> Result<Arc<Plan>, ServiceError> {
        self.plan.ok_or_else(|| ServiceError::invalid_text(&self.problems))
    }
}

/// Everything that is wrong with a text, with ends and fixes.
pub(crate) fn problems(found: Vec<Diagnostic>, draft: &Draft) -> Vec<Problem> {
    found.into_iter().map(|found| Problem::in_text(found, draft)).collect()
}

/// Refuses a text with errors, which are in the details.
pub(crate) fn refuse_errors(text: &str, id: &WorkflowId) -> Result<(), ServiceError> {
    let draft = definition::read(text.as_bytes(), Some(id));
    let errors: Vec<_> = draft.clone().finish().into_iter().filter(Diagnostic::is_error).collect();
    if errors.is_empty() { Ok(()) } else { Err(ServiceError::invalid_text(&problems(errors, &draft))) }
}

impl Operation for ValidateWorkflow {
    const NAME: &'static str = "workflow:validate";
    const SCOPE: Scope = Scope::Read;
    const ABOUT: &'static str =
        "Checks the text of a workflow, with all that it refers to, without storing it; with quick fixes.";
    type Response = Validated;

    async fn run(self, host: &Host, _: &Caller) -> Result<Validated, ServiceError> {
        let checked = CheckedText::of(host, &self.text, self.id.as_ref(), &self.providers).await?;
        let values = self.values.then(|| checked.values());
        let effective = self.explain.then(|| checked.effective(host));
        let mut diagnostics = checked.problems;
        if self.strict {
            let unknown = diagnostics.iter_mut().filter(|problem| problem.code == "unknown-key");
            unknown.for_each(|problem| problem.severity = Severity::Error);
        }
        Ok(Validated { valid: !diagnostics.iter().any(Problem::is_error), diagnostics, values, effective })
    }
}
