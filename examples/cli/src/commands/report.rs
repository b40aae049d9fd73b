//! `report`: what a run did, for readers who were not there.

use workflow_service::report::{ReportFormat, ReportRun};

use crate::args::ReportArgs;
use crate::error::Error;
use crate::exit::Exit;
use crate::host::Host;
use crate::print;
use crate::store_url::Place;

/// Prints a report of a run.
pub(crate) async fn report(place: &Place, json: bool, args: &ReportArgs) -> Result<Exit, Error> {
    let (host, run_id) = Host::of_run(place, &args.run).await?;
    let format = if json { ReportFormat::Json } else { args.format.into() };
    let reported = host.ask(ReportRun { run_id, format }).await?;
    match reported.report {
        Some(report) => print::json(&report)?,
        None => print::document(&reported.text.unwrap_or_default())?,
    }
    Ok(Exit::DONE)
}
