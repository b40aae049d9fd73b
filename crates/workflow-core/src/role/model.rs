//! The type of a role: the agent's name and instructions.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::data::Data;
use crate::ids::RoleId;

/// Names that mean something else in a template.
pub(crate) const BUILT_IN: [&str; 9] =
    ["guards", "inputs", "item", "iteration", "nodes", "run", "stage", "stages", "vars"];

/// A role: front matter and a template.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Role {
    /// The id.
    pub id: RoleId,
    /// A name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The JSON Schema file that the output has to follow, unless the node names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_schema: Option<String>,
    /// What the role reads: a text of the form of an id names a variable, a node or a stage; any other is
    /// a `${…}` template.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<String>,
    /// What it has to keep to: texts that follow the prompt. They are templates like the body.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guards: Vec<String>,
    /// Skills that are handed to the provider.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skills: Vec<String>,
    /// The provider that its author would choose.
    #[serde(default, alias = "recommendedProvider", skip_serializing_if = "Option::is_none")]
    pub recommended_provider: Option<String>,
    /// The variables that its template uses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variables: Vec<Variable>,
    /// The template, in Handlebars.
    #[serde(default)]
    pub body: String,
}

/// A variable of a run that a role uses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Variable {
    /// The name.
    pub name: String,
    /// The type.
    #[serde(default, rename = "type")]
    pub kind: VariableType,
    /// Whether a run has to be given it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub required: bool,
    /// The value where the run has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

impl VariableType {
    /// Whether a value is of this type.
    pub fn holds(self, value: &Value) -> bool {
        match self {
            Self::String => value.is_string(),
            Self::Number => value.is_number(),
            Self::Integer => {
                value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0)
            }
            Self::Boolean => value.is_boolean(),
            Self::Array => value.is_array(),
            Self::Object => value.is_object(),
        }
    }

    /// The default of an optional variable without a value: an empty text, 0, false, an empty list, an empty object.
    pub fn empty(self) -> Value {
        match self {
            Self::String => "".into(),
            Self::Number | Self::Integer => 0.into(),
            Self::Boolean => false.into(),
            Self::Array => Value::Array(Vec::new()),
            Self::Object => Value::Object(serde_json::Map::new()),
        }
    }

    /// The type as it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Number => "number",
            Self::Integer => "integer",
            Self::Boolean => "boolean",
            Self::Array => "array",
            Self::Object => "object",
        }
    }

    /// The type, for a message.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::String => "a text",
            Self::Number => "a number",
            Self::Integer => "a whole number",
            Self::Boolean => "true or false",
            Self::Array => "a list",
            Self::Object => "an object",
        }
    }
}

impl Role {
    /// A role with a template and nothing else.
    pub fn new(id: RoleId, body: impl Into<String>) -> Self {
        Self {
            id,
            name: None,
            output_schema: None,
            inputs: Vec::new(),
            guards: Vec::new(),
            skills: Vec::new(),
            recommended_provider: None,
            variables: Vec::new(),
            body: body.into(),
        }
    }

    /// What is wrong with a run's variables: those that are required and missing, and those of another type. One that
    /// is `written` before the role is used is not missing.
    ///
    /// ```
    /// use workflow_core::definition::parse_role;
    ///
    /// let text = "---\nid: tester\nvariables: [{ name: kinds, type: array, required: true }]\n---\nTest.";
    /// let role = parse_role(text.as_bytes(), None).role.expect("no errors");
    /// let wrong = role.check_variables(&Default::default(), |_| false);
    /// assert_eq!(wrong, ["role `tester` needs the variable `kinds`, a list"]);
    /// ```
    pub fn check_variables(
        &self,
        vars: &IndexMap<String, Data>,
        written: impl Fn(&str) -> bool,
    ) -> Vec<String> {
        let wrong = self.variables.iter().filter_map(|variable| {
            let (name, wanted) = (&variable.name, variable.kind.in_words());
            match vars.get(name) {
                None if variable.required && variable.default.is_none() && !written(name) => {
                    Some(format!("role `{}` needs the variable `{name}`, {wanted}", self.id))
                }
                Some(value) if !variable.kind.holds(&value.value()) => {
                    Some(format!("role `{}` needs `{name}` to be {wanted}", self.id))
                }
                _ => None,
            }
        });
        wrong.collect()
    }

    /// The value of one of the role's variables in a run: the run's, an [exact](Data::exact_value) one, the default, or
    /// an empty one. None also where it is required and missing.
    pub fn value(&self, name: &str, vars: &IndexMap<String, Data>) -> Option<Value> {
        let variable = self.variables.iter().find(|variable| variable.name == name)?;
        Some(match (vars.get(name), &variable.default) {
            (Some(value), _) => value.exact_value(),
            (None, Some(default)) => default.clone(),
            (None, None) if variable.required => return None,
            (None, None) => variable.kind.empty(),
        })
    }
}

/// The type of a variable.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum VariableType {
    /// A text.
    #[default]
    String,
    /// A number.
    Number,
    /// A whole number.
    Integer,
    /// True or false.
    Boolean,
    /// A list.
    Array,
    /// An object: values by name.
    Object,
}
