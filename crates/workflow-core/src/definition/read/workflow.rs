//! From the tree of a file to a [`Workflow`], as far as the types of its values allow. What the
//! values have to be beyond that is the same for definitions built in Rust: see `check`.

use std::collections::{HashMap, HashSet};

use indexmap::IndexMap;
use serde_json::Value;

use super::call::{budget, env, on_failure, on_interrupt, options, output, output_schema, session, template};
use super::fields::{Fields, Unknown, text, unknown_key, wrong_type};
use super::inputs;
use crate::definition::model::{
    Concurrency, Exhausted, Lane, LoopSpec, Mode, ParallelStrategy, Path, Stage, Workflow, WorktreeSpec,
    shorten,
};
use crate::definition::report::Report;
use crate::definition::yaml::{Kind, Node};
use crate::ids::{StageId, WorkflowId};
use crate::priority::{InvalidPriority, Priority};
use crate::slot::SlotMode;
use crate::suggest::{nearest, slug};

/// Reads as much as possible. Everything that is left out or replaced has an error in `report`.
pub(crate) fn workflow(
    root: &Node,
    file_id: Option<&WorkflowId>,
    report: &mut Report<'_>,
) -> Option<Workflow> {
    let Kind::Map(entries) = &root.kind else {
        wrong_type(root, "a mapping with the key `workflow` and one key per stage", &Path::Root, report);
        return None;
    };
    let path = Path::Root.key("workflow");
    let header = root.get("workflow").map(|entry| &entry.value);
    if header.is_none() {
        let near = nearest("workflow", entries.iter().map(|entry| entry.key.as_str()));
        let near = near.map(|key| format!("; is it `{key}`?")).unwrap_or_default();
        let message =
            format!("the key `workflow` is missing: it holds the name and the list of stages{near}");
        report.refuse("missing-field", &path, message);
    }
    let empty = Node { start: root.start, end: root.start, kind: Kind::Map(Vec::new()), number: None };
    let mut fields = Fields::of(header.unwrap_or(&empty), &path, report);

    let id = workflow_id(&mut fields, &path, file_id, report)?;
    let is_named = fields.take("name").is_some();
    let name = fields.text("name", report);
    let name = name.unwrap_or_else(|| if is_named { String::new() } else { id.to_string() });
    let description = fields.text("description", report);
    let mut seen = HashSet::new();
    let listed = stage_ids(&mut fields, &path, &mut seen, report);
    let last = fields.take("finally").and_then(|node| names(node, &path.key("finally"), &mut seen, report));
    let last = last.unwrap_or_default();
    let finally_timeout = fields.period("finally_timeout", report);
    let inputs = inputs::inputs(&mut fields, &path, report);
    let defaults = fields.take("defaults");
    let defaults = defaults.map(|node| stage_fields(node, &path.key("defaults"), report).into());
    let repeat = fields.take("loop").map(|node| loop_spec(node, &path.key("loop"), report));
    let budget = budget(&mut fields, &path, report);
    let output = fields.take("output").map(Node::to_value);
    let worktree = worktree(&mut fields, &path, report);
    let concurrency = concurrency(&mut fields, &path, report);
    let priority = priority(&mut fields, &path, report);
    // What catalogs look at: it is not a part of what runs.
    fields.truth("protected", report);
    fields.finish(report);

    // Where the list cannot be read, every key may be a stage.
    let keys = || entries.iter().map(|entry| entry.key.as_str());
    let mut stages = listed.unwrap_or_else(|| keys().filter(|key| !last.contains(key)).collect());
    stages.extend(&last);
    let finally = last.iter().filter_map(|name| StageId::new(name).ok()).collect();
    let mut nodes: HashMap<&str, &Node> =
        entries.iter().map(|entry| (entry.key.as_str(), &entry.value)).collect();
    nodes.remove("workflow");
    let mut read = IndexMap::with_capacity(stages.len());
    for name in &stages {
        let stage = nodes.remove(name).map(|node| stage_at(node, &Path::Root.key(name), report));
        if let Ok(id) = StageId::new(name) {
            read.insert(id, stage.unwrap_or_default());
        }
    }
    for entry in entries.iter().filter(|entry| nodes.contains_key(entry.key.as_str())) {
        unknown_key(entry, &Path::Root, stages.iter().copied().chain(["workflow"]), report);
    }
    let stages = read;
    Some(Workflow {
        id,
        name,
        description,
        inputs,
        defaults,
        repeat,
        budget,
        output,
        worktree,
        concurrency,
        priority,
        stages,
        finally,
        finally_timeout,
    })
}

/// The worktree of each run. A misspelt key could let runs work on another branch.
fn worktree(
    fields: &mut Fields<'_, '_>,
    parent: &Path<'_>,
    report: &mut Report<'_>,
) -> Option<Box<WorktreeSpec>> {
    let path = parent.key("worktree");
    let mut fields = Fields::of(fields.take("worktree")?, &path, report);
    let worktree = WorktreeSpec {
        base: fields.text("base", report),
        branch_prefix: fields.text("branch_prefix", report),
    };
    fields.finish_strict(&[], report);
    Some(worktree.into())
}

/// Which runs do not work at the same time. A misspelt key could let them.
fn concurrency(
    fields: &mut Fields<'_, '_>,
    parent: &Path<'_>,
    report: &mut Report<'_>,
) -> Option<Box<Concurrency>> {
    const MODES: [(&str, SlotMode); 3] =
        [("queue", SlotMode::Queue), ("cancel", SlotMode::Cancel), ("reject", SlotMode::Reject)];
    let path = parent.key("concurrency");
    let mut fields = Fields::of(fields.take("concurrency")?, &path, report);
    let is_missing = fields.take("key").is_none();
    let key = fields.text("key", report);
    if is_missing {
        let message = "`key` is missing: write what the runs share, as \"${vars.repo}\"";
        report.error("missing-field", &path.key("key"), message);
    }
    let mode = fields.choice("mode", &MODES, report).unwrap_or_default();
    fields.finish_strict(&[], report);
    Some(Box::new(Concurrency { key: key?, mode }))
}

/// Which runs are claimed first: a number or a name.
fn priority(fields: &mut Fields<'_, '_>, parent: &Path<'_>, report: &mut Report<'_>) -> Option<Priority> {
    let path = parent.key("priority");
    let node = fields.take("priority")?;
    let read = match &node.kind {
        Kind::Scalar(_, Value::Number(number)) => {
            number.as_i64().ok_or(InvalidPriority).and_then(Priority::new)
        }
        Kind::Scalar(_, Value::String(text)) => text.parse(),
        _ => {
            wrong_type(node, "a whole number from -9 to 9, or `low`, `normal` or `high`", &path, report);
            return None;
        }
    };
    read.map_err(|error| report.refuse("out-of-range", &path, error.to_string())).ok()
}

/// The id in the file, which may be left out where the file's name gives it.
fn workflow_id(
    fields: &mut Fields<'_, '_>,
    parent: &Path<'_>,
    file_id: Option<&WorkflowId>,
    report: &mut Report<'_>,
) -> Option<WorkflowId> {
    let path = parent.key("id");
    let is_there = fields.take("id").is_some();
    let written = fields.text("id", report);
    match (written.as_deref().map(WorkflowId::new), file_id) {
        (Some(Ok(id)), Some(file_id)) if id != *file_id => {
            let message = format!("the file's name says `{file_id}`: write that, or leave the id out");
            report.refuse("id-mismatch", &path, message);
            Some(id)
        }
        (Some(Ok(id)), _) => Some(id),
        (Some(Err(error)), _) => {
            report.refuse("bad-id", &path, error.to_string());
            file_id.cloned().or_else(placeholder)
        }
        (None, Some(file_id)) => Some(file_id.clone()),
        (None, None) => {
            if !is_there {
                report.refuse(
                    "missing-field",
                    &path,
                    "`id` is missing, and there is no file name to give it",
                );
            }
            placeholder()
        }
    }
}

/// A placeholder for an invalid id, so that the rest can be checked.
fn placeholder() -> Option<WorkflowId> {
    WorkflowId::new("unnamed").ok()
}

/// A text that has to be there; empty, and an error, when it is not.
fn required(text: Option<String>, path: &Path<'_>, what: &str, report: &mut Report<'_>) -> String {
    text.unwrap_or_else(|| {
        report.refuse("missing-field", path, format!("`{}` is missing: write {what}", path.name()));
        String::new()
    })
}

/// The names in the list of stages, good and bad, each once; none when there is no list.
fn stage_ids<'n>(
    fields: &mut Fields<'n, '_>,
    parent: &Path<'_>,
    seen: &mut HashSet<&'n str>,
    report: &mut Report<'_>,
) -> Option<Vec<&'n str>> {
    let path = parent.key("stages");
    let Some(node) = fields.take("stages") else {
        report.refuse("missing-field", &path, "`stages` is missing: list the stages in the order they run");
        return None;
    };
    names(node, &path, seen, report)
}

/// The names in a list, good and bad, of which none was `seen` in another.
fn names<'n>(
    node: &'n Node,
    path: &Path<'_>,
    seen: &mut HashSet<&'n str>,
    report: &mut Report<'_>,
) -> Option<Vec<&'n str>> {
    let Kind::List(items) = &node.kind else {
        wrong_type(node, "a list of stage names, as `[plan, code]`", path, report);
        return None;
    };
    let mut names = Vec::with_capacity(items.len());
    for (n, item) in items.iter().enumerate() {
        let path = path.index(n);
        let Some(name) = text(item, &path, report) else { continue };
        if let Err(error) = StageId::new(name) {
            let slug = slug(name);
            let instead = slug.as_ref().map(|slug| format!("; write `{slug}`")).unwrap_or_default();
            report.refuse_with("bad-id", &path, format!("{error}{instead}"), slug);
        }
        if seen.insert(name) {
            names.push(name);
        } else {
            let message = "the stage is listed already: a stage runs once per iteration, so list it once";
            report.refuse("duplicate-stage", &path, message);
        }
    }
    if names.is_empty() && !items.is_empty() {
        // What is wrong with the items has been said.
        report.settle(path.to_string());
    }
    Some(names)
}

/// What it means that a loop has made all its iterations.
pub(crate) fn on_exhausted(fields: &mut Fields<'_, '_>, report: &mut Report<'_>) -> Option<Exhausted> {
    let exhausted = [("fail", Exhausted::Fail), ("complete", Exhausted::Complete)];
    fields.choice("on_exhausted", &exhausted, report)
}

fn loop_spec(node: &Node, path: &Path<'_>, report: &mut Report<'_>) -> LoopSpec {
    let mut fields = Fields::of(node, path, report);
    let max_iters = fields.whole("max_iters", report).unwrap_or_else(|| {
        let message = "`max_iters` is missing: write the most iterations, from 1 to 20";
        report.refuse("missing-field", &path.key("max_iters"), message);
        u32::MAX
    });
    let fallback_next_stage = fields.text("fallback_next_stage", report).and_then(|name| {
        let bad = |error: crate::ids::InvalidId| {
            report.refuse("bad-id", &path.key("fallback_next_stage"), error.to_string());
        };
        StageId::new(name).map_err(bad).ok()
    });
    let stop_when = required(
        fields.text("stop_when", report),
        &path.key("stop_when"),
        "the condition that ends the loop, as \"$.done == true\"",
        report,
    );
    let on_exhausted = on_exhausted(&mut fields, report).unwrap_or_default();
    fields.finish(report);
    LoopSpec { max_iters, fallback_next_stage, stop_when, on_exhausted }
}

/// A stage: its fields, or the short form, which is the name of its profile.
fn stage_at(node: &Node, path: &Path<'_>, report: &mut Report<'_>) -> Stage {
    if let Kind::Scalar(_, Value::String(profile)) = &node.kind {
        return Stage { profile: Some(profile.clone()), ..Stage::default() };
    }
    stage_fields(node, path, report)
}

fn stage_fields(node: &Node, path: &Path<'_>, report: &mut Report<'_>) -> Stage {
    let mut fields = Fields::of(node, path, report).of_kind(Unknown::Stage);
    let stage = Stage {
        provider: fields.text("provider", report),
        role: fields.text("role", report),
        profile: fields.text("profile", report),
        mode: fields.choice(
            "mode",
            &[("sequential", Mode::Sequential), ("parallel", Mode::Parallel)],
            report,
        ),
        providers: lanes(&mut fields, path, report),
        parallel_strategy: fields.choice(
            "parallel_strategy",
            &[
                ("all", ParallelStrategy::All),
                ("race", ParallelStrategy::Race),
                ("majority", ParallelStrategy::Majority),
            ],
            report,
        ),
        on_failure: on_failure(&mut fields, report),
        retries: fields.whole("retries", report),
        retry_backoff: fields.period("retry_backoff", report),
        min_iterations: fields.whole("min_iterations", report),
        skills: fields.texts("skills", report),
        prompt: fields.text("prompt", report),
        template: template(&mut fields, report),
        with: options(&mut fields, report),
        when: fields.text("when", report),
        end_when: fields.text("end_when", report),
        inputs: fields.list("inputs", report).iter().map(Node::to_value).collect(),
        set: fields
            .map("set", report)
            .unwrap_or_default()
            .iter()
            .map(|entry| (entry.key.clone(), entry.value.to_value()))
            .collect(),
        output: output(&mut fields, report),
        output_schema: output_schema(&mut fields, report),
        repairs: fields.whole("repairs", report),
        timeout: fields.period("timeout", report),
        idle_timeout: fields.period("idle_timeout", report),
        env: env(&mut fields, path, report),
        cwd: fields.text("cwd", report),
        session: session(&mut fields, report),
        on_interrupt: on_interrupt(&mut fields, report),
        approval: fields.text("approval", report),
        budget: budget(&mut fields, path, report),
    };
    fields.finish(report);
    stage
}

fn lanes(fields: &mut Fields<'_, '_>, parent: &Path<'_>, report: &mut Report<'_>) -> Vec<Lane> {
    let path = parent.key("providers");
    let items = fields.list("providers", report).iter().enumerate();
    let read: Vec<_> = items.map(|(n, item)| lane(item, &path.index(n), report)).collect();
    let written: Vec<_> = read.iter().map(|(_, weight)| *weight).collect();
    let weights = weights(&written);
    let is_right = |weight: &f64| (0.0..=1000.0).contains(weight);
    if written.iter().flatten().all(is_right) && written.iter().flatten().any(|weight| weight.fract() != 0.0)
    {
        let shown: Vec<_> = weights.iter().flatten().map(u32::to_string).collect();
        let message = format!("weights are whole numbers: these are read as {}", shown.join(", "));
        report.warning("scaled-weights", &path, message);
    }
    read.into_iter().zip(weights).map(|((lane, _), weight)| Lane { weight, ..lane }).collect()
}

/// Weights as whole numbers up to 1000 in the same proportion. Those that are whole already stay as they are.
fn weights(written: &[Option<f64>]) -> Vec<Option<u32>> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in the range of the type")]
    let whole = |weight: f64| weight.round().clamp(0.0, f64::from(u32::MAX)) as u32;
    let is_fraction = |weight: &f64| weight.fract() != 0.0 && (0.0..=1000.0).contains(weight);
    if !written.iter().flatten().any(is_fraction) {
        // One that is out of range stays so.
        let kept = |weight: f64| if weight < 0.0 { u32::MAX } else { whole(weight) };
        return written.iter().map(|weight| weight.map(kept)).collect();
    }
    let weights: Vec<_> = written.iter().map(|weight| weight.unwrap_or(1.0)).collect();
    let as_whole = |factor: &f64| weights.iter().all(|weight| ((weight * factor).fract()).abs() < 1e-9);
    let factor = [10.0, 100.0, 1000.0].into_iter().find(as_whole).unwrap_or(1000.0);
    let scaled: Vec<_> = weights.iter().map(|weight| whole(weight * factor)).collect();
    let divisor = scaled.iter().copied().fold(0, gcd).max(1);
    let most = scaled.iter().copied().max().unwrap_or(1) / divisor;
    let fits = |(weight, scaled): (&f64, u32)| {
        let reduced = scaled / divisor;
        if *weight < 0.0 || *weight > 1000.0 {
            return u32::MAX;
        }
        if most <= 1000 {
            return reduced.max(u32::from(*weight > 0.0));
        }
        // What has a vote keeps one.
        whole(f64::from(reduced) * 1000.0 / f64::from(most)).max(u32::from(*weight > 0.0))
    };
    weights.iter().zip(scaled).map(|pair| Some(fits(pair))).collect()
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// A provider of a list, and its weight as it is written.
fn lane(node: &Node, path: &Path<'_>, report: &mut Report<'_>) -> (Lane, Option<f64>) {
    if let Kind::Scalar(_, Value::String(provider)) = &node.kind {
        let message = format!("write a provider of a list as `{{ provider: {} }}`", shorten(provider));
        report.refuse("wrong-type", path, message);
    }
    let mut fields = Fields::of(node, path, report).of_kind(Unknown::Lane);
    let provider = fields.text("provider", report);
    let lane = Lane {
        provider: required(provider, &path.key("provider"), "the name of the provider", report),
        role: fields.text("role", report),
        weight: None,
        prompt: fields.text("prompt", report),
        with: options(&mut fields, report),
        output: output(&mut fields, report),
        timeout: fields.period("timeout", report),
        idle_timeout: fields.period("idle_timeout", report),
        env: env(&mut fields, path, report),
        cwd: fields.text("cwd", report),
    };
    let weight = fields.amount("weight", report);
    fields.finish(report);
    (lane, weight)
}
