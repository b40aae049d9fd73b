//! Draws the page of a run: its head, what needs a person, its stages, and its log.

use std::collections::VecDeque;

use jiff::Timestamp;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use workflow_core::status::RunStatus;

use super::palette::Palette;
use super::text::{flow, wrap};
use super::{rule, stages};
use crate::text::{between, count, duration};
use crate::top::look::Look;
use crate::top::message::Detail;
use crate::top::model::page::{Page, Pane};
use crate::top::model::{Drawn, name};
use crate::words;

/// From this height on the stages and the log are both shown.
const TALL: u16 = 18;

pub(super) fn draw(
    frame: &mut Frame<'_>,
    area: Rect,
    page: &Page,
    now: Timestamp,
    palette: Palette,
) -> Drawn {
    let width = usize::from(area.width);
    let head = head(page, now, width, palette);
    let attention = attention(page, width, palette);
    let most = usize::from(area.height / 3).max(2);
    let length = |lines: usize| Constraint::Length(u16::try_from(lines).unwrap_or(0));
    let [top, band, panes] =
        Layout::vertical([length(head.len().min(4)), length(attention.len().min(most)), Constraint::Min(3)])
            .areas(area);
    super::lines(frame, top, head);
    let left = attention.len().saturating_sub(most);
    let mut attention = attention;
    if left > 0 {
        attention.truncate(most - 1);
        let more = format!("… `workflow show {}` shows all", page.run);
        let fits = console::measure_text_width(&more) <= width;
        let more = if fits { more } else { "… `workflow show RUN` shows all".to_owned() };
        attention.push(Line::styled(more, palette.muted()));
    }
    super::lines(frame, band, attention);
    let rows = page.rows();
    if panes.height >= TALL - 6 {
        let wanted = u16::try_from(rows.len() + 1).unwrap_or(u16::MAX);
        let upper = wanted.clamp(3, panes.height * 2 / 5);
        let [above, below] = Layout::vertical([Constraint::Length(upper), Constraint::Min(3)]).areas(panes);
        let stages = stages::draw(frame, above, page, &rows, now, palette);
        let (first, shown) = log(frame, below, page, palette);
        return Drawn { stages, first, shown, ..Drawn::default() };
    }
    match page.pane {
        Pane::Stages => {
            let stages = stages::draw(frame, panes, page, &rows, now, palette);
            Drawn { stages, ..Drawn::default() }
        }
        Pane::Log => {
            let (first, shown) = log(frame, panes, page, palette);
            Drawn { first, shown, ..Drawn::default() }
        }
    }
}

/// The workflow, the run, its status, and how far it is.
fn head(page: &Page, now: Timestamp, width: usize, palette: Palette) -> Vec<Line<'static>> {
    let Some(detail) = &page.detail else {
        let text = if page.is_deleted { "was deleted" } else { "is being read …" };
        return wrap(&format!("Run {} {text}", page.run), width).into_iter().map(Line::raw).collect();
    };
    let Detail { view, plan, status, holder, .. } = &**detail;
    let look = Look::of_run(*status, view.wait.as_deref(), holder.is_some());
    let title = format!("{} › {}", plan.name, page.run);
    let mut lines: Vec<_> =
        wrap(&title, width).into_iter().take(2).map(|line| Line::styled(line, palette.title())).collect();
    let mut parts = vec![format!("{} {}", look.icon(), look.word())];
    if page.is_deleted {
        parts.push("deleted from the store".to_owned());
    }
    let pending = page.requested().map(|control| format!("{} requested", name(control)));
    parts.extend(pending);
    if let Some(requested) = &view.requested {
        parts.push(format!("{requested} requested, calls end first"));
    }
    if let Some(most) = plan.max_iters {
        parts.push(format!("iteration {} of ≤ {most}", view.iteration));
    }
    // A run that waits without a driver does not work, so its time is that up to now all the same.
    let until = view.completed_at.unwrap_or(now);
    parts.push(duration(between(view.started_at.unwrap_or(view.created_at), until)));
    match plan.budget.as_ref().map(|budget| words::budget(budget, &view.spent)) {
        Some(budget) if !budget.is_empty() => parts.push(budget),
        _ if view.spent.attempts > 0 => parts.push(words::cost(&view.spent)),
        _ => {}
    }
    match holder {
        Some(holder) => parts.push(format!("{holder} drives it")),
        None if status.is_terminal() => {}
        None if *status == RunStatus::Paused => {}
        // Below the waits it may be cut off; without waits it is the first thing that needs a person.
        None if view.waits.is_empty() => {}
        None => parts.push("no process drives it".to_owned()),
    }
    let style = palette.look(look);
    lines.extend(
        flow(&parts, width)
            .into_iter()
            .enumerate()
            .map(|(n, line)| if n == 0 { Line::styled(line, style) } else { Line::raw(line) }),
    );
    lines
}

/// Why the run waits or failed, and what to do.
fn attention(page: &Page, width: usize, palette: Palette) -> Vec<Line<'static>> {
    if page.is_deleted {
        return Vec::new();
    }
    let lines = page.attention().into_iter().flat_map(|line| {
        let indent = 2;
        let texts = wrap(&line.text, width.saturating_sub(indent));
        texts.into_iter().enumerate().map(move |(n, text)| match line.look {
            Some(look) if n == 0 => Line::from(vec![
                Span::styled(format!("{} ", look.icon()), palette.look(look)),
                Span::styled(text, palette.look(look)),
            ]),
            _ => Line::raw(format!("  {text}")),
        })
    });
    lines.collect()
}

/// Draws the log, and returns its first line on the screen, and how many are on it.
fn log(frame: &mut Frame<'_>, area: Rect, page: &Page, palette: Palette) -> (usize, usize) {
    let log = &page.log;
    let is_selected = page.pane == Pane::Log;
    let room = usize::from(area.height.saturating_sub(1));
    let width = usize::from(area.width);
    let wrapped = |number: usize| {
        let line = log.line(number)?;
        let texts = wrap(&line.text, width);
        Some(texts.into_iter().map(|text| Line::styled(text, palette.line(line.kind))).collect::<Vec<_>>())
    };
    // The last lines that fit; the first of them perhaps only in part.
    let (mut end, mut lines) = (log.len(), VecDeque::new());
    while end > 0 && lines.len() < room {
        end -= 1;
        wrapped(end).into_iter().flatten().rev().for_each(|line| lines.push_front(line));
    }
    let (mut first, mut shown) = (end, log.len() - end);
    match log.top().filter(|top| *top < end) {
        None => drop(lines.drain(..lines.len().saturating_sub(room))),
        Some(top) => {
            (first, shown) = (top, 0);
            lines.clear();
            while lines.len() < room
                && let Some(line) = wrapped(first + shown)
            {
                lines.extend(line);
                shown += 1;
            }
            if lines.len() > room && shown > 1 {
                // The last line is on the screen only in part.
                shown -= 1;
            }
        }
    }
    let later = log.len() - first - shown;
    let state = match (log.top(), later) {
        (None, _) if page.detail.as_ref().is_some_and(|detail| detail.status.is_terminal()) => String::new(),
        (None, _) => ", following".to_owned(),
        (Some(_), later) => format!(", {} below: f follows", count(later as u64, "line")),
    };
    let cut = if log.is_cut { ", older: `workflow logs`" } else { "" };
    let title = format!("Log{state}{cut}");
    let mut all = vec![rule(&title, is_selected, area.width, palette)];
    if log.len() == 0 {
        all.push(Line::styled("No output yet.", palette.muted()));
    }
    all.extend(lines);
    super::lines(frame, area, all);
    (first, shown)
}
