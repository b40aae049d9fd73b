//! Draws the list of runs.

use jiff::Timestamp;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use workflow_core::store::RunRecord;
use workflow_core::usage::Spent;

use super::palette::Palette;
use super::text::{age, cell, elided, fit, flow, wrap};
use crate::failed::reason;
use crate::text::between;
use crate::top::look::Look;
use crate::top::model::list::{List, look, wait, waits_for_person};
use crate::top::model::{Drawn, Model};
use crate::words;

/// From this width on all columns are shown.
const WIDE: usize = 72;
/// The widths of columns: the status, the age, the iteration, the cost.
const STATUS: usize = 12;
const AGE: usize = 4;
const ITERATION: usize = 4;
const COST: usize = 9;
/// The most columns of a workflow and of a run.
const WORKFLOW: usize = 24;
const RUN: usize = 36;

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, model: &Model, palette: Palette) -> Drawn {
    let list = &model.list;
    let width = usize::from(area.width);
    let head = head(list, width);
    let shown = list.shown();
    let about = list.selected().map(|run| about(run, width)).unwrap_or_default();
    // On a low terminal the rows matter more.
    let about_room = about.len().min(if area.height < 18 { 2 } else { 4 });
    let length = |lines: usize| Constraint::Length(u16::try_from(lines).unwrap_or(0));
    let [top, rows, rule, below] = Layout::vertical([
        length(head.len() + 1),
        Constraint::Min(1),
        length(usize::from(about_room > 0)),
        length(about_room),
    ])
    .areas(area);
    let columns = Columns::of(&shown, width);
    let titles = Line::styled(columns.titles(), palette.muted());
    super::lines(
        frame,
        top,
        head.into_iter().map(|line| Line::styled(line, palette.title())).chain([titles]),
    );
    if shown.is_empty() {
        let text = match (list.is_read, list.read()) {
            (false, _) => "Reading the store …",
            (true, 0) => "There are no runs yet: `workflow run` starts one.",
            (true, _) => "No run matches the filter. Esc clears it.",
        };
        super::lines(frame, rows, wrap(text, width).into_iter().map(Line::raw));
    } else {
        let room = usize::from(rows.height);
        let place = list.place();
        let first = place.saturating_sub(room / 2).min(shown.len().saturating_sub(room));
        let visible = shown.iter().enumerate().skip(first).take(room);
        super::lines(frame, rows, visible.map(|(n, run)| columns.row(run, n == place, model.now, palette)));
    }
    super::lines(frame, rule, [super::rule("Selected", false, area.width, palette)]);
    super::lines(frame, below, about.into_iter().map(Line::raw));
    Drawn { runs: rows.height.into(), ..Drawn::default() }
}

/// What the list is of, and the filter.
fn head(list: &List, width: usize) -> Vec<String> {
    let count = |wanted: &dyn Fn(&RunRecord) -> bool| list.all().iter().filter(|run| wanted(run)).count();
    let (waiting, failed) = (count(&waits_for_person), count(&|run| look(run) == Look::Failed));
    let read = list.read();
    let runs = match usize::try_from(list.total()) {
        Ok(total) if total > read => format!("the newest {read} of {total} runs"),
        _ => crate::text::count(read as u64, "run"),
    };
    let mut parts = vec![format!("workflow top: {runs}")];
    if waiting > 0 {
        parts.push(format!("{waiting} waiting for a person"));
    }
    if failed > 0 {
        parts.push(format!("{failed} failed"));
    }
    let filter = list.filter.text();
    if list.is_typing {
        parts.push(format!("filter: {filter}▏"));
    } else if !filter.is_empty() {
        parts.push(format!("filter: {filter} ({} shown)", list.shown().len()));
    }
    flow(&parts, width)
}

/// The selected run in full: its id, and what it waits for, why it failed, or what drives it.
fn about(run: &RunRecord, width: usize) -> Vec<String> {
    let head = &run.head;
    let mut parts = vec![format!("run {}", run.run_id)];
    match (wait(run), &head.error) {
        (_, Some(error)) => parts.push(reason(error)),
        (Some(wait), None) if !head.status.is_terminal() => {
            parts.push(format!("waits for {}", words::asks(wait)));
        }
        _ => {}
    }
    match &run.holder {
        Some(holder) => parts.push(format!("{holder} drives it")),
        None if head.status.is_terminal() || head.wait.is_some() => {}
        None => parts.push("no process drives it".to_owned()),
    }
    parts.iter().flat_map(|part| wrap(part, width)).collect()
}

/// The widths of the columns whose values differ in length.
struct Columns {
    workflow: usize,
    /// None on a narrow terminal, where the iteration and the cost are left out too.
    run: Option<usize>,
    note: usize,
}

impl Columns {
    fn of(runs: &[&RunRecord], width: usize) -> Self {
        let longest =
            |text: &dyn Fn(&RunRecord) -> usize| runs.iter().map(|run| text(run)).max().unwrap_or(0);
        let workflow = longest(&|run| run.head.workflow_id.as_str().len()).clamp(8, WORKFLOW);
        // The mark, and two columns between.
        let left = width.saturating_sub(2 + STATUS + 2 + AGE + 2);
        if width < WIDE {
            return Self { workflow: left, run: None, note: 0 };
        }
        let left = left.saturating_sub(ITERATION + 2 + COST + 2);
        let run = longest(&|run| run.run_id.as_str().len()).clamp(3, RUN);
        let workflow = workflow.min(left.saturating_sub(run.min(13) + 2));
        let run = run.min(left.saturating_sub(workflow + 2));
        Self { workflow, run: Some(run), note: left.saturating_sub(workflow + 2 + run + 2) }
    }

    fn titles(&self) -> String {
        let status = cell("STATUS", STATUS);
        let workflow = cell("WORKFLOW", self.workflow);
        match self.run {
            Some(run) => format!(
                "  {status}  {workflow}  {}  {:>AGE$}  {:>ITERATION$}  {:>COST$}",
                cell("RUN", run),
                "AGE",
                "ITER",
                "COST"
            ),
            None => format!("  {status}  {workflow}  {:>AGE$}", "AGE"),
        }
    }

    fn row(&self, run: &RunRecord, is_selected: bool, now: Timestamp, palette: Palette) -> Line<'static> {
        let look = look(run);
        let mark = match (is_selected, waits_for_person(run)) {
            (true, _) => "▸ ",
            (false, true) => "! ",
            (false, false) => "  ",
        };
        let progress = run.head.progress.as_ref();
        let old = age(between(run.head.created_at, now).as_secs());
        let workflow = cell(run.head.workflow_id.as_str(), self.workflow);
        let rest = match self.run {
            None => format!("  {workflow}  {old:>AGE$}"),
            Some(width) => {
                let iteration = progress.map_or_else(|| "-".to_owned(), |p| p.iteration.to_string());
                let cost = progress.map_or_else(|| "-".to_owned(), |progress| cost(&progress.spent));
                let id = cell(&elided(run.run_id.as_str(), width), width);
                let note =
                    if self.note > 3 { format!("  {}", fit(&note(run), self.note)) } else { String::new() };
                format!("  {workflow}  {id}  {old:>AGE$}  {iteration:>ITERATION$}  {cost:>COST$}{note}")
            }
        };
        let status = cell(&format!("{} {}", look.icon(), look.word()), STATUS);
        let line =
            Line::from(vec![Span::raw(mark), Span::styled(status, palette.look(look)), Span::raw(rest)]);
        if is_selected { line.style(palette.selected()) } else { line }
    }
}

/// Why a run does not continue, in a few words.
fn note(run: &RunRecord) -> String {
    match (wait(run), look(run)) {
        (_, Look::Undriven | Look::Pending) if run.holder.is_none() => "no process drives it".to_owned(),
        (_, Look::Failed) => run.head.error.as_ref().map(|error| error.message.clone()).unwrap_or_default(),
        (Some(wait), look) if look != Look::Paused && !run.head.status.is_terminal() => {
            words::waits_for(wait)
        }
        _ => String::new(),
    }
}

/// The cost in a narrow column. What is not known is not shown as zero.
fn cost(spent: &Spent) -> String {
    match (spent.cost_usd, spent.unpriced) {
        _ if spent.attempts == 0 => "-".to_owned(),
        (None, _) => "unknown".to_owned(),
        (Some(cost), 0) => format!("${cost:.4}"),
        (Some(cost), _) => format!("≥ ${cost:.2}"),
    }
}
