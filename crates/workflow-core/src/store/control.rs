//! A control request of a person or a host to a run.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::actor::Actor;
use crate::data::Data;
use crate::ids::RunId;
use crate::store::Signal;

/// A control request of a person or a host to a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Control {
    /// Start no new calls; pause when the running calls have ended.
    Pause,
    /// Resume the run.
    Resume,
    /// Stop the running calls, and cancel the run.
    Cancel,
    /// Stop the running calls without a grace period, and cancel the run.
    Kill,
    /// A person's answer to a question that the run waits for.
    Answer(Answer),
    /// A signal, for a node of the run that waits for it or will.
    Signal(Box<Signal>),
    /// A run that this one started has ended. Engines send it; no event records it, because the run looks for itself.
    ChildEnded(RunId),
}

impl Control {
    /// The request with who sends it, for the log.
    pub fn by(self, actor: impl Into<Arc<Actor>>) -> ControlRequest {
        ControlRequest { control: self, by: Some(actor.into()) }
    }
}

/// An answer of a person or the host to a question that a run waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Answer {
    /// The [number](crate::status::Wait::number) of the wait.
    pub wait: u64,
    /// The answer.
    pub value: Data,
}

/// A control request, and who sends it.
///
/// ```
/// use workflow_core::actor::Actor;
/// use workflow_core::store::{Control, ControlRequest};
///
/// let request = Control::Pause.by(Actor::new("ana").via("terminal"));
/// assert_eq!(request.by.unwrap().id(), "ana");
/// assert_eq!(ControlRequest::from(Control::Pause).by, None);
/// ```
///
/// As JSON it is the control alone, as earlier versions wrote it, if it has no `by`; otherwise
/// `{"control":…,"by":…}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlRequest {
    /// The request.
    pub control: Control,
    /// Who sends it, if that is known.
    pub by: Option<Arc<Actor>>,
}

impl From<Control> for ControlRequest {
    fn from(control: Control) -> Self {
        Self { control, by: None }
    }
}

impl Serialize for ControlRequest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Named<'a> {
            control: &'a Control,
            by: &'a Actor,
        }
        match &self.by {
            Some(by) => Named { control: &self.control, by }.serialize(serializer),
            None => self.control.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for ControlRequest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Named {
            control: Control,
            by: Arc<Actor>,
        }
        // Parsed twice: serde buffers the values of an untagged enum, and `Data` (a `RawValue`) cannot be read from that buffer.
        let text = Box::<RawValue>::deserialize(deserializer)?;
        serde_json::from_str::<Control>(text.get()).map(Self::from).or_else(
            |error| match serde_json::from_str::<Named>(text.get()) {
                Ok(Named { control, by }) => Ok(Self { control, by: Some(by) }),
                Err(_) => Err(D::Error::custom(error)),
            },
        )
    }
}

/// A control request as the store recorded it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlRecord {
    /// Its number within the run, from 1.
    pub number: u64,
    /// The request.
    pub control: Control,
    /// Who sent it, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Arc<Actor>>,
}

impl ControlRecord {
    /// The record of a request with that number.
    pub fn new(number: u64, request: impl Into<ControlRequest>) -> Self {
        let ControlRequest { control, by } = request.into();
        Self { number, control, by }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_written_as_before_unless_it_names_who_sends_it() {
        let answer = Control::Answer(Answer { wait: 3, value: Data::parse(r#"{"n":1.50}"#).unwrap() });
        let ana = Actor::new("a").name("Ana");
        for (request, json) in [
            (ControlRequest::from(Control::Pause), r#""pause""#),
            (Control::ChildEnded(RunId::new("r-2").unwrap()).into(), r#"{"child_ended":"r-2"}"#),
            (answer.clone().into(), r#"{"answer":{"wait":3,"value":{"n":1.50}}}"#),
            (Control::Kill.by(ana.clone()), r#"{"control":"kill","by":{"id":"a","name":"Ana"}}"#),
            (
                answer.by(ana),
                r#"{"control":{"answer":{"wait":3,"value":{"n":1.50}}},"by":{"id":"a","name":"Ana"}}"#,
            ),
        ] {
            assert_eq!(serde_json::to_string(&request).unwrap(), json);
            assert_eq!(serde_json::from_str::<ControlRequest>(json).unwrap(), request);
        }
        for wrong in [r#""stop""#, r#"{"control":"pause"}"#, r#"{"by":{"id":"a"}}"#, "1"] {
            assert!(serde_json::from_str::<ControlRequest>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_record_of_an_earlier_version_has_no_actor() {
        let record: ControlRecord = serde_json::from_str(r#"{"number":2,"control":"resume"}"#).unwrap();
        assert_eq!(record, ControlRecord::new(2, Control::Resume));
        assert_eq!(serde_json::to_string(&record).unwrap(), r#"{"number":2,"control":"resume"}"#);
    }
}
