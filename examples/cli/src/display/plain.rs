//! Runs as plain lines: their events and their output.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{self, BufWriter, Stdout, Write as _};

use jiff::Timestamp;
use workflow_core::event::{Event, EventBody};
use workflow_core::ids::{NodePath, RunId, StageId};
use workflow_core::output::{OutputEntry, OutputKind};
use workflow_core::status::Wait;

use super::{Display, Pieces};
use crate::failed::{failure, reason};
use crate::text::{between, clock, count, date, duration, harmless, shorten};
use crate::words;

/// How many characters of an answer are shown.
const ANSWER: usize = 80;
/// How many characters of the hash of a definition are shown.
const HASH: usize = 12;

/// One line for each event that a person needs, and for each output entry.
pub(super) struct Plain {
    out: BufWriter<Stdout>,
    named: bool,
    runs: HashMap<RunId, (Story, Pieces)>,
}

impl Plain {
    /// `named` lines begin with the id of their run.
    pub(super) fn new(named: bool) -> Self {
        Self { out: BufWriter::new(io::stdout()), named, runs: HashMap::new() }
    }

    fn print(&mut self, run: &RunId, line: &str) -> io::Result<()> {
        if self.named {
            write!(self.out, "{run} ")?;
        }
        writeln!(self.out, "{}", harmless(line))
    }
}

impl Display for Plain {
    fn event(&mut self, run: &RunId, event: &Event, new: bool) -> io::Result<()> {
        let (story, pieces) = self.runs.entry(run.clone()).or_default();
        let line = story.tell(event);
        let ended = ended(&event.body).and_then(|path| pieces.end(path));
        if let Some(entry) = ended.filter(|_| new) {
            self.print(run, &entry_line(&entry))?;
        }
        match line.filter(|_| new) {
            Some(line) => self.print(run, &format!("{} {line}", clock(event.at))),
            None => Ok(()),
        }
    }

    fn output(&mut self, run: &RunId, entry: &OutputEntry) -> io::Result<()> {
        let (_, pieces) = self.runs.entry(run.clone()).or_default();
        for entry in pieces.push(entry.clone()) {
            self.print(run, &entry_line(&entry))?;
        }
        Ok(())
    }

    fn refresh(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// The node whose attempt has ended.
fn ended(event: &EventBody) -> Option<&NodePath> {
    match event {
        EventBody::AttemptSucceeded { path, .. }
        | EventBody::AttemptFailed { path, .. }
        | EventBody::AttemptCancelled { path, .. }
        | EventBody::AttemptInterrupted { path, .. } => Some(path),
        _ => None,
    }
}

/// An output entry as a line: `|` before standard output, `!` before standard error.
pub(crate) fn entry_line(entry: &OutputEntry) -> String {
    let (time, place) = (clock(entry.at), place(&entry.path));
    match entry.kind {
        OutputKind::Dropped => format!("{time} {place} ({} entries were dropped here)", entry.text),
        OutputKind::Stderr => format!("{time} {place} ! {}", entry.text),
        _ => format!("{time} {place} | {}", entry.text),
    }
}

/// Puts the events of one run into words.
#[derive(Default)]
pub(crate) struct Story {
    run: Option<RunId>,
    /// The stage whose failure ends the run.
    failed: Option<StageId>,
    started: Option<Timestamp>,
    attempts: HashMap<NodePath, Timestamp>,
}

impl Story {
    /// The line for an event, if a person needs it.
    pub(crate) fn tell(&mut self, event: &Event) -> Option<String> {
        let at = event.at;
        Some(match &event.body {
            EventBody::RunCreated(created) => {
                self.run = Some(created.run.clone());
                format!("run {} of workflow {}", created.run, created.workflow)
            }
            EventBody::RunStarted => {
                self.started = Some(at);
                return None;
            }
            EventBody::StageStarted { iteration, stage, .. } if *iteration > 1 => {
                format!("{stage} started (iteration {iteration})")
            }
            EventBody::StageStarted { stage, .. } => format!("{stage} started"),
            EventBody::StageSkipped { stage, .. } => format!("{stage} skipped"),
            EventBody::NodeQueued { path, provider } => {
                format!("{} waits for a free slot of {provider}", place(path))
            }
            EventBody::AttemptStarted { path, attempt, provider, role } => {
                self.attempts.insert(path.clone(), at);
                let mut line = format!("{} calls {provider}", place(path));
                if let Some(role) = role {
                    let _ = write!(line, " as {role}");
                }
                if *attempt > 1 {
                    let _ = write!(line, " (attempt {attempt})");
                }
                line
            }
            EventBody::AttemptSucceeded { path, ran_until, .. } => {
                let until = ran_until.as_deref().copied();
                format!("{} succeeded{}", place(path), self.took(path, until.unwrap_or(at)))
            }
            EventBody::AttemptFailed { path, error, retry_at, parked, ran_until, continues, .. } => {
                let again = match retry_at {
                    Some(then) if *parked => format!("; continues in {}", duration(between(at, **then))),
                    Some(then) => format!("; retries in {}", duration(between(at, **then))),
                    None if *continues => "; the stage continues".to_owned(),
                    None => String::new(),
                };
                let took = self.took(path, ran_until.as_deref().copied().unwrap_or(at));
                format!("{} failed{took}: {}{again}", place(path), failure(error))
            }
            EventBody::AttemptCancelled { path, ran_until, .. } => {
                format!("{} was stopped{}", place(path), self.took(path, ran_until.unwrap_or(at)))
            }
            // Whether the call is repeated shows in the following events: a person may be asked first.
            EventBody::AttemptInterrupted { path, attempt, retry_at, .. } => {
                let again = retry_at.map(|then| format!("; runs again in {}", duration(between(at, then))));
                let again = again.unwrap_or_default();
                format!("{} was interrupted in attempt {attempt}{again}", place(path))
            }
            EventBody::SessionDropped { path, session } => {
                format!("{} abandons its session {session} and starts a new one", place(path))
            }
            EventBody::NodeStarted { path, items } if items.is_null() => {
                let made = path.items.last().map_or(0, |number| number + 1);
                let repeat = path.parent().map_or_else(|| place(path), |repeat| place(&repeat));
                format!("{repeat} began iteration {made}")
            }
            EventBody::NodeStarted { path, items } => {
                let items = items.value().as_array().map_or(0, Vec::len);
                format!("{} has {}", place(path), count(items as u64, "item"))
            }
            EventBody::NodeCompleted { path, .. } => format!("{} completed", place(path)),
            EventBody::NodeFailed { path, error, continues } => {
                let then = if *continues { "; the stage continues" } else { "" };
                format!("{} failed: {}{then}", place(path), failure(error))
            }
            EventBody::NodeSkipped { path } => format!("{} skipped", place(path)),
            EventBody::StageCompleted { stage, .. } => format!("{stage} completed"),
            EventBody::StageFailed { stage, error, continues, .. } => {
                self.failed = Some(stage.clone()).filter(|_| !continues);
                let then = if *continues { "; the run continues" } else { "" };
                format!("{stage} failed: {}{then}", failure(error))
            }
            EventBody::IterationEnded { iteration, done, next } => {
                let done = if *done { "done" } else { "not done" };
                match next {
                    Some(next) => format!("iteration {iteration} ended: {done}, continues with {next}"),
                    None => format!("iteration {iteration} ended: {done}"),
                }
            }
            EventBody::BudgetWarning { stage, limit, used, of } => {
                let whose = stage.as_ref().map_or("the run".to_owned(), ToString::to_string);
                format!("the budget of {whose} is nearly used up: {}", words::warning(*limit, *used, *of))
            }
            EventBody::StageAsked { iteration, stage, question } => {
                format!("{} asks for approval of {iteration}/{stage}: {question}", event.seq)
            }
            EventBody::NodeAsked { path, reason, question, schema } => {
                let mut wait = Wait::of(*reason);
                wait.place = Some(path.to_string());
                wait.question = Some(question.to_string());
                wait.schema.clone_from(schema);
                format!("{} asks for {}", event.seq, words::asks(&wait))
            }
            EventBody::NodeWaiting { path, until, signal } => {
                let signal = signal.as_ref().map(|name| format!(" for the signal `{name}`"));
                let until = until.map(|until| format!(" until {}", date(until)));
                format!("{path} waits{}{}", signal.unwrap_or_default(), until.unwrap_or_default())
            }
            EventBody::ChildStarted(child) => {
                self.attempts.insert(child.path.clone(), at);
                let mut line = format!("{} runs {} as run {}", place(&child.path), child.workflow, child.run);
                if child.attempt > 1 {
                    let _ = write!(line, " (attempt {})", child.attempt);
                }
                line
            }
            EventBody::SignalReceived { signal, by, .. } => {
                let data = shorten(signal.data.json(), ANSWER);
                format!("signal `{}` was sent{}: {data}", signal.name, words::by(by.as_ref()))
            }
            EventBody::Answered { wait, answer, by, .. } => {
                format!("{wait} was answered{}: {}", words::by(by.as_ref()), shorten(answer.json(), ANSWER))
            }
            EventBody::AnswerRefused { wait, reason, by, .. } => {
                format!("an answer{} to {wait} was refused: {reason}", words::by(by.as_ref()))
            }
            EventBody::RunWaiting { wait } => format!("run waits for {}", words::waits_for(wait)),
            EventBody::RunContinued => "run continues: its wait is over".to_owned(),
            EventBody::RunForked(forked) => {
                let run = self.run.as_ref().map(|run| format!("run {run} ")).unwrap_or_default();
                format!("{run}forked from {}", words::forked(forked))
            }
            EventBody::RunMigrated { hash, by, .. } => {
                let hash = shorten(&hash.to_string(), HASH);
                let chosen = if by.is_some() { ", chosen" } else { "" };
                format!("run continues with another definition ({hash}){chosen}{}", words::by(by.as_ref()))
            }
            EventBody::PauseRequested { by, .. } => {
                format!("a pause was requested{}", words::by(by.as_ref()))
            }
            EventBody::RunPaused => "run paused".to_owned(),
            EventBody::RunResumed { by, .. } => format!("run resumed{}", words::by(by.as_ref())),
            EventBody::CancelRequested { at_once, by, .. } => {
                let what = if *at_once { "killed" } else { "cancelled" };
                format!("run is being {what}{}", words::by(by.as_ref()))
            }
            EventBody::RunEnding(ending) => match &ending.error {
                Some(error) => format!("run will fail after the stages of finally: {}", reason(error)),
                None => format!("run will be {} after the stages of finally", ending.status),
            },
            EventBody::RunCompleted { failed_stages, reason, .. } => {
                let early =
                    reason.as_ref().map(|reason| format!("; ended early: {reason}")).unwrap_or_default();
                let failed: Vec<_> = failed_stages.iter().map(AsRef::as_ref).collect();
                let failed = match failed.as_slice() {
                    [] => String::new(),
                    failed => format!("; failed on the way: {}", failed.join(", ")),
                };
                format!("run completed{}{early}{failed}", self.took_all(at))
            }
            EventBody::RunFailed { error } => {
                let stage = self.failed.as_ref().map(|stage| format!(" in {stage}")).unwrap_or_default();
                format!("run failed{stage}{}: {}", self.took_all(at), reason(error))
            }
            EventBody::RunCancelled => format!("run cancelled{}", self.took_all(at)),
            // Of sessions, only the abandoned ones are shown.
            _ => return None,
        })
    }

    fn took(&mut self, path: &NodePath, at: Timestamp) -> String {
        after(self.attempts.remove(path), at)
    }

    fn took_all(&self, at: Timestamp) -> String {
        after(self.started, at)
    }
}

/// How long something took; empty if that is unknown, because the clock of another process was behind.
fn after(since: Option<Timestamp>, at: Timestamp) -> String {
    let since = since.filter(|since| *since <= at);
    since.map(|since| format!(" after {}", duration(between(since, at)))).unwrap_or_default()
}

/// The lane, and in a graph the node and the item: `plan[0]`, `plan[0]/reviews[3]`, `plan[0]/fix[2]/check`.
fn place(path: &NodePath) -> String {
    /// The name of the only node of a stage without a graph.
    const SIMPLE: &str = "run";
    let lane = format!("{}[{}]", path.stage, path.lane);
    if path.node.as_str() == SIMPLE && path.items.is_empty() && path.within.is_none() {
        return lane;
    }
    let mut place = match &path.within {
        Some(within) => format!("{lane}/{}[{}]/{}", within.node, within.number, path.node),
        None => format!("{lane}/{}", path.node),
    };
    for item in &path.items {
        let _ = write!(place, "[{item}]");
    }
    place
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// The line for the last of some events, each with its second.
    fn told(events: &[(i64, &str, Value)]) -> Option<String> {
        let mut story = Story::default();
        let event = |seq: usize, (second, kind, data): &(i64, &str, Value)| -> Event {
            let at = Timestamp::from_second(*second).unwrap();
            let event = json!({ "v": 1, "seq": seq + 1, "at": at, "type": kind, "data": data });
            serde_json::from_value(event).unwrap()
        };
        events.iter().enumerate().map(|(n, told)| story.tell(&event(n, told))).last().flatten()
    }

    #[test]
    fn what_is_not_known_after_an_interruption_is_not_said() {
        let path = "1/pay[0]/run";
        for (more, expected) in [
            (json!({}), "pay[0] was interrupted in attempt 1"),
            (
                json!({ "retry_at": "1970-01-01T00:00:15Z" }),
                "pay[0] was interrupted in attempt 1; runs again in 5.0s",
            ),
        ] {
            let mut data = json!({ "path": path, "attempt": 1 });
            data.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            assert_eq!(told(&[(10, "attempt_interrupted", data)]).as_deref(), Some(expected));
        }
    }

    #[test]
    fn durations_go_by_the_clock_that_is_not_set_and_are_never_those_of_two_clocks() {
        let started = json!({ "path": "1/plan[0]/run", "attempt": 1, "provider": "demo" });
        let ended = |until: Option<&str>| {
            let mut data = json!({ "path": "1/plan[0]/run", "attempt": 1, "output": "x" });
            data.as_object_mut().unwrap().extend(until.map(|until| ("ran_until".to_owned(), json!(until))));
            data
        };
        for (second, until, expected) in [
            (12, None, "plan[0] succeeded after 2.0s"),
            // The machine was suspended, or its clock was set, in between.
            (3_600, Some("1970-01-01T00:00:13Z"), "plan[0] succeeded after 3.0s"),
            // The clock of another process is behind.
            (5, None, "plan[0] succeeded"),
        ] {
            let story =
                [(10, "attempt_started", started.clone()), (second, "attempt_succeeded", ended(until))];
            assert_eq!(told(&story).as_deref(), Some(expected));
        }
    }
}
