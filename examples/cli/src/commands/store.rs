//! `store`: what operators do with a store.

use serde::Serialize;
use workflow_store::StoreStatus;

use super::delete;
use crate::args::StoreCommand;
use crate::error::Error;
use crate::exit::Exit;
use crate::print;
use crate::store_url::Place;
use crate::text::{count, date, size};

/// The status of a store, and where it is.
#[derive(Serialize)]
struct Found {
    store: String,
    #[serde(flatten)]
    status: StoreStatus,
}

/// Carries out a subcommand.
pub(crate) async fn store(place: &Place, json: bool, what: &StoreCommand) -> Result<Exit, Error> {
    match what {
        StoreCommand::Status => status(place, json),
        StoreCommand::Migrate => migrate(place, json),
        StoreCommand::Vacuum => {
            place.vacuum().await?;
            status(place, json)
        }
        StoreCommand::Prune(args) => delete::prune(place, json, args).await,
    }
}

fn status(place: &Place, json: bool) -> Result<Exit, Error> {
    let status = place.status()?;
    if json {
        print::json(&Found { store: place.to_string(), status })?;
    } else {
        print::lines(print::table(&facts(place, &status)))?;
    }
    Ok(Exit::DONE)
}

fn facts(place: &Place, status: &StoreStatus) -> Vec<[String; 2]> {
    let mut facts = Vec::new();
    let mut fact = |name: &str, value: String| facts.push([name.to_owned(), value]);
    fact("store", place.to_string());
    fact("kind", status.kind.to_owned());
    if let (Some(version), Some(needed)) = (status.version, status.needed_version) {
        let more = if status.is_behind() {
            let newest = status.newest_version.unwrap_or_default();
            format!("; `workflow store migrate` makes it {newest}")
        } else {
            String::new()
        };
        fact("version", format!("{version} (processes have to know {needed}{more})"));
    }
    let all = status.runs.values().sum();
    let each: Vec<_> = status.runs.iter().map(|(status, number)| format!("{number} {status}")).collect();
    let each = if each.is_empty() { String::new() } else { format!(": {}", each.join(", ")) };
    fact("runs", format!("{}{each}", count(all, "run")));
    fact("events", status.events.to_string());
    fact("size", size(status.bytes));
    if let Some(oldest) = status.oldest_run_at {
        fact("oldest run", date(oldest));
    }
    facts
}

fn migrate(place: &Place, json: bool) -> Result<Exit, Error> {
    let before = place.status()?;
    place.migrate()?;
    let after = place.status()?;
    if json {
        print::json(&Found { store: place.to_string(), status: after })?;
    } else {
        print::line(match (before.version, after.version) {
            (Some(before), Some(after)) if before < after => {
                format!("migrated {place} from version {before} to {after}")
            }
            (_, Some(version)) => format!("{place} has version {version} already"),
            (_, None) => format!("{place} has no version: files are read in every form"),
        })?;
    }
    Ok(Exit::DONE)
}
