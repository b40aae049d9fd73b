//! A run as text.

use std::fmt::Write as _;

use jiff::Timestamp;
use workflow_core::event::{Event, EventBody};
use workflow_core::failure::Failure;
use workflow_core::ids::NodePath;
use workflow_core::machine::RunView;

use crate::scripted::Call;

/// A run as text: its events with the milliseconds since it was created, how it stands, and what
/// its providers did.
pub fn show(events: &[Event], view: &RunView, calls: &[Call]) -> String {
    let mut text = show_events(events);
    write!(text, "\n{:?}, iteration {}", view.status, view.iteration).unwrap();
    if let Some(stage) = &view.current_stage {
        write!(text, ", at {stage}").unwrap();
    }
    if !view.failed_stages.is_empty() {
        write!(text, ", failed: {:?}", view.failed_stages).unwrap();
    }
    writeln!(text).unwrap();
    for (name, value) in &view.context.vars {
        writeln!(text, "  vars.{name} = {value:?}").unwrap();
    }
    for (id, stage) in &view.context.stages {
        write!(text, "  {id}: {}", word(&stage.status)).unwrap();
        if let Some(output) = &stage.output {
            write!(text, " {output:?}").unwrap();
        }
        let lanes = stage.results.iter().map(|lane| word(&lane.status)).collect::<Vec<_>>();
        writeln!(text, " [{}]", lanes.join(", ")).unwrap();
    }
    text + "\ncalls\n" + &show_calls(calls)
}

/// Calls as text: when they began and ended, how, and what they were given.
pub fn show_calls(calls: &[Call]) -> String {
    let mut text = String::new();
    for call in calls {
        let (path, attempt) = (node(&call.id.path), call.id.attempt);
        write!(text, "  {path} #{attempt} {} {}", call.provider, call.from).unwrap();
        match call.end {
            Some((at, how)) => write!(text, "–{at} {how}").unwrap(),
            None => write!(text, "– goes on").unwrap(),
        }
        let prompt = if call.prompt.is_empty() { String::new() } else { format!(": {:?}", call.prompt) };
        writeln!(text, "{prompt}").unwrap();
    }
    text
}

/// Events as text, with the milliseconds since the first.
pub fn show_events(events: &[Event]) -> String {
    let mut text = String::new();
    let start = events[0].at;
    for event in events {
        let (kind, what) = (event.body.kind(), describe(&event.body, start));
        let line = format!("{:>6}  {kind:<18} {what}", since(start, event.at));
        writeln!(text, "{}", line.trim_end()).unwrap();
    }
    text
}

fn describe(body: &EventBody, start: Timestamp) -> String {
    match body {
        EventBody::RunCreated(created) => created.workflow.to_string(),
        EventBody::StageStarted { iteration, stage, .. } | EventBody::StageSkipped { iteration, stage } => {
            format!("{iteration}/{stage}")
        }
        EventBody::NodeQueued { path, provider } => format!("{} {provider}", node(path)),
        EventBody::AttemptStarted { path, attempt, provider, .. } => {
            format!("{} #{attempt} {provider}", node(path))
        }
        EventBody::SessionRecorded { path, attempt, session } => {
            format!("{} #{attempt} {session}", node(path))
        }
        EventBody::AttemptSucceeded { path, attempt, output, .. } => {
            format!("{} #{attempt} {output:?}", node(path))
        }
        EventBody::AttemptFailed { path, attempt, error, retry_at, parked, .. } => {
            let again = retry_at.map(|at| format!(", again at {}", since(start, at))).unwrap_or_default();
            let parked = if *parked { ", parked" } else { "" };
            format!("{} #{attempt} {}{parked}{again}", node(path), failure(error))
        }
        EventBody::AttemptCancelled { path, attempt, .. }
        | EventBody::AttemptInterrupted { path, attempt } => {
            format!("{} #{attempt}", node(path))
        }
        EventBody::StageCompleted { iteration, stage, output_of, set } => {
            let output = output_of.map_or("all lanes".into(), |lane| format!("lane {lane}"));
            let set = set
                .iter()
                .flat_map(|set| set.iter())
                .fold(String::new(), |set, (name, value)| format!("{set}, {name} = {value:?}"));
            format!("{iteration}/{stage}, output of {output}{set}")
        }
        EventBody::StageFailed { iteration, stage, error, continues } => {
            let continues = if *continues { ", continues" } else { "" };
            format!("{iteration}/{stage} {}{continues}", failure(error))
        }
        EventBody::IterationEnded { iteration, done, next } => {
            let next = next.as_ref().map(|stage| format!(", next {stage}")).unwrap_or_default();
            format!("{iteration}, done {done}{next}")
        }
        EventBody::RunCompleted { failed_stages } if !failed_stages.is_empty() => {
            format!("failed: {failed_stages:?}")
        }
        EventBody::RunFailed { error } => failure(error),
        EventBody::CancelRequested { at_once: true, .. } => "at once".into(),
        _ => String::new(),
    }
}

fn since(start: Timestamp, at: Timestamp) -> i64 {
    at.as_millisecond() - start.as_millisecond()
}

/// A path without the name that every node has.
fn node(path: &NodePath) -> String {
    path.to_string().trim_end_matches("/run").to_owned()
}

fn failure(failure: &Failure) -> String {
    format!("{}: {}", word(&failure.class), failure.message)
}

fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).unwrap().as_str().unwrap().to_owned()
}
