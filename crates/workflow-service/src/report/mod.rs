//! Reports about runs, for readers who were not there.
//!
//! `collect` and `calls` gather the facts from the events, `explain` and `advice` say what they mean, `model` is the
//! report. `document` makes blocks of it, of which `markdown` and `html` make a text.

mod advice;
mod badges;
mod blocks;
mod calls;
mod collect;
mod document;
mod explain;
mod html;
mod markdown;
mod model;
mod words;

pub use model::{
    AfterFailure, AttemptOutcome, Excerpt, NextStep, Report, ReportAttempt, ReportBudget, ReportCall,
    ReportChanges, ReportCommit, ReportControl, ReportFailure, ReportIteration, ReportQuestion, ReportStage,
    ReportWait,
};

pub(crate) use words::{count, excerpt};

use std::sync::Arc;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use workflow_core::bundle::Bundle;
use workflow_core::data::Data;
use workflow_core::definition::Budget;
use workflow_core::event::{BudgetLimit, Event};
use workflow_core::failure::FailureClass;
use workflow_core::ids::{RunId, StageId};
use workflow_core::machine::{Broken, State};
use workflow_core::runs::EngineError;
use workflow_core::usage::Spent;
use workflow_core::view::RunView;

use self::collect::Collected;
use crate::caller::{Caller, Scope, Target};
use crate::error::ServiceError;
use crate::followed::Followed;
use crate::host::Host;
use crate::log::no_events;
use crate::operation::Operation;
use crate::planned::Replaced;

/// Reports what a run did: outcome, times, cost, each stage, failures explained, questions and answers.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReportRun {
    /// The run.
    pub run_id: RunId,
    /// The form; JSON unless given.
    #[serde(default)]
    pub format: ReportFormat,
}

/// The form of a report.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum ReportFormat {
    /// The members of `report`.
    #[default]
    Json,
    /// Markdown, in `text`.
    Markdown,
    /// A page of HTML that loads nothing and has no scripts, in `text`.
    Html,
}

/// A report in the form that was asked for.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Reported {
    /// The report, as JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report: Option<Box<Report>>,
    /// The report as Markdown or HTML. What came from outside stays text in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

impl Operation for ReportRun {
    const NAME: &'static str = "workflow:runs:report";
    const SCOPE: Scope = Scope::Read;
    const ABOUT: &'static str = "Reports what a run did: outcome, times, cost, stages, failures explained, what to do next, questions and answers.";
    type Response = Reported;

    fn target(&self) -> Target<'_> {
        Target::Run(&self.run_id)
    }

    async fn run(self, host: &Host, _: &Caller) -> Result<Reported, ServiceError> {
        let Facts { report, .. } = facts(host, &self.run_id).await?;
        let (report, text) = match self.format {
            ReportFormat::Json => (Some(Box::new(report)), None),
            ReportFormat::Markdown => (None, Some(report.to_markdown())),
            ReportFormat::Html => (None, Some(report.to_html())),
        };
        Ok(Reported { report, text })
    }
}

impl Report {
    /// The report as Markdown. What came from outside is in code spans and code blocks, where it has no effect.
    pub fn to_markdown(&self) -> String {
        markdown::render(&document::blocks(self))
    }

    /// The report as a page of HTML without scripts and without anything that is loaded from elsewhere; for screens, light
    /// and dark, and for paper.
    pub fn to_html(&self) -> String {
        html::render(&format!("Run {}: {}", self.run_id, self.status), &document::blocks(self))
    }
}

/// What is known of a run.
pub(crate) struct Facts {
    pub report: Report,
    /// The definition that it follows, if it can be read.
    pub bundle: Option<Arc<Bundle>>,
    /// The variables that it was started with.
    pub inputs: IndexMap<String, Data>,
}

/// Gathers what is known of a run.
pub(crate) async fn facts(host: &Host, run: &RunId) -> Result<Facts, ServiceError> {
    let (mut collected, mut state) = (Collected::default(), None);
    let followed = Followed::with(host, run, |event| {
        collected.add(event);
        fold(&mut state, event).map_err(|source| EngineError::Broken { run: run.clone(), source }.into())
    })
    .await?;
    let Some(state) = state else { return Err(no_events(host, run).await) };
    let view = RunView::from(state);
    let record = host.runs().get(run).await?;
    // A definition that cannot be read is left out.
    let bundle = followed.bundle(host).await.ok();
    let created = &followed.created;
    let changes = created.isolated.then(|| ReportChanges {
        branch: collected.calls.branch.take(),
        commits: std::mem::take(&mut collected.calls.commits),
    });
    let mut inputs = created.vars.clone();
    if let Some(forked) = &view.forked {
        inputs.extend(forked.vars.clone());
    }
    let mut report = Report {
        omits_calls: collected.calls.unlisted > 0,
        omitted: collected.omitted + collected.calls.omitted(),
        repeat: bundle.as_ref().and_then(|bundle| Replaced::from(&**created).repeat(bundle)),
        budgets: bundle.as_ref().map(|bundle| budgets(bundle, &view)).unwrap_or_default(),
        workflow_name: bundle.as_ref().map(|bundle| bundle.workflow.name.clone()),
        bundle: followed.hash.clone(),
        providers: bundle.as_ref().map(|bundle| bundle.replaced()).unwrap_or_default(),
        vars: view.context.vars.iter().map(|(name, value)| (name.clone(), words::excerpt(value))).collect(),
        holder: record.holder,
        started_by: view.started_by,
        summary: String::new(),
        next: Vec::new(),
        failures: explain::failures(&collected),
        forked_from: view.forked.as_ref().map(|forked| forked.from.clone()),
        duration_ms: view
            .completed_at
            .map(|end| words::between(view.started_at.unwrap_or(view.created_at), end)),
        created_at: view.created_at,
        started_at: view.started_at,
        ended_at: view.completed_at,
        waits: view
            .waits
            .iter()
            .chain(view.wait.as_deref().into_iter().filter(|_| view.waits.is_empty()))
            .map(|wait| ReportWait { wait: wait.clone(), meaning: advice::of_wait(wait.reason).to_owned() })
            .collect(),
        run_id: view.run_id,
        workflow_id: view.workflow_id,
        labels: view.labels,
        status: view.status,
        error: view.error,
        waited_ms: collected.waited_ms,
        iteration: view.iteration,
        spent: view.spent,
        iterations: collected.iterations.into_values().collect(),
        stages: collected.stages.into_values().collect(),
        calls: collected.calls.by_path.into_values().collect(),
        questions: collected.questions.into_values().collect(),
        controls: collected.controls,
        ending: collected.ending,
        changes,
    };
    report.summary = blocks::text_of(&explain::summary(&report));
    report.next =
        explain::next(&report, first_stage(bundle.as_deref(), &report).as_ref().map(StageId::as_str));
    Ok(Facts { report, bundle, inputs })
}

/// Adds the next event to the state of a run, of which the first event is the beginning.
fn fold(state: &mut Option<State>, event: &Event) -> Result<(), Broken> {
    match state {
        Some(state) => state.apply(event),
        None => State::first(event).map(|first| *state = Some(first)),
    }
}

/// The stage that a run is repeated from as a whole: of a loop, the one that an iteration begins with.
fn first_stage(bundle: Option<&Bundle>, report: &Report) -> Option<StageId> {
    let workflow = &bundle?.workflow;
    let exhausted = report.error.as_ref().is_some_and(|error| error.class == FailureClass::LoopExhausted);
    let fallback =
        workflow.repeat.as_ref().filter(|_| exhausted).and_then(|repeat| repeat.fallback_next_stage.clone());
    fallback.or_else(|| workflow.stages.keys().next().cloned())
}

/// The budgets of a definition, and what a run used of them.
fn budgets(bundle: &Arc<Bundle>, view: &RunView) -> Vec<ReportBudget> {
    let mut budgets = Vec::new();
    let mut add = |stage: Option<&StageId>, budget: Option<Budget>, spent: Spent| {
        let Some(Budget { cost_usd, tokens, time }) = budget else { return };
        #[allow(clippy::cast_precision_loss, reason = "shown to people")]
        let limits = [
            (BudgetLimit::Cost, spent.cost_usd.unwrap_or(0.0), cost_usd),
            (BudgetLimit::Tokens, spent.tokens.unwrap_or(0) as f64, tokens.map(|tokens| tokens as f64)),
            (BudgetLimit::Time, spent.time_ms as f64 / 1e3, time.map(|time| time.0.as_secs_f64())),
        ];
        budgets.extend(limits.into_iter().filter_map(|(limit, used, of)| {
            Some(ReportBudget { stage: stage.cloned(), limit, used, of: of? })
        }));
    };
    add(None, bundle.workflow.budget, view.spent);
    for (id, stage) in &bundle.workflow.stages {
        let spent = view.context.stages.get(id).map(|stage| stage.spent).unwrap_or_default();
        add(Some(id), stage.budget, spent);
    }
    budgets
}
