//! The driver's dealings with the store: one conditional append per decision.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use futures::StreamExt as _;
use futures::future::FutureExt as _;
use tracing::warn;
use workflow_core::event::Event;
use workflow_core::ids::RunId;
use workflow_core::store::{ControlRecord, StoreError};

use super::{Driver, is_final};
use crate::engine::Shared;
use crate::error::EngineError;

/// How often an append whose outcome is not known is tried again, and after how long first.
const TRIES: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(50);

impl Driver<'_> {
    /// Stores the events of the decision. Calls go on meanwhile.
    pub(super) async fn append(&mut self) -> Result<(), EngineError> {
        let head = self.decision.head_changed.then(|| self.state.head());
        let events = &self.decision.events;
        let expected = self.state.last_event() - events.len() as u64;
        let mut pause = FIRST_PAUSE;
        for tries in 1.. {
            let mut append = self.engine.store.append(self.lease, expected, events, head.as_ref());
            let (calls, ended) = (&mut self.calls, &mut self.ended);
            let appended = poll_fn(|cx| {
                if let Poll::Ready(appended) = append.poll_unpin(cx) {
                    return Poll::Ready(appended);
                }
                while let Poll::Ready(Some(call)) = calls.poll_next_unpin(cx) {
                    ended.push(call);
                }
                Poll::Pending
            })
            .await;
            drop(append);
            let error = match appended {
                Ok(controls) => {
                    self.add_controls(controls);
                    return Ok(());
                }
                Err(error) => error,
            };
            if is_final(&error) || tries > TRIES {
                return Err(error.into());
            }
            warn!(%error, "an append has an unknown outcome; reading back");
            self.engine.timer.sleep(pause).await;
            pause *= 2;
            if was_stored(self.engine, &self.lease.run, expected, &self.decision.events).await? {
                return Ok(());
            }
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
