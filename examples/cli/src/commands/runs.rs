//! `runs`: the runs of a store.

use jiff::Timestamp;
use serde::Serialize;
use workflow_core::status::{RunStatus, Wait, WaitReason};
use workflow_core::store::RunRecord;
use workflow_service::runs::ListRuns;
use workflow_store::{ForeignRun, foreign_runs};

use crate::error::Error;
use crate::exit::Exit;
use crate::failed::reason;
use crate::host::Host;
use crate::print;
use crate::reference::RunRef;
use crate::store_url::Place;
use crate::text::{between, date, duration, shorten, word};
use crate::words::{asks, by};

/// How many characters of a text of another program are shown.
const FOREIGN: usize = 40;
/// How many characters of a wait are shown.
const QUESTION: usize = 120;

/// How many runs are read at once.
const PAGE: usize = 1_000;

/// Lists runs, the newest last; `limit` of the newest, if there is one.
pub(crate) async fn runs(
    place: &Place,
    json: bool,
    mut request: ListRuns,
    parent: Option<&RunRef>,
    limit: Option<usize>,
) -> Result<Exit, Error> {
    // The runs of another program have statuses of their own, and are shown only without a filter.
    let are_all = request.workflow.is_none() && request.statuses.is_empty() && request.labels.is_empty();
    let are_all = are_all && request.text.is_none() && request.waits.is_empty() && parent.is_none();
    let foreign = if are_all { foreign_runs(&place.home.path)? } else { Vec::new() };
    let mut runs = match Host::existing(place)? {
        Some(host) => {
            if let Some(parent) = parent {
                request.parent = Some(parent.find(&**host.engine.store()).await?);
            }
            all(&host, request, limit).await?
        }
        None => Vec::new(),
    };
    // The newest run is last: just above the next prompt.
    runs.reverse();
    if json {
        print::objects(foreign.iter().map(Foreign::of))?;
        print::objects(&runs)?;
    } else if runs.is_empty() && foreign.is_empty() {
        print::to_stderr("no runs found");
    } else {
        let head = ["RUN", "WORKFLOW", "STATUS", "CREATED", "TOOK", ""].map(str::to_owned);
        let rows: Vec<_> = std::iter::once(head)
            .chain(foreign.iter().map(foreign_row))
            .chain(runs.iter().map(row))
            .collect();
        print::lines(print::table(&rows))?;
    }
    Ok(Exit::DONE)
}

/// The runs on all pages, the newest first; `limit` of them, if there is one.
pub(super) async fn all(
    host: &Host,
    mut request: ListRuns,
    limit: Option<usize>,
) -> Result<Vec<RunRecord>, Error> {
    let mut runs = Vec::new();
    loop {
        let left = limit.map_or(PAGE, |limit| PAGE.min(limit - runs.len()));
        if left == 0 {
            return Ok(runs);
        }
        request.limit = Some(left);
        let page = host.ask(request.clone()).await?;
        runs.extend(page.runs);
        match page.next {
            Some(next) => request.after = Some(next),
            None => return Ok(runs),
        }
    }
}

/// A run of another program, as JSON.
#[derive(Serialize)]
struct Foreign<'a> {
    #[serde(flatten)]
    run: &'a ForeignRun,
    foreign: bool,
}

impl<'a> Foreign<'a> {
    fn of(run: &'a ForeignRun) -> Self {
        Self { run, foreign: true }
    }
}

fn foreign_row(run: &ForeignRun) -> [String; 6] {
    let text = |text: &Option<String>| shorten(text.as_deref().unwrap_or("?"), FOREIGN);
    [
        run.run_id.clone(),
        text(&run.workflow_id),
        text(&run.status),
        text(&run.created_at),
        String::new(),
        "written by another program, not changed".to_owned(),
    ]
}

fn row(run: &RunRecord) -> [String; 6] {
    let head = &run.head;
    let until = head.completed_at.or_else(|| run.holder.is_some().then(Timestamp::now));
    let took = head.started_at.zip(until).map(|(from, until)| duration(between(from, until)));
    let note = match (&run.holder, head.status) {
        _ if run.behind.is_some() => {
            run.behind.as_ref().map(|behind| format!("waits for run {behind}")).unwrap_or_default()
        }
        (Some(holder), _) => format!("driven by {holder}"),
        (None, RunStatus::Paused)
            if head.wait.as_ref().is_some_and(|wait| wait.reason == WaitReason::Pause) =>
        {
            by(head.stopped_by.as_ref()).trim_start().to_owned()
        }
        (None, RunStatus::Paused) => note(head.wait.as_deref()),
        (None, RunStatus::Running) if head.wait.is_some() => note(head.wait.as_deref()),
        (None, RunStatus::Pending | RunStatus::Running) => "no driver".to_owned(),
        (None, RunStatus::Failed) => head.error.as_ref().map(|error| reason(error)).unwrap_or_default(),
        (None, RunStatus::Cancelled) => by(head.stopped_by.as_ref()).trim_start().to_owned(),
        (None, _) => String::new(),
    };
    [
        run.run_id.to_string(),
        head.workflow_id.to_string(),
        word(head.status),
        date(head.created_at),
        took.unwrap_or_default(),
        note,
    ]
}

/// What a run without a driver waits for; empty for a run that a person paused.
fn note(wait: Option<&Wait>) -> String {
    match wait {
        Some(wait) if wait.reason != WaitReason::Pause => {
            format!("waits for {}", shorten(&asks(wait), QUESTION))
        }
        _ => String::new(),
    }
}
