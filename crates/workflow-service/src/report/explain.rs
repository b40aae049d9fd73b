//! What happened in a run, in a few sentences; what failed; and what to do next.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Value, json};
use workflow_core::data::Data;
use workflow_core::failure::FailureClass;
use workflow_core::status::{RunStatus, StageStatus, Wait, WaitReason};
use workflow_core::usage::Spent;

use super::advice;
use super::blocks::{Span, at, code, plain};
use super::collect::Collected;
use super::model::{AttemptOutcome, NextStep, Report, ReportCall, ReportFailure, ReportStage};
use super::words::{count, duration};

/// What failed, in the order in which it began to fail.
pub(super) fn failures(collected: &Collected) -> Vec<ReportFailure> {
    let mut failures: Vec<_> =
        collected.calls.by_path.values().filter_map(|call| of_call(collected, call)).collect();
    for stage in collected.stages.values() {
        let Some(error) = &stage.error else { continue };
        let of_stage = |failure: &ReportFailure| {
            failure.iteration == stage.iteration && failure.stage.as_ref() == Some(&stage.stage)
        };
        if failures.iter().all(|(_, failure)| !of_stage(failure) || failure.recovered) {
            let failure = ReportFailure {
                path: None,
                stage: Some(stage.stage.clone()),
                iteration: stage.iteration,
                provider: None,
                attempts: 0,
                error: error.clone(),
                recovered: false,
                inherited: stage.inherited,
                advice: advice::of_failure(error.class, 0).to_owned(),
            };
            failures.push((stage.started_at, failure));
        }
    }
    failures.sort_by_key(|(at, _)| *at);
    failures.into_iter().map(|(_, failure)| failure).collect()
}

/// The failure of a call, and when the call began to fail.
fn of_call(collected: &Collected, call: &ReportCall) -> Option<(Timestamp, ReportFailure)> {
    let pass = collected.stages.get(&(call.path.iteration, call.path.stage.clone()));
    // Where the output of a stage was replaced, it does not matter what its calls did.
    if pass.is_some_and(|pass| pass.replaced) {
        return None;
    }
    let errors = call.attempts.iter().rev().filter_map(|attempt| attempt.error.as_ref());
    let error = errors.clone().find(|error| error.class != FailureClass::Cancelled)?;
    let at = call.attempts.iter().find(|attempt| attempt.error.is_some())?.started_at;
    let running = call.attempts.iter().filter(|attempt| attempt.outcome == AttemptOutcome::Running).count();
    let attempts = u32::try_from(call.spent.attempts.saturating_add(running as u64)).unwrap_or(u32::MAX);
    let recovered = call.status == StageStatus::Completed;
    let advice = if recovered { advice::OF_RECOVERED } else { advice::of_failure(error.class, attempts) };
    let failure = ReportFailure {
        path: Some(call.path.clone()),
        stage: Some(call.path.stage.clone()),
        iteration: call.path.iteration,
        provider: call.provider.clone(),
        attempts,
        error: error.clone(),
        recovered,
        inherited: pass.is_some_and(|pass| pass.inherited),
        advice: advice.to_owned(),
    };
    Some((at, failure))
}

/// What happened, in a few sentences.
pub(super) fn summary(report: &Report) -> Vec<Span> {
    let mut spans = vec![plain("The run of workflow "), code(&report.workflow_id), plain(" ")];
    let took = report.duration_ms.map(duration).unwrap_or_default();
    match report.status {
        RunStatus::Completed => spans.push(plain(format!("completed in {took}."))),
        RunStatus::Failed => {
            spans.push(plain(format!("failed after {took}")));
            match failed_stage(report) {
                Some(stage)
                    if report
                        .error
                        .as_ref()
                        .is_none_or(|error| error.class != FailureClass::LoopExhausted) =>
                {
                    spans.extend([plain(" in stage "), code(&stage.stage)]);
                    spans.push(plain(iteration(report, stage.iteration)));
                }
                _ => {}
            }
            spans.push(plain("."));
        }
        RunStatus::Cancelled => {
            spans.push(plain(format!("was cancelled after {took}")));
            spans.extend(under_way(report));
            spans.push(plain("."));
        }
        RunStatus::Paused => {
            let reason = report.waits.first().map(|wait| wait.wait.reason);
            spans.push(plain(waits(reason)));
            spans.extend(under_way(report));
            if let Some(since) = report.waits.iter().filter_map(|wait| wait.wait.since).min() {
                spans.extend([plain(" since "), at(since)]);
            }
            spans.push(plain("."));
        }
        RunStatus::Pending => spans.push(plain("has not begun: no process has driven it yet.")),
        RunStatus::Running => {
            spans.push(plain("is in progress"));
            spans.extend(under_way(report));
            spans.push(plain(if report.holder.is_some() {
                "."
            } else {
                "; no process drives it at the moment."
            }));
        }
    }
    spans.extend(tried(report));
    if report.status == RunStatus::Failed
        && let Some(failure) =
            own_failures(report).rev().find(|failure| !failure.recovered && is_of_cause(report, failure))
        && let Some(path) = failure.path.as_ref().filter(|_| failure.attempts > 0)
    {
        spans.extend([plain(" The call that failed last, "), code(path)]);
        if let Some(provider) = &failure.provider {
            spans.extend([plain(" of provider "), code(provider)]);
        }
        let times =
            if failure.attempts == 1 { "once".to_owned() } else { format!("{} times", failure.attempts) };
        spans.push(plain(format!(", was tried {times}.")));
    }
    spans
}

/// What a run that is paused does.
fn waits(reason: Option<WaitReason>) -> &'static str {
    match reason {
        Some(WaitReason::Approval) => "waits for a person to approve",
        Some(WaitReason::Question) => "waits for the answer of a person",
        Some(WaitReason::UnknownOutcome) => "waits for a person to say what an interrupted call did",
        Some(WaitReason::Quota) => "waits until the quota of a provider is refilled",
        Some(WaitReason::Retry) => "waits for the next attempt",
        Some(WaitReason::Timer) => "waits for a time",
        Some(WaitReason::Signal) => "waits for a signal",
        Some(WaitReason::Child) => "waits for a run that it has started",
        Some(WaitReason::Crashes) => {
            "is not driven any more, because the processes that drove it ended again and again"
        }
        _ => "is paused",
    }
}

/// What was done: stages, attempts, retries, failures.
fn tried(report: &Report) -> Vec<Span> {
    let mut spans = Vec::new();
    let Spent { attempts, .. } = report.spent;
    let own = report.stages.iter().filter(|stage| !stage.inherited && stage.duration_ms.is_some());
    let ended = own.map(|stage| &stage.stage).collect::<BTreeSet<_>>().len() as u64;
    if ended > 0 {
        let own = report.stages.iter().filter(|stage| !stage.inherited);
        let failed = own.map(|stage| u64::from(stage.failed_attempts)).sum::<u64>();
        let failed = match failed {
            0 => String::new(),
            1 if attempts == 1 => ", which failed".to_owned(),
            _ if failed == attempts => ", all of which failed".to_owned(),
            _ => format!(", {failed} of which failed"),
        };
        let iterations = report.iterations.iter().filter(|iteration| !iteration.inherited).count() as u64;
        let iterations = match iterations {
            0 | 1 => String::new(),
            iterations => format!(" in {}", count(iterations, "iteration")),
        };
        spans.push(plain(format!(
            " {} ran{iterations}, with {}{failed}.",
            count(ended, "stage"),
            count(attempts, "attempt"),
        )));
    }
    for stage in report.stages.iter().filter(|stage| stage.continued) {
        spans.extend([plain(" Stage "), code(&stage.stage), plain(" failed")]);
        spans.push(plain(format!(
            "{}, and the run continued without it.",
            iteration(report, stage.iteration)
        )));
    }
    let recovered = own_failures(report).filter(|failure| failure.recovered).count() as u64;
    if recovered > 0 {
        spans.push(plain(format!(" {} failed at first and succeeded later.", count(recovered, "call"))));
    }
    spans
}

/// The failures of this run, without those of the run that it was forked from.
fn own_failures(report: &Report) -> impl DoubleEndedIterator<Item = &ReportFailure> {
    report.failures.iter().filter(|failure| !failure.inherited)
}

fn iteration(report: &Report, iteration: u32) -> String {
    if report.iteration > 1 { format!(" in iteration {iteration}") } else { String::new() }
}

/// The stage whose failure the run failed with. Those of `finally` replace no failure, and of theirs the first counts.
fn failed_stage(report: &Report) -> Option<&ReportStage> {
    let mut failed = report.stages.iter().filter(|stage| stage.error.is_some() && !stage.continued);
    match report.ending {
        Some(RunStatus::Completed) => failed.find(|stage| stage.finally),
        _ => failed.rfind(|stage| !stage.finally),
    }
}

/// Whether the failure belongs to those that the run failed with, and not to a stage of `finally` that ran after it.
fn is_of_cause(report: &Report, failure: &ReportFailure) -> bool {
    let is_stage = |stage: &&ReportStage| {
        stage.iteration == failure.iteration && Some(&stage.stage) == failure.stage.as_ref()
    };
    match report.ending {
        None => true,
        Some(RunStatus::Completed) => failed_stage(report).is_none_or(|stage| is_stage(&stage)),
        Some(_) => report.stages.iter().find(is_stage).is_none_or(|stage| !stage.finally),
    }
}

fn under_way(report: &Report) -> Vec<Span> {
    match report.stages.iter().rev().find(|stage| stage.duration_ms.is_none()) {
        Some(stage) => {
            vec![plain(" in stage "), code(&stage.stage), plain(iteration(report, stage.iteration))]
        }
        None => Vec::new(),
    }
}

/// What to do next, the first thing first.
pub(super) fn next(report: &Report, first_stage: Option<&str>) -> Vec<NextStep> {
    let run = report.run_id.as_str();
    let mut steps = Vec::new();
    match report.status {
        RunStatus::Failed => after_failure(report, first_stage, &mut steps),
        RunStatus::Cancelled => {
            let last = report.stages.iter().rfind(|stage| !stage.finally).or(report.stages.last());
            steps.push(rerun(run, last.map(|stage| stage.stage.as_str()), false,
                "To continue the work, run it again from the stage in which it was cancelled; the new run keeps what was done before."));
        }
        RunStatus::Completed => {
            for stage in report.stages.iter().filter(|stage| stage.continued) {
                steps.push(rerun(
                    run,
                    Some(stage.stage.as_str()),
                    false,
                    "A stage failed on the way. To make up for it, run again from that stage.",
                ));
            }
        }
        RunStatus::Paused | RunStatus::Running | RunStatus::Pending => {
            let questions = report.waits.iter().flat_map(|wait| answers(run, &wait.wait));
            steps.extend(questions);
            if steps.is_empty() && report.holder.is_none() && report.status != RunStatus::Paused {
                steps.push(step(
                    "No process drives the run: start a worker, or resume all runs that no process drives.",
                    "workflow recover".to_owned(),
                    None,
                ));
            }
        }
    }
    if report.changes.as_ref().is_some_and(|changes| changes.branch.is_some()) {
        steps.push(step(
            "Look at what the run changed: its commits are on a branch of its own.",
            format!("workflow diff {run}"),
            Some(("workflow:runs:diff", json!({ "runId": run }))),
        ));
    }
    steps
}

fn after_failure(report: &Report, first_stage: Option<&str>, steps: &mut Vec<NextStep>) {
    let run = report.run_id.as_str();
    let cause = cause(report);
    let class = cause.map(|(class, _)| class);
    if let Some((class, attempts)) = cause {
        steps.push(NextStep {
            text: advice::of_failure(class, attempts).to_owned(),
            command: None,
            operation: None,
            request: None,
        });
    }
    let logs = |text, flag: &str, request| {
        step(text, format!("workflow logs {run}{flag}"), Some(("workflow:runs:logs", request)))
    };
    if own_failures(report).any(|failure| failure.attempts > 0 && !failure.recovered) {
        let request = json!({ "runId": run, "level": "warn" });
        steps.push(logs("Read what the failed calls printed.", " --failed", request));
    } else if report.spent.attempts > 0 {
        steps.push(logs("Read what the calls printed.", "", json!({ "runId": run })));
    }
    let failed = failed_stage(report);
    let exhausted = report.error.as_ref().is_some_and(|error| error.class == FailureClass::LoopExhausted);
    let stage = failed.filter(|_| !exhausted).map(|stage| stage.stage.as_str());
    if exhausted {
        steps.push(rerun(
            run,
            first_stage,
            true,
            "When the workflow is corrected, run again with its current definition. The new run repeats the last iteration; \
             with a greater `max_iters` it can make more of them.",
        ));
        return;
    }
    let unchanged = matches!(
        class,
        Some(
            FailureClass::Transient
                | FailureClass::RateLimited
                | FailureClass::Timeout
                | FailureClass::IdleTimeout
        )
    );
    if unchanged && stage.is_some() {
        steps.push(rerun(run, stage, false, "If nothing has to be changed, run again from the stage that failed. What was done before it is kept."));
    }
    let text = match stage {
        Some(_) => {
            "When the workflow is corrected, run again from the stage that failed, with the current definition."
        }
        None => "When the workflow is corrected, run again with its current definition.",
    };
    steps.push(rerun(run, stage.or(first_stage), true, text));
}

/// The class of the failure that caused that of the run, and how many attempts failed with it.
fn cause(report: &Report) -> Option<(FailureClass, u32)> {
    let error = report.error.as_ref()?;
    let is_within = |failure: &&ReportFailure| {
        !failure.recovered && failure.path.is_some() && is_of_cause(report, failure)
    };
    let within = own_failures(report).rev().find(is_within);
    match within {
        Some(failure) if error.class == FailureClass::Stage || error.class == failure.error.class => {
            Some((failure.error.class, failure.attempts))
        }
        _ => Some((error.class, 0)),
    }
}

fn rerun(run: &str, stage: Option<&str>, current: bool, text: &str) -> NextStep {
    let mut command = format!("workflow rerun {run}");
    let mut request = json!({ "runId": run });
    if let Some(stage) = stage {
        command = format!("{command} --from {stage}");
        request["from"] = json!({ "stage": stage });
    }
    if current {
        command.push_str(" --current");
        request["current"] = true.into();
    }
    step(text, command, Some(("workflow:runs:rerun", request)))
}

/// How a wait is ended.
fn answers(run: &str, wait: &Wait) -> Vec<NextStep> {
    let Some(number) = wait.number else {
        return match wait.reason {
            WaitReason::Pause | WaitReason::Crashes => vec![step(
                "Resume the run.",
                format!("workflow resume {run}"),
                Some(("workflow:runs:resume", json!({ "runId": run }))),
            )],
            WaitReason::Signal => wait.signal.iter().map(|name| send(run, name)).collect(),
            _ => Vec::new(),
        };
    };
    let answer = |text: &str, flags: &str, value: Value| {
        step(
            text,
            format!("workflow answer {run} --wait {number} {flags}"),
            Some(("workflow:runs:answer", json!({ "runId": run, "wait": number, "value": value }))),
        )
    };
    match wait.reason {
        WaitReason::Approval => vec![
            answer("Approve.", "--approve", json!({ "approved": true })),
            answer(
                "Or reject, and say why.",
                "--reject --comment 'WHY'",
                json!({ "approved": false, "comment": "WHY" }),
            ),
        ],
        WaitReason::UnknownOutcome => vec![
            answer(
                "If the call took effect, give its result.",
                "--happened 'RESULT'",
                json!({ "outcome": "happened", "result": "RESULT" }),
            ),
            answer("If it did not, it is repeated.", "--not-happened", json!({ "outcome": "not_happened" })),
        ],
        _ => vec![answer("Answer the question.", "'ANSWER'", json!("ANSWER"))],
    }
}

fn send(run: &str, name: &str) -> NextStep {
    step(
        "Send the signal, if what it stands for has happened.",
        format!("workflow signal {run} {name}"),
        Some(("workflow:runs:signal", json!({ "runId": run, "name": name }))),
    )
}

fn step(text: &str, command: String, operation: Option<(&str, Value)>) -> NextStep {
    let (operation, request) = operation.unzip();
    NextStep {
        text: text.to_owned(),
        command: Some(command),
        operation: operation.map(str::to_owned),
        request: request.as_ref().map(Data::new),
    }
}
