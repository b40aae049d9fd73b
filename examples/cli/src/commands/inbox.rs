//! `inbox` and `estimate`: what waits for a person, and what runs take.

use std::time::Duration;

use workflow_core::ids::WorkflowId;
use workflow_core::status::Wait;
use workflow_service::runs::{Estimate, EstimateRun, Inbox, InboxItem, Spread};

use crate::error::Error;
use crate::exit::Exit;
use crate::host::Host;
use crate::print;
use crate::store_url::Place;
use crate::text::{count, date, duration, shorten};
use crate::words;

/// How many characters of a question are shown.
const QUESTION: usize = 120;

/// Lists what waits for a person, the oldest first.
pub(crate) async fn inbox(place: &Place, json: bool, request: Inbox) -> Result<Exit, Error> {
    let Some(host) = Host::existing(place)? else { return Ok(nothing(json)) };
    let list = host.ask(request).await?;
    if json {
        print::objects(&list.items)?;
    } else if list.items.is_empty() {
        return Ok(nothing(json));
    } else {
        let head = ["SINCE", "RUN", "WORKFLOW", "WAITS FOR", "ANSWER WITH"].map(str::to_owned);
        let rows: Vec<_> = std::iter::once(head).chain(list.items.iter().map(row)).collect();
        print::lines(print::table(&rows))?;
    }
    let left = list.total - list.items.len();
    if left > 0 {
        print::to_stderr(&format!("… {left} more: `--limit` shows more of them"));
    }
    Ok(Exit::DONE)
}

fn nothing(json: bool) -> Exit {
    if !json {
        print::to_stderr("nothing waits for a person");
    }
    Exit::DONE
}

fn row(item: &InboxItem) -> [String; 5] {
    let mut wait = Wait::of(item.reason);
    (wait.number, wait.place) = (item.wait, item.place.clone());
    wait.question.clone_from(&item.question);
    let run = &item.run_id;
    // A run can ask several things: the number says which.
    let answer = match item.wait {
        Some(number) => format!("workflow answer {run} --wait {number}"),
        None => format!("workflow resume {run}"),
    };
    [
        item.since.map(date).unwrap_or_default(),
        run.to_string(),
        item.workflow_id.to_string(),
        shorten(&words::asks(&wait), QUESTION),
        answer,
    ]
}

/// Estimates how long a run takes and what it costs.
pub(crate) async fn estimate(place: &Place, json: bool, id: &WorkflowId) -> Result<Exit, Error> {
    let host = match Host::existing(place)? {
        Some(host) => host,
        None => Host::for_definitions(&place.home)?,
    };
    let estimate = host.ask(EstimateRun { id: id.clone() }).await?;
    if json {
        print::json(&estimate)?;
    } else {
        print::lines(lines(&estimate))?;
    }
    Ok(Exit::DONE)
}

fn lines(Estimate { id, runs, duration_ms, priced, cost_usd, .. }: &Estimate) -> Vec<String> {
    let Some(took) = duration_ms else {
        return vec![format!("no run of {id} has completed yet: there is nothing to estimate from")];
    };
    let mut lines = vec![format!("{id}, by {}:", count(*runs as u64, "completed run"))];
    let row = |name: &str, spread: &Spread, show: &dyn Fn(f64) -> String| {
        let (p10, median, p90) = (show(spread.p10), show(spread.median), show(spread.p90));
        [name.to_owned(), median, if *runs > 1 { format!("mostly {p10} to {p90}") } else { String::new() }]
    };
    let mut rows = vec![row("takes", took, &|ms| duration(Duration::from_secs_f64(ms / 1e3)))];
    if let Some(cost) = cost_usd {
        let mut cost = row("costs", cost, &|dollars| format!("${dollars:.4}"));
        if priced < runs {
            let unknown = count((runs - priced) as u64, "run");
            let notes = [cost[2].clone(), format!("(the cost of {unknown} is unknown)")];
            notes.join(" ").trim_start().clone_into(&mut cost[2]);
        }
        rows.push(cost);
    } else {
        rows.push(["costs".to_owned(), "unknown".to_owned(), String::new()]);
    }
    lines.extend(print::table(&rows).into_iter().map(|line| format!("  {line}")));
    lines
}
