//! What the model takes, and what it wants done.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use ratatui::crossterm::event::KeyEvent;
use workflow_core::definition::{Budget, OnFailure};
use workflow_core::ids::{RunId, StageId};
use workflow_core::status::RunStatus;
use workflow_core::store::{Control, RunRecord};
use workflow_core::view::RunView;

use super::model::log::LogLine;
use super::model::timeline::Row;

/// What happens to the model.
#[derive(Debug)]
pub(crate) enum Event {
    /// A key was pressed.
    Key(KeyEvent),
    /// Text was pasted.
    Paste(String),
    /// Time passes.
    Tick(Timestamp),
    /// The runs of the store, as they are now.
    Runs(Listed),
    /// The opened run, as it is now.
    Run(Box<Detail>),
    /// New lines of the log of the opened run; `from_start` unless earlier ones were left out.
    Lines { run: RunId, lines: Vec<LogLine>, from_start: bool },
    /// The opened run was deleted.
    Deleted(RunId),
    /// The store cannot be read: what is shown is as old as the last success.
    Unreadable(String),
    /// The outcome of a control request.
    Sent { run: RunId, control: Control, outcome: Outcome },
}

/// The outcome of a control request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The run has accepted it.
    Accepted,
    /// It is recorded, and the process that drives the run has not decided on it yet.
    Recorded,
    /// It has no effect, for that reason.
    Refused(String),
}

/// What the model wants done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// End the program.
    Quit,
    /// Follow a run.
    Open(RunId),
    /// Follow no run any more.
    Close,
    /// Send a control request, which a person confirmed.
    Send { run: RunId, control: Control },
}

/// Runs of a store.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    /// The newest runs and those that wait for a person, the newest first.
    pub runs: Vec<RunRecord>,
    /// How many runs there are.
    pub total: u64,
}

/// The opened run.
#[derive(Debug)]
pub(crate) struct Detail {
    /// The fold of its log.
    pub view: RunView,
    /// The status in the head that the store keeps.
    pub status: RunStatus,
    /// The process that drives it.
    pub holder: Option<String>,
    /// The definition that it follows.
    pub plan: Arc<Planned>,
    /// The iterations before the current one.
    pub ended: Vec<Iteration>,
}

/// What is shown of the definition of a run.
#[derive(Debug, Default)]
pub(crate) struct Planned {
    /// The name for people.
    pub name: String,
    /// The stages in order, and what their failure does.
    pub stages: Vec<(StageId, OnFailure)>,
    /// The most iterations, where there is a loop.
    pub max_iters: Option<u32>,
    /// What the run may use at most.
    pub budget: Option<Budget>,
    /// The nodes of the graph of a stage, in the order of the file.
    pub nodes: BTreeMap<StageId, Vec<String>>,
}

/// An iteration that has ended.
#[derive(Debug, Clone)]
pub(crate) struct Iteration {
    /// Its number, from 1.
    pub number: u32,
    /// What `stop_when` was, and the stage that the next iteration starts with.
    pub note: String,
    /// Its stages.
    pub rows: Vec<Row>,
}
