//! What the values of a definition have to be: one set of rules for files and for Rust.

use serde_json::Value;

use super::duration::Period;
use super::expressions;
use super::model::{Budget, Lane, LoopSpec, Mode, ParallelStrategy, Stage, Workflow};
use super::path::{Path, shorten};
use super::report::Report;
use super::shell;
use super::suggest::{did_you_mean, one_of};
use crate::exact;
use crate::ids::{StageId, is_id};

/// Reports everything that is wrong with `workflow`.
pub(super) fn workflow(workflow: &Workflow, report: &mut Report<'_>) {
    let path = Path::Root.key("workflow");
    // The id stands for a name that is left out.
    if !(2..=100).contains(&workflow.name.chars().count()) && workflow.name != workflow.id.as_str() {
        report.error("out-of-range", &path.key("name"), "`name` must have 2 to 100 characters");
    }
    let stages = path.key("stages");
    if workflow.stages.is_empty() {
        report.error("out-of-range", &stages, "there are no stages: list at least one");
    }
    if workflow.stages.contains_key("workflow") {
        let message = "no stage can be called `workflow`: the key holds the name and the list of stages";
        report.error("reserved-name", &stages, message);
    }
    if let Some(repeat) = &workflow.repeat {
        loop_spec(workflow, repeat, &path.key("loop"), report);
    }
    if let Some(limits) = &workflow.budget {
        budget(limits, &path.key("budget"), report);
    }
    for (id, stage) in workflow.stages.iter().filter(|(id, _)| id.as_str() != "workflow") {
        let path = Path::Root.key(id.as_str());
        self::stage(stage, &path, report);
        expressions::stage(stage, workflow, &path, report);
        min_iterations(stage, workflow, &path, report);
    }
}

fn min_iterations(stage: &Stage, workflow: &Workflow, path: &Path<'_>, report: &mut Report<'_>) {
    let Some(least @ 2..=100) = stage.min_iterations else { return };
    let path = path.key("min_iterations");
    match &workflow.repeat {
        Some(LoopSpec { max_iters: most, .. }) if least > *most => {
            let message = format!("the loop ends after `max_iters: {most}`: write at most that");
            report.error("out-of-range", &path, message);
        }
        Some(_) => {}
        None => {
            let message = "`min_iterations` has no effect without a loop: add `loop` under `workflow`";
            report.warning("no-effect", &path, message);
        }
    }
}

fn loop_spec(workflow: &Workflow, repeat: &LoopSpec, path: &Path<'_>, report: &mut Report<'_>) {
    range(Some(repeat.max_iters), 1, 20, &path.key("max_iters"), report);
    expressions::condition(&repeat.stop_when, &path.key("stop_when"), report);
    if let Some(stage) = &repeat.fallback_next_stage
        && !workflow.stages.contains_key(stage)
    {
        let message = format!("there is no stage `{stage}`{}", near_stage(stage.as_str(), workflow));
        report.error("dangling-stage", &path.key("fallback_next_stage"), message);
    }
}

/// The stage that may have been meant, or all of them where they are few.
pub(super) fn near_stage(name: &str, workflow: &Workflow) -> String {
    let near = did_you_mean(name, workflow.stages.keys().map(StageId::as_str));
    if near.is_empty() && (1..=8).contains(&workflow.stages.len()) {
        return format!(": write {}", one_of(workflow.stages.keys().map(StageId::as_str)));
    }
    near
}

fn stage(stage: &Stage, path: &Path<'_>, report: &mut Report<'_>) {
    provider(stage.provider.as_deref(), &path.key("provider"), report);
    if stage.provider.is_some() && !stage.providers.is_empty() {
        let message = "`provider` has no effect beside `providers`: remove one of them";
        report.warning("no-effect", &path.key("provider"), message);
    }
    role(stage.role.as_deref(), &path.key("role"), report);
    id(stage.profile.as_deref(), &path.key("profile"), report);
    let providers = path.key("providers");
    for (n, lane) in stage.providers.iter().enumerate() {
        self::lane(lane, stage, &providers.index(n), report);
    }
    let is_majority = stage.mode == Some(Mode::Parallel)
        && stage.parallel_strategy == Some(ParallelStrategy::Majority)
        && !stage.providers.is_empty();
    if is_majority && stage.providers.iter().all(|lane| lane.weight == Some(0)) {
        let message = "with a `weight` of 0 everywhere no provider has a vote: give one of them more";
        report.error("out-of-range", &providers, message);
    }
    // The default is no mistake: a resolved workflow has it everywhere.
    let strategy = stage.parallel_strategy.unwrap_or_default();
    if strategy != ParallelStrategy::default() && stage.mode.unwrap_or_default() != Mode::Parallel {
        let message = "`parallel_strategy` does nothing here: write `mode: parallel` beside it";
        report.warning("no-effect", &path.key("parallel_strategy"), message);
    }
    range(stage.retries, 0, 10, &path.key("retries"), report);
    range(stage.min_iterations, 0, 100, &path.key("min_iterations"), report);
    range(stage.repairs, 0, 10, &path.key("repairs"), report);
    let skills = path.key("skills");
    for (n, skill) in stage.skills.iter().enumerate() {
        id(Some(skill), &skills.index(n), report);
    }
    limits_of_call(stage.timeout, stage.idle_timeout, path, report);
    let set = path.key("set");
    for name in stage.set.keys().filter(|name| !is_id(name)) {
        let message = format!(
            "`{}` is not the name of a variable: use 1 to 64 letters, digits, `-` and `_`",
            shorten(name)
        );
        report.error("bad-id", &set.key(name), message);
    }
    let env = path.key("env");
    for (name, value) in &stage.env {
        variable(name, value, &env.key(name), report);
    }
    if let Some(schema) = &stage.output_schema {
        file(schema, &path.key("output_schema"), report);
    }
    if let Some(limits) = &stage.budget {
        budget(limits, &path.key("budget"), report);
    }
    if let Some(with) = &stage.with {
        let told = shell::Told { prompt: stage.prompt.as_deref(), inputs: &stage.inputs };
        shell::check(with, &told, path, report);
    }
}

fn limits_of_call(
    timeout: Option<Period>,
    idle_timeout: Option<Period>,
    path: &Path<'_>,
    report: &mut Report<'_>,
) {
    for (period, name) in [(timeout, "timeout"), (idle_timeout, "idle_timeout")] {
        if period.is_some_and(|period| period.0.is_zero()) {
            let message = format!("`{name}` has to be more than 0; leave it out for no limit");
            report.error("out-of-range", &path.key(name), message);
        }
    }
}

fn lane(lane: &Lane, stage: &Stage, path: &Path<'_>, report: &mut Report<'_>) {
    provider(Some(&lane.provider), &path.key("provider"), report);
    role(lane.role.as_deref(), &path.key("role"), report);
    range(lane.weight, 0, 1000, &path.key("weight"), report);
    if lane.weight == Some(0) {
        report.warning(
            "no-vote",
            &path.key("weight"),
            "with a `weight` of 0 this provider works and has no vote",
        );
    }
    limits_of_call(lane.timeout, lane.idle_timeout, path, report);
    let env = path.key("env");
    for (name, value) in &lane.env {
        variable(name, value, &env.key(name), report);
    }
    if let Some(with) = &lane.with {
        let prompt = lane.prompt.as_deref().or(stage.prompt.as_deref());
        shell::check(with, &shell::Told { prompt, inputs: &stage.inputs }, path, report);
    }
}

fn provider(name: Option<&str>, path: &Path<'_>, report: &mut Report<'_>) {
    if name.is_some_and(|name| name.trim().is_empty()) {
        report.error("bad-id", path, "the name of the provider is empty");
    }
}

/// Checks the name of a role, unless it is only known when the stage runs.
pub(super) fn role(name: Option<&str>, path: &Path<'_>, report: &mut Report<'_>) {
    id(name.filter(|name| !name.contains("${")), path, report);
}

pub(super) fn id(name: Option<&str>, path: &Path<'_>, report: &mut Report<'_>) {
    if let Some(name) = name.filter(|name| !is_id(name)) {
        let (what, name) = (path.name(), shorten(name));
        let message = format!("`{name}` is no id for `{what}`: use 1 to 64 letters, digits, `-` and `_`");
        report.error("bad-id", path, message);
    }
}

pub(super) fn range(number: Option<u32>, least: u32, most: u32, path: &Path<'_>, report: &mut Report<'_>) {
    if number.is_some_and(|number| !(least..=most).contains(&number)) {
        let message = format!("`{}` has to be a whole number from {least} to {most}", path.name());
        report.error("out-of-range", path, message);
    }
}

pub(super) fn variable(name: &str, value: &Value, path: &Path<'_>, report: &mut Report<'_>) {
    if name.is_empty() || name.contains(['=', '\0']) {
        let message = "the name of a variable of the environment cannot be empty or contain `=`";
        report.error("bad-name", path, message);
    }
    let is_number = value.is_number() || exact::marked(value).is_some();
    if !is_number && !matches!(value, Value::String(_) | Value::Bool(_)) {
        let message = format!("`{}` has to be a text, a number or a truth value", shorten(name));
        report.error("wrong-type", path, message);
    }
}

/// Checks that a file is named relative to the home, and not outside of it.
pub(super) fn file(name: &str, path: &Path<'_>, report: &mut Report<'_>) {
    let is_outside = name.starts_with(['/', '\\']) || name.split(['/', '\\']).any(|part| part == "..");
    if name.is_empty() || is_outside {
        let message = format!("`{}` has to name a file inside the home, without `..`", path.name());
        report.error("bad-path", path, message);
    }
}

pub(super) fn budget(budget: &Budget, path: &Path<'_>, report: &mut Report<'_>) {
    if budget.cost_usd.is_some_and(|cost| !(cost.is_finite() && cost > 0.0)) {
        report.error("out-of-range", &path.key("cost_usd"), "`cost_usd` has to be a number above 0");
    }
    if budget.tokens == Some(0) {
        report.error("out-of-range", &path.key("tokens"), "`tokens` has to be a whole number above 0");
    }
    if budget.time.is_some_and(|time| time.0.is_zero()) {
        report.error("out-of-range", &path.key("time"), "`time` has to be more than 0");
    }
}
