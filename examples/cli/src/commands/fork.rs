//! `fork` and `rerun`: new runs that continue from a point of another run.

use futures::{FutureExt as _, TryFutureExt as _};
use workflow_core::catalog::CatalogError;
use workflow_core::data::Data;
use workflow_service::runs::{ForkPointName, ForkRun, GetRunPlan};
use workflow_service::workflows::ValidateWorkflow;

use super::drive;
use crate::args::{ForkArgs, Other, RerunArgs};
use crate::display::Shown;
use crate::error::Error;
use crate::exit::Exit;
use crate::foreground::Driven;
use crate::host::Host;
use crate::print;
use crate::source::{Source, SourceText};
use crate::store_url::Place;

/// Creates a run that continues from a point of another run, and drives it until it ends or pauses.
pub(crate) async fn fork(place: &Place, json: bool, args: &ForkArgs) -> Result<Exit, Error> {
    let (host, run) = Host::of_run(place, &args.run).await?;
    let fork = ForkRun { at: Some(args.at.clone()), ..ForkRun::of(run) };
    make(&host.trusted()?, json, fork, &args.other).await
}

/// Repeats a run as a new run, and drives it until it ends or pauses.
pub(crate) async fn rerun(place: &Place, json: bool, args: &RerunArgs) -> Result<Exit, Error> {
    let (host, run) = Host::of_run(place, &args.run).await?;
    let host = host.trusted()?;
    let mut fork = ForkRun { at: args.from.clone(), ..ForkRun::of(run) };
    if let Some(current) = &args.current {
        let SourceText { id, text, .. } = definition(&host, &fork, current, &args.other).await?;
        (fork.text, fork.id) = (Some(text), id);
        fork.at.get_or_insert(ForkPointName::Failed);
    }
    make(&host, json, fork, &args.other).await
}

/// The workflow that the new run follows: of a file, or of the home. Its errors and warnings are printed.
async fn definition(host: &Host, fork: &ForkRun, current: &str, other: &Other) -> Result<SourceText, Error> {
    let plan = host.ask(GetRunPlan { run_id: fork.run_id.clone() }).await?;
    let workflow = if current.is_empty() { plan.workflow_id.to_string() } else { current.to_owned() };
    let source = Source::read(host, &workflow).await.map_err(|error| match error {
        Error::Catalog(CatalogError::NotFound(what)) if current.is_empty() => {
            let what = format!("{what} in the home; `--current=FILE` takes it from a file");
            CatalogError::NotFound(what).into()
        }
        error => error,
    })?;
    let source = source.into_text()?;
    let providers = plan.providers.then(&other.replaced());
    let (id, text) = (source.id.clone().or(Some(plan.workflow_id)), source.text.clone());
    let request = ValidateWorkflow { id, text, strict: false, providers, values: false, explain: false };
    let checked = host.ask(request).await?;
    for problem in &checked.diagnostics {
        print::to_stderr(&problem.in_line(&source.name));
    }
    if checked.valid { Ok(source) } else { Err(Error::Invalid(source.name)) }
}

async fn make(host: &Host, json: bool, fork: ForkRun, other: &Other) -> Result<Exit, Error> {
    let Other { vars, outputs, run_id, detach, .. } = other;
    let fork = ForkRun {
        vars: vars.iter().map(|(name, value)| (name.clone(), Data::new(value))).collect(),
        outputs: outputs.iter().map(|(stage, value)| (stage.clone(), Data::new(value))).collect(),
        providers: other.replaced(),
        new_run_id: run_id.clone(),
        ..fork
    };
    let run = host.ask(fork).await?.run_id;
    if *detach {
        return drive::left(&host.engine.handle(&run), json).await;
    }
    let shown = Shown::from_fork(&**host.engine.store(), &run, json).await?;
    let future = host.engine.drive(&run).map_ok(Some).boxed();
    drive::drive_one(host, json, shown, Driven { run: run.clone(), future }).await
}
