//! Stores a decision, shows it to the sinks, and carries out its effects.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures::future::FutureExt as _;
use workflow_core::ids::NodePath;
use workflow_core::machine::{self, Effect};
use workflow_core::provider::ProviderError;
use workflow_core::stop::Stop;

use crate::call::{self, Admission, Call, CallIo, Ended, Patience};
use crate::driver::state::{Driver, Ending};
use crate::driver::underway::Arrival;
use crate::driver::{collect, spans};
use crate::redact::Remembering;

impl<'e> Driver<'e> {
    /// Stores the decision, shows its events to the sinks, and carries out its effects.
    pub(super) async fn commit(&mut self) -> Result<(), Ending> {
        if !self.decision.events.is_empty() {
            if std::mem::take(&mut self.has_last_words) {
                self.store_last_words().await;
            }
            // The store and the sinks share them, and the decision keeps its memory.
            self.events = self.decision.events.drain(..).collect();
            self.append().await?;
            self.io.stored(self.state.last_event());
            self.engine.sinks.events(&self.lease.run, &self.events);
            spans::stored(&self.run_span, &mut self.stage, &self.events);
            self.entered.inbox.changed.notify();
            if self.decision.head_changed {
                self.engine.active.changed.notify();
            }
            self.events = Arc::default();
            self.decision.clear();
        }
        let mut effects = std::mem::take(&mut self.effects);
        for (effect, admission) in effects.drain(..) {
            self.carry_out(effect, admission);
        }
        self.effects = effects;
        Ok(())
    }

    fn carry_out(&mut self, effect: Effect, admission: Option<Admission<'e>>) {
        match effect {
            Effect::Call { path, attempt, provider } => self.call(path, attempt, &provider, admission),
            Effect::Stop { path, how } => self.stop(&path, how),
            Effect::Timer { path, at } => {
                let left = at.duration_since(self.engine.clock.now());
                let sleep = self.engine.timer.sleep(Duration::try_from(left).unwrap_or_default());
                self.underway.expect(sleep.map(move |()| Arrival::Due(path)));
            }
            Effect::Collect { path, ended } => {
                let (engine, run) = (self.engine, self.hold.run());
                self.underway.expect(async move {
                    let outputs = collect::outputs(engine, run, &ended).await;
                    Arrival::Collected(path, outputs)
                });
            }
            Effect::Child { path, attempt, how } => self.look(path, attempt, how),
            // Interrupted calls were reclaimed before the run was resumed; requests for slots are answered
            // while deciding.
            Effect::Reclaim { .. } | Effect::Acquire { .. } => {}
        }
    }

    fn call(&mut self, path: NodePath, attempt: u32, name: &str, admission: Option<Admission<'e>>) {
        // The machine starts only calls whose slot was granted.
        let Some(admission) = admission else { return };
        if self.watch.stopping() > Stop::None {
            return self.not_begun(path, attempt, name);
        }
        let (secrets, known) = (&*self.engine.secrets, self.io.secrets());
        let secrets = Remembering { secrets, known, problem: OnceLock::new() };
        let mut call = machine::request(&self.plan, &self.state, &path, attempt, name, &secrets);
        if let Ok(ready) = &mut call
            && let Err(failure) = call::fit(&mut ready.request, admission.provider)
        {
            call = Err(failure);
        }
        let (began, span) = (self.decided, spans::node(&self.stage, &path, attempt, name));
        match call {
            // A request is large, and is moved once less here.
            Ok(machine::Call { request, timeout, over_budget, idle_timeout, answers }) => {
                let patience = Patience { timeout, over_budget, idle_timeout, timer: &*self.engine.timer };
                let grace = call::needs_grace(admission.provider).then_some(self.engine.stop_grace);
                let io = Arc::new(CallIo::new(self.io.clone(), attempt, grace));
                self.underway.call(Call::begin(request, &answers, admission, io, patience, (began, span)));
            }
            Err(failure) => {
                let result = Box::new(Err(call::not_made(failure, &secrets)));
                let ended = Ended { path, attempt, result, began, span };
                self.underway.arrive(Arrival::Ended(ended));
            }
        }
    }

    /// A call that was decided before the driver was told to stop, and recorded after that, is not made: those
    /// that are under way were told to stop already, and nothing would stop this one.
    #[cold]
    fn not_begun(&mut self, path: NodePath, attempt: u32, name: &str) {
        let span = spans::node(&self.stage, &path, attempt, name);
        let result = Box::new(Err(ProviderError::cancelled()));
        let ended = Ended { path, attempt, result, began: self.decided, span };
        self.underway.arrive(Arrival::Ended(ended));
    }

    fn stop(&mut self, path: &NodePath, how: Stop) {
        self.underway.stop(path, how, Duration::MAX, &*self.engine.timer);
    }
}
