//! `pause`, `cancel` and `resume --detach`: control requests to a run, whichever process drives it.

use std::time::Duration;

use workflow_core::ids::RunId;
use workflow_core::status::RunStatus;
use workflow_core::store::Control;
use workflow_exec::ControlOutcome;

use crate::error::Error;
use crate::exit::Exit;
use crate::host::Host;
use crate::print;
use crate::reference::RunRef;
use crate::store_url::Place;
use crate::text::word;

/// Requests a pause.
pub(crate) async fn pause(place: &Place, json: bool, run: &RunRef) -> Result<Exit, Error> {
    ask(place, json, run, Control::Pause, RunStatus::Paused).await
}

/// Requests that the run is cancelled.
pub(crate) async fn cancel(place: &Place, json: bool, run: &RunRef) -> Result<Exit, Error> {
    ask(place, json, run, Control::Cancel, RunStatus::Cancelled).await
}

/// Requests that the run is resumed, and leaves it to its driver or to a worker.
pub(crate) async fn resume(place: &Place, json: bool, run: &RunRef) -> Result<Exit, Error> {
    let (host, run) = Host::of_run(place, run).await?;
    let run = &run;
    let handle = host.engine.handle(run);
    let before = handle.status().await?;
    if before.is_terminal() {
        return Err(Error::Ended { run: run.to_string(), what: "resumed", status: word(before) });
    }
    match settled(&host, run, handle.resume().await?).await? {
        ControlOutcome::Refused(refused) => return Err(Error::ControlRefused { run: run.clone(), refused }),
        ControlOutcome::Recorded { .. } => return recorded(&host, json, run).await,
        _ if json => print::json(&handle.view().await?)?,
        _ => print::line(format!("run {run}: resume requested ({})", who_continues(&host, run).await?))?,
    }
    Ok(Exit::DONE)
}

/// How long to wait for the driver of the run to decide on a request.
const PATIENCE: Duration = Duration::from_secs(10);

/// The outcome of a request, if the driver decides within [`PATIENCE`].
pub(super) async fn settled(
    host: &Host,
    run: &RunId,
    outcome: ControlOutcome,
) -> Result<ControlOutcome, Error> {
    Ok(match outcome {
        ControlOutcome::Recorded { number } => host.engine.handle(run).settled(number, PATIENCE).await?,
        outcome => outcome,
    })
}

/// Reports that the driver of the run has not decided yet.
pub(super) async fn recorded(host: &Host, json: bool, run: &RunId) -> Result<Exit, Error> {
    if json {
        print::json(&host.engine.handle(run).view().await?)?;
    } else {
        let who = who_continues(host, run).await?;
        print::line(format!(
            "run {run}: the request is recorded, and its driver has not decided on it yet ({who})"
        ))?;
    }
    Ok(Exit::RECORDED)
}

/// Which process carries a request out.
pub(super) async fn who_continues(host: &Host, run: &RunId) -> Result<String, Error> {
    Ok(match host.engine.store().get(run).await?.holder {
        Some(holder) => format!("{holder} drives it"),
        None => "a worker continues it".to_owned(),
    })
}

/// Sends a control request, and reports its outcome. A run without a driver has the `wanted` status at once.
async fn ask(
    place: &Place,
    json: bool,
    run: &RunRef,
    control: Control,
    wanted: RunStatus,
) -> Result<Exit, Error> {
    let (host, run) = Host::of_run(place, run).await?;
    let run = &run;
    let handle = host.engine.handle(run);
    let before = handle.status().await?;
    if before.is_terminal() && before != wanted {
        let what = if control == Control::Pause { "paused" } else { "cancelled" };
        return Err(Error::Ended { run: run.to_string(), what, status: word(before) });
    }
    let view = if before == wanted {
        handle.view().await?
    } else {
        match settled(&host, run, handle.control(control.clone()).await?).await? {
            ControlOutcome::Done(view) => *view,
            ControlOutcome::Refused(refused) => {
                return Err(Error::ControlRefused { run: run.clone(), refused });
            }
            _ => return recorded(&host, json, run).await,
        }
    };
    if json {
        print::json(&view)?;
    } else if view.status == wanted {
        print::line(format!("run {run} is {}", word(wanted)))?;
    } else {
        let holder = host.engine.store().get(run).await?.holder;
        let holder = holder.map(|holder| format!(" ({holder} drives it)")).unwrap_or_default();
        print::line(format!("run {run}: {} requested{holder}", word(control)))?;
    }
    Ok(Exit::DONE)
}
