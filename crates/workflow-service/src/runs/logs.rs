//! Reading what providers wrote while they worked, and what happened to a run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use workflow_core::event::{Event, EventBody};
use workflow_core::ids::{NodeId, RunId, StageId};
use workflow_core::output::{OutputEntry, OutputKind};
use workflow_core::store::OutputFilter;

use crate::caller::{Caller, Scope, Target};
use crate::camel;
use crate::code::Code;
use crate::error::ServiceError;
use crate::host::Host;
use crate::operation::Operation;
use crate::text::harmless;

/// How many entries or events a window has, unless the caller asks for another number.
const WINDOW: usize = 500;
/// How many entries or events a window has at most.
const MOST: usize = 5_000;
/// How long a text for a download is at most.
const LONGEST: usize = 8 << 20;

/// The least severe entries or events to return; the more severe ones are returned as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum LogLevel {
    /// Events: failures. No output entries.
    Error,
    /// Output: standard error, and where entries were dropped. Events: retries, interruptions and warnings of budgets.
    Warn,
    /// Output: standard output and text. Events: all others.
    Info,
    /// Output: tools, thinking, messages of providers.
    Debug,
}

impl LogLevel {
    /// The level of output entries of that kind.
    pub fn of_output(kind: OutputKind) -> Self {
        match kind {
            OutputKind::Stderr | OutputKind::Dropped => Self::Warn,
            OutputKind::Stdout | OutputKind::Text | OutputKind::TextDelta => Self::Info,
            _ => Self::Debug,
        }
    }

    /// The level of an event.
    pub fn of_event(event: &EventBody) -> Self {
        match event {
            EventBody::AttemptFailed { retry_at: Some(_), .. }
            | EventBody::AttemptFailed { repair: true, .. }
            | EventBody::AttemptFailed { continues: true, .. }
            | EventBody::NodeFailed { continues: true, .. }
            | EventBody::AttemptInterrupted { .. }
            | EventBody::SessionDropped { .. }
            | EventBody::AnswerRefused { .. }
            | EventBody::BudgetWarning { .. } => Self::Warn,
            EventBody::AttemptFailed { .. }
            | EventBody::NodeFailed { .. }
            | EventBody::LaneFailed { .. }
            | EventBody::StageFailed { .. }
            | EventBody::RunFailed { .. } => Self::Error,
            _ => Self::Info,
        }
    }
}

/// Reads a window of the output of a run: the newest entries, those before or those after a number; or the whole
/// as a text for a download. Failures and changes of state are events: `workflow:runs:events` returns them.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RunLogs {
    /// The run.
    pub run_id: RunId,
    /// Only entries of this level and of more severe ones; all unless given.
    #[serde(default)]
    pub level: Option<LogLevel>,
    /// Only entries of these kinds, in place of a level; all unless given.
    #[serde(default)]
    pub kinds: Vec<OutputKind>,
    /// Only entries of this iteration.
    #[serde(default)]
    pub iteration: Option<u32>,
    /// Only entries of this stage.
    #[serde(default)]
    pub stage: Option<StageId>,
    /// Only entries of this lane of stages, counted from 0.
    #[serde(default)]
    pub lane: Option<u32>,
    /// Only entries of this node.
    #[serde(default)]
    pub node: Option<NodeId>,
    /// With `node`: only entries of this item of a `foreach` node, and of the items within it, the outermost first.
    #[serde(default)]
    pub items: Vec<u32>,
    /// Only entries of this attempt.
    #[serde(default)]
    pub attempt: Option<u32>,
    /// Only entries with this text. The case of the letters A to Z does not matter.
    #[serde(default)]
    pub text: Option<String>,
    /// The first entries with greater numbers.
    #[serde(default)]
    pub after: Option<u64>,
    /// Only entries with smaller numbers: the last of them, unless `after` is given.
    #[serde(default)]
    pub before: Option<u64>,
    /// How many entries to return: 500 unless given, 5,000 at most. A download has no limit but its size.
    #[serde(default)]
    pub limit: Option<usize>,
    /// Whether to count all entries that are selected, whatever `after`, `before` and `limit` are.
    #[serde(default)]
    pub counted: bool,
    /// With `counted`: to note the number of each selected entry that completes a part of this many, for reading any part
    /// of a long log afterwards.
    #[serde(default)]
    pub marks: u64,
    /// Whether to return a text for a download instead of entries, from the first one that is selected on.
    #[serde(default)]
    pub format: Option<LogFormat>,
}

/// The form of a log as a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum LogFormat {
    /// A line for each entry, in which control characters are made harmless.
    Text,
    /// A line for each entry as it was written, with colours and whatever else a terminal acts on.
    Ansi,
    /// A JSON object for each entry.
    Jsonl,
}

/// A window of the output of a run.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct LogWindow {
    /// The entries, in the order of their numbers; none when a text was asked for. There are fewer than the limit only if
    /// no more are selected in that direction.
    pub entries: Vec<OutputEntry>,
    /// How many entries are selected in all of the output; absent unless it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// Where the parts of the selection end that `marks` asks for: the number of every n-th selected entry, in the order in
    /// which they are read. Without `after` these are the numbers with which the parts begin, the last part first. Absent
    /// unless it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub marks: Option<Vec<u64>>,
    /// The text for a download, of 8 MiB at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// What to name as `after` to get the rest of a text that was cut; absent when it is complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

impl RunLogs {
    /// The newest entries of a run.
    pub fn of(run_id: RunId) -> Self {
        Self {
            run_id,
            level: None,
            kinds: Vec::new(),
            iteration: None,
            stage: None,
            lane: None,
            node: None,
            items: Vec::new(),
            attempt: None,
            text: None,
            after: None,
            before: None,
            limit: None,
            counted: false,
            marks: 0,
            format: None,
        }
    }

    fn filter(&self) -> OutputFilter {
        let mut filter = OutputFilter::all();
        filter.kinds.clone_from(&self.kinds);
        if let Some(level) = self.level {
            let kinds = OutputKind::ALL.iter().copied();
            filter.kinds = kinds.filter(|kind| LogLevel::of_output(*kind) <= level).collect();
        }
        (filter.iteration, filter.stage, filter.lane) = (self.iteration, self.stage.clone(), self.lane);
        (filter.node, filter.attempt) = (self.node.clone(), self.attempt);
        filter.items.clone_from(&self.items);
        filter.text = self.text.clone().filter(|text| !text.is_empty());
        (filter.after, filter.before, filter.counted) = (self.after, self.before, self.counted);
        filter.marks = self.marks;
        filter
    }
}

impl Operation for RunLogs {
    const NAME: &'static str = "workflow:runs:logs";
    const SCOPE: Scope = Scope::Read;
    const ABOUT: &'static str = "Reads what providers wrote: a window by level, place and text, with an exact count, or a text to download.";
    type Response = LogWindow;

    fn target(&self) -> Target<'_> {
        Target::Run(&self.run_id)
    }

    async fn run(self, host: &Host, _: &Caller) -> Result<LogWindow, ServiceError> {
        if self.level.is_some() && !self.kinds.is_empty() {
            return Err(ServiceError::invalid_request("give either a `level` or `kinds`"));
        }
        let mut filter = self.filter();
        if self.level == Some(LogLevel::Error) {
            // Empty kinds would select all.
            host.runs().get(&self.run_id).await?;
            let total = self.counted.then_some(0);
            return Ok(LogWindow { total, text: self.format.map(|_| String::new()), ..LogWindow::default() });
        }
        let Some(format) = self.format else {
            filter.limit = Some(self.limit.unwrap_or(WINDOW).clamp(1, MOST));
            let window = host.runs().output_window(&self.run_id, &filter).await?;
            let (entries, total) = (window.entries, window.total);
            let marks = (self.marks > 0).then_some(window.marks);
            return Ok(LogWindow { entries, total, marks, ..LogWindow::default() });
        };
        let mut answer = LogWindow::default();
        let mut text = String::new();
        filter.after = Some(self.after.unwrap_or(0));
        filter.limit = Some(MOST);
        'pages: loop {
            let page = host.runs().output_window(&self.run_id, &filter).await?;
            answer.total = answer.total.or(page.total);
            for entry in &page.entries {
                let line = line(entry, format)?;
                if text.len() + line.len() + 1 > LONGEST && !text.is_empty() {
                    answer.next = filter.after;
                    break 'pages;
                }
                text.push_str(&line);
                text.push('\n');
                filter.after = Some(entry.number);
            }
            if page.entries.len() < MOST {
                break;
            }
            filter.counted = false;
        }
        answer.text = Some(text);
        Ok(answer)
    }
}

fn line(entry: &OutputEntry, format: LogFormat) -> Result<String, ServiceError> {
    let text = match format {
        LogFormat::Text => harmless(&entry.text),
        LogFormat::Ansi => entry.text.clone(),
        LogFormat::Jsonl => {
            return camel::to_json(entry).map_err(|error| {
                ServiceError::new(Code::Internal, format!("output entry {}: {error}", entry.number))
            });
        }
    };
    Ok(format!("{:.3} {} #{} {}: {text}", entry.at, entry.path, entry.attempt, entry.kind))
}

/// Reads events of a run with all their values, which the stream leaves out where they are large.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RunEvents {
    /// The run.
    pub run_id: RunId,
    /// Only events with greater numbers.
    #[serde(default)]
    pub after: u64,
    /// How many events to read: 500 unless given, 5,000 at most.
    #[serde(default)]
    pub limit: Option<usize>,
    /// Of those that are read only events of this level and of more severe ones; all unless given.
    #[serde(default)]
    pub level: Option<LogLevel>,
}

/// Events of a run.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct EventWindow {
    /// The events, in the order of their numbers.
    pub events: Vec<Event>,
    /// What to name as `after` to get the following ones; absent when there are none yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

impl Operation for RunEvents {
    const NAME: &'static str = "workflow:runs:events";
    const SCOPE: Scope = Scope::Read;
    const ABOUT: &'static str = "Reads events of a run after a number, with all their values.";
    type Response = EventWindow;

    fn target(&self) -> Target<'_> {
        Target::Run(&self.run_id)
    }

    async fn run(self, host: &Host, _: &Caller) -> Result<EventWindow, ServiceError> {
        let limit = self.limit.unwrap_or(WINDOW).clamp(1, MOST);
        let mut events = host.runs().events(&self.run_id, self.after, limit + 1).await?;
        let is_last = events.len() <= limit;
        events.truncate(limit);
        let next = events.last().filter(|_| !is_last).map(|event| event.seq);
        if let Some(level) = self.level {
            events.retain(|event| LogLevel::of_event(&event.body) <= level);
        }
        Ok(EventWindow { events, next })
    }
}
