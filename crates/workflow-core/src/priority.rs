//! Priorities: which of the runs that wait for a driver comes first.

use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};

/// Which of the runs that no process drives is claimed first: the one with the highest priority. From −9 to 9; a run has 0
/// unless it is started with another.
///
/// ```
/// use workflow_core::priority::Priority;
///
/// assert_eq!("high".parse::<Priority>()?, Priority::HIGH);
/// assert_eq!("-3".parse::<Priority>()?.get(), -3);
/// assert!(Priority::HIGH > Priority::default());
/// assert!("10".parse::<Priority>().is_err());
/// # Ok::<(), workflow_core::priority::InvalidPriority>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Priority(i8);

/// A text or a number that is not a priority.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a priority is a whole number from -9 to 9, or `low` (-5), `normal` (0) or `high` (5)")]
#[non_exhaustive]
pub struct InvalidPriority;

impl Priority {
    /// The lowest.
    pub const LOWEST: Self = Self(-9);
    /// `low`: −5.
    pub const LOW: Self = Self(-5);
    /// `normal`: 0.
    pub const NORMAL: Self = Self(0);
    /// `high`: 5.
    pub const HIGH: Self = Self(5);
    /// The highest.
    pub const HIGHEST: Self = Self(9);

    /// The names that people can write, and what they mean.
    pub const NAMES: [(&'static str, Self); 3] =
        [("low", Self::LOW), ("normal", Self::NORMAL), ("high", Self::HIGH)];

    /// The priority of that number.
    ///
    /// # Errors
    ///
    /// [`InvalidPriority`] if it is not from −9 to 9.
    pub fn new(number: i64) -> Result<Self, InvalidPriority> {
        let priority = i8::try_from(number).map(Self).map_err(|_| InvalidPriority)?;
        if (Self::LOWEST..=Self::HIGHEST).contains(&priority) { Ok(priority) } else { Err(InvalidPriority) }
    }

    /// The number.
    pub fn get(self) -> i8 {
        self.0
    }

    /// All priorities, the highest first.
    pub fn all() -> impl DoubleEndedIterator<Item = Self> {
        (Self::LOWEST.0..=Self::HIGHEST.0).rev().map(Self)
    }

    /// Whether it is the priority of a run that was started without one.
    pub fn is_normal(&self) -> bool {
        *self == Self::NORMAL
    }
}

impl FromStr for Priority {
    type Err = InvalidPriority;

    fn from_str(text: &str) -> Result<Self, InvalidPriority> {
        let named = Self::NAMES.iter().find(|(name, _)| *name == text);
        match named {
            Some((_, priority)) => Ok(*priority),
            None => text.parse().map_err(|_| InvalidPriority).and_then(Self::new),
        }
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for Priority {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(i64::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Priority {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Priority".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Which of the runs that no process drives is claimed first: the one with the highest priority.",
            "type": "integer",
            "minimum": Self::LOWEST.0,
            "maximum": Self::HIGHEST.0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_priority_is_a_small_number_or_a_name() {
        for (text, number) in [("low", -5), ("normal", 0), ("high", 5), ("9", 9), ("-9", -9), ("0", 0)] {
            assert_eq!(text.parse::<Priority>().unwrap().get(), number, "{text}");
        }
        for text in ["", "10", "-10", "urgent", "1.5", "High", "99999999999999999999"] {
            assert_eq!(text.parse::<Priority>(), Err(InvalidPriority), "{text}");
        }
        assert_eq!(serde_json::from_str::<Priority>("-9").unwrap(), Priority::LOWEST);
        assert!(serde_json::from_str::<Priority>("300").unwrap_err().to_string().contains("from -9 to 9"));
        assert_eq!(
            Priority::all().map(Priority::get).collect::<Vec<_>>(),
            (-9..=9).rev().collect::<Vec<_>>()
        );
    }
}
