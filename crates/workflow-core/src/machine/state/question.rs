//! What a run asks people, and their answers: approvals, questions, and the outcomes of interrupted calls.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::data::Data;
use crate::exact;
use crate::failure::{Failure, FailureClass};
use crate::ids::{NodePath, StageId};
use crate::status::{Wait, WaitReason};

/// A question to a person.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::machine) struct Ask {
    /// The node; none for a stage.
    pub path: Option<NodePath>,
    pub reason: WaitReason,
    /// When it was asked.
    pub since: Timestamp,
    place: Arc<str>,
    pub question: Arc<str>,
    schema: Option<Data>,
}

/// A person's decision.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::machine) enum Response {
    Agreed,
    /// With the person's comment, if there is one.
    Disagreed(Option<Arc<str>>),
    /// The answer to a question.
    Value(Data),
    /// The call was carried out, with this result.
    Happened(Data),
    /// The call was not carried out, or may be made again: in the session of the one that was interrupted, where it
    /// has one, unless a new one is wanted.
    RunsAgain {
        in_new_session: bool,
    },
}

impl Ask {
    pub(in crate::machine) fn of_stage(
        iteration: u32,
        stage: &StageId,
        question: &str,
        since: Timestamp,
    ) -> Self {
        Self {
            path: None,
            reason: WaitReason::Approval,
            since,
            place: format!("{iteration}/{stage}").into(),
            question: question.into(),
            schema: None,
        }
    }

    pub(in crate::machine) fn of_node(
        path: &NodePath,
        reason: WaitReason,
        question: &str,
        schema: Option<&Data>,
        since: Timestamp,
    ) -> Self {
        Self {
            path: Some(path.clone()),
            reason,
            since,
            place: path.to_string().into(),
            question: question.into(),
            schema: schema.cloned(),
        }
    }

    pub(in crate::machine) fn wait(&self, number: u64) -> Wait {
        let schema = match self.reason {
            WaitReason::Approval => Some(Data::new(&approval_schema())),
            WaitReason::UnknownOutcome => Some(Data::new(&outcome_schema())),
            _ => self.schema.clone(),
        };
        Wait {
            since: Some(self.since),
            number: Some(number),
            place: Some(self.place.to_string()),
            question: Some(self.question.to_string()),
            schema,
            ..Wait::of(self.reason)
        }
    }

    /// What an answer says, if it is valid.
    pub(in crate::machine) fn read(&self, answer: &Data) -> Result<Response, String> {
        let said = Response::read(self.reason, answer)?;
        if self.reason != WaitReason::Question {
            return Ok(said);
        }
        let value = answer.exact_value();
        let Some(schema) = &self.schema else {
            return if value.is_string() { Ok(said) } else { Err("write a text".to_owned()) };
        };
        let schema = schema.exact_value();
        match schema.get("enum").and_then(Value::as_array) {
            Some(choices) if !choices.iter().any(|choice| exact::same(choice, &value)) => {
                let choices: Vec<_> = choices.iter().map(exact::text).collect();
                Err(format!("choose one of {}", choices.join(", ")))
            }
            _ => Ok(said),
        }
    }
}

impl Response {
    /// Reads an answer to a question that was asked for `reason`.
    pub(in crate::machine) fn read(reason: WaitReason, answer: &Data) -> Result<Self, String> {
        let value = answer.exact_value();
        match reason {
            WaitReason::Approval => {
                let approved = value.as_bool().or_else(|| value.get("approved")?.as_bool());
                match approved {
                    Some(true) => Ok(Self::Agreed),
                    Some(false) => {
                        let comment = value.get("comment").and_then(Value::as_str);
                        Ok(Self::Disagreed(comment.map(Arc::from)))
                    }
                    None => Err("write true or false, or an object with `approved` and `comment`".to_owned()),
                }
            }
            WaitReason::UnknownOutcome => match value.get("outcome").unwrap_or(&value).as_str() {
                Some("happened") => {
                    let result = value.get("result").map(Data::new);
                    result.map(Self::Happened).ok_or_else(|| "write its `result` too".to_owned())
                }
                Some("not_happened" | "rerun") => {
                    let in_new_session = value.get("session").and_then(Value::as_str) == Some("new");
                    Ok(Self::RunsAgain { in_new_session })
                }
                _ => {
                    Err("write an object with `outcome`: happened (and its `result`), not_happened or rerun"
                        .to_owned())
                }
            },
            _ => Ok(Self::Value(answer.clone())),
        }
    }
}

fn approval_schema() -> Value {
    json!({
        "anyOf": [
            { "type": "boolean" },
            {
                "type": "object",
                "properties": { "approved": { "type": "boolean" }, "comment": { "type": "string" } },
                "required": ["approved"],
            },
        ],
    })
}

fn outcome_schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "outcome": { "enum": ["happened", "not_happened", "rerun"] },
            "result": { "description": "what the call gave, where it happened" },
            "session": {
                "enum": ["new", "continue"],
                "description": "whether the call is made again in a new session of the agent; default: continue",
            },
        },
        "required": ["outcome"],
    })
}

pub(in crate::machine) fn rejected(comment: Option<&str>) -> Failure {
    let said = comment.map(|comment| format!(": {comment}")).unwrap_or_default();
    Failure::new(FailureClass::Rejected, format!("a person did not agree{said}"))
}
