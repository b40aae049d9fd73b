//! Reads the opened run: what is new in its log and its output, and its head.

use std::sync::Arc;

use workflow_core::event::{Event as RunEvent, EventBody};
use workflow_core::ids::{NodePath, RunId};
use workflow_core::machine::State;
use workflow_core::output::{OutputEntry, OutputKind};
use workflow_service::runs::{GetRunPlan, LogLevel, RunEvents, RunLogs};

use crate::display::{Pieces, Story, entry_line};
use crate::error::Error;
use crate::host::Host;
use crate::text::clock;
use crate::top::message::{Detail, Event, Iteration, Planned};
use crate::top::model::log::{LineKind, LogLine};
use crate::top::model::timeline;

/// How many events or entries are read at once.
const PAGE: usize = 1_000;
/// How many of the newest entries are read when a run is opened.
const NEWEST: usize = 2_000;
/// How often the events are read again where the head is ahead of them.
const AGAIN: usize = 5;

/// The opened run, and how far it was read.
pub(super) struct Opened {
    run: RunId,
    state: Option<State>,
    plan: Option<Arc<Planned>>,
    ended: Vec<Iteration>,
    event: u64,
    /// The last entry that was read; none before the first reading.
    output: Option<u64>,
    story: Story,
    pieces: Pieces,
    /// The lines of events before this one were left out with the entries before them.
    first: u64,
}

impl Opened {
    pub(super) fn new(run: RunId) -> Self {
        Self {
            run,
            state: None,
            plan: None,
            ended: Vec::new(),
            event: 0,
            output: None,
            story: Story::default(),
            pieces: Pieces::default(),
            first: 0,
        }
    }

    pub(super) fn run(&self) -> &RunId {
        &self.run
    }

    /// Reads what is new.
    pub(super) async fn read(&mut self, host: &Host) -> Result<Vec<Event>, Error> {
        let mut lines = Vec::new();
        let mut over = Vec::new();
        let mut again = 0;
        let record = loop {
            self.events(host, &mut lines, &mut over).await?;
            // The head is read last: it is never older than the events.
            let record = host.engine.store().get(&self.run).await?;
            let is_same = self.state.as_ref().is_some_and(|state| state.status() == record.head.status);
            again += 1;
            if is_same || again > AGAIN {
                break record;
            }
        };
        self.output(host, &mut lines).await?;
        for path in over {
            lines.extend(self.pieces.end(&path).iter().flat_map(output_lines));
        }
        lines.retain(|line| line.place.0 >= self.first);
        let mut events = Vec::new();
        if !lines.is_empty() {
            let (run, from_start) = (self.run.clone(), self.first == 0);
            events.push(Event::Lines { run, lines, from_start });
        }
        if let (Some(state), Some(plan)) = (&self.state, &self.plan) {
            events.push(Event::Run(Box::new(Detail {
                view: state.view(),
                status: record.head.status,
                holder: record.holder,
                plan: plan.clone(),
                ended: self.ended.clone(),
            })));
        }
        Ok(events)
    }

    /// Reads new events into the state, into lines, and the attempts that have ended.
    async fn events(
        &mut self,
        host: &Host,
        lines: &mut Vec<LogLine>,
        over: &mut Vec<NodePath>,
    ) -> Result<(), Error> {
        loop {
            let request =
                RunEvents { run_id: self.run.clone(), after: self.event, limit: Some(PAGE), level: None };
            let page = host.ask(request).await?;
            for event in &page.events {
                self.event = event.seq;
                self.take(host, event).await?;
                over.extend(ended(&event.body).cloned());
                if let Some(text) = self.story.tell(event) {
                    let is_problem = LogLevel::of_event(&event.body) <= LogLevel::Warn;
                    let kind = if is_problem { LineKind::Problem } else { LineKind::Event };
                    let text = format!("{} {text}", clock(event.at));
                    lines.push(LogLine { place: (event.seq, 0), text, kind });
                }
            }
            if page.next.is_none() {
                return Ok(());
            }
        }
    }

    async fn take(&mut self, host: &Host, event: &RunEvent) -> Result<(), Error> {
        let broken = |error: &dyn std::fmt::Display| Error::Refused(error.to_string());
        match &mut self.state {
            Some(state) => state.apply(event).map_err(|error| broken(&error))?,
            None => self.state = Some(State::first(event).map_err(|error| broken(&error))?),
        }
        let is_moved = matches!(event.body, EventBody::RunMigrated { .. });
        if self.plan.is_none() || is_moved {
            self.plan = Some(Arc::new(planned(host, &self.run).await?));
        }
        if let (EventBody::IterationEnded { iteration, done, next }, Some(state), Some(plan)) =
            (&event.body, &self.state, &self.plan)
        {
            let done = if *done { "done" } else { "not done" };
            let next = next.as_ref().map(|next| format!(", continues with {next}")).unwrap_or_default();
            let mut rows = Vec::new();
            timeline::stages(&state.view(), plan, *iteration, true, 0, &mut rows);
            self.ended.push(Iteration { number: *iteration, note: format!("{done}{next}"), rows });
        }
        Ok(())
    }

    /// Reads new output: at first only the newest.
    async fn output(&mut self, host: &Host, lines: &mut Vec<LogLine>) -> Result<(), Error> {
        let request = |after, limit| RunLogs { after, limit: Some(limit), ..RunLogs::of(self.run.clone()) };
        let mut entries = Vec::new();
        match self.output {
            None => {
                entries = host.ask(request(None, NEWEST)).await?.entries;
                if entries.len() == NEWEST {
                    self.first = entries.first().map_or(0, |entry| entry.after_event);
                }
                self.output = Some(entries.last().map_or(0, |entry| entry.number));
            }
            Some(mut after) => loop {
                let page = host.ask(request(Some(after), PAGE)).await?.entries;
                after = page.last().map_or(after, |entry| entry.number);
                let is_last = page.len() < PAGE;
                entries.extend(page);
                if is_last {
                    self.output = Some(after);
                    break;
                }
            },
        }
        for entry in entries {
            lines.extend(self.pieces.push(entry).iter().flat_map(output_lines));
        }
        Ok(())
    }
}

/// What is shown of the definition of a run.
async fn planned(host: &Host, run: &RunId) -> Result<Planned, Error> {
    let plan = host.ask(GetRunPlan { run_id: run.clone() }).await?;
    let nodes = plan
        .stages
        .iter()
        .map(|stage| (stage.id.clone(), stage.nodes.iter().map(|node| node.id.clone()).collect()));
    Ok(Planned {
        nodes: nodes.collect(),
        stages: plan.stages.iter().map(|stage| (stage.id.clone(), stage.on_failure)).collect(),
        max_iters: plan.repeat.map(|repeat| repeat.max_iters),
        budget: plan.budget,
        name: plan.name,
    })
}

/// The node whose attempt has ended.
fn ended(event: &EventBody) -> Option<&NodePath> {
    match event {
        EventBody::AttemptSucceeded { path, .. }
        | EventBody::AttemptFailed { path, .. }
        | EventBody::AttemptCancelled { path, .. }
        | EventBody::AttemptInterrupted { path, .. } => Some(path),
        _ => None,
    }
}

/// The lines of an output entry.
fn output_lines(entry: &OutputEntry) -> Vec<LogLine> {
    let kind = match entry.kind {
        OutputKind::Stderr => LineKind::Stderr,
        OutputKind::Dropped => LineKind::Problem,
        _ => LineKind::Output,
    };
    let line = |text: &str| LogLine {
        place: (entry.after_event, entry.number),
        text: entry_line(&OutputEntry { text: text.to_owned(), ..entry.clone() }),
        kind,
    };
    entry.text.trim_end_matches(['\n', '\r']).split('\n').map(line).collect()
}
