//! What needs a person: why a run waits or failed, and what to do about it.

use workflow_core::status::{RunStatus, Wait, WaitReason};
use workflow_core::view::RunView;

use crate::failed::{failure, last_lines};
use crate::text::{count, date};
use crate::top::look::Look;
use crate::top::message::Detail;
use crate::words;

/// How many of the last lines of a failed call are shown.
const PRINTED: usize = 3;

/// A paragraph, and its look where it begins with one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub look: Option<Look>,
    pub text: String,
}

impl Line {
    fn new(look: Look, text: String) -> Self {
        Self { look: Some(look), text }
    }

    fn plain(text: String) -> Self {
        Self { look: None, text }
    }
}

/// Why the run does not continue or has failed, and what to do.
pub(crate) fn lines(detail: &Detail) -> Vec<Line> {
    let view = &detail.view;
    let run = &view.run_id;
    let mut lines = Vec::new();
    if let (RunStatus::Failed, Some(error)) = (detail.status, &view.error) {
        lines.push(Line::new(Look::Failed, failure(error)));
        let printed = last_lines(error, PRINTED);
        lines.extend(printed.into_iter().map(|line| Line::plain(format!("it printed: {line}"))));
        if view.spent.attempts > 0 {
            lines.push(Line::plain(format!("tried: {}", count(view.spent.attempts, "attempt"))));
        }
        lines.push(Line::plain(format!("run it again: `workflow rerun {run}`")));
        // From the stage that failed, with the workflow as it is then.
        lines.push(Line::plain(format!("after a fix: `workflow rerun {run} --current`")));
        return lines;
    }
    if detail.status.is_terminal() {
        return lines;
    }
    for wait in &view.waits {
        lines.extend(waits(detail, wait));
    }
    if detail.holder.is_none() {
        lines.extend(undriven(view, detail.status));
    }
    lines
}

fn waits(detail: &Detail, wait: &Wait) -> Vec<Line> {
    let run = &detail.view.run_id;
    let since = wait.since.map(|since| format!("; waiting since {}", date(since))).unwrap_or_default();
    match wait.reason {
        WaitReason::Pause => {
            let by = words::by(detail.view.stopped_by.as_ref());
            vec![Line::new(Look::Paused, format!("paused{by}; press r to resume{since}"))]
        }
        WaitReason::Quota
        | WaitReason::Retry
        | WaitReason::Timer
        | WaitReason::Signal
        | WaitReason::Child => {
            let look = match wait.reason {
                WaitReason::Quota => Look::Quota,
                WaitReason::Timer | WaitReason::Signal | WaitReason::Child => Look::Paused,
                _ => Look::Retrying,
            };
            let known = if wait.until.is_none() && wait.reason != WaitReason::Signal {
                ", until an unknown time"
            } else {
                ""
            };
            vec![Line::new(look, format!("waits for {}{known}{since}", words::waits_for(wait)))]
        }
        WaitReason::Crashes => {
            vec![Line::new(
                Look::Waiting,
                format!("waits for {}; press r to resume{since}", words::asks(wait)),
            )]
        }
        _ => {
            let asks = words::asks(wait);
            let how = if wait.number.is_some() {
                "press a to answer".to_owned()
            } else {
                format!("`workflow answer {run}` answers it")
            };
            vec![Line::new(Look::Waiting, format!("waits for {asks}")), Line::plain(format!("{how}{since}"))]
        }
    }
}

/// What to do about a run that no process drives, unless it only waits for a person.
fn undriven(view: &RunView, status: RunStatus) -> Option<Line> {
    let run = &view.run_id;
    let by_time = view.waits.iter().any(|wait| wait.number.is_none() && wait.until.is_some());
    match status {
        RunStatus::Paused if by_time => Some(Line::plain(format!(
            "no process drives it: it continues then if a worker runs, or with `workflow resume {run}`"
        ))),
        RunStatus::Paused => None,
        _ => Some(Line::new(Look::Undriven, format!("no process drives it: `workflow resume {run}`"))),
    }
}
