//! `fork` and `rerun`: new runs that continue from a point of another run.

use futures::{FutureExt as _, TryFutureExt as _};
use workflow_core::catalog::CatalogError;
use workflow_exec::{Fork, ForkPoint};

use super::drive;
use crate::args::{ForkArgs, Other, RerunArgs};
use crate::display::Shown;
use crate::error::Error;
use crate::exit::Exit;
use crate::foreground::Driven;
use crate::host::{Host, actor};
use crate::print;
use crate::source::Source;
use crate::store_url::Place;

/// Creates a run that continues from a point of another run, and drives it until it ends or pauses.
pub(crate) async fn fork(place: &Place, json: bool, args: &ForkArgs) -> Result<Exit, Error> {
    let (host, run) = Host::of_run(place, &args.run).await?;
    let host = host.trusted()?;
    make(&host, json, Fork::of(run).at(args.at.clone()), &args.other).await
}

/// Repeats a run as a new run, and drives it until it ends or pauses.
pub(crate) async fn rerun(place: &Place, json: bool, args: &RerunArgs) -> Result<Exit, Error> {
    let (host, run) = Host::of_run(place, &args.run).await?;
    let host = host.trusted()?;
    let Some(current) = &args.current else {
        let from = args.from.clone().unwrap_or(ForkPoint::Start);
        return make(&host, json, Fork::of(run).at(from), &args.other).await;
    };
    let workflow = if current.is_empty() {
        host.engine.store().get(&run).await?.head.workflow_id.to_string()
    } else {
        current.clone()
    };
    let source = Source::read(&host, &workflow).await.map_err(|error| match error {
        Error::Catalog(CatalogError::NotFound(what)) if current.is_empty() => {
            let what = format!("{what} in the home; `--current=FILE` takes it from a file");
            CatalogError::NotFound(what).into()
        }
        error => error,
    })?;
    let checked = source.check(&host, false, args.other.provider.as_deref()).await?;
    checked.lines(&source.name).iter().for_each(|line| print::to_stderr(line));
    let plan = checked.plan.ok_or(Error::Invalid(source.name))?;
    let from = args.from.clone().unwrap_or(ForkPoint::Failed);
    make(&host, json, Fork::of(run).at(from).definition(&plan), &args.other).await
}

async fn make(
    host: &Host,
    json: bool,
    mut fork: Fork,
    Other { vars, outputs, provider, run_id, detach }: &Other,
) -> Result<Exit, Error> {
    for (name, value) in vars {
        fork = fork.var(name, value.clone());
    }
    for (stage, value) in outputs {
        fork = fork.output(stage.clone(), value.clone());
    }
    if let Some(provider) = provider {
        fork = fork.provider(provider);
    }
    if let Some(id) = run_id {
        fork = fork.run_id(id.clone());
    }
    let handle = host.engine.fork(fork.by(actor())).await?;
    if *detach {
        return drive::left(&handle, json).await;
    }
    let run = handle.id().clone();
    let shown = Shown::from_fork(&**host.engine.store(), &run, json).await?;
    let future = host.engine.drive(&run).map_ok(Some).boxed();
    drive::drive_one(host, json, shown, Driven { run: run.clone(), future }).await
}
