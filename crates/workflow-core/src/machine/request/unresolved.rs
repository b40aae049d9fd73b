//! A call without its secrets: for a backend that hands calls to workers, and keeps what it hands over.

use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::bundle::Skill;
use crate::command_line::LiteralWords;
use crate::data::Data;
use crate::failure::{Failure, FailureClass};
use crate::ids::NodePath;
use crate::machine::request::marks::{Marks, Named, SecretSource, Values};
use crate::machine::request::secrets::Secrets;
use crate::machine::request::{Call, made};
use crate::machine::state::State;
use crate::plan::Plan;
use crate::provider::{CallId, CallRequest, GivenAnswer, Workspace};
use crate::usage::Usage;

/// A call whose secrets have not been put in: what a backend keeps, and hands to the worker that makes the call.
///
/// Its texts have marks in the place of `${secrets.x}`. No value of a run is taken for a mark, whatever it contains.
/// [`resolve`](Self::resolve) puts the secrets of the worker in.
///
/// The JSON that it is [serialised](serde) to is a wire form: later versions read what this one writes, and ignore
/// members that they do not know. It holds everything else that the call is given: prompt, options, environment,
/// skills and the session.
///
/// ```
/// use workflow_core::machine::{Secrets, UnresolvedCall};
///
/// /// What a worker does with a call that it received.
/// fn prompt(received: &str, vault: &dyn Secrets) -> Result<String, Box<dyn std::error::Error>> {
///     let call: UnresolvedCall = serde_json::from_str(received)?;
///     Ok(call.resolve(vault)?.request.prompt)
/// }
/// # struct Vault;
/// # impl Secrets for Vault {
/// #     fn secret(&self, _: &str) -> Option<String> {
/// #         None
/// #     }
/// # }
/// let received = r#"{
///     "id": { "run": "run-1", "seed": 7, "path": "1/ship[0]/run", "attempt": 1 },
///     "provider": "echo",
///     "prompt": "Ship it."
/// }"#;
/// assert_eq!(prompt(received, &Vault).unwrap(), "Ship it.");
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UnresolvedCall {
    id: CallId,
    provider: Arc<str>,
    #[serde(default)]
    prompt: String,
    /// Exact numbers and all.
    #[serde(default, skip_serializing_if = "Data::is_null")]
    options: Data,
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    env: IndexMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cwd: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session_usage: Option<Usage>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    output_schema: Option<Arc<Value>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    skills: Vec<(Arc<str>, Arc<Skill>)>,
    #[serde(default, skip_serializing_if = "is_shared")]
    workspace: Workspace,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    timeout: Option<Duration>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    over_budget: Option<Box<Failure>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    idle_timeout: Option<Duration>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    answers: Vec<GivenAnswer>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    marks: Option<WireMarks>,
    /// All secrets that calls of the run name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    secrets: Vec<SecretName>,
}

/// A secret that calls of a run name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SecretName {
    /// The `x` of `${secrets.x}`.
    pub name: String,
    /// Whether a call may have been given it already: then any result can contain it, and a worker that does not know it
    /// cannot redact it.
    #[serde(default)]
    pub used: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct WireMarks {
    nonce: String,
    secrets: Vec<Named>,
    /// Present where a word of a command line has a mark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    command: Option<LiteralWords>,
}

fn is_shared(workspace: &Workspace) -> bool {
    *workspace == Workspace::Shared
}

/// Describes the call of an attempt that has begun, without its secrets.
///
/// # Errors
///
/// A [`Failure`] that names the field and what could not be resolved; the attempt fails with it.
pub fn unresolved(
    plan: &Plan,
    state: &State,
    path: &NodePath,
    attempt: u32,
    provider: &str,
) -> Result<UnresolvedCall, Failure> {
    let with = |marks: &Marks| made(plan, state, path, attempt, provider, SecretSource::Marks(marks));
    let marks = Marks::new();
    let mut call = UnresolvedCall::of(with(&marks)?, provider);
    if marks.are_used() {
        // Its texts cannot contain a hash of themselves.
        let text = serde_json::to_string(&call).map_err(|error| {
            Failure::new(FailureClass::Permanent, format!("{path}: the call cannot be written: {error}"))
        })?;
        let marks = Marks::apart_from(&text);
        call = UnresolvedCall::of(with(&marks)?, provider);
        let command = marks.command();
        let (nonce, secrets) = marks.into_parts();
        call.marks = Some(WireMarks { nonce, secrets, command });
    }
    let is_used = |stages: &[_]| stages.iter().any(|stage| state.has_entered(stage));
    let all = plan.secrets();
    call.secrets =
        all.map(|(name, stages)| SecretName { name: name.to_owned(), used: is_used(stages) }).collect();
    Ok(call)
}

impl UnresolvedCall {
    fn of(call: Call, provider: &str) -> Self {
        let Call { request, timeout, over_budget, idle_timeout, answers } = call;
        Self {
            id: request.id,
            provider: provider.into(),
            prompt: request.prompt,
            options: Data::new(&request.options),
            env: request.env,
            cwd: request.cwd,
            session: request.session,
            session_usage: request.session_usage,
            output_schema: request.output_schema,
            skills: request.skills,
            workspace: request.workspace,
            timeout,
            over_budget,
            idle_timeout,
            answers,
            marks: None,
            secrets: Vec::new(),
        }
    }

    /// Which call it is.
    pub fn id(&self) -> &CallId {
        &self.id
    }

    /// The provider that makes the call.
    pub fn provider(&self) -> &Arc<str> {
        &self.provider
    }

    /// How long it may take: what is less of its time-out and the budgets of time.
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// How long it may show no activity.
    pub fn idle_timeout(&self) -> Option<Duration> {
        self.idle_timeout
    }

    /// All secrets that calls of the run name. A worker redacts the value of each from the result, also of those that
    /// this call does not name: a session may know them.
    pub fn secrets(&self) -> &[SecretName] {
        &self.secrets
    }

    /// The call with its secrets, as [`request`](super::request) makes it.
    ///
    /// # Errors
    ///
    /// A [`Failure`] that names a secret which there is not; the attempt fails with it.
    pub fn resolve(self, secrets: &dyn Secrets) -> Result<Call, Failure> {
        let stage = self.id.path.stage.clone();
        let mut request = CallRequest {
            id: self.id,
            prompt: self.prompt,
            options: self.options.exact_value(),
            env: self.env,
            cwd: self.cwd,
            session: self.session,
            session_usage: self.session_usage,
            output_schema: self.output_schema,
            skills: self.skills,
            workspace: self.workspace,
        };
        if let Some(WireMarks { nonce, secrets: named, command }) = self.marks {
            let values = Values::look_up(&nonce, &named, secrets).map_err(|name| {
                let message = format!("{stage}: there is no `secrets.{name}` in this process");
                Failure::new(FailureClass::Expression, message)
            })?;
            values.put_into(&mut request.prompt);
            values.put_into_value(&mut request.options);
            request.env.values_mut().for_each(|value| values.put_into(value));
            request.cwd.iter_mut().for_each(|cwd| values.put_into(cwd));
            if let Some(command) = command {
                command.check(&request.options, format_args!("{stage}.with"))?;
            }
        }
        Ok(Call {
            request,
            timeout: self.timeout,
            over_budget: self.over_budget,
            idle_timeout: self.idle_timeout,
            answers: self.answers,
        })
    }
}
