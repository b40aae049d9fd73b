//! Colours, which a person can turn off: everything is told without them too.

use ratatui::style::{Color, Modifier, Style};

use crate::top::look::Look;
use crate::top::model::log::LineKind;

/// The styles of the parts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Palette {
    /// Colours are used.
    pub colours: bool,
}

#[allow(clippy::unused_self, reason = "all styles are asked for in the same way")]
impl Palette {
    /// Without colours where `NO_COLOR` is set.
    pub(crate) fn of_environment() -> Self {
        let colours = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { colours }
    }

    fn colour(self, colour: Color) -> Style {
        if self.colours { Style::new().fg(colour) } else { Style::new() }
    }

    pub(crate) fn look(self, look: Look) -> Style {
        match look {
            Look::Running => self.colour(Color::Cyan),
            Look::Completed => self.colour(Color::Green),
            Look::Failed => self.colour(Color::Red).add_modifier(Modifier::BOLD),
            Look::Waiting | Look::Undriven => self.colour(Color::Yellow).add_modifier(Modifier::BOLD),
            Look::Retrying | Look::Quota => self.colour(Color::Magenta),
            Look::Pending | Look::Queued | Look::Paused => self.colour(Color::Blue),
            Look::Cancelled | Look::Skipped => Style::new().add_modifier(Modifier::DIM),
        }
    }

    pub(crate) fn line(self, kind: LineKind) -> Style {
        match kind {
            LineKind::Event => self.colour(Color::Cyan),
            LineKind::Problem => self.colour(Color::Red),
            LineKind::Output => Style::new(),
            LineKind::Stderr => self.colour(Color::Yellow),
        }
    }

    /// What a person has to notice.
    pub(crate) fn notice(self) -> Style {
        self.colour(Color::Yellow).add_modifier(Modifier::BOLD)
    }

    pub(crate) fn title(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    pub(crate) fn muted(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    pub(crate) fn selected(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }
}
