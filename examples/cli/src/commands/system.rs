//! `workers` and `stores`: what drives the runs of a store, and what the store has.

use workflow_service::system::{Stores, WorkerList, Workers};

use crate::error::Error;
use crate::exit::Exit;
use crate::host::Host;
use crate::print;
use crate::store_url::Place;
use crate::text::{count, shorten};

/// How many characters of a list of runs are shown.
const RUNS: usize = 120;

/// Lists the processes that drive runs, and counts the runs that no process drives.
pub(crate) async fn workers(place: &Place, json: bool) -> Result<Exit, Error> {
    let Some(host) = Host::existing(place)? else { return Err(Error::NoStore(place.to_string())) };
    let list = host.ask(Workers::default()).await?;
    if json {
        print::json(&list)?;
    } else {
        print::lines(of_workers(&list))?;
    }
    Ok(Exit::DONE)
}

fn of_workers(WorkerList { workers, unclaimed, waiting, .. }: &WorkerList) -> Vec<String> {
    let mut lines = Vec::new();
    if workers.is_empty() {
        lines.push("no process drives a run at the moment".to_owned());
    } else {
        let mut rows = vec![["PROCESS", "RUNS", ""].map(str::to_owned)];
        rows.extend(workers.iter().map(|worker| {
            let runs: Vec<_> = worker.run_ids.iter().map(AsRef::as_ref).collect();
            [worker.holder.clone(), worker.runs.to_string(), shorten(&runs.join(", "), RUNS)]
        }));
        lines.extend(print::table(&rows));
    }
    let of = |number: &usize| count(*number as u64, "run");
    if *unclaimed > 0 {
        let them = if *unclaimed == 1 { "it" } else { "them" };
        let how = format!("`workflow worker` or `workflow recover` drives {them}");
        lines.push(format!("no process drives {} that could continue: {how}", of(unclaimed)));
    }
    if *waiting > 0 {
        lines.push(format!("waiting for a person or a time: {}", of(waiting)));
    }
    lines
}

/// Shows where the runs are, and how many there are of each status.
pub(crate) async fn stores(place: &Place, json: bool) -> Result<Exit, Error> {
    let Some(host) = Host::existing(place)? else { return Err(Error::NoStore(place.to_string())) };
    let list = host.ask(Stores::default()).await?;
    if json {
        print::objects(&list.stores)?;
        return Ok(Exit::DONE);
    }
    let mut rows = vec![["STORE", "RUNS"].map(str::to_owned)];
    rows.extend(list.stores.iter().map(|store| {
        let runs: Vec<_> = store.runs.iter().map(|(status, number)| format!("{number} {status}")).collect();
        let runs = if runs.is_empty() { "none".to_owned() } else { runs.join(", ") };
        [store.place.clone().unwrap_or_default(), runs]
    }));
    print::lines(print::table(&rows))?;
    Ok(Exit::DONE)
}
