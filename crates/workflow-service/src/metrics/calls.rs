//! What events say about calls.

use jiff::Timestamp;
use workflow_core::event::{Event, EventBody};
use workflow_core::ids::{NodePath, RunId};
use workflow_core::status::RunStatus;
use workflow_core::usage::Usage;

use super::figures::{Figures, Of, Outcome, Tokens, lock};
use super::underway::Underway;

impl Figures {
    pub(super) fn events(&self, run: &RunId, events: &[Event]) {
        let mut underway = lock(&self.underway);
        for Event { at, body, .. } in events {
            match body {
                EventBody::AttemptStarted { path, provider, .. } => {
                    let provider = provider.to_string();
                    self.calls.get_or_create(&Of { provider: provider.clone() }).inc();
                    underway.begin(run, path, provider, *at);
                }
                EventBody::AttemptSucceeded { path, usage, ran_until, .. } => {
                    let end = ran_until.as_deref().unwrap_or(at);
                    self.ended(&mut underway, run, path, "succeeded", usage.as_deref(), *end);
                }
                EventBody::AttemptFailed { path, error, usage, ran_until, .. } => {
                    let end = ran_until.as_deref().unwrap_or(at);
                    self.ended(&mut underway, run, path, &error.class.to_string(), usage.as_deref(), *end);
                }
                EventBody::AttemptCancelled { path, usage, ran_until, .. } => {
                    let end = ran_until.as_ref().unwrap_or(at);
                    self.ended(&mut underway, run, path, "cancelled", usage.as_deref(), *end);
                }
                EventBody::AttemptInterrupted { path, usage, ran_until, .. } => {
                    let end = ran_until.as_deref().unwrap_or(at);
                    self.ended(&mut underway, run, path, "interrupted", usage.as_deref(), *end);
                }
                EventBody::RunCompleted { .. } => self.ended.as_(RunStatus::Completed),
                EventBody::RunFailed { .. } => self.ended.as_(RunStatus::Failed),
                EventBody::RunCancelled => self.ended.as_(RunStatus::Cancelled),
                _ => {}
            }
        }
    }

    /// An attempt ended. One that began in another process is not counted: its provider is not known here.
    fn ended(
        &self,
        underway: &mut Underway,
        run: &RunId,
        path: &NodePath,
        outcome: &str,
        usage: Option<&Usage>,
        end: Timestamp,
    ) {
        let Some((provider, began)) = underway.end(run, path) else { return };
        let of = Of { provider: provider.clone() };
        self.calls.get_or_create(&of).dec();
        let took = end.duration_since(began).as_secs_f64().max(0.0);
        self.attempt_time.get_or_create(&of).observe(took);
        if let Some(cost) = usage.and_then(|usage| usage.cost_usd).filter(|cost| *cost >= 0.0) {
            self.cost.get_or_create(&of).inc_by(cost);
        }
        for (kind, tokens) in [
            ("input", usage.and_then(|usage| usage.input_tokens)),
            ("output", usage.and_then(|usage| usage.output_tokens)),
        ] {
            if let Some(tokens) = tokens {
                self.tokens.get_or_create(&Tokens { provider: provider.clone(), kind }).inc_by(tokens);
            }
        }
        self.attempts.get_or_create(&Outcome { provider, outcome: outcome.to_owned() }).inc();
    }
}
