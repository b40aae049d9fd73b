//! Draws a model.

mod dialog;
mod help;
mod list;
mod page;
pub(crate) mod palette;
mod stages;
mod text;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};

use self::palette::Palette;
use self::text::wrap;
use super::model::{Drawn, Model};

/// The smallest terminal that everything fits on.
const SMALLEST: (u16, u16) = (40, 12);

/// Draws everything, and returns what there was room for.
pub(crate) fn draw(frame: &mut Frame<'_>, model: &Model, palette: Palette) -> Drawn {
    let area = frame.area();
    let (width, height) = SMALLEST;
    if area.width < width || area.height < height {
        let text = format!(
            "workflow top needs {width} columns and {height} lines; this terminal has {} and {}. Make it larger, \
             or press q.",
            area.width, area.height
        );
        frame.render_widget(Paragraph::new(text).wrap(Wrap { trim: true }), area);
        return Drawn::default();
    }
    let notes = notes(model, usize::from(area.width));
    let room = u16::try_from(notes.len()).unwrap_or(0).min(3);
    let [body, below, footer] =
        Layout::vertical([Constraint::Min(0), Constraint::Length(room), Constraint::Length(1)]).areas(area);
    let drawn = match &model.page {
        Some(page) => page::draw(frame, body, page, model.now, palette),
        None => list::draw(frame, body, model, palette),
    };
    lines(frame, below, notes.into_iter().map(|note| Line::styled(note, palette.notice())));
    self::help::hints(frame, footer, model, palette);
    if let Some(dialog) = &model.dialog {
        dialog::draw(frame, area, dialog, palette);
    } else if model.is_helping {
        help::draw_all(frame, area, model.page.is_some(), palette);
    }
    drawn
}

/// What a person has to notice, above the keys.
fn notes(model: &Model, width: usize) -> Vec<String> {
    model.stale.iter().chain(&model.notice).flat_map(|note| wrap(note, width)).collect()
}

/// Draws lines from the top of an area, as many as fit.
fn lines<'a>(frame: &mut Frame<'_>, area: Rect, lines: impl IntoIterator<Item = Line<'a>>) {
    let lines: Vec<_> = lines.into_iter().take(area.height.into()).collect();
    frame.render_widget(Paragraph::new(lines), area);
}

/// A line with a title that fills the width: `── Log ─────`.
fn rule(title: &str, is_selected: bool, width: u16, palette: Palette) -> Line<'static> {
    let mark = if is_selected { "▸ " } else { "" };
    let head = text::fit(&format!("── {mark}{title} "), width.into());
    let rest = usize::from(width).saturating_sub(console::measure_text_width(&head));
    let style = if is_selected { palette.title() } else { palette.muted() };
    Line::from(vec![Span::styled(head, style), Span::styled("─".repeat(rest), palette.muted())])
}
