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
}

/// The run, once it has ended, waits for a person, or `longest` is over; sooner when the client cancels the request or
/// ends the session.
pub(super) async fn settled(
    service: &Service,
    caller: &Caller,
    run: &RunId,
    longest: Duration,
    context: &RequestContext<RoleServer>,
    mut closed: watch::Receiver<bool>,
) -> Result<RunDetail, ServiceError> {
    let found = read(service, caller, run).await?;
    if longest.is_zero() || is_settled(&found.run) {
        return Ok(found);
    }
    let closing = async {
        // The sender lives as long as the session.
        drop(closed.wait_for(|closed| *closed).await);
    };
    tokio::select! {
        followed = follow(service, caller, run, context) => followed,
        () = tokio::time::sleep(longest) => read(service, caller, run).await,
        () = context.ct.cancelled() => Ok(found),
        () = closing => Ok(found),
    }
}

async fn read(service: &Service, caller: &Caller, run: &RunId) -> Result<RunDetail, ServiceError> {
    service.ask(caller, GetRun { run_id: run.clone() }).await
}

async fn follow(
    service: &Service,
    caller: &Caller,
    run: &RunId,
    context: &RequestContext<RoleServer>,
) -> Result<RunDetail, ServiceError> {
    let all = FollowRun { run_id: run.clone(), after: 0, after_output: None };
    let mut batches = service.subscribe(caller, Subscribe { runs: vec![all], heads: false }).await?;
    while let Some(batch) = batches.next().await {
        let events = batch.messages.iter().filter(|message| message.is_event());
        let told: Vec<_> = events.filter_map(|message| Some((message, told(message)?))).collect();
        // One notification for what was stored together: a run may have thousands of events.
        if let Some((message, event)) = told.last() {
            notify(context, message.number(), &event.event).await;
        }
        let may_wait = |event: &ToldEvent| {
            matches!(event.kind.as_str(), "run_waiting" | "run_paused") || event.kind.ends_with("_asked")
        };
        if told.iter().any(|(message, told)| message.is_terminal() || may_wait(&told.event)) {
            let found = read(service, caller, run).await?;
            if is_settled(&found.run) {
                return Ok(found);
            }
        }
    }
    read(service, caller, run).await
}

fn told(message: &Message) -> Option<Told> {
    serde_json::from_str(message.json()).ok()
}

/// Tells a client that asked for it how far the run is: the number of its last event, and what that is.
async fn notify(context: &RequestContext<RoleServer>, number: u64, event: &ToldEvent) {
    let Some(token) = context.meta.get_progress_token() else { return };
    let ToldData { path, stage } = &event.data;
    let kind = event.kind.replace('_', " ");
    let message = match path.as_ref().or(stage.as_ref()) {
        Some(place) => format!("{kind}: {place}"),
        None => kind,
    };
    #[allow(clippy::cast_precision_loss, reason = "the protocol counts in floating point")]
    let progress = ProgressNotificationParam::new(token, number as f64).with_message(message);
    // A client that is gone ends the session, and with it this request.
    let _ = context.peer.notify_progress(progress).await;
}

/// Whether the run does not continue by itself.
fn is_settled(run: &RunView) -> bool {
    let waits = run.waits.iter().chain(&run.wait);
    let mut reasons = waits.map(|wait| wait.reason);
    run.status.is_terminal() || reasons.any(|reason| !matches!(reason, WaitReason::Quota | WaitReason::Retry))
}
