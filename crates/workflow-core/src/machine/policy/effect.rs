//! What a step requests from the driver: slots for calls, timers, and stopping calls. Also refuses calls.

use std::sync::Arc;

use crate::event::EventBody;
use crate::failure::Failure;
use crate::ids::NodePath;
use crate::machine::message::Effect;
use crate::machine::policy::step::Step;
use crate::machine::request::who;
use crate::machine::state::Broken;
use crate::plan::Strategy;
use crate::status::StageStatus;
use crate::stop::Stop;

impl Step<'_> {
    /// Requests a slot for the next attempt at a node's call, or waits until it is due.
    pub(super) fn ask_for_place(&mut self, path: NodePath) -> Result<(), Broken> {
        let (Some(stage), Some(call)) = (self.stage, self.call(&path)) else { return Ok(()) };
        let state = self.node(&path);
        match state.map_or(StageStatus::Pending, |node| node.status) {
            StageStatus::Pending | StageStatus::Queued => {
                match who::node(self.plan, self.state, stage, &path, call) {
                    Ok((provider, _)) => self.decision.effects.push(Effect::Acquire { path, provider }),
                    Err(failure) => self.refuse(&path, failure)?,
                }
            }
            StageStatus::Retrying => {
                if let Some(at) = state.and_then(|node| node.retry_at) {
                    self.decision.effects.push(Effect::Timer { path, at });
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Forgets the slots and timers that were requested: what starts again requests them again.
    pub(super) fn withdraw(&mut self) {
        self.decision.effects.retain(|effect| {
            !matches!(effect, Effect::Acquire { .. } | Effect::Timer { .. } | Effect::Collect { .. })
        });
    }

    pub(super) fn refuse(&mut self, path: &NodePath, failure: Failure) -> Result<(), Broken> {
        if self.may_start(path) { self.refused(path, failure) } else { Ok(()) }
    }

    /// Records a call that was not allowed to begin: no attempt is made.
    pub(super) fn refused(&mut self, path: &NodePath, failure: Failure) -> Result<(), Broken> {
        let attempt = self.node(path).map_or(0, |node| node.attempt);
        let continues = self.continues_after(path, &failure, true);
        let body = EventBody::AttemptFailed {
            path: path.clone(),
            attempt,
            error: Arc::new(failure),
            retry_at: None,
            parked: false,
            repair: false,
            continues,
            usage: None,
            ran_until: None,
            output: None,
        };
        self.emit(body)?;
        if continues {
            self.count_down_failed(path);
        }
        Ok(())
    }

    pub(super) fn due(&mut self, path: NodePath) {
        if !self.may_start(&path) {
            return;
        }
        let retry_at = self.node(&path).and_then(|node| node.retry_at);
        let Some(at) = retry_at else { return };
        if at > self.now {
            self.decision.effects.push(Effect::Timer { path, at });
        } else if let Some(provider) = self.node(&path).and_then(|node| node.provider.clone()) {
            self.decision.effects.push(Effect::Acquire { path, provider });
        }
    }

    pub(super) fn stop_running(&mut self, how: Stop) {
        for (path, _) in self.running() {
            self.decision.effects.push(Effect::Stop { path, how });
        }
        self.look_at_children(how);
    }

    /// A lane has succeeded: stops the lanes that lost against it.
    pub(super) fn lane_succeeded(&mut self) {
        if let Some((stage, current)) = self.current()
            && stage.strategy == Strategy::Race
            && current.succeeded == 1
        {
            self.stop_running(Stop::Gracefully);
        }
    }
}
