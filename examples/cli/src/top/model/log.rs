//! The log of the opened run: its newest lines, and which of them are on the screen.

use std::collections::VecDeque;

/// How many lines are kept.
const MOST: usize = 5_000;

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogLine {
    /// Its place: the number of the event, or of the one before it and of the output entry.
    pub place: (u64, u64),
    pub text: String,
    pub kind: LineKind,
}

/// What a line tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LineKind {
    /// What happened to the run.
    Event,
    /// A failure, or what a person must know.
    Problem,
    /// What a program or an agent wrote.
    Output,
    /// What a program wrote to standard error.
    Stderr,
}

/// The newest lines of a log.
#[derive(Debug, Default)]
pub(crate) struct Log {
    lines: VecDeque<LogLine>,
    /// Earlier lines are not here.
    pub is_cut: bool,
    /// The first line on the screen; none while the end is followed.
    top: Option<usize>,
}

impl Log {
    pub(crate) fn len(&self) -> usize {
        self.lines.len()
    }

    pub(crate) fn line(&self, number: usize) -> Option<&LogLine> {
        self.lines.get(number)
    }

    /// The first line on the screen; none while the end is followed.
    pub(crate) fn top(&self) -> Option<usize> {
        self.top
    }

    /// Adds lines where they belong: a line that was put together of pieces comes later than what follows it.
    pub(crate) fn add(&mut self, lines: Vec<LogLine>, from_start: bool) {
        self.is_cut |= !from_start;
        for line in lines {
            let at = self.lines.partition_point(|known| known.place <= line.place);
            self.lines.insert(at, line);
            if let Some(top) = self.top.as_mut().filter(|top| at < **top) {
                *top += 1;
            }
        }
        let surplus = self.lines.len().saturating_sub(MOST);
        if surplus > 0 {
            self.lines.drain(..surplus);
            self.is_cut = true;
            self.top = self.top.map(|top| top.saturating_sub(surplus));
        }
    }

    /// Shows earlier lines, and follows the end no more. `first` is the first line on the screen.
    pub(crate) fn up(&mut self, first: usize, lines: usize) {
        self.top = Some(first.saturating_sub(lines));
    }

    /// Shows later lines; at the end it is followed again. `shown` is how many lines are on the screen.
    pub(crate) fn down(&mut self, first: usize, shown: usize, lines: usize) {
        if self.top.is_some() {
            self.top = Some(first + lines).filter(|top| top + shown < self.lines.len());
        }
    }

    /// Shows the first lines.
    pub(crate) fn start(&mut self) {
        self.top = Some(0);
    }

    /// Follows the end.
    pub(crate) fn follow(&mut self) {
        self.top = None;
    }
}
