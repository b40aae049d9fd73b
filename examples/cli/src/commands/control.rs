//! `pause`, `cancel`, `kill`, `signal` and `resume --detach`: control requests to a run, whichever process drives it.

use std::time::Duration;

use workflow_core::data::Data;
use workflow_core::ids::RunId;
use workflow_core::status::RunStatus;
use workflow_core::view::RunView;
use workflow_exec::{ControlOutcome, ControlRefusal, ControlRefused};
use workflow_service::runs::{CancelRun, ControlResult, GetRun, KillRun, PauseRun, ResumeRun, SignalRun};
use workflow_service::{Code, Operation, ServiceError};

use crate::args::SignalArgs;
use crate::error::Error;
use crate::exit::Exit;
use crate::host::Host;
use crate::print;
use crate::reference::RunRef;
use crate::store_url::Place;
use crate::text::word;

/// Requests a pause.
pub(crate) async fn pause(place: &Place, json: bool, run: &RunRef) -> Result<Exit, Error> {
    let (host, run) = Host::of_run(place, run).await?;
    let request = PauseRun { run_id: run.clone() };
    let asked = Asked { what: "pause", participle: "paused", wanted: RunStatus::Paused };
    asked.send(&host, json, &run, request).await
}

/// Requests that the run is cancelled.
pub(crate) async fn cancel(place: &Place, json: bool, run: &RunRef) -> Result<Exit, Error> {
    let (host, run) = Host::of_run(place, run).await?;
    let request = CancelRun { run_id: run.clone() };
    let asked = Asked { what: "cancel", participle: "cancelled", wanted: RunStatus::Cancelled };
    asked.send(&host, json, &run, request).await
}

/// Requests that the calls of the run are killed, and that it ends.
pub(crate) async fn kill(place: &Place, json: bool, run: &RunRef) -> Result<Exit, Error> {
    let (host, run) = Host::of_run(place, run).await?;
    let request = KillRun { run_id: run.clone() };
    let asked = Asked { what: "kill", participle: "killed", wanted: RunStatus::Cancelled };
    asked.send(&host, json, &run, request).await
}

/// Requests that the run is resumed, and leaves it to its driver or to a worker.
pub(crate) async fn resume(place: &Place, json: bool, run: &RunRef) -> Result<Exit, Error> {
    let (host, run) = Host::of_run(place, run).await?;
    let run = &run;
    match send(&host, run, ResumeRun { run_id: run.clone() }).await {
        Err(Error::ControlRefused { refused, .. }) if refused.code == ControlRefusal::Ended => {
            return Err(ended(run, "resumed", host.ask(GetRun { run_id: run.clone() }).await?.run.status));
        }
        Err(error) => return Err(error),
        Ok(None) => return recorded(&host, json, run).await,
        Ok(Some(view)) if json => print::json(&view)?,
        Ok(Some(_)) => {
            print::line(format!("run {run}: resume requested ({})", who_continues(&host, run).await?))?;
        }
    }
    Ok(Exit::DONE)
}

/// Sends a signal, and leaves the run to its driver or to a worker.
pub(crate) async fn signal(place: &Place, json: bool, args: &SignalArgs) -> Result<Exit, Error> {
    let (host, run) = Host::of_run(place, &args.run).await?;
    let run = &run;
    let data = args.data.as_deref().map(|text| {
        serde_json::from_str(text).unwrap_or_else(|_| serde_json::Value::String(text.to_owned()))
    });
    let request = SignalRun {
        run_id: run.clone(),
        name: args.name.clone(),
        data: data.as_ref().map(Data::new).unwrap_or_default(),
        id: args.id.clone(),
    };
    match send(&host, run, request).await {
        Err(Error::ControlRefused { refused, .. }) if refused.code == ControlRefusal::Ended => {
            let status = host.ask(GetRun { run_id: run.clone() }).await?.run.status;
            return Err(ended(run, "signalled", status));
        }
        Err(error) => return Err(error),
        Ok(None) => return recorded(&host, json, run).await,
        Ok(Some(view)) if json => print::json(&view)?,
        Ok(Some(_)) => {
            let name = &args.name;
            print::line(format!("run {run}: signal `{name}` sent ({})", who_continues(&host, run).await?))?;
        }
    }
    Ok(Exit::DONE)
}

/// How long to wait for the driver of the run to decide on a request.
const PATIENCE: Duration = Duration::from_secs(10);

/// Sends a control request to a run. `None` if it is recorded, and the driver has not decided within [`PATIENCE`].
pub(crate) async fn send<O>(host: &Host, run: &RunId, request: O) -> Result<Option<RunView>, Error>
where
    O: Operation<Response = ControlResult>,
{
    let result = match host.ask(request).await {
        Err(Error::Service(error)) if error.code == Code::Refused => return Err(refused(run, error)),
        result => result?,
    };
    let outcome = match (result.run, result.recorded) {
        (Some(view), _) => return Ok(Some(view)),
        (None, Some(number)) => settled(host, run, ControlOutcome::Recorded { number }).await?,
        (None, None) => return Ok(None),
    };
    match outcome {
        ControlOutcome::Done(view) => Ok(Some(*view)),
        ControlOutcome::Refused(refused) => Err(Error::ControlRefused { run: run.clone(), refused }),
        _ => Ok(None),
    }
}

/// Why a run refused a request.
fn refused(run: &RunId, error: ServiceError) -> Error {
    let refusal = error.details.as_ref().and_then(|details| details.get("refusal")).cloned();
    match refusal.and_then(|refusal| serde_json::from_value(refusal).ok()) {
        Some(code) => {
            Error::ControlRefused { run: run.clone(), refused: ControlRefused::new(code, error.message) }
        }
        None => error.into(),
    }
}

fn ended(run: &RunId, what: &'static str, status: RunStatus) -> Error {
    Error::Ended { run: run.to_string(), what, status: word(status) }
}

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
        print::json(&host.ask(GetRun { run_id: run.clone() }).await?.run)?;
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
    Ok(match host.ask(GetRun { run_id: run.clone() }).await?.holder {
        Some(holder) => format!("{holder} drives it"),
        None => "no process drives it; a worker continues it, and `workflow worker` starts one".to_owned(),
    })
}

/// A request that ends in a status.
struct Asked {
    what: &'static str,
    participle: &'static str,
    /// The status of a run that carried it out. A run without a driver has it at once.
    wanted: RunStatus,
}

impl Asked {
    /// Sends the request, and reports its outcome.
    async fn send<O>(&self, host: &Host, json: bool, run: &RunId, request: O) -> Result<Exit, Error>
    where
        O: Operation<Response = ControlResult>,
    {
        let view = match send(host, run, request).await {
            Err(Error::ControlRefused { refused, .. }) if refused.code == ControlRefusal::Ended => {
                let view = host.ask(GetRun { run_id: run.clone() }).await?.run;
                if view.status != self.wanted {
                    return Err(ended(run, self.participle, view.status));
                }
                view
            }
            Err(error) => return Err(error),
            Ok(None) => return recorded(host, json, run).await,
            Ok(Some(view)) => view,
        };
        if json {
            print::json(&view)?;
        } else if view.status == self.wanted {
            print::line(format!("run {run} is {}", word(self.wanted)))?;
        } else if let Some(ending) = view.ending.filter(|_| self.wanted == RunStatus::Cancelled) {
            let (status, who) = (word(ending.status), who_continues(host, run).await?);
            print::line(format!("run {run}: it ends as {status} after its stages of finally ({who})"))?;
        } else {
            let holder = host.ask(GetRun { run_id: run.clone() }).await?.holder;
            let holder = holder.map(|holder| format!(" ({holder} drives it)")).unwrap_or_default();
            print::line(format!("run {run}: {} requested{holder}", self.what))?;
        }
        Ok(Exit::DONE)
    }
}
