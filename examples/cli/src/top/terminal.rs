//! The terminal in its mode for full screens, and back.

use std::io::{self, Stdout, stdout};
use std::sync::atomic::{AtomicBool, Ordering};

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::{Hide, Show};
use ratatui::crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use rustix::process::{Signal, getpid, kill_process};

use crate::print;

/// Whether the terminal is in the mode for full screens.
static IS_ENTERED: AtomicBool = AtomicBool::new(false);

/// The terminal. It is as before when this is dropped.
pub(crate) struct Screen(pub Terminal<CrosstermBackend<Stdout>>);

impl Screen {
    pub(crate) fn enter() -> io::Result<Self> {
        enter()?;
        Terminal::new(CrosstermBackend::new(stdout())).map(Self).inspect_err(|_| leave())
    }

    /// Stops this process, as Ctrl-Z does, until the shell continues it.
    pub(crate) fn suspend(&mut self) -> io::Result<()> {
        leave();
        kill_process(getpid(), Signal::STOP)?;
        enter()?;
        self.0.clear()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        leave();
    }
}

fn enter() -> io::Result<()> {
    IS_ENTERED.store(true, Ordering::SeqCst);
    print::hold();
    enable_raw_mode()
        .and_then(|()| execute!(stdout(), EnterAlternateScreen, EnableBracketedPaste, Hide))
        .inspect_err(|_| leave())
}

/// Puts the terminal back, once. A failure to do so cannot be shown and is ignored.
pub(crate) fn leave() {
    if IS_ENTERED.swap(false, Ordering::SeqCst) {
        let _ = execute!(stdout(), DisableBracketedPaste, LeaveAlternateScreen, Show);
        let _ = disable_raw_mode();
        print::release();
    }
}
