//! A question of this program: what a key would do, and the buttons that do it.

use ratatui::crossterm::event::{KeyCode, KeyEvent};
use serde_json::{Value, json};
use workflow_core::data::Data;
use workflow_core::ids::RunId;
use workflow_core::status::Wait;
use workflow_core::store::{Answer, Control};

use super::input::Input;
use crate::said::Said;

/// A dialog over a run. Nothing happens before a button is chosen and Enter is pressed on it.
#[derive(Debug)]
pub(crate) struct Dialog {
    pub run: RunId,
    pub title: String,
    /// What it is about, line by line.
    pub body: Vec<String>,
    /// The first line of the body that is shown.
    pub scroll: usize,
    /// What is typed, and what it is.
    pub input: Option<(&'static str, Input)>,
    pub buttons: Vec<Button>,
    /// The selected button; none while text is typed.
    pub selected: Option<usize>,
    /// Why the chosen button did nothing.
    pub problem: Option<String>,
    /// The question that is answered.
    pub wait: Option<Wait>,
}

/// A button: what it is called, and what it does.
#[derive(Debug)]
pub(crate) struct Button {
    pub label: String,
    pub effect: String,
    pub act: Act,
}

/// What a button does.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    /// Nothing: it closes the dialog.
    Back,
    /// Sends a request.
    Send(Control),
    Approve,
    /// Rejects, for the reason that is typed.
    Reject,
    /// Answers with the text that is typed.
    Answer,
    /// Answers with one of the values that the question lists.
    Choose(String),
    /// The interrupted call did its work, with the result that is typed.
    Happened,
    /// The interrupted call is repeated.
    Repeat(&'static str),
    /// Opens the dialog of the question with that number.
    Open(u64),
}

/// What follows from a key.
#[derive(Debug)]
pub(crate) enum Step {
    Stay,
    Close,
    /// Open the dialog of the question with that number.
    Open(u64),
    Send(Control),
}

impl Button {
    pub(crate) fn new(label: impl Into<String>, effect: impl Into<String>, act: Act) -> Self {
        Self { label: label.into(), effect: effect.into(), act }
    }
}

impl Dialog {
    /// A dialog in which the text is typed first, or else the button that does nothing is selected.
    pub(crate) fn new(
        run: RunId,
        title: impl Into<String>,
        body: Vec<String>,
        mut buttons: Vec<Button>,
    ) -> Self {
        buttons.push(Button::new("Back", "change nothing", Act::Back));
        let (title, selected) = (title.into(), Some(buttons.len() - 1));
        Self { run, title, body, scroll: 0, input: None, buttons, selected, problem: None, wait: None }
    }

    /// The same with a line for text.
    pub(crate) fn with_input(mut self, label: &'static str) -> Self {
        self.input = Some((label, Input::default()));
        self
    }

    /// The same about a question.
    pub(crate) fn about(mut self, wait: Wait) -> Self {
        self.wait = Some(wait);
        self
    }

    /// Whether keys are text at the moment.
    pub(crate) fn is_typing(&self) -> bool {
        self.selected.is_none()
    }

    pub(crate) fn paste(&mut self, text: &str) {
        if let Some((_, input)) = self.input.as_mut().filter(|_| self.selected.is_none()) {
            input.paste(text);
        }
    }

    pub(crate) fn key(&mut self, key: KeyEvent) -> Step {
        if self.selected.is_none()
            && let Some((_, input)) = &mut self.input
            && input.key(key)
        {
            self.problem = None;
            return Step::Stay;
        }
        match key.code {
            KeyCode::Esc | KeyCode::Char('q') => return Step::Close,
            KeyCode::Down | KeyCode::Tab | KeyCode::Char('j') => self.step(1),
            KeyCode::Up | KeyCode::BackTab | KeyCode::Char('k') => self.step(-1),
            KeyCode::PageDown => self.scroll = (self.scroll + 1).min(self.body.len().saturating_sub(1)),
            KeyCode::PageUp => self.scroll = self.scroll.saturating_sub(1),
            // Enter leaves the text: it never sends at once.
            KeyCode::Enter if self.selected.is_none() => self.step(1),
            KeyCode::Enter => return self.choose(),
            _ => {}
        }
        Step::Stay
    }

    /// Moves over the buttons, and the text above them.
    fn step(&mut self, by: isize) {
        let lines = self.buttons.len() + usize::from(self.input.is_some());
        let shift = usize::from(self.input.is_some());
        let now = self.selected.map_or(0, |selected| selected + shift);
        let next = now.saturating_add_signed(by).min(lines - 1);
        self.selected = next.checked_sub(shift);
    }

    fn choose(&mut self) -> Step {
        let Some(button) = self.selected.and_then(|selected| self.buttons.get(selected)) else {
            return Step::Stay;
        };
        let typed = self.input.as_ref().map(|(_, input)| input.text()).unwrap_or_default();
        let said = match &button.act {
            Act::Back => return Step::Close,
            Act::Open(number) => return Step::Open(*number),
            Act::Send(control) => return Step::Send(control.clone()),
            Act::Approve if typed.trim().is_empty() => Said::Approval(true.into()),
            Act::Approve => Said::Approval(json!({ "approved": true, "comment": typed })),
            Act::Reject if typed.trim().is_empty() => Said::Approval(false.into()),
            Act::Reject => Said::Approval(json!({ "approved": false, "comment": typed })),
            Act::Answer => Said::Typed(&typed),
            Act::Choose(value) => Said::Typed(value),
            Act::Happened => Said::Outcome(json!({ "outcome": "happened", "result": result(&typed) })),
            Act::Repeat(outcome) => Said::Outcome(json!({ "outcome": outcome })),
        };
        let Some(wait) = &self.wait else { return Step::Close };
        match (said.value(wait), wait.number) {
            (Ok(value), Some(number)) => {
                Step::Send(Control::Answer(Answer { wait: number, value: Data::new(&value) }))
            }
            (Ok(_), None) => Step::Close,
            (Err(problem), _) => {
                self.problem = Some(problem);
                Step::Stay
            }
        }
    }
}

/// A result as JSON if it is JSON, and as text otherwise.
fn result(typed: &str) -> Value {
    Data::parse(typed).map_or_else(|_| Value::from(typed), |data| data.exact_value())
}
