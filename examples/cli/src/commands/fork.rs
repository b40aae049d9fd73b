//! `fork` and `rerun`: new runs that go on from a point of another one.

use futures::{FutureExt as _, TryFutureExt as _};
use workflow_exec::{Fork, ForkPoint};

use super::drive;
use crate::args::{ForkArgs, Other, RerunArgs};
use crate::display::Shown;
use crate::error::Error;
use crate::exit::Exit;
use crate::foreground::Driven;
use crate::host::Host;
use crate::place::Place;
use crate::reference::RunRef;

/// Makes a run that goes on from a point of another one, and drives it until it rests.
pub(crate) async fn fork(place: &Place, json: bool, args: &ForkArgs) -> Result<Exit, Error> {
    make(place, json, &args.run, args.at.clone(), &args.other).await
}

/// Runs a run again as a new one, and drives it until it rests.
pub(crate) async fn rerun(place: &Place, json: bool, args: &RerunArgs) -> Result<Exit, Error> {
    let from = args.from.clone().unwrap_or(ForkPoint::Start);
    make(place, json, &args.run, from, &args.other).await
}

async fn make(
    place: &Place,
    json: bool,
    run: &RunRef,
    point: ForkPoint,
    Other { vars, outputs, run_id, detach }: &Other,
) -> Result<Exit, Error> {
    let (host, run) = Host::of_run(place, run).await?;
    let mut fork = Fork::of(run).at(point);
    for (name, value) in vars {
        fork = fork.var(name, value.clone());
    }
    for (stage, value) in outputs {
        fork = fork.output(stage.clone(), value.clone());
    }
    if let Some(id) = run_id {
        fork = fork.run_id(id.clone());
    }
    let handle = host.engine.fork(fork).await?;
    if *detach {
        return drive::left(&handle, json).await;
    }
    let run = handle.id().clone();
    let shown = Shown::from_fork(&**host.engine.store(), &run).await?;
    let future = host.engine.drive(&run).map_ok(Some).boxed();
    drive::drive_one(&host, json, shown, Driven { run: run.clone(), future }).await
}
