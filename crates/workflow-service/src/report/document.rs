//! A report as a document.

use std::fmt::Write as _;

use serde_json::Value;
use workflow_core::bundle::ProviderMap;
use workflow_core::event::BudgetLimit;
use workflow_core::failure::Failure;
use workflow_core::status::{StageStatus, WaitReason};

use super::badges::{of_run, of_stage};
use super::blocks::{Badge, Block, Column, Span, at, code, column, number, plain, prose};
use super::explain;
use super::model::{
    AfterFailure, AttemptOutcome, Excerpt, Report, ReportAttempt, ReportBudget, ReportCall, ReportFailure,
    ReportStage,
};
use super::words::{cost, count, dollars, duration, grouped, tokens};

const ITERATIONS: &[Column] = &[
    number("Iteration"),
    column("Started"),
    number("Duration"),
    number("Attempts"),
    number("Cost"),
    number("Tokens"),
    column("stop_when"),
];
const CALLS: &[Column] = &[
    column("Node"),
    column("Provider"),
    column("Role"),
    column("Status"),
    column("Started"),
    number("Duration"),
    number("Attempts"),
    number("Cost"),
    number("Tokens"),
];
const BUDGETS: &[Column] =
    &[column("Budget of"), column("Limit"), number("Used"), number("Allowed"), number("Share")];
const REQUESTS: &[Column] = &[column("Request"), column("Time"), column("By")];

/// What is said of passes and failures that a fork took over.
const OF_FORKED: &str = "(in the run that this one was forked from)";

/// How many outputs are shown.
const OUTPUTS: usize = 40;

/// How much of what a program printed is shown, in characters.
const TAIL: usize = 2_000;

/// The document.
pub(super) fn blocks(report: &Report) -> Vec<Block> {
    let mut blocks = vec![Block::Title(vec![plain("Run "), code(&report.run_id)], of_run(report))];
    what_happened(report, &mut blocks);
    if !report.next.is_empty() {
        blocks.push(Block::Section("What to do next", "next"));
        let steps = report.next.iter().map(|step| (prose(&step.text), step.command.clone()));
        blocks.push(Block::Steps(steps.collect()));
    }
    failures(report, &mut blocks);
    questions(report, &mut blocks);
    results(report, &mut blocks);
    work(report, &mut blocks);
    changes(report, &mut blocks);
    started_with(report, &mut blocks);
    if report.omitted > 0 {
        let omitted = match report.omitted {
            1 => "1 entry is".to_owned(),
            omitted => format!("{} entries are", grouped(omitted)),
        };
        blocks.push(Block::Text(vec![plain(format!(
            "{omitted} not in this report, because there are too many. The events of the run have them."
        ))]));
    }
    blocks
}

fn what_happened(report: &Report, blocks: &mut Vec<Block>) {
    blocks.push(Block::Section("What happened", "happened"));
    blocks.push(Block::Text(explain::summary(report)));
    if let Some(error) = &report.error {
        blocks.push(Block::Text(vec![plain("The error of the run:")]));
        blocks.push(Block::Lines("Error of the run", text(error)));
    }
    for wait in &report.waits {
        let mut spans = Vec::new();
        if let Some(place) = &wait.wait.place {
            spans.extend([code(place), plain(": ")]);
        }
        spans.extend(prose(&wait.meaning));
        if let Some(until) = wait.wait.until {
            let guess = if wait.wait.until_is_guess { "; the time is a guess." } else { "." };
            spans.extend([plain(" That is expected at "), at(until), plain(guess)]);
        }
        blocks.push(Block::Text(spans));
        if let Some(question) = &wait.wait.question {
            blocks.push(Block::Lines("Question", question.clone()));
        }
    }
    let mut facts = Vec::new();
    let mut workflow = vec![code(&report.workflow_id)];
    if let Some(name) = &report.workflow_name {
        workflow.extend([plain(" – "), code(name)]);
    }
    facts.push(("Workflow", workflow));
    facts.push(("Status", vec![Span::Badge(of_run(report))]));
    facts.push(("Created", vec![at(report.created_at)]));
    for (name, time) in [("Started", report.started_at), ("Ended", report.ended_at)] {
        facts.extend(time.map(|time| (name, vec![at(time)])));
    }
    if let Some(took) = report.duration_ms {
        let waited = match report.waited_ms {
            0 => String::new(),
            waited => format!(", of which it waited {}", duration(waited)),
        };
        facts.push(("Duration", vec![plain(format!("{}{waited}", duration(took)))]));
    }
    if let Some(repeat) = &report.repeat {
        let most = format!(", {} at most", count(repeat.max_iters, "iteration"));
        facts.push(("Loop", vec![plain("until "), code(&repeat.stop_when), plain(most)]));
    }
    if report.iteration > 1 {
        facts.push(("Iterations", vec![plain(report.iteration.to_string())]));
    }
    facts.push(("Attempts", vec![plain(grouped(report.spent.attempts))]));
    facts.push(("Cost", vec![plain(cost(&report.spent))]));
    facts.push(("Tokens", vec![plain(tokens(&report.spent))]));
    if let Some(by) = &report.started_by {
        facts.push(("Started by", vec![code(by)]));
    }
    if !report.providers.is_empty() {
        facts.push(("Providers", replaced(&report.providers)));
    }
    if let Some(from) = &report.forked_from {
        facts.push(("Forked from", vec![code(from)]));
    }
    if let Some(holder) = &report.holder {
        facts.push(("Driven by", vec![code(holder)]));
    }
    blocks.push(Block::Facts(facts));
}

/// `codex` in place of `claude-code`, `demo` in place of all others.
fn replaced(providers: &ProviderMap) -> Vec<Span> {
    let mut spans = Vec::new();
    for name in providers.named() {
        spans.extend(providers.get(name).map(|other| code(&other)));
        spans.extend([plain(" in place of "), code(&name), plain(", ")]);
    }
    if let Some(name) = providers.every() {
        let others = if spans.is_empty() { " in place of all" } else { " in place of all others" };
        spans.extend([code(&name), plain(others)]);
    } else {
        spans.pop();
    }
    spans
}

fn failures(report: &Report, blocks: &mut Vec<Block>) {
    if report.failures.is_empty() {
        return;
    }
    blocks.push(Block::Section("What failed, and what was tried", "failures"));
    for failure in &report.failures {
        failed(report, failure, blocks);
    }
}

fn failed(report: &Report, failure: &ReportFailure, blocks: &mut Vec<Block>) {
    let pass = report
        .stages
        .iter()
        .find(|pass| pass.iteration == failure.iteration && failure.stage.as_ref() == Some(&pass.stage));
    let (word, tone) = match (failure.recovered, pass.is_some_and(|pass| pass.continued)) {
        (true, _) => ("Succeeded later", "completed"),
        (false, true) => ("Failed, and the run continued", "failed"),
        (false, false) => ("Failed", "failed"),
    };
    let badge = Badge { word: word.to_owned(), tone };
    let mut heading = match &failure.stage {
        Some(stage) => vec![plain("Stage "), code(stage)],
        None => vec![plain("The run")],
    };
    if report.iteration > 1 {
        heading.push(plain(format!(", iteration {}", failure.iteration)));
    }
    if let Some(path) = &failure.path {
        heading.extend([plain(", node "), code(path)]);
    }
    if failure.inherited {
        heading.push(plain(format!(" {OF_FORKED}")));
    }
    blocks.push(Block::Heading(heading, badge));
    blocks.push(Block::Text(prose(&failure.advice)));
    let call = failure.path.as_ref().and_then(|path| report.calls.iter().find(|call| call.path == *path));
    match call {
        Some(call) => {
            let mut before = None;
            for attempt in &call.attempts {
                tried(call, attempt, before, blocks);
                before = attempt.error.as_deref();
            }
        }
        None => blocks.push(Block::Lines("Error", text(&failure.error))),
    }
}

fn tried(call: &ReportCall, attempt: &ReportAttempt, before: Option<&Failure>, blocks: &mut Vec<Block>) {
    let mut spans = match attempt.attempt {
        Some(number) => vec![plain(format!("Attempt {number}"))],
        None => vec![plain("No call was made")],
    };
    if let (Some(provider), Some(_)) = (&call.provider, attempt.attempt) {
        spans.extend([plain(" by "), code(provider)]);
    }
    spans.extend([plain(", "), at(attempt.started_at), plain(": ")]);
    spans.push(plain(match attempt.outcome {
        AttemptOutcome::Failed => "failed",
        AttemptOutcome::Succeeded => "succeeded",
        AttemptOutcome::Cancelled => "stopped",
        AttemptOutcome::Interrupted => "the process that drove the run ended before a result was known,",
        AttemptOutcome::Running => "has not ended",
    }));
    if let (Some(took), Some(_)) = (attempt.duration_ms, attempt.attempt) {
        spans.push(plain(format!(" after {}", duration(took))));
    }
    let error = attempt.error.as_deref();
    if let (AttemptOutcome::Failed, Some(error)) = (attempt.outcome, error) {
        spans.extend([plain(" (class "), code(&error.class), plain(")")]);
    }
    spans.push(plain(match attempt.then {
        None => "",
        Some(AfterFailure::Retry) => "; tried again",
        Some(AfterFailure::Repair) => "; the provider was told what is wrong, and asked again",
        Some(AfterFailure::WaitForQuota) => "; tried again when the quota is refilled",
    }));
    if let Some(retry_at) = attempt.retry_at {
        spans.extend([plain(" at "), at(retry_at)]);
    }
    spans.push(plain("."));
    let is_same = error.is_some() && error.map(text) == before.map(text);
    if is_same {
        spans.push(plain(" The error was the same."));
    }
    blocks.push(Block::Text(spans));
    if let Some(error) = error.filter(|_| !is_same) {
        blocks.push(Block::Lines("Error", text(error)));
    }
}

/// An error, with the end of what the program printed.
fn text(error: &Failure) -> String {
    let mut text = error.message.clone();
    for (name, title) in [("stdout_tail", "standard output"), ("stderr_tail", "standard error")] {
        let tail = error.details.as_ref().and_then(|details| details.get(name)?.as_str());
        if let Some(tail) =
            tail.filter(|tail| !tail.trim().is_empty() && !error.message.contains(tail.trim()))
        {
            let start = tail.char_indices().rev().nth(TAIL - 1).map_or(0, |(start, _)| start);
            // Writing to a `String` cannot fail.
            let _ = write!(text, "\n\nEnd of {title}:\n{}", tail[start..].trim_end());
        }
    }
    text
}

fn questions(report: &Report, blocks: &mut Vec<Block>) {
    if !report.questions.is_empty() {
        blocks.push(Block::Section("Questions and answers", "questions"));
    }
    for question in &report.questions {
        blocks.push(Block::Text(vec![
            code(&question.place),
            plain(format!(" asked ({}), ", question.reason.to_string().replace('_', " "))),
            at(question.asked_at),
            plain(":"),
        ]));
        blocks.push(Block::Lines("Question", question.question.clone()));
        match (&question.answer, question.answered_at) {
            (Some(answer), Some(answered_at)) => {
                let mut spans = vec![plain("Answered")];
                if let Some(by) = &question.answered_by {
                    spans.extend([plain(" by "), code(by)]);
                }
                spans.extend([plain(", "), at(answered_at), plain(":")]);
                blocks.push(Block::Text(spans));
                blocks.push(Block::Lines("Answer", said(question.reason, answer)));
            }
            _ => blocks.push(Block::Text(vec![plain(if report.status.is_terminal() {
                "Not answered."
            } else {
                "Not answered yet."
            })])),
        }
    }
    if !report.controls.is_empty() {
        blocks.push(Block::Section("Requests to the run", "requests"));
        let rows = report.controls.iter().map(|control| {
            let by = control.by.as_ref().map_or(plain("–"), code);
            vec![vec![plain(&control.request)], vec![at(control.at)], vec![by]]
        });
        blocks.push(Block::Table {
            caption: "Requests to pause, resume or cancel the run",
            head: REQUESTS,
            rows: rows.collect(),
        });
    }
}

/// The outputs of the stages: of many passes those of the last ones.
fn results(report: &Report, blocks: &mut Vec<Block>) {
    let with_output: Vec<_> = report.stages.iter().filter(|stage| stage.output.is_some()).collect();
    if with_output.is_empty() {
        return;
    }
    blocks.push(Block::Section("Outputs", "outputs"));
    let left_out = with_output.len().saturating_sub(OUTPUTS);
    if left_out > 0 {
        let earlier = count(left_out as u64, "earlier output");
        blocks
            .push(Block::Text(vec![plain(format!("{earlier} left out. The events of the run have them."))]));
    }
    for stage in &with_output[left_out..] {
        let Some(output) = &stage.output else { continue };
        let mut spans = vec![plain("Stage "), code(&stage.stage)];
        if report.iteration > 1 {
            spans.push(plain(format!(", iteration {}", stage.iteration)));
        }
        spans.push(plain(match stage.status {
            StageStatus::Failed => ", which failed:",
            _ if stage.replaced => ", replaced when the run was forked:",
            _ => ":",
        }));
        blocks.push(Block::Text(spans));
        blocks.push(Block::Lines("Output", cut(output)));
    }
}

fn work(report: &Report, blocks: &mut Vec<Block>) {
    blocks.push(Block::Section("Time and cost", "work"));
    if report.iteration > 1 {
        let rows = report.iterations.iter().map(|iteration| {
            let mut started = vec![at(iteration.started_at)];
            if iteration.inherited {
                started.push(plain(format!(" {OF_FORKED}")));
            }
            vec![
                vec![plain(iteration.iteration.to_string())],
                started,
                vec![plain(iteration.duration_ms.map_or("–".to_owned(), duration))],
                vec![plain(grouped(iteration.spent.attempts))],
                vec![plain(cost(&iteration.spent))],
                vec![plain(tokens(&iteration.spent))],
                vec![plain(iteration.stop_when.map_or("–", |is_met| if is_met { "met" } else { "not met" }))],
            ]
        });
        blocks.push(Block::Table { caption: "Iterations", head: ITERATIONS, rows: rows.collect() });
    }
    stages(report, blocks);
    // Where each stage made one call, its row says the same.
    let is_more = report.calls.iter().any(|call| !call.path.items.is_empty())
        || report.calls.len() > report.stages.iter().filter(|stage| stage.spent.attempts > 0).count();
    if is_more {
        let rows = report.calls.iter().map(|call| {
            vec![
                vec![code(&call.path)],
                vec![call.provider.as_ref().map_or(plain("–"), code)],
                vec![call.role.as_ref().map_or(plain("–"), code)],
                vec![Span::Badge(of_stage(call.status))],
                vec![at(call.started_at)],
                vec![plain(call.duration_ms.map_or("–".to_owned(), duration))],
                vec![plain(grouped(call.spent.attempts))],
                vec![plain(cost(&call.spent))],
                vec![plain(tokens(&call.spent))],
            ]
        });
        blocks.push(Block::Table { caption: "Calls of providers", head: CALLS, rows: rows.collect() });
    }
    if !report.budgets.is_empty() {
        let rows = report.budgets.iter().map(budget);
        blocks.push(Block::Table { caption: "Budgets", head: BUDGETS, rows: rows.collect() });
    }
}

fn stages(report: &Report, blocks: &mut Vec<Block>) {
    const HEAD: &[Column] = &[
        column("Stage"),
        number("Iteration"),
        column("Providers"),
        column("Status"),
        column("Started"),
        number("Duration"),
        number("Attempts"),
        number("Failed"),
        number("Cost"),
        number("Tokens"),
    ];
    let rows = report.stages.iter().map(|stage| {
        let mut status = vec![Span::Badge(of_stage(stage.status))];
        if stage.finally {
            status.push(plain(" (runs in any case)"));
        }
        if stage.continued {
            status.push(plain(" (the run continued)"));
        }
        if stage.inherited {
            status.push(plain(format!(" {OF_FORKED}")));
        }
        if stage.replaced {
            status.push(plain(" (its output was replaced when the run was forked)"));
        }
        vec![
            vec![code(&stage.stage)],
            vec![plain(stage.iteration.to_string())],
            providers(report, stage),
            status,
            vec![at(stage.started_at)],
            vec![plain(stage.duration_ms.map_or("–".to_owned(), duration))],
            vec![plain(grouped(stage.spent.attempts))],
            vec![plain(stage.failed_attempts.to_string())],
            vec![plain(cost(&stage.spent))],
            vec![plain(tokens(&stage.spent))],
        ]
    });
    let rows: Vec<_> = rows.collect();
    if rows.is_empty() {
        blocks.push(Block::Text(vec![plain("No stage has begun.")]));
    } else {
        blocks.push(Block::Table { caption: "Stages", head: HEAD, rows });
    }
}

/// The providers that a pass of a stage called.
fn providers(report: &Report, stage: &ReportStage) -> Vec<Span> {
    let of_stage =
        |call: &&ReportCall| call.path.iteration == stage.iteration && call.path.stage == stage.stage;
    let mut names: Vec<_> =
        report.calls.iter().filter(of_stage).filter_map(|call| call.provider.as_ref()).collect();
    names.sort_unstable();
    names.dedup();
    if names.is_empty() {
        return vec![plain("–")];
    }
    let spans = names.into_iter().flat_map(|name| [plain(", "), code(name)]);
    spans.skip(1).collect()
}

fn budget(budget: &ReportBudget) -> Vec<Vec<Span>> {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative, and far smaller"
    )]
    let amount = |value: f64| match budget.limit {
        BudgetLimit::Cost => dollars(value),
        BudgetLimit::Tokens => grouped(value as u64),
        BudgetLimit::Time => duration((value * 1e3) as u64),
    };
    let whose = budget
        .stage
        .as_ref()
        .map_or_else(|| vec![plain("the run")], |stage| vec![plain("stage "), code(stage)]);
    let limit = match budget.limit {
        BudgetLimit::Cost => "cost",
        BudgetLimit::Tokens => "tokens",
        BudgetLimit::Time => "time of attempts",
    };
    let share = format!("{:.0} %", budget.used / budget.of * 100.0);
    vec![
        whose,
        vec![plain(limit)],
        vec![plain(amount(budget.used))],
        vec![plain(amount(budget.of))],
        vec![plain(share)],
    ]
}

fn changes(report: &Report, blocks: &mut Vec<Block>) {
    let Some(changes) = &report.changes else { return };
    blocks.push(Block::Section("Changes of files", "changes"));
    let Some(branch) = &changes.branch else {
        blocks.push(Block::Text(vec![plain(
            "The run works in a worktree of its own, and has changed nothing there.",
        )]));
        return;
    };
    blocks.push(Block::Text(vec![
        plain(format!("{} on the branch ", count(changes.commits.len() as u64, "commit"))),
        code(branch),
        plain("."),
    ]));
    for commit in &changes.commits {
        let short: String = commit.commit.chars().take(12).collect();
        blocks.push(Block::Text(vec![code(&short), plain(" by "), code(&commit.path), plain(":")]));
        blocks.push(Block::Lines("Summary of changes", commit.stat.clone()));
    }
}

fn started_with(report: &Report, blocks: &mut Vec<Block>) {
    blocks.push(Block::Section("Inputs", "inputs"));
    let mut facts = vec![("Hash of the definition", vec![code(&report.bundle)])];
    for (name, value) in &report.labels {
        facts.push(("Label", vec![code(name), plain(": "), code(value)]));
    }
    blocks.push(Block::Facts(facts));
    for (name, value) in &report.vars {
        blocks.push(Block::Text(vec![plain("Variable "), code(name), plain(":")]));
        blocks.push(Block::Lines("Value", cut(value)));
    }
}

/// An answer: of an approval in words.
fn said(reason: WaitReason, answer: &Excerpt) -> String {
    let value: Value = serde_json::from_str(&answer.text).unwrap_or_default();
    let approved = value.as_bool().or_else(|| value["approved"].as_bool());
    let Some(approved) = approved.filter(|_| reason == WaitReason::Approval) else { return cut(answer) };
    let comment = value["comment"].as_str().map(|comment| format!(": {comment}")).unwrap_or_default();
    format!("{}{comment}", if approved { "Approved" } else { "Rejected" })
}

fn cut(excerpt: &Excerpt) -> String {
    if excerpt.truncated { format!("{}\n[…]", excerpt.text) } else { excerpt.text.clone() }
}
