//! The loop of a driver: wait, collect inputs, decide, store, act.

use std::future::poll_fn;
use std::task::Poll;

use futures::future::{FutureExt as _, select};
use jiff::Timestamp;
use tracing::debug;
use workflow_core::machine::{self, Decision, Effect, Input};
use workflow_core::provider::{CallId, ProviderError};
use workflow_core::stop::Stop;

use crate::call;
use crate::driver::lease::Log;
use crate::driver::state::{Driver, Ending};
use workflow_core::runs::EngineError;

/// At most this many inputs go into one decision.
const BATCH: usize = 256;

impl Driver<'_> {
    /// Returns whether the run is to be continued from its log.
    pub(super) async fn run_and_leave(&mut self) -> Result<bool, EngineError> {
        let driven = self.run().await;
        self.leave(driven.is_ok()).await;
        match driven {
            Ok(()) => Ok(self.watch.halted),
            Err(Ending::Changed) => Ok(true),
            Err(Ending::Failed(error)) => Err(error),
        }
    }

    async fn run(&mut self) -> Result<(), Ending> {
        let engine = self.engine;
        let run = self.hold.run();
        let last_output = engine.patiently("reading", || engine.store.last_output(run)).await?;
        self.io.go_on_after(last_output);
        self.last_output = last_output;
        // A driver that is about to stop makes no call and does not need all secrets, but it redacts what it
        // decides on: an answer may come from a process without the secrets.
        let known = engine.know_secrets(&self.plan, &self.state, self.io.secrets());
        if self.entered.inbox.shutdown() == Stop::None {
            known?;
        }
        let left = machine::pending(&self.plan, &self.state);
        // What is boxed is rare, and larger than everything else that a driver needs.
        let heard = if left.is_empty() { None } else { self.reclaim(left).boxed().await? };
        self.read_controls().await?;
        let controls = std::mem::take(&mut self.controls);
        self.decide(Input::TakenUp { controls, heard })?;
        self.commit().await?;
        loop {
            if self.entered.inbox.is_lost() && self.regain(false).boxed().await? == Log::Changed {
                return Err(Ending::Changed);
            }
            self.watch.stop(&mut self.underway);
            let idle = !self.underway.has_calls() && !self.underway.has_arrivals() && !self.looks_on();
            if idle && (self.state.rests() || self.watch.is_leaving()) {
                return Ok(());
            }
            self.wait().await;
            let (notes, usages) = self.entered.inbox.take_notes();
            if self.entered.inbox.take_controls() {
                self.read_controls().await?;
            }
            self.take_in(&notes, usages)?;
            self.commit().await?;
            for note in notes {
                // If the call has ended meanwhile, there is no receiver left.
                let _ = note.done.send(());
            }
        }
    }

    /// Stops what is left of the calls of a former driver. Returns when one of them last wrote output.
    ///
    /// The log may have been read while another driver had the run: for example by a process that was
    /// suspended between claiming the run and reading it. Processes of that driver's calls must not be
    /// stopped. So this first asks the store whether the lease is valid and the log is unchanged.
    async fn reclaim(&mut self, left: Vec<Effect>) -> Result<Option<Timestamp>, Ending> {
        self.append().await?;
        for effect in left {
            let Effect::Reclaim { path, attempt, provider } = effect else { continue };
            let created = self.state.created();
            let call = CallId { run: created.run.clone(), seed: created.seed, path: path.clone(), attempt };
            debug!(%path, attempt, "reclaiming an interrupted call");
            let reclaimed = match self.engine.providers.get(&provider) {
                Some(provider) => call::reclaim(&**provider, &call).await,
                None => Err(ProviderError::permanent(self.engine.unknown_provider(&provider))),
            };
            reclaimed.map_err(|error| EngineError::NotReclaimed {
                run: self.lease.run.clone(),
                path: path.to_string(),
                message: self.io.secrets().text(error.to_string()),
            })?;
        }
        Ok(self.last_heard().await?)
    }

    /// When a call of a former driver last wrote output.
    async fn last_heard(&mut self) -> Result<Option<Timestamp>, EngineError> {
        let Some(before) = self.last_output.checked_sub(1) else { return Ok(None) };
        let (engine, run) = (self.engine, self.hold.run());
        let last = engine.patiently("reading", || engine.store.output(run, before, 1)).await?;
        Ok(last.first().map(|entry| entry.at))
    }

    /// Waits until there is something to decide or to act on.
    async fn wait(&mut self) {
        poll_fn(|cx| {
            self.underway.poll(cx, BATCH);
            let mut news = self.underway.has_arrivals() || !self.controls.is_empty();
            // A driver that does not wait need not be woken.
            news = news || self.entered.inbox.poll_news(cx).is_ready();
            self.flush();
            if let Some(flushing) = &mut self.flushing
                && flushing.poll_unpin(cx).is_ready()
            {
                self.flushing = None;
                news = true;
            }
            if news {
                return Poll::Ready(());
            }
            self.rest();
            Poll::Pending
        })
        .await;
    }

    /// Frees the memory that decisions need: a run spends more time waiting than deciding.
    fn rest(&mut self) {
        self.underway.rest();
        self.decision = Decision::new();
        self.effects = Vec::new();
    }

    /// Ends what is under way when the driver leaves, whether the run is idle or the driver failed.
    async fn leave(&mut self, well: bool) {
        if !well {
            let (grace, timer) = (self.watch.grace(), &*self.engine.timer);
            self.underway.stop_all(self.watch.stopping().max(Stop::Gracefully), grace, timer);
            select(Box::pin(self.underway.end()), timer.sleep(grace)).await;
        }
        self.flush_last().await;
    }
}
