//! A run as a view that changes in place, for terminals.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use console::{Term, style, truncate_str};
use futures::executor::block_on;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;
use workflow_core::bundle::Bundle;
use workflow_core::event::{Event, EventBody};
use workflow_core::ids::RunId;
use workflow_core::machine::State;
use workflow_core::output::OutputEntry;
use workflow_core::store::RunStore;

use super::plain::Story;
use super::rows::{LastLines, Mark, Row, caller, rows};
use super::{Display, Pieces};
use crate::text::{clock, harmless};

/// A view of the run and its stages that is redrawn, and above it lines for what the view does not keep: failures and
/// ends of iterations.
pub(super) struct Live {
    store: Arc<dyn RunStore>,
    bundle: Option<Arc<Bundle>>,
    state: Option<State>,
    story: Story,
    said: LastLines,
    pieces: Pieces,
    /// The whole view is the message of one bar, so that it is redrawn at once.
    view: ProgressBar,
    begun: Instant,
    drawn: Option<Instant>,
    time: EventTime,
}

/// The current time by the clock of the run's events. New events do not set it back.
struct EventTime {
    at: Timestamp,
    then: Instant,
}

impl EventTime {
    fn new(at: Timestamp) -> Self {
        Self { at, then: Instant::now() }
    }

    fn now(&self) -> Timestamp {
        self.at.checked_add(self.then.elapsed()).unwrap_or(self.at)
    }

    /// Takes the time of an event.
    fn follow(&mut self, at: Timestamp) {
        if at > self.now() {
            *self = Self::new(at);
        }
    }
}

/// The shortest time between two redraws.
const FRAME: Duration = Duration::from_millis(50);
/// The frames of the spinner.
const SPINNER: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

impl Live {
    pub(super) fn new(store: Arc<dyn RunStore>) -> Self {
        let view = ProgressBar::with_draw_target(None, ProgressDrawTarget::stdout());
        view.set_style(
            ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_spinner()),
        );
        Self {
            store,
            bundle: None,
            state: None,
            story: Story::default(),
            said: HashMap::new(),
            pieces: Pieces::default(),
            view,
            begun: Instant::now(),
            drawn: None,
            time: EventTime::new(Timestamp::now()),
        }
    }

    fn fold(&mut self, event: &Event) -> io::Result<()> {
        if let Some(state) = &mut self.state {
            if let EventBody::RunMigrated { bundle, .. } = &event.body {
                self.bundle = Some(bundle.clone());
            }
            return state.apply(event).map_err(io::Error::other);
        }
        let state = State::first(event).map_err(io::Error::other)?;
        let bundle = block_on(self.store.bundle(&state.created().bundle)).map_err(io::Error::other)?;
        self.bundle = Some(bundle);
        self.state = Some(state);
        Ok(())
    }
}

impl Display for Live {
    fn event(&mut self, _: &RunId, event: &Event, new: bool) -> io::Result<()> {
        self.time.follow(event.at);
        self.fold(event)?;
        if let EventBody::AttemptStarted { path, .. } = &event.body {
            self.said.remove(&caller(path));
            self.pieces.end(path);
        }
        let line = self.story.tell(event);
        match line.filter(|_| new && stays(&event.body)) {
            Some(line) => self.note(&format!("{} {line}", clock(event.at))),
            None => Ok(()),
        }
    }

    fn output(&mut self, _: &RunId, entry: &OutputEntry) -> io::Result<()> {
        let whole = self.pieces.push(entry.clone());
        let begun = self.pieces.line(&entry.path).filter(|line| !line.trim().is_empty());
        let last = whole.iter().rev().map(|entry| &*entry.text).find(|line| !line.trim().is_empty());
        if let Some(line) = begun.or(last) {
            self.said.insert(caller(&entry.path), line.to_owned());
        }
        Ok(())
    }

    fn note(&mut self, text: &str) -> io::Result<()> {
        self.view.println(harmless(text));
        Ok(())
    }

    fn refresh(&mut self) -> io::Result<()> {
        if self.drawn.is_none_or(|drawn| drawn.elapsed() >= FRAME) {
            self.drawn = Some(Instant::now());
            if let Some(text) = self.text() {
                self.view.set_message(text);
            }
        }
        Ok(())
    }
}

impl Live {
    /// The view, as wide and as high as the terminal allows.
    fn text(&self) -> Option<String> {
        let (state, bundle) = self.state.as_ref().zip(self.bundle.as_ref())?;
        let (height, width) = Term::stdout().size();
        let turn = usize::try_from(self.begun.elapsed().as_millis() / 100).unwrap_or_default();
        let spinner = SPINNER[turn % SPINNER.len()];
        let most = state.created().max_iters;
        let rows = rows(&state.view(), bundle, most, &self.said, self.time.now());
        let lines = rows.iter().take(usize::from(height).saturating_sub(1)).map(|row| {
            // A line that fills the width would move the cursor to the next line.
            truncate_str(&line(row, spinner), usize::from(width).saturating_sub(1), "…").into_owned()
        });
        Some(lines.collect::<Vec<_>>().join("\n"))
    }
}

impl Drop for Live {
    /// Leaves the last view on the screen.
    fn drop(&mut self) {
        match self.text() {
            Some(text) => self.view.abandon_with_message(text),
            None => self.view.finish_and_clear(),
        }
    }
}

fn line(Row { mark, text }: &Row, spinner: &str) -> String {
    let text = harmless(text);
    match mark {
        Mark::None => style(format!("  {text}")).dim().to_string(),
        Mark::Pending => style(format!("· {text}")).dim().to_string(),
        Mark::Running => format!("{} {text}", style(spinner).cyan()),
        Mark::Good => format!("{} {text}", style("✓").green()),
        Mark::Asks => format!("{} {text}", style("?").yellow()),
        Mark::Bad => format!("{} {text}", style("✗").red()),
    }
}

/// Whether the event gets a line of its own, because the view does not keep it.
fn stays(body: &EventBody) -> bool {
    matches!(
        body,
        EventBody::AttemptFailed { .. }
            | EventBody::AttemptInterrupted { .. }
            | EventBody::NodeFailed { .. }
            | EventBody::StageFailed { .. }
            | EventBody::IterationEnded { .. }
            | EventBody::BudgetWarning { .. }
            | EventBody::SessionDropped { .. }
            | EventBody::Answered { .. }
            | EventBody::AnswerRefused { .. }
            | EventBody::SignalReceived { .. }
            | EventBody::RunForked(_)
            | EventBody::RunMigrated { .. }
            | EventBody::RunFailed { .. }
    )
}
