//! Draws the keys: the most useful ones in the last line, and all of them in the help.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Block, Clear};

use super::palette::Palette;
use super::text::{cell, fit, wrap};
use crate::top::model::Model;

/// The width of the keys.
const KEY: usize = 11;

const LIST: &[(&str, &str)] = &[
    ("↑ ↓ j k", "select a run"),
    ("PgUp PgDn", "a page; Home, End"),
    ("Enter", "open the run"),
    ("/", "filter: id, workflow, status or label"),
    ("n", "next that waits or failed"),
    ("Esc", "clear the filter, or quit"),
    ("q Ctrl-C", "quit; runs are unaffected"),
];

const PAGE: &[(&str, &str)] = &[
    ("Tab", "switch stages and log"),
    ("↑ ↓ j k", "a row or a line"),
    ("PgUp PgDn", "a page; Home, End"),
    ("f", "follow the log's end"),
    ("Enter", "unfold an iteration"),
    ("a", "answer; asks first"),
    ("p r c", "pause, resume, cancel: each asks first"),
    ("Esc q", "back to the list"),
    ("Ctrl-C", "quit; runs are unaffected"),
];

/// The most useful keys, as many as fit.
pub(super) fn hints(frame: &mut Frame<'_>, area: Rect, model: &Model, palette: Palette) {
    let (first, last): (&[&str], _) = match &model.page {
        _ if model.list.is_typing && model.page.is_none() => (&["Enter keep the filter"], "Esc clear"),
        Some(page) => {
            let is_over = page.detail.as_ref().is_some_and(|detail| detail.status.is_terminal());
            let answer: &[&str] = if page.questions().is_empty() { &[] } else { &["a answer"] };
            let controls: &[&str] = if is_over { &[] } else { &["p pause", "r resume", "c cancel"] };
            let keys = answer.iter().chain(&["Tab log/stages"]).chain(controls);
            return draw(frame, area, keys, "? help  q back", palette);
        }
        None => (&["Enter open", "/ filter", "n next problem", "↑↓ select"], "? help  q quit"),
    };
    draw(frame, area, first.iter(), last, palette);
}

fn draw<'a>(
    frame: &mut Frame<'_>,
    area: Rect,
    keys: impl Iterator<Item = &'a &'a str>,
    last: &str,
    palette: Palette,
) {
    let mut text = String::new();
    for key in keys {
        if console::measure_text_width(&text) + key.chars().count() + 2 + last.chars().count()
            <= usize::from(area.width)
        {
            text.push_str(key);
            text.push_str("  ");
        }
    }
    text.push_str(last);
    super::lines(frame, area, [Line::styled(fit(&text, area.width.into()), palette.muted())]);
}

/// All keys.
pub(super) fn draw_all(frame: &mut Frame<'_>, area: Rect, is_page: bool, palette: Palette) {
    let keys = if is_page { PAGE } else { LIST };
    let width = area.width.min(64);
    let inner = usize::from(width.saturating_sub(4));
    let mut lines = Vec::new();
    for (key, about) in keys {
        for (n, text) in wrap(about, inner.saturating_sub(KEY)).into_iter().enumerate() {
            lines.push(Line::raw(format!("{}{text}", cell(if n == 0 { key } else { "" }, KEY))));
        }
    }
    let height = u16::try_from(lines.len() + 2).unwrap_or(u16::MAX).min(area.height);
    let popup =
        Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height };
    frame.render_widget(Clear, popup);
    let block = Block::bordered().title(Line::styled(" Keys ", palette.title()));
    let room = block.inner(popup);
    frame.render_widget(block, popup);
    super::lines(frame, Rect { x: room.x + 1, width: room.width.saturating_sub(2), ..room }, lines);
}
