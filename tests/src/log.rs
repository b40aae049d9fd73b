//! A run as text.

use std::fmt::Write as _;

use indexmap::IndexMap;
use jiff::Timestamp;
use workflow_core::data::Data;
use workflow_core::event::{Event, EventBody, LaneOutput};
use workflow_core::failure::Failure;
use workflow_core::ids::{NodePath, RoleId};
use workflow_core::view::RunView;

use crate::scripted::Call;

/// A run as text: its events with the milliseconds since it was created, its final state, and the calls of
/// its providers.
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
        for (number, lane) in stage.results.iter().enumerate().filter(|(_, lane)| !lane.nodes.is_empty()) {
            let nodes = lane.nodes.iter().map(|node| {
                let items = node.items.as_ref().map(|items| format!(" {}/{}", items.done, items.total));
                format!("{} {}{}", node.id, word(&node.status), items.unwrap_or_default())
            });
            writeln!(text, "    [{number}] {}", nodes.collect::<Vec<_>>().join(", ")).unwrap();
        }
    }
    text + "\ncalls\n" + &show_calls(calls)
}

/// Calls as text: when and how they began and ended, and their prompts.
pub fn show_calls(calls: &[Call]) -> String {
    let mut text = String::new();
    for call in calls {
        let (path, attempt) = (node(&call.id.path), call.id.attempt);
        write!(text, "  {path} #{attempt} {} {}", call.provider, call.from).unwrap();
        match call.end {
            Some((at, how)) => write!(text, "–{at} {how}").unwrap(),
            None => write!(text, "– running").unwrap(),
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
        EventBody::LaneStarted { iteration, stage, lane, provider, role } => {
            format!("{iteration}/{stage}[{lane}] {provider}{}", in_role(role.as_ref()))
        }
        EventBody::NodeStarted { path, items } => format!("{} for {items:?}", node(path)),
        EventBody::NodeCompleted { path, output, set } => {
            format!("{} {output:?}{}", node(path), written(set.as_deref()))
        }
        EventBody::NodeFailed { path, error, continues } => {
            let continues = if *continues { ", continues" } else { "" };
            format!("{} {}{continues}", node(path), failure(error))
        }
        EventBody::NodeSkipped { path } => node(path),
        EventBody::NodeQueued { path, provider } => format!("{} {provider}", node(path)),
        EventBody::AttemptStarted { path, attempt, provider, role } => {
            format!("{} #{attempt} {provider}{}", node(path), in_role(role.as_ref()))
        }
        EventBody::SessionRecorded { path, attempt, session } => {
            format!("{} #{attempt} {session}", node(path))
        }
        EventBody::AttemptSucceeded { path, attempt, output, set, .. } => {
            format!("{} #{attempt} {output:?}{}", node(path), written(set.as_deref()))
        }
        EventBody::AttemptFailed {
            path,
            attempt,
            error,
            retry_at,
            parked,
            repair,
            continues,
            output,
            ..
        } => {
            let again =
                retry_at.as_deref().map(|at| format!(", again at {}", since(start, *at))).unwrap_or_default();
            let parked = if *parked { ", parked" } else { "" };
            let repair = if *repair { ", repair" } else { "" };
            let gave = output.as_ref().map(|output| format!(", gave {output:?}")).unwrap_or_default();
            let continues = if *continues { ", continues" } else { "" };
            format!("{} #{attempt} {}{gave}{parked}{repair}{continues}{again}", node(path), failure(error))
        }
        EventBody::AttemptCancelled { path, attempt, .. } => format!("{} #{attempt}", node(path)),
        EventBody::AttemptInterrupted { path, attempt, retry_at, .. } => {
            let again = retry_at.map(|at| format!(", again at {}", since(start, at))).unwrap_or_default();
            format!("{} #{attempt}{again}", node(path))
        }
        EventBody::StageCompleted { iteration, stage, output_of, set } => {
            let output = output_of.map_or("all lanes".into(), |lane| format!("lane {lane}"));
            format!("{iteration}/{stage}, output of {output}{}", written(set.as_deref()))
        }
        EventBody::LaneCompleted { iteration, stage, lane, output_of } => {
            let output = match output_of {
                LaneOutput::Node(id) => id.to_string(),
                LaneOutput::Nodes(ids) => format!("{ids:?}"),
            };
            format!("{iteration}/{stage}[{lane}], output of {output}")
        }
        EventBody::LaneFailed { iteration, stage, lane, error } => {
            format!("{iteration}/{stage}[{lane}] {}", failure(error))
        }
        EventBody::StageFailed { iteration, stage, error, continues, .. } => {
            let continues = if *continues { ", continues" } else { "" };
            format!("{iteration}/{stage} {}{continues}", failure(error))
        }
        EventBody::IterationEnded { iteration, done, next } => {
            let next = next.as_ref().map(|stage| format!(", next {stage}")).unwrap_or_default();
            format!("{iteration}, done {done}{next}")
        }
        EventBody::RunCompleted { reason: Some(reason), output, .. } => {
            let output = output.as_ref().map(|output| format!(", with {output:?}")).unwrap_or_default();
            format!("early: {reason}{output}")
        }
        EventBody::RunCompleted { output: Some(output), .. } => format!("with {output:?}"),
        EventBody::RunCompleted { failed_stages, .. } if !failed_stages.is_empty() => {
            format!("failed: {failed_stages:?}")
        }
        EventBody::RunFailed { error } => failure(error),
        EventBody::StageAsked { iteration, stage, question } => format!("{iteration}/{stage} {question:?}"),
        EventBody::NodeAsked { path, reason, question, schema } => {
            let schema = schema.as_ref().map(|schema| format!(", as {schema:?}")).unwrap_or_default();
            format!("{} {}: {question:?}{schema}", node(path), word(reason))
        }
        EventBody::NodeWaiting { path, until, signal } => {
            let signal = signal.as_ref().map(|name| format!(" for {name}")).unwrap_or_default();
            let until = until.map(|at| format!(" until {}", since(start, at))).unwrap_or_default();
            format!("{}{signal}{until}", node(path))
        }
        EventBody::ChildStarted(child) => {
            let vars = Data::object(child.vars.iter().map(|(name, value)| (name.as_str(), value)));
            format!("{} #{} {} with {vars:?}", node(&child.path), child.attempt, child.workflow)
        }
        EventBody::ChildEnded(child) => {
            let status = child.status.map_or_else(|| "not there".to_owned(), |status| status.to_string());
            format!("{} #{} {status}", node(&child.path), child.attempt)
        }
        EventBody::SignalReceived { signal, .. } => format!("{} {:?}", signal.name, signal.data),
        EventBody::Answered { wait, answer, .. } => format!("event {wait} with {answer:?}"),
        EventBody::AnswerRefused { wait, reason, .. } => format!("event {wait}: {reason}"),
        EventBody::RunWaiting { wait } => {
            let until = wait.until.map(|at| format!(", until {}", since(start, at))).unwrap_or_default();
            format!("{}{until}", word(&wait.reason))
        }
        EventBody::BudgetWarning { stage, limit, used, of } => {
            let whose = stage.as_ref().map_or_else(|| "the run".to_owned(), ToString::to_string);
            format!("{whose}: {used} of {of}, {}", word(limit))
        }
        EventBody::SessionDropped { path, session } => format!("{} {session}", node(path)),
        EventBody::RunForked(forked) => format!("{}, from event {}", forked.from, forked.event),
        EventBody::CancelRequested { at_once: true, .. } => "at once".into(),
        _ => String::new(),
    }
}

fn since(start: Timestamp, at: Timestamp) -> i64 {
    at.as_millisecond() - start.as_millisecond()
}

fn in_role(role: Option<&RoleId>) -> String {
    role.map(|role| format!(" as {role}")).unwrap_or_default()
}

/// The variables that were set.
fn written(set: Option<&IndexMap<String, Data>>) -> String {
    let set = set.into_iter().flatten();
    set.fold(String::new(), |set, (name, value)| format!("{set}, {name} = {value:?}"))
}

/// A path without the default name of the node.
fn node(path: &NodePath) -> String {
    path.to_string().trim_end_matches("/run").to_owned()
}

fn failure(failure: &Failure) -> String {
    format!("{}: {}", word(&failure.class), failure.message)
}

fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).unwrap().as_str().unwrap().to_owned()
}
