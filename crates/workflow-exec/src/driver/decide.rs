//! Passes new inputs to the machine, and answers its requests for slots.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures::future::FutureExt as _;
use jiff::Timestamp;
use workflow_core::failure::{Failure, FailureClass};
use workflow_core::ids::NodePath;
use workflow_core::machine::{self, Broken, Effect, Input};
use workflow_core::stop::Stop;

use crate::active::{SessionNote, UsageNote};
use crate::call::{Admission, Ended, bounds};
use crate::driver::spans;
use crate::driver::state::Driver;
use crate::driver::underway::Arrival;
use workflow_core::runs::EngineError;

impl<'e> Driver<'e> {
    /// Decides on all new inputs.
    pub(super) fn take_in(
        &mut self,
        notes: &[SessionNote],
        usages: Vec<UsageNote>,
    ) -> Result<(), EngineError> {
        for note in notes {
            let (path, session) = (note.path.clone(), note.session.clone());
            self.decide(Input::Session { path, attempt: note.attempt, session })?;
        }
        for UsageNote { path, attempt, usage } in usages {
            self.decide(Input::Used { path, attempt, usage })?;
        }
        while let Some(arrival) = self.underway.take() {
            self.take_arrival(arrival)?;
        }
        for control in std::mem::take(&mut self.controls) {
            self.decide(Input::Control(control))?;
        }
        Ok(())
    }

    fn take_arrival(&mut self, arrival: Arrival<'e>) -> Result<(), EngineError> {
        match arrival {
            Arrival::Ended(Ended { path, attempt, mut result, began, span }) => {
                self.io.finish(&path, attempt);
                self.has_last_words = true;
                let moment = self.engine.clock.both();
                let before = self.decision.events.len();
                let input = if result.is_err() && self.watch.stopping() > Stop::None {
                    Input::Interrupted { path, attempt }
                } else {
                    bounds::check(&mut result, self.engine.max_output);
                    Input::Finished { path, attempt, result, took: Some(moment.1.saturating_sub(began)) }
                };
                self.decide_all(moment, input, None)?;
                spans::ended(&span, self.decision.events.get(before..).unwrap_or_default());
                Ok(())
            }
            Arrival::Place(path, provider, admission) => {
                self.waiting.remove(&path);
                // A driver that is about to stop starts no call.
                if self.watch.is_leaving() {
                    return Ok(());
                }
                let granted = Input::Granted { path, provider };
                self.decide_all(self.engine.clock.both(), granted, Some(admission))
            }
            Arrival::Due(path) => self.decide(Input::Due { path }),
            Arrival::Seen(path, attempt, how, seen) => self.seen(path, attempt, how, seen?),
            Arrival::Look(path, attempt, how) => {
                self.look_again(path, attempt, how);
                Ok(())
            }
            Arrival::Collected(path, outcome) => self.decide(Input::Collected { path, result: outcome? }),
            // The slot is dropped at once.
            Arrival::Overdue(..) => Ok(()),
        }
    }

    pub(super) fn decide(&mut self, input: Input) -> Result<(), EngineError> {
        self.decide_all(self.engine.clock.both(), input, None)
    }

    /// Lets the machine decide, and answers its requests for slots on the way.
    fn decide_all(
        &mut self,
        (now, decided): (Timestamp, Duration),
        mut input: Input,
        mut admission: Option<Admission<'e>>,
    ) -> Result<(), EngineError> {
        self.decided = decided;
        let mut later = VecDeque::new();
        loop {
            let mut next = None;
            machine::decide(&self.plan, &mut self.state, input, now, &mut self.decision)
                .map_err(|source| self.broken(source))?;
            let mut effects = std::mem::take(&mut self.decision.effects);
            for effect in effects.drain(..) {
                match effect {
                    Effect::Acquire { path, provider } => match self.answer(path, provider) {
                        // Nearly always the only input; a queue for it would be wasted.
                        answer if next.is_none() && later.is_empty() => next = answer,
                        answer => later.extend(answer),
                    },
                    Effect::Call { .. } => self.effects.push((effect, admission.take())),
                    effect => self.effects.push((effect, None)),
                }
            }
            self.decision.effects = effects;
            // A slot that the machine did not use is freed here.
            match next.or_else(|| later.pop_front()) {
                Some(answer) => (input, admission) = answer,
                None => return Ok(()),
            }
        }
    }

    fn answer(&mut self, path: NodePath, name: Arc<str>) -> Option<(Input, Option<Admission<'e>>)> {
        if self.watch.is_leaving() || self.waiting.contains(&path) {
            return None;
        }
        let engine = self.engine;
        let Some(provider) = engine.providers.get(&name) else {
            let failure = Failure::new(FailureClass::Permanent, engine.unknown_provider(&name));
            return Some((Input::Refused { path, failure }, None));
        };
        if let Some(place) = engine.limits.try_acquire(&name) {
            return Some((Input::Granted { path, provider: name }, Some(Admission { provider, place })));
        }
        let turn = engine.limits.acquire(&name);
        self.waiting.insert(path.clone());
        let (node, queued) = (path.clone(), name.clone());
        let granted = turn.map(move |place| Arrival::Place(node, queued, Admission { provider, place }));
        self.underway.expect(granted);
        Some((Input::Queued { path, provider: name }, None))
    }

    fn broken(&self, source: Broken) -> EngineError {
        EngineError::Broken { run: self.lease.run.clone(), source }
    }
}
