//! Filling in what a definition leaves out.

use super::defaults::Defaults;
use crate::definition::check::{chosen, validate};
use crate::definition::model::{
    Diagnostic, Diagnostics, Lane, Mode, OnFailure, OnInterrupt, ParallelStrategy, Path, Period, SessionMode,
    Stage, Workflow,
};
use crate::definition::report::Report;

/// Fills in everything that `workflow` leaves out, so that a run depends on nothing else.
///
/// Afterwards there are no `defaults`; `provider` is absent everywhere and `providers` has at least one lane with its
/// weight; a loop has its `fallback_next_stage`; and each stage has `mode`, `parallel_strategy`,
/// `on_failure`, `retries`, `retry_backoff`, `min_iterations`, `profile`, `session` and
/// `on_interrupt`. Resolving the result again changes nothing.
///
/// # Errors
///
/// Everything that [`validate`] says, and the stages that have no provider although there is no default.
pub fn resolve(workflow: &Workflow, defaults: &Defaults) -> Result<Workflow, Diagnostics> {
    let mut diagnostics = validate(workflow);
    let mut resolved = workflow.with_defaults().into_owned();
    diagnostics.extend(fill_in(&mut resolved, defaults));
    if diagnostics.iter().any(Diagnostic::is_error) { Err(Diagnostics(diagnostics)) } else { Ok(resolved) }
}

/// The same for a workflow that was checked. What is wrong with what is filled in is returned.
pub(super) fn fill_in(workflow: &mut Workflow, defaults: &Defaults) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    if let Some(repeat) = &mut workflow.repeat
        && repeat.fallback_next_stage.is_none()
    {
        repeat.fallback_next_stage = workflow.stages.keys().next().cloned();
    }
    let mut takes_default = Vec::new();
    for (id, stage) in &mut workflow.stages {
        if stage.provider.is_none() && stage.providers.is_empty() && defaults.provider.is_some() {
            takes_default.push(id.clone());
        }
        self::stage(stage, defaults);
        // That no stage can be called so has been said.
        if stage.providers.is_empty() && id.as_str() != "workflow" {
            let message = format!(
                "stage `{id}` names no provider, and there is no default: write `provider: NAME` there"
            );
            problems.push(Diagnostic::error("no-provider", id.as_str(), message));
        }
    }
    let default = defaults.provider.as_deref();
    for id in default.filter(|name| !is_plain(name)).and(Some(takes_default)).into_iter().flatten() {
        let stage = Path::Root.key(id.as_str());
        let providers = stage.key("providers");
        let mut report = Report::new(None);
        chosen((default, None, None), workflow, &providers.index(0), &mut report);
        problems.extend(report.finish());
    }
    problems
}

/// Whether a name needs no further look: it is not empty, and no template.
pub(super) fn is_plain(name: &str) -> bool {
    !name.trim().is_empty() && !name.contains("${")
}

fn stage(stage: &mut Stage, defaults: &Defaults) {
    let single = stage.provider.take();
    if stage.providers.is_empty()
        && let Some(provider) = single.or_else(|| defaults.provider.clone())
    {
        // Room for one: nearly every stage has one lane, and lanes are large.
        stage.providers = vec![Lane::new(provider)];
    }
    for lane in &mut stage.providers {
        lane.role = lane.role.take().or_else(|| stage.role.clone());
        lane.weight.get_or_insert(1);
    }
    stage.mode.get_or_insert(Mode::default());
    stage.parallel_strategy.get_or_insert(ParallelStrategy::default());
    stage.on_failure.get_or_insert(OnFailure::default());
    stage.retries.get_or_insert(3);
    stage.retry_backoff.get_or_insert(Period::from_secs(5));
    stage.min_iterations.get_or_insert(0);
    stage.profile.get_or_insert_with(|| "simple".to_owned());
    stage.session.get_or_insert(SessionMode::default());
    stage.on_interrupt.get_or_insert(OnInterrupt::default());
}
