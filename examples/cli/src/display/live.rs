//! A run as a view that changes in place, for terminals.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::executor::block_on;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;
use workflow_core::definition::Workflow;
use workflow_core::event::{Event, EventBody};
use workflow_core::ids::RunId;
use workflow_core::machine::State;
use workflow_core::output::OutputEntry;
use workflow_core::store::RunStore;

use super::Display;
use super::plain::Story;
use super::rows::{LastLines, Mark, rows};
use crate::text::{clock, harmless};

/// Below: the run and its stages as they are now. Above: what would be lost otherwise, the
/// failures and the ends of iterations.
pub(super) struct Live {
    store: Arc<dyn RunStore>,
    workflow: Option<Workflow>,
    state: Option<State>,
    story: Story,
    said: LastLines,
    screen: MultiProgress,
    lines: Vec<ProgressBar>,
    styles: HashMap<Mark, ProgressStyle>,
    drawn: Option<Instant>,
}

/// The view is not drawn more often.
const FRAME: Duration = Duration::from_millis(50);

impl Live {
    pub(super) fn new(store: Arc<dyn RunStore>) -> Self {
        let marks = [Mark::None, Mark::Pending, Mark::Running, Mark::Good, Mark::Bad];
        Self {
            store,
            workflow: None,
            state: None,
            story: Story::default(),
            said: HashMap::new(),
            screen: MultiProgress::with_draw_target(ProgressDrawTarget::stdout()),
            lines: Vec::new(),
            styles: marks.into_iter().map(|mark| (mark, style(mark))).collect(),
            drawn: None,
        }
    }

    fn fold(&mut self, event: &Event) -> io::Result<()> {
        if let Some(state) = &mut self.state {
            return state.apply(event).map_err(io::Error::other);
        }
        let state = State::first(event).map_err(io::Error::other)?;
        let bundle = block_on(self.store.bundle(&state.created().bundle)).map_err(io::Error::other)?;
        self.workflow = Some(bundle.workflow.clone());
        self.state = Some(state);
        Ok(())
    }
}

impl Display for Live {
    fn event(&mut self, _: &RunId, event: &Event, new: bool) -> io::Result<()> {
        self.fold(event)?;
        if let EventBody::AttemptStarted { path, .. } = &event.body {
            self.said.remove(&(path.stage.clone(), path.lane as usize));
        }
        let line = self.story.tell(event);
        match line.filter(|_| new && stays(&event.body)) {
            Some(line) => self.screen.println(format!("{} {}", clock(event.at), harmless(&line))),
            None => Ok(()),
        }
    }

    fn output(&mut self, _: &RunId, entry: &OutputEntry) -> io::Result<()> {
        if !entry.text.trim().is_empty() {
            let lane = (entry.path.stage.clone(), entry.path.lane as usize);
            self.said.insert(lane, entry.text.clone());
        }
        Ok(())
    }

    fn refresh(&mut self) -> io::Result<()> {
        if self.drawn.is_none_or(|drawn| drawn.elapsed() >= FRAME) {
            self.drawn = Some(Instant::now());
            self.draw();
        }
        Ok(())
    }
}

impl Live {
    fn draw(&mut self) {
        let (Some(state), Some(workflow)) = (&self.state, &self.workflow) else { return };
        let rows = rows(&state.view(), workflow, &self.said, Timestamp::now());
        while self.lines.len() > rows.len() {
            if let Some(line) = self.lines.pop() {
                self.screen.remove(&line);
            }
        }
        while self.lines.len() < rows.len() {
            self.lines.push(self.screen.add(ProgressBar::new_spinner()));
        }
        for (line, row) in self.lines.iter().zip(rows) {
            line.set_style(self.styles[&row.mark].clone());
            line.set_message(row.text);
            line.tick();
        }
    }
}

impl Drop for Live {
    /// Leaves the last view on the screen.
    fn drop(&mut self) {
        self.draw();
        self.lines.iter().for_each(ProgressBar::abandon);
    }
}

/// Whether the view below does not go on showing it.
fn stays(body: &EventBody) -> bool {
    matches!(
        body,
        EventBody::AttemptFailed { .. }
            | EventBody::AttemptInterrupted { .. }
            | EventBody::StageFailed { .. }
            | EventBody::IterationEnded { .. }
            | EventBody::RunFailed { .. }
    )
}

fn style(mark: Mark) -> ProgressStyle {
    let (template, frames) = match mark {
        Mark::None => ("  {wide_msg:.dim}", "  "),
        Mark::Pending => ("{spinner:.dim} {wide_msg:.dim}", "··"),
        Mark::Running => ("{spinner:.cyan} {wide_msg}", "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"),
        Mark::Good => ("{spinner:.green} {wide_msg}", "✓✓"),
        Mark::Bad => ("{spinner:.red} {wide_msg}", "✗✗"),
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner());
    style.tick_chars(frames)
}
