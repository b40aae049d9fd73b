//! What the values of a workflow have to be: one set of rules for files and for Rust.

use super::fields::{budget, file, id, limits_of_call, provider, range, role_name, variable};
use super::inputs::inputs;
use super::{expressions, shell};
use crate::definition::model::{
    Concurrency, Lane, LoopSpec, Mode, OnInterrupt, ParallelStrategy, Path, SchemaSource, Stage, Workflow,
    WorktreeSpec, shorten,
};
use crate::definition::report::Report;
use crate::ids::{StageId, is_id};
use crate::slot::RunSlot;
use crate::suggest::{near_or_all, nearest};

/// Reports everything that is wrong with `workflow`.
pub(crate) fn workflow(workflow: &Workflow, report: &mut Report<'_>) {
    let path = Path::Root.key("workflow");
    // The id is used as the name if the name is left out.
    if !(2..=100).contains(&workflow.name.chars().count()) && workflow.name != workflow.id.as_str() {
        report.error("out-of-range", &path.key("name"), "`name` must have 2 to 100 characters");
    }
    let stages = path.key("stages");
    if workflow.stages.len() <= workflow.finally.len() {
        report.error("out-of-range", &stages, "there are no stages: list at least one");
    }
    if workflow.stages.contains_key("workflow") {
        let message = "no stage can be called `workflow`: the key holds the name and the list of stages";
        report.error("reserved-name", &stages, message);
    }
    finally(workflow, &path, report);
    if let Some(inputs) = &workflow.inputs {
        self::inputs(inputs, &path.key("inputs"), report);
    }
    if let Some(defaults) = &workflow.defaults {
        let path = path.key("defaults");
        stage(defaults, &path, report);
        expressions::stage(defaults, workflow, &path, report);
    }
    if let Some(repeat) = &workflow.repeat {
        loop_spec(workflow, repeat, &path.key("loop"), report);
    }
    if let Some(limits) = &workflow.budget {
        budget(limits, &path.key("budget"), report);
    }
    if let Some(output) = &workflow.output {
        expressions::output(output, workflow, &path.key("output"), report);
    }
    if let Some(worktree) = &workflow.worktree {
        self::worktree(worktree, &path.key("worktree"), report);
    }
    if let Some(concurrency) = &workflow.concurrency {
        self::concurrency(concurrency, workflow, &path.key("concurrency"), report);
    }
    for (id, stage) in workflow.stages.iter().filter(|(id, _)| id.as_str() != "workflow") {
        let path = Path::Root.key(id.as_str());
        self::stage(stage, &path, report);
        expressions::stage(stage, workflow, &path, report);
        match &workflow.defaults {
            Some(defaults) => together(stage, &stage.or(defaults), workflow, &path, report),
            None => together(stage, stage, workflow, &path, report),
        }
    }
}

fn concurrency(concurrency: &Concurrency, workflow: &Workflow, path: &Path<'_>, report: &mut Report<'_>) {
    let (path, key) = (path.key("key"), &concurrency.key);
    if key.trim().is_empty() {
        let message = "`key` is empty: write what the runs share, as \"${vars.repo}\"";
        return report.error("out-of-range", &path, message);
    }
    if !key.contains("${")
        && let Err(problem) = RunSlot::check_key(key)
    {
        return report.error("out-of-range", &path, format!("`key` {problem}"));
    }
    expressions::key_of_run(key, workflow, &path, report);
}

fn worktree(worktree: &WorktreeSpec, path: &Path<'_>, report: &mut Report<'_>) {
    if let Some(base) = worktree.base.as_deref().filter(|base| !is_git_name(base) || base.ends_with('/')) {
        let base = shorten(base);
        let message = format!("`{base}` has to be the name of a branch or tag, or the id of a commit");
        report.error("bad-name", &path.key("base"), message);
    }
    // The id of a run follows.
    let is_prefix = |prefix: &&str| !is_git_name(prefix) || prefix.len() > 100;
    if let Some(prefix) = worktree.branch_prefix.as_deref().filter(is_prefix) {
        let prefix = shorten(prefix);
        let message = format!("`{prefix}` has to be how the name of a branch begins, as `agents/`");
        report.error("bad-name", &path.key("branch_prefix"), message);
    }
}

/// Whether git takes the text for a name, or for its beginning, and for nothing else.
fn is_git_name(name: &str) -> bool {
    let is_plain = |part: &str| {
        part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.+#@".contains(&byte))
            && !part.starts_with(['.', '-'])
            && !part.contains("..")
            && !part.ends_with('.')
            && part.strip_suffix(".lock").is_none()
            && part != "@"
    };
    let whole = name.strip_suffix('/').unwrap_or(name);
    !whole.is_empty() && name.len() <= 200 && whole.split('/').all(|part| !part.is_empty() && is_plain(part))
}

/// Reports what is wrong with the stages that run however the others end.
fn finally(workflow: &Workflow, path: &Path<'_>, report: &mut Report<'_>) {
    if workflow.finally.is_empty() {
        if workflow.finally_timeout.is_some() {
            let message = "`finally_timeout` does nothing here: add `finally` with a list of stages";
            report.warning("no-effect", &path.key("finally_timeout"), message);
        }
        return;
    }
    if workflow.finally_timeout.is_some_and(|limit| limit.0.is_zero()) {
        let message = "`finally_timeout` has to be more than 0: write how long the stages may take, as `10m`";
        report.error("out-of-range", &path.key("finally_timeout"), message);
    }
    let first = workflow.stages.len().saturating_sub(workflow.finally.len());
    let list = path.key("finally");
    for (n, id) in workflow.finally.iter().enumerate() {
        let Some(stage) = workflow.stages.get(id) else {
            report.error("dangling-stage", &list.index(n), format!("there is no stage `{id}`"));
            continue;
        };
        if workflow.stages.get_index_of(id) != Some(first + n) {
            let message = format!("the stages of `finally` come last, in this order: `{id}` is elsewhere");
            report.error("conflicting-fields", &list.index(n), message);
        }
        let path = Path::Root.key(id.as_str());
        for (is_there, key, why) in [
            (stage.approval.is_some(), "approval", "does not wait for a person, as its time is limited"),
            (
                stage.on_interrupt == Some(OnInterrupt::Ask),
                "on_interrupt",
                "does not wait for a person, as its time is limited",
            ),
            (stage.end_when.is_some(), "end_when", "runs when the run ends anyway"),
            (stage.min_iterations.unwrap_or(0) > 0, "min_iterations", "runs once, after the loop"),
        ] {
            if is_there {
                let message = format!("a stage of `finally` {why}: leave `{key}` out");
                report.error("conflicting-fields", &path.key(key), message);
            }
        }
    }
    if let Some(LoopSpec { fallback_next_stage: Some(stage), .. }) = &workflow.repeat
        && workflow.finally.contains(stage)
    {
        let message =
            format!("`{stage}` is a stage of `finally`, which runs after the loop: name another one");
        report.error("dangling-stage", &path.key("loop").key("fallback_next_stage"), message);
    }
}

/// Reports problems of a provider, role and profile that a stage does not name itself.
pub(crate) fn chosen(
    (provider_name, role, profile): (Option<&str>, Option<&str>, Option<&str>),
    workflow: &Workflow,
    path: &Path<'_>,
    report: &mut Report<'_>,
) {
    provider(provider_name, &path.key("provider"), report);
    role_name(role, &path.key("role"), report);
    id(profile, &path.key("profile"), report);
    for (text, key) in [(provider_name, "provider"), (role, "role")] {
        if let Some(text) = text {
            expressions::choice(text, workflow, &path.key(key), report);
        }
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
        let message = format!(
            "there is no stage `{stage}`{}",
            near_or_all(stage.as_str(), workflow.stages.keys().map(StageId::as_str))
        );
        let near = nearest(stage.as_str(), workflow.stages.keys().map(StageId::as_str));
        report.error_with("dangling-stage", &path.key("fallback_next_stage"), message, near);
    }
}

fn stage(stage: &Stage, path: &Path<'_>, report: &mut Report<'_>) {
    provider(stage.provider.as_deref(), &path.key("provider"), report);
    if stage.provider.is_some() && !stage.providers.is_empty() {
        let message = "`provider` has no effect beside `providers`: remove one of them";
        report.warning("no-effect", &path.key("provider"), message);
    }
    role_name(stage.role.as_deref(), &path.key("role"), report);
    id(stage.profile.as_deref(), &path.key("profile"), report);
    let providers = path.key("providers");
    for (n, lane) in stage.providers.iter().enumerate() {
        self::lane(lane, stage, &providers.index(n), report);
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
    if let Some(schema) = stage.output_schema.as_ref().and_then(SchemaSource::file) {
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

/// What fields mean together, of which the workflow's defaults may have some: `full` is the stage with them.
fn together(stage: &Stage, full: &Stage, workflow: &Workflow, path: &Path<'_>, report: &mut Report<'_>) {
    let is_majority = full.mode == Some(Mode::Parallel)
        && full.parallel_strategy == Some(ParallelStrategy::Majority)
        && !full.providers.is_empty();
    if is_majority && full.providers.iter().all(|lane| lane.weight == Some(0)) {
        let message = "with a `weight` of 0 everywhere no provider has a vote: give one of them more";
        report.error("out-of-range", &path.key("providers"), message);
    }
    // The default is allowed: a resolved workflow has it everywhere.
    let strategy = stage.parallel_strategy.unwrap_or_default();
    if strategy != ParallelStrategy::default() && full.mode.unwrap_or_default() != Mode::Parallel {
        let message = "`parallel_strategy` does nothing here: write `mode: parallel` beside it";
        report.warning("no-effect", &path.key("parallel_strategy"), message);
    }
    min_iterations(stage, workflow, path, report);
}

fn lane(lane: &Lane, stage: &Stage, path: &Path<'_>, report: &mut Report<'_>) {
    provider(Some(&lane.provider), &path.key("provider"), report);
    role_name(lane.role.as_deref(), &path.key("role"), report);
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
