//! Waiting for a run, with notifications of its progress.

use std::time::Duration;

use futures::stream::StreamExt as _;
use rmcp::RoleServer;
use rmcp::model::ProgressNotificationParam;
use rmcp::service::RequestContext;
use serde::Deserialize;
use tokio::sync::watch;
use workflow_core::ids::RunId;
use workflow_core::status::WaitReason;
use workflow_core::view::RunView;

use crate::caller::Caller;
use crate::error::ServiceError;
use crate::message::Message;
use crate::runs::{GetRun, RunDetail};
use crate::service::Service;
use crate::stream::{FollowRun, Subscribe};

/// What a notification needs of an event.
#[derive(Deserialize)]
struct Told {
    event: ToldEvent,
}

#[derive(Deserialize)]
struct ToldEvent {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    data: ToldData,
}

#[derive(Default, Deserialize)]
struct ToldData {
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    stage: Option<String>,
    #[serde(default)]
    wait: Option<ToldWait>,
}

#[derive(Deserialize)]
struct ToldWait {
    reason: WaitReason,
}

/// The run, once it has ended, waits for a person, or `longest` is over; sooner when the client cancels the request or
/// ends the session. `found` is the run as it is now.
pub(super) async fn settled(
    service: &Service,
    caller: &Caller,
    found: RunDetail,
    longest: Duration,
    context: &RequestContext<RoleServer>,
    mut closed: watch::Receiver<bool>,
) -> Result<RunDetail, ServiceError> {
    if longest.is_zero() || is_settled(&found.run) {
        return Ok(found);
    }
    let closing = async {
        // The sender lives as long as the session.
        drop(closed.wait_for(|closed| *closed).await);
    };
    tokio::select! {
        followed = follow(service, caller, &found.run, context) => followed,
        () = tokio::time::sleep(longest) => read(service, caller, &found.run.run_id).await,
        () = context.ct.cancelled() => Ok(found),
        () = closing => Ok(found),
    }
}

/// Reads a run.
pub(super) async fn read(service: &Service, caller: &Caller, run: &RunId) -> Result<RunDetail, ServiceError> {
    service.ask(caller, GetRun { run_id: run.clone() }).await
}

async fn follow(
    service: &Service,
    caller: &Caller,
    run: &RunView,
    context: &RequestContext<RoleServer>,
) -> Result<RunDetail, ServiceError> {
    let later = FollowRun { run_id: run.run_id.clone(), after: run.last_event, after_output: None };
    let mut batches = service.subscribe(caller, Subscribe { runs: vec![later], heads: false }).await?;
    notify(context, run.last_event, format!("run {}", run.status)).await;
    while let Some(batch) = batches.next().await {
        let events = batch.messages.iter().filter(|message| message.is_event());
        let told: Vec<_> = events.filter_map(|message| Some((message, told(message)?.event))).collect();
        // One notification for what was stored together: a run may have thousands of events.
        if let Some((message, event)) = told.last() {
            notify(context, message.number(), event.about()).await;
        }
        if told.iter().any(|(message, event)| message.is_terminal() || event.may_settle()) {
            let found = read(service, caller, &run.run_id).await?;
            if is_settled(&found.run) {
                return Ok(found);
            }
        }
    }
    read(service, caller, &run.run_id).await
}

fn told(message: &Message) -> Option<Told> {
    serde_json::from_str(message.json()).ok()
}

impl ToldEvent {
    /// What it is, for people: `stage started: plan`.
    fn about(&self) -> String {
        let ToldData { path, stage, .. } = &self.data;
        let kind = self.kind.replace('_', " ");
        match path.as_ref().or(stage.as_ref()) {
            Some(place) => format!("{kind}: {place}"),
            None => kind,
        }
    }

    /// Whether the run may not continue by itself after it.
    fn may_settle(&self) -> bool {
        match self.kind.as_str() {
            "run_paused" => true,
            "run_waiting" => self.data.wait.as_ref().is_none_or(|wait| needs_action(wait.reason)),
            kind => kind.ends_with("_asked"),
        }
    }
}

/// Tells a client that asked for it how far the run is: the number of its last event, and what that is.
async fn notify(context: &RequestContext<RoleServer>, number: u64, message: String) {
    let Some(token) = context.meta.get_progress_token() else { return };
    #[allow(clippy::cast_precision_loss, reason = "the protocol counts in floating point")]
    let progress = ProgressNotificationParam::new(token, number as f64).with_message(message);
    // A client that is gone ends the session, and with it this request.
    let _ = context.peer.notify_progress(progress).await;
}

/// Whether the run does not continue by itself.
fn is_settled(run: &RunView) -> bool {
    let mut waits = run.waits.iter().chain(run.wait.as_deref());
    run.status.is_terminal() || waits.any(|wait| needs_action(wait.reason))
}

/// Whether a wait for that reason ends only when a person does something.
fn needs_action(reason: WaitReason) -> bool {
    !matches!(reason, WaitReason::Quota | WaitReason::Retry | WaitReason::Timer | WaitReason::Child)
}
