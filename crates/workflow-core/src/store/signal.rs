//! A signal that is sent to a run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::data::Data;

/// How long the name and the id of a signal can be.
const MOST: usize = 64;

/// A signal that is sent to a run: something has happened outside. A node of type `wait` that names it takes it, and its data
/// is the output of that node. Of several signals with one name each is taken by one node, in the order in which they
/// were sent. A signal that no node waits for is kept for one that starts later.
///
/// ```
/// use workflow_core::store::Signal;
///
/// let signal = Signal::new("deploy.done")?.data(serde_json::json!({ "version": 2 })).id("evt-17")?;
/// assert_eq!(
///     serde_json::to_string(&signal).unwrap(),
///     r#"{"name":"deploy.done","data":{"version":2},"id":"evt-17"}"#
/// );
/// assert!(Signal::new("two words").is_err());
/// # Ok::<(), workflow_core::store::InvalidSignal>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Signal {
    /// Its name: 1 to 64 letters, digits, `-`, `_` and `.`.
    pub name: Box<str>,
    /// What it says.
    #[serde(default, skip_serializing_if = "Data::is_null")]
    pub data: Data,
    /// Its id, which the sender chooses: of several signals with one id, a run receives the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Box<str>>,
}

/// The name or the id of a signal is not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidSignal {
    /// The name is empty, too long, or has other characters.
    #[error("`{0}` is not the name of a signal: use 1 to 64 letters, digits, `-`, `_` and `.`")]
    Name(String),
    /// The id is empty, too long, or has control characters.
    #[error("the id of a signal has 1 to 64 characters, and no control characters")]
    Id,
}

impl Signal {
    /// A signal without data.
    ///
    /// # Errors
    ///
    /// [`InvalidSignal::Name`].
    pub fn new(name: impl Into<Box<str>>) -> Result<Self, InvalidSignal> {
        let name = name.into();
        Self::check_name(&name)?;
        Ok(Self { name, data: Data::NULL, id: None })
    }

    /// The signal with data.
    #[must_use]
    pub fn data(self, data: impl Into<serde_json::Value>) -> Self {
        Self { data: Data::new(&data.into()), ..self }
    }

    /// The signal with an id: of several signals with one id, a run receives the first.
    ///
    /// # Errors
    ///
    /// [`InvalidSignal::Id`].
    pub fn id(self, id: impl Into<Box<str>>) -> Result<Self, InvalidSignal> {
        let id = id.into();
        let is_valid = (1..=MOST).contains(&id.chars().count()) && !id.chars().any(char::is_control);
        if is_valid { Ok(Self { id: Some(id), ..self }) } else { Err(InvalidSignal::Id) }
    }

    pub(crate) fn check_name(name: &str) -> Result<(), InvalidSignal> {
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if (1..=MOST).contains(&name.len()) && name.bytes().all(is_part) {
            Ok(())
        } else {
            Err(InvalidSignal::Name(name.chars().take(MOST).collect()))
        }
    }
}
