//! The driver's dealings with the store: one conditional append per decision.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt as _};
use tracing::warn;
use workflow_core::event::Event;
use workflow_core::ids::RunId;
use workflow_core::store::{ControlRecord, Lease, RunHead, StoreError};

use super::underway::Underway;
use super::{Driver, is_final};
use crate::engine::Shared;
use crate::error::EngineError;

/// How often an append whose outcome is not known is tried again, and after how long first.
const TRIES: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(50);

impl Driver<'_> {
    /// Stores the events of the decision. Calls go on meanwhile.
    pub(super) async fn append(&mut self) -> Result<(), EngineError> {
        let (engine, lease) = (self.engine, self.lease);
        let events = &self.decision.events;
        let expected = self.state.last_event() - events.len() as u64;
        let head = self.decision.head_changed.then(|| Box::new(self.state.head()));
        let append = engine.store.append(lease, expected, events, head.as_deref());
        let controls = match meanwhile(&mut self.underway, append).await {
            Ok(controls) => Some(controls),
            Err(error) => {
                let settled = settle(engine, lease, expected, events, head.as_deref(), error);
                meanwhile(&mut self.underway, settled.boxed()).await?
            }
        };
        match controls {
            Some(controls) => self.add_controls(controls),
            None => self.entered.inbox.look_for_controls(),
        }
        Ok(())
    }

    pub(super) async fn read_controls(&mut self) -> Result<(), EngineError> {
        let after = self.last_control.max(self.state.last_control());
        match self.engine.store.controls(&self.lease.run, after).await {
            Ok(controls) => self.add_controls(controls),
            Err(error) if is_final(&error) => return Err(error.into()),
            Err(error) => {
                warn!(%error, "controls could not be read; trying again");
                self.engine.timer.sleep(FIRST_PAUSE).await;
                self.entered.inbox.look_for_controls();
            }
        }
        Ok(())
    }

    fn add_controls(&mut self, controls: Vec<ControlRecord>) {
        for control in controls {
            if control.number > self.last_control {
                self.last_control = control.number;
                self.controls.push(control);
            }
        }
    }
}

/// Carries out `storing` while calls go on.
async fn meanwhile<T>(underway: &mut Underway<'_>, mut storing: BoxFuture<'_, T>) -> T {
    poll_fn(|cx| {
        if let Poll::Ready(stored) = storing.poll_unpin(cx) {
            return Poll::Ready(stored);
        }
        underway.poll(cx, usize::MAX);
        Poll::Pending
    })
    .await
}

/// After an append that ended with `error`: where the outcome is not known, reads back and tries
/// again. Returns the controls that came with the answer, or `None` when the answer was lost.
async fn settle(
    engine: &Shared,
    lease: &Lease,
    expected: u64,
    events: &[Event],
    head: Option<&RunHead>,
    mut error: StoreError,
) -> Result<Option<Vec<ControlRecord>>, EngineError> {
    let mut pause = FIRST_PAUSE;
    let mut tries = 1;
    loop {
        // A conflict after another try can be with what that try stored.
        let in_doubt = !is_final(&error) || (tries > 1 && matches!(error, StoreError::Conflict { .. }));
        if !in_doubt || tries > TRIES {
            return Err(error.into());
        }
        warn!(%error, "an append has an unknown outcome; reading back");
        engine.timer.sleep(pause).await;
        pause *= 2;
        if was_stored(engine, &lease.run, expected, events).await? {
            return Ok(None);
        }
        tries += 1;
        error = match engine.store.append(lease, expected, events, head).await {
            Ok(controls) => return Ok(Some(controls)),
            Err(error) => error,
        };
    }
}

/// After an append with an unknown outcome: whether its events are there.
async fn was_stored(
    engine: &Shared,
    run: &RunId,
    expected: u64,
    events: &[Event],
) -> Result<bool, EngineError> {
    let found = match engine.store.events(run, expected, events.len()).await {
        Ok(found) => found,
        Err(error) if is_final(&error) => return Err(error.into()),
        // Not known still: the append is tried again, and is refused if it was stored.
        Err(_) => return Ok(false),
    };
    if found.is_empty() {
        return Ok(false);
    }
    if found == events {
        return Ok(true);
    }
    let actual = expected + found.len() as u64;
    Err(StoreError::Conflict { run: run.clone(), expected, actual }.into())
}
