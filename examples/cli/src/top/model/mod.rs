//! What is shown, as a state machine without I/O.

pub(crate) mod attention;
pub(crate) mod dialog;
pub(crate) mod input;
pub(crate) mod list;
pub(crate) mod log;
pub(crate) mod page;
mod questions;
pub(crate) mod timeline;

use jiff::Timestamp;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use workflow_core::ids::RunId;
use workflow_core::store::Control;

use self::dialog::{Dialog, Step};
use self::list::List;
use self::page::Page;
use super::message::{Effect, Event, Outcome};
use crate::text::clock;

/// Everything that is shown.
#[derive(Debug)]
pub(crate) struct Model {
    pub now: Timestamp,
    pub list: List,
    /// The opened run.
    pub page: Option<Page>,
    pub dialog: Option<Dialog>,
    /// The help is open.
    pub is_helping: bool,
    /// The result of the last request, until the next key.
    pub notice: Option<String>,
    /// Since when the store cannot be read, and why.
    pub stale: Option<String>,
    /// When the store was read last.
    pub read_at: Option<Timestamp>,
    pub drawn: Drawn,
}

/// What the last drawing had room for.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Drawn {
    /// Rows of the list of runs.
    pub runs: usize,
    /// Rows of the timeline.
    pub stages: usize,
    /// The first line of the log.
    pub first: usize,
    /// Lines of the log.
    pub shown: usize,
}

impl Model {
    pub(crate) fn new(now: Timestamp) -> Self {
        Self {
            now,
            list: List::default(),
            page: None,
            dialog: None,
            is_helping: false,
            notice: None,
            stale: None,
            read_at: None,
            drawn: Drawn::default(),
        }
    }

    /// Takes an event, and returns what is to be done.
    pub(crate) fn update(&mut self, event: Event) -> Vec<Effect> {
        match event {
            Event::Key(key) => return self.key(key),
            Event::Paste(text) => self.paste(&text),
            Event::Tick(now) => self.now = now,
            Event::Runs(listed) => {
                self.list.take(listed);
                (self.stale, self.read_at) = (None, Some(self.now));
            }
            Event::Run(detail) => {
                if let Some(page) = self.page_of(&detail.view.run_id.clone()) {
                    page.take(detail);
                }
            }
            Event::Lines { run, lines, from_start } => {
                if let Some(page) = self.page_of(&run) {
                    page.log.add(lines, from_start);
                }
            }
            Event::Deleted(run) => {
                if let Some(page) = self.page_of(&run) {
                    page.is_deleted = true;
                    self.dialog = None;
                }
            }
            Event::Unreadable(why) => {
                let since = self.read_at.map(|at| format!("as of {}: ", clock(at))).unwrap_or_default();
                self.stale = Some(format!("{since}the store cannot be read: {why}"));
            }
            Event::Sent { run, control, outcome } => {
                if let Some(page) = self.page_of(&run) {
                    page.sent(&control, &outcome);
                }
                let what = name(&control);
                self.notice = match outcome {
                    Outcome::Accepted => None,
                    Outcome::Recorded => Some(format!(
                        "run {run}: {what} is recorded; the process that drives the run has not decided on it yet"
                    )),
                    Outcome::Refused(why) => Some(format!("run {run}: {what} was refused: {why}")),
                };
            }
        }
        Vec::new()
    }

    fn page_of(&mut self, run: &RunId) -> Option<&mut Page> {
        self.page.as_mut().filter(|page| page.run == *run)
    }

    fn paste(&mut self, text: &str) {
        if let Some(dialog) = &mut self.dialog {
            dialog.paste(text);
        } else if self.list.is_typing {
            self.list.filter.paste(text);
        }
    }

    fn key(&mut self, key: KeyEvent) -> Vec<Effect> {
        if key.modifiers == KeyModifiers::CONTROL && key.code == KeyCode::Char('c') {
            return vec![Effect::Quit];
        }
        self.notice = None;
        if let Some(dialog) = &mut self.dialog {
            return match dialog.key(key) {
                Step::Stay => Vec::new(),
                Step::Close => {
                    self.dialog = None;
                    Vec::new()
                }
                Step::Open(number) => {
                    self.dialog = self.page.as_ref().and_then(|page| page.answer(number));
                    Vec::new()
                }
                Step::Send(control) => self.send(control),
            };
        }
        if self.is_helping {
            self.is_helping = !matches!(key.code, KeyCode::Esc | KeyCode::Char('q' | '?') | KeyCode::Enter);
            return Vec::new();
        }
        if self.list.is_typing {
            self.filter_key(key);
            return Vec::new();
        }
        match (key.code, &self.page) {
            (KeyCode::Char('?'), _) => self.is_helping = true,
            (_, Some(_)) => return self.page_key(key.code),
            (_, None) => return self.list_key(key.code),
        }
        Vec::new()
    }

    fn filter_key(&mut self, key: KeyEvent) {
        match key.code {
            KeyCode::Esc => {
                self.list.filter = input::Input::default();
                self.list.is_typing = false;
            }
            KeyCode::Enter => self.list.is_typing = false,
            KeyCode::Down => self.list.step(1),
            KeyCode::Up => self.list.step(-1),
            _ => drop(self.list.filter.key(key)),
        }
    }

    fn list_key(&mut self, key: KeyCode) -> Vec<Effect> {
        let page = isize::try_from(self.drawn.runs.max(1)).unwrap_or(1);
        match key {
            KeyCode::Char('q') => return vec![Effect::Quit],
            KeyCode::Esc if self.list.filter.text().is_empty() => return vec![Effect::Quit],
            KeyCode::Esc => self.list.filter = input::Input::default(),
            KeyCode::Char('/') => self.list.is_typing = true,
            KeyCode::Char('n') => self.list.next_problem(),
            KeyCode::Down | KeyCode::Char('j') => self.list.step(1),
            KeyCode::Up | KeyCode::Char('k') => self.list.step(-1),
            KeyCode::PageDown => self.list.step(page),
            KeyCode::PageUp => self.list.step(-page),
            KeyCode::Home => self.list.select(0),
            KeyCode::End => self.list.step(isize::MAX),
            KeyCode::Enter => {
                if let Some(run) = self.list.selected().map(|run| run.run_id.clone()) {
                    self.list.select(self.list.place());
                    self.page = Some(Page::new(run.clone()));
                    return vec![Effect::Open(run)];
                }
            }
            _ => {}
        }
        Vec::new()
    }

    fn page_key(&mut self, key: KeyCode) -> Vec<Effect> {
        let drawn = self.drawn;
        let Some(page) = &mut self.page else { return Vec::new() };
        let opens = matches!(key, KeyCode::Char('a' | 'p' | 'r' | 'c'));
        match key {
            KeyCode::Esc | KeyCode::Char('q') => {
                self.page = None;
                return vec![Effect::Close];
            }
            _ if !opens => page.key(key, &drawn),
            _ if page.is_deleted => self.notice = Some(format!("run {} was deleted", page.run)),
            _ => {
                let Some(detail) = &page.detail else { return Vec::new() };
                let dialog = match key {
                    KeyCode::Char('p') => questions::pause(detail),
                    KeyCode::Char('r') => questions::resume(detail),
                    KeyCode::Char('c') => questions::cancel(detail),
                    _ => questions::ask(detail, &page.open_questions()),
                };
                match dialog {
                    Ok(dialog) => self.dialog = Some(dialog),
                    Err(why) => self.notice = Some(why),
                }
            }
        }
        Vec::new()
    }

    /// Sends what was confirmed. It counts as requested until the run shows it or refuses it.
    fn send(&mut self, control: Control) -> Vec<Effect> {
        let Some(dialog) = self.dialog.take() else { return Vec::new() };
        if let Some(page) = self.page_of(&dialog.run) {
            page.send(control.clone());
        }
        vec![Effect::Send { run: dialog.run, control }]
    }
}

/// What a request is called.
pub(crate) fn name(control: &Control) -> &'static str {
    match control {
        Control::Pause => "pause",
        Control::Resume => "resume",
        Control::Cancel => "cancel",
        Control::Kill => "kill",
        Control::Answer(_) => "the answer",
        _ => "the request",
    }
}
