//! The messages of the stream.

use std::borrow::Cow;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;
use workflow_core::data::Data;
use workflow_core::event::{Event, EventBody};
use workflow_core::ids::RunId;
use workflow_core::output::OutputEntry;
use workflow_core::store::RunRecord;

use crate::camel;
use crate::error::ServiceError;

/// Values larger than this are left out of events.
const LARGE: usize = 4 << 10;

/// Messages that are sent together.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Batch {
    /// The messages, in order.
    pub messages: Vec<Arc<Message>>,
}

impl Batch {
    /// The messages as a JSON array.
    pub fn to_json(&self) -> String {
        let mut json = String::from("[");
        for (n, message) in self.messages.iter().enumerate() {
            if n > 0 {
                json.push(',');
            }
            json.push_str(&message.json);
        }
        json.push(']');
        json
    }
}

/// A message, rendered once for all clients.
#[derive(Debug)]
pub struct Message {
    run: RunId,
    number: u64,
    is_terminal: bool,
    kind: MessageName,
    json: String,
}

/// The kinds of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MessageName {
    Event,
    Output,
    Other,
}

impl Message {
    /// The run that it is about.
    pub fn run(&self) -> &RunId {
        &self.run
    }

    /// The number of the event or of the output entry; 0 for others.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Whether it is an event of the run's log.
    pub fn is_event(&self) -> bool {
        self.kind == MessageName::Event
    }

    /// Whether it is an output entry.
    pub fn is_output(&self) -> bool {
        self.kind == MessageName::Output
    }

    /// Whether it is the event that ends the run.
    pub fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// The message as JSON: [`MessageKind`] has its members.
    pub fn json(&self) -> &str {
        &self.json
    }

    pub(crate) fn event(run: &RunId, event: &Event) -> Self {
        let (slim, large) = slim(event);
        let kind = MessageKind::Event { run_id: run, seq: event.seq, event: &slim, large };
        Self::new(run, event.seq, event.body.is_terminal(), MessageName::Event, &kind)
    }

    pub(crate) fn output(run: &RunId, entry: &OutputEntry) -> Self {
        let kind = MessageKind::Output { run_id: run, seq: entry.after_event, number: entry.number, entry };
        Self::new(run, entry.number, false, MessageName::Output, &kind)
    }

    pub(crate) fn head(record: &RunRecord) -> Self {
        Self::new(&record.run_id, 0, false, MessageName::Other, &MessageKind::Head { run: record })
    }

    pub(crate) fn deleted(run: &RunId) -> Self {
        Self::new(run, 0, false, MessageName::Other, &MessageKind::Deleted { run_id: run })
    }

    pub(crate) fn end(run: &RunId, seq: u64) -> Self {
        Self::new(run, 0, false, MessageName::Other, &MessageKind::End { run_id: run, seq })
    }

    pub(crate) fn failed(run: &RunId, error: &ServiceError) -> Self {
        Self::new(run, 0, false, MessageName::Other, &MessageKind::Error { run_id: run, error })
    }

    fn new(
        run: &RunId,
        number: u64,
        is_terminal: bool,
        kind: MessageName,
        message: &MessageKind<'_>,
    ) -> Self {
        let json = camel::to_json(message).unwrap_or_else(|error| {
            tracing::error!(%run, number, %error, "a message of the stream cannot be written as JSON");
            "null".to_owned()
        });
        Self { run: run.clone(), number, is_terminal, kind, json }
    }
}

/// The members of a message, by its `type`.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(tag = "type")]
#[non_exhaustive]
pub enum MessageKind<'a> {
    /// An event of a run: numbered from 1 without gaps.
    #[serde(rename = "workflow-run:event")]
    Event {
        /// The run.
        run_id: &'a RunId,
        /// The number of the event.
        seq: u64,
        /// The event.
        event: &'a Event,
        /// The values that were left out because they are large. `workflow:runs:events` returns the event with them.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        large: Vec<Large>,
    },
    /// A line, text or tool activity of a provider.
    #[serde(rename = "workflow-run:output")]
    Output {
        /// The run.
        run_id: &'a RunId,
        /// The number of the last event that was stored when the entry was added.
        seq: u64,
        /// The number of the entry among the run's output entries.
        number: u64,
        /// The entry.
        entry: &'a OutputEntry,
    },
    /// The head of a run, after it has changed.
    #[serde(rename = "workflow-run:head")]
    Head {
        /// The run.
        run: &'a RunRecord,
    },
    /// A run was deleted.
    #[serde(rename = "workflow-run:deleted")]
    Deleted {
        /// The run.
        run_id: &'a RunId,
    },
    /// The run has ended, and everything of it was sent.
    #[serde(rename = "workflow-run:end")]
    End {
        /// The run.
        run_id: &'a RunId,
        /// The number of its last event.
        seq: u64,
    },
    /// The run cannot be followed any more.
    #[serde(rename = "workflow-run:error")]
    Error {
        /// The run.
        run_id: &'a RunId,
        /// Why.
        error: &'a ServiceError,
    },
}

/// A value that was left out of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct Large {
    /// The member of the event's data, which is null in the message.
    pub member: Cow<'static, str>,
    /// How long its JSON is.
    pub bytes: usize,
}

/// The event without large values, and what was left out.
fn slim(event: &Event) -> (Cow<'_, Event>, Vec<Large>) {
    let mut large = Vec::new();
    let mut body = None;
    let mut leave_out = |member: &'static str, value: &Data, emptied: &dyn Fn(&mut EventBody)| {
        if value.len() > LARGE {
            large.push(Large { member: Cow::Borrowed(member), bytes: value.len() });
            emptied(body.get_or_insert_with(|| event.body.clone()));
        }
    };
    match &event.body {
        EventBody::AttemptSucceeded { output, .. } => leave_out("output", output, &|body| {
            if let EventBody::AttemptSucceeded { output, .. } = body {
                *output = Data::NULL;
            }
        }),
        EventBody::NodeCompleted { output, .. } => leave_out("output", output, &|body| {
            if let EventBody::NodeCompleted { output, .. } = body {
                *output = Data::NULL;
            }
        }),
        EventBody::NodeStarted { items, .. } => leave_out("items", items, &|body| {
            if let EventBody::NodeStarted { items, .. } = body {
                *items = Data::NULL;
            }
        }),
        _ => {}
    }
    match body {
        None => (Cow::Borrowed(event), large),
        Some(body) => (Cow::Owned(Event { seq: event.seq, at: event.at, body }), large),
    }
}
