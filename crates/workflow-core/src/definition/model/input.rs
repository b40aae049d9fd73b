//! The inputs of a workflow: the variables that a run is given when it starts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::data::Data;
use crate::role::VariableType;
use crate::suggest::one_of;

/// An input of a workflow: a variable that a run is given when it starts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct WorkflowInput {
    /// The type of the value; default: `string`.
    #[serde(rename = "type", skip_serializing_if = "is_default")]
    pub kind: VariableType,
    /// The only values that it may have.
    #[serde(rename = "enum", skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<Value>,
    /// Whether a run does not start without it; default: true where it has no `default`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub required: Option<bool>,
    /// The value where the run is given none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether it is a secret of the host, which calls name as `${secrets.NAME}`. It is not given when the run starts,
    /// and it is not stored.
    #[serde(skip_serializing_if = "is_default")]
    pub secret: bool,
}

impl WorkflowInput {
    /// An input of a type that a run does not start without.
    pub fn new(kind: VariableType) -> Self {
        Self { kind, ..Self::default() }
    }

    /// Whether a run does not start without a value for it.
    pub fn is_required(&self) -> bool {
        !self.secret && self.default.is_none() && self.required != Some(false)
    }

    /// What is wrong with a value, as the end of a sentence that begins with the input.
    ///
    /// # Errors
    ///
    /// That it is of another type, or not one of the choices.
    pub fn check(&self, value: &Data) -> Result<(), String> {
        let value = value.value();
        if !self.kind.holds(&value) {
            return Err(format!("must be {}", self.kind.in_words()));
        }
        let mut choices = self.choices.iter().map(|choice| Data::new(choice).value());
        if self.choices.is_empty() || choices.any(|choice| choice == value) {
            return Ok(());
        }
        let choices: Vec<_> = self.choices.iter().map(shown).collect();
        Err(format!("must be {}", one_of(choices.iter().map(String::as_str))))
    }

    /// The value that a text stands for: the text itself for an input of the type `string`, and otherwise JSON.
    ///
    /// ```
    /// use serde_json::json;
    /// use workflow_core::definition::{VariableType, WorkflowInput};
    ///
    /// let depth = WorkflowInput { default: Some(json!(2)), ..WorkflowInput::new(VariableType::Integer) };
    /// assert!(!depth.is_required());
    /// assert_eq!(depth.read("3"), Ok(json!(3)));
    /// assert_eq!(depth.read("deep"), Err("must be a whole number".to_owned()));
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`check`](Self::check).
    pub fn read(&self, text: &str) -> Result<Value, String> {
        let data = match (self.kind, Data::parse(text)) {
            (VariableType::String, _) | (_, Err(_)) => Data::new(&Value::from(text)),
            (_, Ok(data)) => data,
        };
        self.check(&data).map(|()| data.exact_value())
    }
}

/// A choice, as it is written.
pub(crate) fn shown(choice: &Value) -> String {
    match choice {
        Value::String(text) => text.clone(),
        other => Data::new(other).json().to_owned(),
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
