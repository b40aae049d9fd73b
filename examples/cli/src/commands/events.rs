//! `events`: what happened to a run, with the numbers that `fork --at` takes.

use workflow_core::event::{Event, EventBody};
use workflow_service::runs::RunEvents;

use crate::display::Story;
use crate::error::Error;
use crate::exit::Exit;
use crate::host::Host;
use crate::print;
use crate::reference::RunRef;
use crate::store_url::Place;
use crate::text::date;
use crate::words::by;

/// How many events are read at once.
const PAGE: usize = 1_000;

/// Lists the events of a run.
pub(crate) async fn events(place: &Place, json: bool, run: &RunRef) -> Result<Exit, Error> {
    let (host, run) = Host::of_run(place, run).await?;
    let mut request = RunEvents { run_id: run.clone(), after: 0, limit: Some(PAGE), level: None };
    let mut story = Story::default();
    let mut rows = vec![["EVENT", "TIME", "WHAT", "NODE"].map(str::to_owned)];
    loop {
        let page = host.ask(request.clone()).await?;
        if json {
            print::objects(&page.events)?;
        } else {
            rows.extend(page.events.iter().map(|event| row(event, &mut story)));
        }
        match page.next {
            Some(next) => request.after = next,
            None => break,
        }
    }
    if !json {
        print::lines(print::table(&rows))?;
        print::to_stderr(&format!(
            "`workflow fork {run} --at EVENT` begins a new run after that event, `--at NODE` before a node began"
        ));
    }
    Ok(Exit::DONE)
}

fn row(event: &Event, story: &mut Story) -> [String; 4] {
    let mut what = story.tell(event).unwrap_or_else(|| kind(event));
    if let EventBody::RunCreated(created) = &event.body
        && created.by.is_some()
    {
        what.push_str(", started");
        what.push_str(&by(created.by.as_ref()));
    }
    let node = event.body.path().map(ToString::to_string).unwrap_or_default();
    [event.seq.to_string(), date(event.at), what, node]
}

/// The type of an event, as words.
fn kind(event: &Event) -> String {
    let event = serde_json::to_value(event).unwrap_or_default();
    event["type"].as_str().unwrap_or_default().replace('_', " ")
}
