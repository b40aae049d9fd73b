//! The spans of a run, and what is recorded in them: see the crate's documentation.

use tracing::field::Empty;
use tracing::level_filters::LevelFilter;
use tracing::{Span, debug, info_span};
use workflow_core::event::{Event, EventBody};
use workflow_core::ids::{NodePath, RunId, StageId, WorkflowId};
use workflow_core::usage::Usage;

pub(super) fn run(run: &RunId, workflow: &WorkflowId) -> Span {
    info_span!("run", %run, %workflow)
}

pub(super) fn stage(run: &Span, iteration: u32, stage: &StageId) -> Span {
    info_span!(parent: run, "stage", iteration, %stage)
}

pub(super) fn node(stage: &Span, path: &NodePath, attempt: u32, provider: &str) -> Span {
    info_span!(
        parent: stage,
        "node",
        %path,
        attempt,
        provider,
        status = Empty,
        error.class = Empty,
        error.message = Empty,
        input_tokens = Empty,
        output_tokens = Empty,
        cost_usd = Empty,
    )
}

/// Records how an attempt ended, according to the events of the decision.
pub(super) fn ended(node: &Span, events: &[Event]) {
    if node.is_disabled() {
        return;
    }
    for event in events {
        let (status, usage) = match &event.body {
            EventBody::AttemptSucceeded { usage, .. } => ("succeeded", usage.as_deref()),
            EventBody::AttemptFailed { error, usage, .. } => {
                node.record("error.class", error.class.as_str());
                node.record("error.message", error.message.as_str());
                ("failed", usage.as_deref())
            }
            EventBody::AttemptCancelled { usage, .. } => ("cancelled", usage.as_deref()),
            EventBody::AttemptInterrupted { .. } => ("interrupted", None),
            _ => continue,
        };
        node.record("status", status);
        let Usage { input_tokens, output_tokens, cost_usd } = usage.cloned().unwrap_or_default();
        // Unknown fields stay empty.
        node.record("input_tokens", input_tokens);
        node.record("output_tokens", output_tokens);
        node.record("cost_usd", cost_usd);
        return;
    }
}

/// Opens and closes the stage's span, and reports the events that were stored.
pub(super) fn stored(run: &Span, open: &mut Span, events: &[Event]) {
    // Without a subscriber there is nothing to do.
    if LevelFilter::current() == LevelFilter::OFF && open.is_disabled() {
        return;
    }
    for event in events {
        stored_one(run, open, event);
    }
}

fn stored_one(run: &Span, open: &mut Span, event: &Event) {
    if let EventBody::StageStarted { iteration, stage: id, .. } = &event.body {
        *open = stage(run, *iteration, id);
    }
    let parent = if open.is_disabled() { run } else { &*open };
    debug!(parent: parent, seq = event.seq, kind = event.body.kind(), "stored");
    if matches!(event.body, EventBody::StageCompleted { .. } | EventBody::StageFailed { .. }) {
        *open = Span::none();
    }
}
