//! `top`: all runs on the terminal, live.

use std::io::{self, IsTerminal as _};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use futures::channel::mpsc::UnboundedReceiver;
use jiff::Timestamp;
use ratatui::crossterm::event::{self, KeyCode, KeyEventKind, KeyModifiers};
use signal_hook::consts::SIGINT;

use crate::error::Error;
use crate::exit::Exit;
use crate::host::Host;
use crate::signals;
use crate::store_url::Place;
use crate::top::message::{Effect, Event};
use crate::top::model::Model;
use crate::top::source::Source;
use crate::top::terminal::{self, Screen};
use crate::top::view::{self, palette::Palette};

/// How long a key is waited for before the store's news are looked at.
const FRAME: Duration = Duration::from_millis(50);
/// How often ages are drawn again.
const TICK: Duration = Duration::from_secs(1);

/// Shows the runs of the store until a person quits, or a signal arrives. No run is driven.
pub(crate) fn top(place: &Place, json: bool) -> Result<Exit, Error> {
    check(json)?;
    let signals = signals::listen()?;
    let host = Host::existing(place)?.ok_or_else(|| Error::NoStore(place.to_string()))?;
    let (sender, events) = channel();
    let source = Source::start(host, sender)?;
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        terminal::leave();
        before(panic);
    }));
    let screen = Screen::enter().map_err(Error::Output)?;
    let mut top =
        Top { model: Model::new(Timestamp::now()), source, screen, palette: Palette::of_environment() };
    top.run(&events, signals)
}

/// Refuses where a full screen is not possible.
fn check(json: bool) -> Result<(), Error> {
    let instead = "`workflow runs` lists runs, and `workflow watch RUN` follows one";
    if json {
        return Err(Error::Refused(format!("`workflow top` is for people and has no JSON: {instead}")));
    }
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        return Err(Error::Refused(format!("`workflow top` needs a terminal: {instead}")));
    }
    if std::env::var_os("TERM").is_some_and(|term| term == "dumb") {
        return Err(Error::Refused(format!(
            "`workflow top` needs a terminal that can move its cursor (TERM is `dumb`): {instead}"
        )));
    }
    Ok(())
}

struct Top {
    model: Model,
    source: Source,
    screen: Screen,
    palette: Palette,
}

impl Top {
    fn run(&mut self, events: &Receiver<Event>, mut signals: UnboundedReceiver<i32>) -> Result<Exit, Error> {
        let mut drawn: Option<Instant> = None;
        loop {
            if let Ok(signal) = signals.try_recv() {
                return Ok(if signal == SIGINT { Exit::DONE } else { Exit::signal(signal) });
            }
            let mut is_changed = drawn.is_none_or(|drawn| drawn.elapsed() >= TICK);
            while let Ok(event) = events.try_recv() {
                self.model.update(event);
                is_changed = true;
            }
            if !self.source.is_alive() {
                let ended = io::Error::other("the thread that reads the store has ended");
                return Err(Error::System(ended));
            }
            while event::poll(if is_changed { Duration::ZERO } else { FRAME }).map_err(Error::System)? {
                is_changed = true;
                if self.input()? {
                    return Ok(Exit::DONE);
                }
            }
            if is_changed {
                self.model.update(Event::Tick(Timestamp::now()));
                let (model, palette) = (&mut self.model, self.palette);
                let draw = |frame: &mut ratatui::Frame<'_>| model.drawn = view::draw(frame, model, palette);
                self.screen.0.draw(draw).map_err(Error::Output)?;
                drawn = Some(Instant::now());
            }
        }
    }

    /// Takes what a person does, and returns whether to quit.
    fn input(&mut self) -> Result<bool, Error> {
        let event = match event::read().map_err(Error::System)? {
            event::Event::Key(key) if key.kind == KeyEventKind::Release => return Ok(false),
            event::Event::Key(key)
                if key.modifiers == KeyModifiers::CONTROL && key.code == KeyCode::Char('z') =>
            {
                self.screen.suspend().map_err(Error::Output)?;
                return Ok(false);
            }
            event::Event::Key(key) => Event::Key(key),
            event::Event::Paste(text) => Event::Paste(text),
            _ => return Ok(false),
        };
        for effect in self.model.update(event) {
            match effect {
                Effect::Quit => return Ok(true),
                Effect::Open(run) => self.source.open(run),
                Effect::Close => self.source.close(),
                Effect::Send { run, control } => self.source.send(run, control)?,
            }
        }
        Ok(false)
    }
}
