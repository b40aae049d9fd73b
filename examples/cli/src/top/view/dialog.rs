//! Draws a dialog.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear};

use super::palette::Palette;
use super::text::{fit, wrap};
use crate::text::harmless;
use crate::top::model::dialog::Dialog;

/// The most columns of a dialog.
const WIDEST: u16 = 78;

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, dialog: &Dialog, palette: Palette) {
    let width = area.width.min(WIDEST);
    let inner = usize::from(width.saturating_sub(4));
    let body: Vec<_> = dialog.body.iter().flat_map(|line| wrap(line, inner)).collect();
    let input = input(dialog, inner, palette);
    let problem: Vec<_> = dialog.problem.iter().flat_map(|problem| wrap(problem, inner)).take(2).collect();
    let (buttons, selected) = buttons(dialog, inner, palette);
    let length = |lines: usize| u16::try_from(lines).unwrap_or(u16::MAX);
    let below = input.len() + problem.len() + buttons.len();
    let height = length(body.len() + below + 4).min(area.height);
    let popup =
        Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height };
    frame.render_widget(Clear, popup);
    let title = format!(" {} ", fit(&dialog.title, inner.saturating_sub(2)));
    let block = Block::bordered().title(Line::styled(title, palette.title()));
    let room = block.inner(popup);
    frame.render_widget(block, popup);
    let room = Rect { x: room.x + 1, width: room.width.saturating_sub(2), ..room };
    // The buttons matter most: a long question is cut, and scrolls.
    let buttons_room = length(buttons.len()).min(room.height.saturating_sub(3)).max(1);
    let keys = u16::from(room.height >= buttons_room + 4);
    let [top, middle, bottom, hint] = Layout::vertical([
        Constraint::Min(1),
        Constraint::Length(length(input.len() + problem.len())),
        Constraint::Length(buttons_room),
        Constraint::Length(keys),
    ])
    .areas(room);
    let cut = body.len() > usize::from(top.height);
    let first = dialog.scroll.min(body.len().saturating_sub(top.height.into()));
    let mut shown: Vec<_> = body.into_iter().skip(first).take(top.height.into()).map(Line::raw).collect();
    if let Some(last) = shown.last_mut().filter(|_| cut) {
        *last = Line::styled("… PgDn, PgUp", palette.muted());
    }
    super::lines(frame, top, shown);
    let problem = problem.into_iter().map(|line| Line::styled(line, palette.notice()));
    super::lines(frame, middle, input.into_iter().chain(problem));
    let shift = (selected + 1).saturating_sub(buttons_room.into());
    super::lines(frame, bottom, buttons.into_iter().skip(shift));
    let keys = if dialog.is_typing() {
        "type, then Enter or ↓ to the buttons"
    } else {
        "↑↓ select  Enter choose  Esc back"
    };
    super::lines(frame, hint, [Line::styled(fit(keys, inner), palette.muted())]);
}

/// The line for text, and what it is.
fn input(dialog: &Dialog, width: usize, palette: Palette) -> Vec<Line<'static>> {
    let Some((label, input)) = &dialog.input else { return Vec::new() };
    let is_selected = dialog.is_typing();
    let mark = if is_selected { "▸ " } else { "  " };
    let head = format!("{mark}{label}: ");
    let (before, after) = input.parts();
    let cursor = if is_selected { "▏" } else { "" };
    let room = width.saturating_sub(console::measure_text_width(&head) + 1);
    // The end before the cursor is what a person types.
    let mut before = harmless(before);
    while console::measure_text_width(&before) > room {
        before.remove(0);
    }
    let text = fit(&format!("{before}{cursor}{after}"), room + 1);
    let style = if is_selected { palette.title() } else { palette.muted() };
    vec![Line::from(vec![Span::styled(head, style), Span::raw(text)])]
}

/// The buttons, and the last line of the selected one.
fn buttons(dialog: &Dialog, width: usize, palette: Palette) -> (Vec<Line<'static>>, usize) {
    let (mut lines, mut end) = (Vec::new(), 0);
    for (n, button) in dialog.buttons.iter().enumerate() {
        let is_selected = dialog.selected == Some(n);
        let mark = if is_selected { "▸ " } else { "  " };
        let text = format!("[{}] {}", button.label, button.effect);
        for (k, text) in wrap(&text, width.saturating_sub(2)).into_iter().enumerate() {
            let line = Line::raw(format!("{}{text}", if k == 0 { mark } else { "  " }));
            lines.push(if is_selected { line.style(palette.selected()) } else { line });
        }
        if is_selected {
            end = lines.len() - 1;
        }
    }
    (lines, end)
}
