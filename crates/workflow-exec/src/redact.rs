//! The secrets of one run, which are redacted from everything that its calls return.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{OnceLock, PoisonError, RwLock};

use tracing::warn;
use workflow_core::data::Data;
use workflow_core::failure::FailureClass;
use workflow_core::ids::StageId;
use workflow_core::machine::{Secrets, State};
use workflow_core::plan::Plan;
use workflow_core::provider::{ProviderError, Reply};
use workflow_core::redact::{self, Redactor};
use workflow_core::store::Control;

use crate::panics::caught;
use crate::shared::Shared;
use workflow_core::runs::EngineError;

/// The secrets that a run is known to have.
#[derive(Default)]
pub(crate) struct Known {
    any: AtomicBool,
    known: RwLock<(Vec<String>, Redactor)>,
}

impl Known {
    /// What takes the secrets out; none where there are none.
    pub(crate) fn redactor(&self) -> Option<Redactor> {
        if !self.are_any() {
            return None;
        }
        Some(self.known.read().unwrap_or_else(PoisonError::into_inner).1.clone())
    }

    pub(crate) fn are_any(&self) -> bool {
        self.any.load(Ordering::Acquire)
    }

    fn remember(&self, value: String) -> Result<(), redact::TooLong> {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if !known.0.contains(&value) {
            known.0.push(value);
            known.1 = Redactor::new(&known.0)?;
            self.any.store(true, Ordering::Release);
        }
        Ok(())
    }

    /// Redacts the result of a call.
    pub(crate) fn result(&self, result: &mut Result<Reply, ProviderError>) {
        let Some(redactor) = self.redactor() else { return };
        match result {
            Ok(reply) => {
                if redactor.data(&mut reply.output).is_err() {
                    let message = "a key of the output holds a secret, so the output was not stored: have the \
                                   provider leave secrets out of the names in its output";
                    let error = ProviderError::new(FailureClass::SecretInOutput, message);
                    *result = Err(ProviderError { usage: reply.usage.take(), ..error });
                    return;
                }
                reply.details.iter_mut().for_each(|details| redactor.value(details));
                reply.session.take_if(|session| self.is_in_session(session));
            }
            Err(error) => {
                redactor.failure(&mut error.failure);
                error.output.take_if(|output| redactor.data(output).is_err());
                if let Some(question) = &mut error.question {
                    redactor.text(&mut question.text);
                }
            }
        }
    }

    /// Whether the id of a session holds a secret: it cannot be stored, so the next call begins a new one.
    pub(crate) fn is_in_session(&self, session: &str) -> bool {
        let is_in = self.redactor().is_some_and(|redactor| redactor.is_in(session));
        if is_in {
            warn!(
                "the id of a session holds a secret and is not recorded: the next call begins a new session"
            );
        }
        is_in
    }

    /// Redacts an answer, or the data of a signal, that was given in a process without the secrets. Discards one that has a
    /// secret in a key.
    pub(crate) fn control(&self, control: &mut Control) {
        let (what, value) = match control {
            Control::Answer(answer) => ("an answer", &mut answer.value),
            Control::Signal(signal) => ("a signal", &mut signal.data),
            _ => return,
        };
        let Some(redactor) = self.redactor() else { return };
        if !redactor.is_in_data(value) {
            return;
        }
        warn!("{what} holds a secret, which is redacted");
        if redactor.data(value).is_err() {
            *value = Data::NULL;
        }
    }

    /// A text without the secrets.
    pub(crate) fn text(&self, mut text: String) -> String {
        if let Some(redactor) = self.redactor() {
            redactor.text(&mut text);
        }
        text
    }
}

/// Looks secrets up and remembers what was found.
pub(crate) struct Remembering<'a> {
    pub secrets: &'a dyn Secrets,
    pub known: &'a Known,
    /// Why a secret could not be looked up.
    pub problem: OnceLock<String>,
}

impl Secrets for Remembering<'_> {
    fn secret(&self, name: &str) -> Option<String> {
        let looked_up = look_up(self.secrets, name).and_then(|value| {
            let Some(value) = value else { return Ok(None) };
            redact::check(name, &value).map_err(|error| error.to_string())?;
            self.known.remember(value.clone()).map_err(|error| error.to_string())?;
            Ok(Some(value))
        });
        looked_up.unwrap_or_else(|problem| {
            self.problem.get_or_init(|| problem);
            None
        })
    }
}

fn look_up(secrets: &dyn Secrets, name: &str) -> Result<Option<String>, String> {
    caught(|| secrets.secret(name)).map_err(|panic| format!("looking up a secret panicked: {panic}"))
}

impl Shared {
    /// Refuses a plan with secrets that cannot be kept out of outputs. A secret that is not known here may be
    /// known to the process that drives the run.
    pub(crate) fn check_secrets(&self, plan: &Plan) -> Result<(), EngineError> {
        for (name, _) in plan.secrets() {
            if let Ok(Some(value)) = look_up(&*self.secrets, name) {
                redact::check(name, &value)?;
            }
        }
        Ok(())
    }

    /// Whether a secret is known here.
    pub(crate) fn has_secret(&self, name: &str) -> bool {
        matches!(look_up(&*self.secrets, name), Ok(Some(_)))
    }

    /// The first of the values, each with its place, that holds a secret of the plan which is known here.
    pub(crate) fn secret_in<'v>(
        &self,
        plan: &Plan,
        values: impl IntoIterator<Item = (String, &'v Data)>,
    ) -> Result<(), EngineError> {
        let mut known = Vec::new();
        for (name, _) in plan.secrets() {
            if let Ok(Some(secret)) = look_up(&*self.secrets, name) {
                known.push((name, Redactor::new([secret])?));
            }
        }
        if known.is_empty() {
            return Ok(());
        }
        for (place, value) in values {
            if let Some((name, _)) = known.iter().find(|(_, redactor)| redactor.is_in_data(value)) {
                return Err(EngineError::SecretInValue { place, secret: (*name).to_owned() });
            }
        }
        Ok(())
    }

    /// The secrets that a run may have used and that are not known here.
    pub(crate) fn unknown_secrets(&self, plan: &Plan, state: &State) -> Vec<String> {
        let mut unknown = Vec::new();
        for (name, stages) in plan.secrets() {
            let is_known = matches!(look_up(&*self.secrets, name), Ok(Some(_)));
            if !is_known && stages.iter().any(|stage| state.has_entered(stage)) {
                unknown.push(name.to_owned());
            }
        }
        unknown
    }

    /// Looks up all secrets of a run before its first call is made here: another process may have passed them
    /// to calls, so any later result can contain them.
    pub(crate) fn know_secrets(&self, plan: &Plan, state: &State, known: &Known) -> Result<(), EngineError> {
        let is_used = |stages: &[StageId]| stages.iter().any(|stage| state.has_entered(stage));
        let missing = self.know(plan.secrets().map(|(name, stages)| (name, is_used(stages))), known)?;
        if missing.is_empty() {
            return Ok(());
        }
        Err(EngineError::SecretsMissing { run: state.created().run.clone(), names: missing })
    }

    /// The same for secrets by name, each with whether a call may have been given it. Returns those of these that are not
    /// known here.
    pub(crate) fn know<'n>(
        &self,
        secrets: impl Iterator<Item = (&'n str, bool)>,
        known: &Known,
    ) -> Result<Vec<String>, EngineError> {
        let mut missing = Vec::new();
        for (name, is_used) in secrets {
            match look_up(&*self.secrets, name) {
                Ok(Some(value)) => {
                    redact::check(name, &value)?;
                    known.remember(value)?;
                }
                Ok(None) | Err(_) if is_used => missing.push(name.to_owned()),
                Ok(None) => {
                    warn!(
                        secret = name,
                        "a secret is not known in this process: the calls that need it \
                                          will fail"
                    );
                }
                Err(problem) => warn!(secret = name, problem, "a secret cannot be looked up"),
            }
        }
        Ok(missing)
    }
}
