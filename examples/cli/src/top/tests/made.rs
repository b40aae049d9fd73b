//! Runs for the tests, and models that show them.

use std::sync::Arc;

use jiff::Timestamp;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use serde_json::{Value, json};
use workflow_core::definition::OnFailure;
use workflow_core::machine::State;
use workflow_core::store::RunRecord;

use crate::top::message::{Detail, Effect, Event, Listed, Planned};
use crate::top::model::Model;
use crate::top::model::log::{LineKind, LogLine};
use crate::top::model::page::Pane;
use crate::top::view::{self, palette::Palette};

/// Two minutes after the first event.
pub(super) fn now() -> Timestamp {
    "2026-01-02T03:06:00Z".parse().unwrap()
}

/// The first event of the run `r1`, and others, as `(type, data)`.
fn state(events: &[(&str, Value)]) -> State {
    let created = json!({ "run": "r1", "workflow": "ship", "bundle": "0".repeat(64), "seed": 1 });
    let all = [("run_created", created)].into_iter().chain(events.iter().cloned());
    let events: Vec<workflow_core::event::Event> = (1..)
        .zip(all)
        .map(|(seq, (kind, data))| {
            let at = format!("2026-01-02T03:04:{seq:02}Z");
            serde_json::from_value(json!({ "seq": seq, "at": at, "v": 1, "type": kind, "data": data }))
                .unwrap()
        })
        .collect();
    State::fold(&events).unwrap()
}

/// The run after these events, in a workflow of three stages.
pub(super) fn detail(events: &[(&str, Value)], holder: Option<&str>) -> Box<Detail> {
    let view = state(events).view();
    let stages = ["plan", "code", "ship"].map(|id| (id.parse().unwrap(), OnFailure::Stop));
    let plan = Planned { name: "Plan and ship".to_owned(), stages: stages.into(), ..Planned::default() };
    let holder = holder.map(str::to_owned);
    Box::new(Detail { status: view.status, view, holder, plan: Arc::new(plan), ended: Vec::new() })
}

/// The events of a first stage that succeeds.
pub(super) fn planned() -> Vec<(&'static str, Value)> {
    let path = "1/plan[0]/run";
    vec![
        ("run_started", Value::Null),
        ("stage_started", json!({ "iteration": 1, "stage": "plan" })),
        ("attempt_started", json!({ "path": path, "attempt": 1, "provider": "codex", "role": "planner" })),
        (
            "attempt_succeeded",
            json!({ "path": path, "attempt": 1, "output": "x", "usage": { "cost_usd": 0.25 } }),
        ),
        ("stage_completed", json!({ "iteration": 1, "stage": "plan", "output_of": 0 })),
    ]
}

/// The events of a second stage that is under way.
pub(super) fn working() -> Vec<(&'static str, Value)> {
    let attempt = json!({ "path": "1/code[0]/run", "attempt": 1, "provider": "codex" });
    let mut events = planned();
    events.push(("stage_started", json!({ "iteration": 1, "stage": "code" })));
    events.push(("attempt_started", attempt));
    events
}

/// The events of a run that waits for an approval.
pub(super) fn asking(question: &str) -> Vec<(&'static str, Value)> {
    let mut events = planned();
    let wait = json!({ "reason": "approval", "number": 7, "place": "1/code", "question": question });
    events.push(("stage_asked", json!({ "iteration": 1, "stage": "code", "question": question })));
    events.push(("run_waiting", json!({ "wait": wait })));
    events
}

/// The events of a run that asks a person in its second stage.
pub(super) fn question(reason: &str, schema: &Value) -> Vec<(&'static str, Value)> {
    let mut events = planned();
    let path = "1/code[0]/run";
    events.push(("stage_started", json!({ "iteration": 1, "stage": "code" })));
    let asked = json!({ "path": path, "reason": reason, "question": "Which?", "schema": schema });
    events.push(("node_asked", asked));
    events
}

/// The events of a run whose second stage failed.
pub(super) fn failing(message: &str) -> Vec<(&'static str, Value)> {
    let error = json!({
        "class": "permanent", "message": message,
        "details": { "stderr_tail": "error: no such file: main.c\n" },
    });
    let mut events = working();
    events.push(("attempt_failed", json!({ "path": "1/code[0]/run", "attempt": 1, "error": error })));
    let failed = json!({ "iteration": 1, "stage": "code", "error": error, "continues": false });
    events.push(("stage_failed", failed));
    events.push(("run_failed", json!({ "error": error })));
    events
}

/// A run in the list: its id, its workflow, and what its head has.
pub(super) fn record(id: &str, workflow: &str, minute: u32, head: &Value) -> RunRecord {
    let mut record = json!({
        "runId": id, "workflowId": workflow, "bundle": "0".repeat(64), "status": "running",
        "createdAt": format!("2026-01-02T03:{minute:02}:00Z"),
    });
    record.as_object_mut().unwrap().extend(head.as_object().unwrap().clone());
    serde_json::from_value(record).unwrap()
}

/// Runs of every kind.
pub(super) fn listed() -> Listed {
    let spent = |cost: Option<f64>, unpriced: u64| json!({ "attempts": 2, "costUsd": cost, "unpriced": unpriced, "tokens": null, "uncounted": 0, "timeMs": 1 });
    let progress = |iteration: u32, spent: Value| json!({ "iteration": iteration, "spent": spent });
    let wait = json!({ "reason": "approval", "number": 7, "place": "1/code", "question": "Ship it to all?" });
    let error = json!({ "class": "permanent", "message": "the key is not accepted" });
    let id = "0199a4c0-57a2-7c31-8f43-0a6f2f4a3c5";
    let runs = vec![
        record(
            "r1",
            "ship",
            1,
            &json!({ "status": "paused", "wait": wait, "progress": progress(1, spent(Some(0.25), 0)) }),
        ),
        record(
            &format!("{id}1"),
            "plan-code-test-check",
            5,
            &json!({
            "holder": "process 7 on build-1", "progress": progress(3, spent(Some(1.5), 1)) }),
        ),
        record(&format!("{id}2"), "nightly", 4, &json!({ "progress": progress(1, spent(None, 2)) })),
        record(
            &format!("{id}3"),
            "nightly",
            3,
            &json!({ "status": "failed", "error": error, "labels": { "team": "blue" } }),
        ),
        record(
            &format!("{id}4"),
            "nightly",
            2,
            &json!({ "status": "completed", "progress": progress(1, spent(Some(0.0), 0)) }),
        ),
    ];
    Listed { total: runs.len() as u64, runs }
}

/// A model with the list of runs.
pub(super) fn list() -> Model {
    let mut model = Model::new(now());
    model.update(Event::Runs(listed()));
    model
}

/// A model in which the run `r1` is opened.
pub(super) fn page(events: &[(&str, Value)], holder: Option<&str>) -> Model {
    let mut model = list();
    assert_eq!(press(&mut model, &[KeyCode::Enter]), [Effect::Open("r1".parse().unwrap())]);
    model.update(Event::Run(detail(events, holder)));
    let lines = (1..=30).map(|n| line(n, &format!("03:04:05 code[0] | line {n} of what the program wrote")));
    model.update(Event::Lines { run: "r1".parse().unwrap(), lines: lines.collect(), from_start: true });
    model
}

pub(super) fn line(number: u64, text: &str) -> LogLine {
    LogLine { place: (number, 0), text: text.to_owned(), kind: LineKind::Output }
}

/// Presses keys, and returns what is to be done.
pub(super) fn press(model: &mut Model, keys: &[KeyCode]) -> Vec<Effect> {
    let press = |code: &KeyCode| {
        let effects = model.update(Event::Key(KeyEvent::new(*code, KeyModifiers::NONE)));
        // The next key in the log depends on what was drawn.
        if model.page.as_ref().is_some_and(|page| page.pane == Pane::Log) {
            screen(model, 80, 24);
        }
        effects
    };
    keys.iter().flat_map(press).collect()
}

/// The keys of a text.
pub(super) fn typed(text: &str) -> Vec<KeyCode> {
    text.chars().map(KeyCode::Char).collect()
}

/// What is drawn on a terminal of that size.
pub(super) fn screen(model: &mut Model, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    let palette = Palette { colours: true };
    terminal.draw(|frame| model.drawn = view::draw(frame, model, palette)).unwrap();
    let buffer = terminal.backend().buffer().clone();
    let mut lines = Vec::new();
    for row in buffer.content.chunks(width.into()) {
        let (mut line, mut skip) = (String::new(), 0);
        for cell in row {
            if skip == 0 {
                line.push_str(cell.symbol());
                skip = console::measure_text_width(cell.symbol()).max(1);
            }
            skip -= 1;
        }
        lines.push(line.trim_end().to_owned());
    }
    lines.join("\n")
}
