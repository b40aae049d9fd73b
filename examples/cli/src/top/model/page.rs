//! The page of the opened run.

use ratatui::crossterm::event::KeyCode;
use workflow_core::ids::RunId;
use workflow_core::status::{RunStatus, Wait};
use workflow_core::store::Control;

use super::dialog::Dialog;
use super::log::Log;
use super::timeline::{self, Row};
use super::{Drawn, attention, questions};
use crate::top::message::{Detail, Outcome};

/// A part of the page that takes the arrow keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pane {
    Stages,
    Log,
}

/// The opened run.
#[derive(Debug)]
pub(crate) struct Page {
    pub run: RunId,
    /// The run, once it was read.
    pub detail: Option<Box<Detail>>,
    pub log: Log,
    pub pane: Pane,
    /// The selected row of the timeline; none: the one that is worth a look.
    selected: Option<usize>,
    unfolded: Vec<u32>,
    /// Requests whose effect the run does not show yet, and whether it has accepted them.
    requested: Vec<(Control, bool)>,
    /// The run was deleted.
    pub is_deleted: bool,
}

impl Page {
    pub(crate) fn new(run: RunId) -> Self {
        Self {
            run,
            detail: None,
            log: Log::default(),
            pane: Pane::Stages,
            selected: None,
            unfolded: Vec::new(),
            requested: Vec::new(),
            is_deleted: false,
        }
    }

    pub(crate) fn rows(&self) -> Vec<Row> {
        self.detail.as_ref().map(|detail| timeline::rows(detail, &self.unfolded)).unwrap_or_default()
    }

    /// The selected row.
    pub(crate) fn row(&self, rows: &[Row]) -> usize {
        self.selected.unwrap_or_else(|| timeline::focus(rows)).min(rows.len().saturating_sub(1))
    }

    /// Why the run waits or failed, and what to do.
    pub(crate) fn attention(&self) -> Vec<attention::Line> {
        self.detail.as_ref().map(|detail| attention::lines(detail)).unwrap_or_default()
    }

    /// The questions of the run.
    pub(crate) fn questions(&self) -> Vec<&Wait> {
        let waits = self.detail.iter().flat_map(|detail| &detail.view.waits);
        waits.filter(|wait| wait.number.is_some()).collect()
    }

    /// The questions that no answer was sent to.
    pub(crate) fn open_questions(&self) -> Vec<&Wait> {
        let is_of = |control: &Control, wait: &Wait| matches!(control, Control::Answer(a) if Some(a.wait) == wait.number);
        let is_open = |wait: &&Wait| !self.requested().any(|control| is_of(control, wait));
        self.questions().into_iter().filter(is_open).collect()
    }

    /// The dialog that answers a question.
    pub(crate) fn answer(&self, number: u64) -> Option<Dialog> {
        let wait = self.questions().into_iter().find(|wait| wait.number == Some(number))?;
        self.detail.as_ref().map(|detail| questions::answer(detail, wait))
    }

    /// The run as it is now. Requests whose effect shows are no longer pending.
    pub(crate) fn take(&mut self, detail: Box<Detail>) {
        self.requested.retain(|(control, accepted)| !accepted && !shows(&detail, control));
        self.detail = Some(detail);
    }

    /// The requests whose effect the run does not show yet.
    pub(crate) fn requested(&self) -> impl Iterator<Item = &Control> {
        self.requested.iter().map(|(control, _)| control)
    }

    /// A request is sent.
    pub(crate) fn send(&mut self, control: Control) {
        self.requested.push((control, false));
    }

    /// The outcome of a request.
    pub(crate) fn sent(&mut self, control: &Control, outcome: &Outcome) {
        match outcome {
            Outcome::Recorded => {}
            Outcome::Refused(_) => self.requested.retain(|(pending, _)| pending != control),
            // Shown until the run is read again.
            Outcome::Accepted => {
                let pending = self.requested.iter_mut().filter(|(pending, _)| pending == control);
                pending.for_each(|(_, accepted)| *accepted = true);
            }
        }
    }

    pub(crate) fn key(&mut self, key: KeyCode, drawn: &Drawn) {
        match key {
            KeyCode::Tab | KeyCode::BackTab => {
                self.pane = if self.pane == Pane::Stages { Pane::Log } else { Pane::Stages };
            }
            KeyCode::Char('f') => self.log.follow(),
            key if self.pane == Pane::Stages => self.stages_key(key, drawn),
            key => self.log_key(key, drawn),
        }
    }

    fn stages_key(&mut self, key: KeyCode, drawn: &Drawn) {
        let rows = self.rows();
        let (row, last) = (self.row(&rows), rows.len().saturating_sub(1));
        let by = drawn.stages.max(1);
        self.selected = Some(match key {
            KeyCode::Up | KeyCode::Char('k') => row.saturating_sub(1),
            KeyCode::Down | KeyCode::Char('j') => (row + 1).min(last),
            KeyCode::PageUp => row.saturating_sub(by),
            KeyCode::PageDown => (row + by).min(last),
            KeyCode::Home => 0,
            KeyCode::End => last,
            KeyCode::Enter => {
                if let Some(iteration) = rows.get(row).and_then(|row| row.folds) {
                    if self.unfolded.contains(&iteration) {
                        self.unfolded.retain(|unfolded| *unfolded != iteration);
                    } else {
                        self.unfolded.push(iteration);
                    }
                }
                row
            }
            _ => return,
        });
    }

    fn log_key(&mut self, key: KeyCode, drawn: &Drawn) {
        let (first, shown) = (drawn.first, drawn.shown.max(1));
        match key {
            KeyCode::Up | KeyCode::Char('k') => self.log.up(first, 1),
            KeyCode::Down | KeyCode::Char('j') => self.log.down(first, shown, 1),
            KeyCode::PageUp => self.log.up(first, shown),
            KeyCode::PageDown => self.log.down(first, shown, shown),
            KeyCode::Home => self.log.start(),
            KeyCode::End => self.log.follow(),
            _ => {}
        }
    }
}

/// Whether the run shows the effect of a request.
fn shows(detail: &Detail, control: &Control) -> bool {
    let view = &detail.view;
    let requested = |what| view.requested.as_deref() == Some(what);
    let is_over = detail.status.is_terminal();
    match control {
        Control::Pause => is_over || requested("pause") || detail.status == RunStatus::Paused,
        Control::Resume => is_over || (detail.status != RunStatus::Paused && !requested("pause")),
        Control::Cancel => is_over || requested("cancel") || view.ending.is_some(),
        Control::Kill => is_over || requested("cancel"),
        Control::Answer(answer) => is_over || view.waits.iter().all(|wait| wait.number != Some(answer.wait)),
        _ => true,
    }
}
