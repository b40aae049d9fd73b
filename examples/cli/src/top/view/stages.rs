//! Draws the stages of a run: iteration › stage › lane › node › item.

use jiff::Timestamp;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::palette::Palette;
use super::rule;
use super::text::{cell, fit};
use crate::text::{between, duration};
use crate::top::model::page::{Page, Pane};
use crate::top::model::timeline::Row;

/// The width of a status.
const STATUS: usize = 12;
/// The width of a time.
const TOOK: usize = 6;
/// The most columns of a name.
const NAME: usize = 32;

/// Draws the rows, and returns for how many there is room.
pub(super) fn draw(
    frame: &mut Frame<'_>,
    area: Rect,
    page: &Page,
    rows: &[Row],
    now: Timestamp,
    palette: Palette,
) -> usize {
    let is_selected = page.pane == Pane::Stages;
    let room = usize::from(area.height.saturating_sub(1));
    let place = page.row(rows);
    let first = place.saturating_sub(room / 2).min(rows.len().saturating_sub(room));
    let hidden = rows.len().saturating_sub(room);
    let title =
        if hidden > 0 { format!("Stages, row {} of {}", place + 1, rows.len()) } else { "Stages".to_owned() };
    let longest = rows.iter().map(|row| usize::from(row.depth) * 2 + row.name.chars().count() + 2).max();
    let names =
        longest.unwrap_or(0).clamp(6, NAME).min(usize::from(area.width).saturating_sub(STATUS + TOOK + 4));
    let mut lines = vec![rule(&title, is_selected, area.width, palette)];
    let visible = rows.iter().enumerate().skip(first).take(room);
    lines.extend(visible.map(|(n, row)| {
        let line = line(row, names, area.width.into(), now, n == place, palette);
        if n == place && is_selected { line.style(palette.selected()) } else { line }
    }));
    super::lines(frame, area, lines);
    room
}

fn line(
    row: &Row,
    names: usize,
    width: usize,
    now: Timestamp,
    is_selected: bool,
    palette: Palette,
) -> Line<'static> {
    let mark = if is_selected { "▸" } else { " " };
    let fold = if row.folds.is_some() { "+ " } else { "" };
    let name = format!("{}{fold}{}", "  ".repeat(row.depth.into()), row.name);
    let since = row.since.filter(|_| row.took.is_none() && row.look.is_open());
    let took = row.took.or_else(|| since.map(|since| between(since, now)));
    let took = took.map(duration).unwrap_or_default();
    let mut notes = Vec::new();
    if row.attempts > 1 {
        notes.push(format!("attempt {}", row.attempts));
    }
    notes.extend((!row.note.is_empty()).then(|| row.note.clone()));
    let used = 1 + STATUS + 1 + names + 1 + TOOK + 2;
    Line::from(vec![
        Span::raw(mark),
        Span::styled(
            cell(&format!("{} {}", row.look.icon(), row.look.word()), STATUS),
            palette.look(row.look),
        ),
        Span::raw(format!(
            " {} {took:>TOOK$}  {}",
            cell(&name, names),
            fit(&notes.join(", "), width.saturating_sub(used))
        )),
    ])
}
