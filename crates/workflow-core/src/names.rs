//! The names of statuses, classes and kinds: as they are stored, shown and read.

use crate::suggest::near_or_all;

/// A text is not the name of a status, class or kind.
///
/// ```
/// use workflow_core::status::RunStatus;
///
/// let error = "complete".parse::<RunStatus>().unwrap_err();
/// assert_eq!(error.to_string(), "`complete` is not a run status; did you mean `completed`?");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is not a {kind}{}", near_or_all(.name, .known.iter().copied()))]
pub struct UnknownName {
    /// What was to be read: `run status`.
    pub kind: &'static str,
    /// The text, cut after 80 characters.
    pub name: String,
    known: Vec<&'static str>,
}

impl UnknownName {
    pub(crate) fn new(kind: &'static str, name: &str, known: Vec<&'static str>) -> Self {
        Self { kind, name: name.chars().take(80).collect(), known }
    }
}

/// Gives an enum its names, each written once: `ALL`, `as_str`, `Display` and `FromStr`.
macro_rules! names {
    ($type:ident, $kind:literal, $($variant:ident => $name:literal),+ $(,)?) => {
        impl $type {
            /// Every value, in the order of their declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name, as it is stored and as JSON shows it.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name),+
                }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $type {
            type Err = $crate::names::UnknownName;

            fn from_str(name: &str) -> Result<Self, Self::Err> {
                let known = || Self::ALL.iter().map(|known| known.as_str()).collect();
                let found = Self::ALL.iter().find(|known| known.as_str() == name).copied();
                found.ok_or_else(|| $crate::names::UnknownName::new($kind, name, known()))
            }
        }
    };
}
pub(crate) use names;

#[cfg(test)]
mod tests {
    use std::fmt::{Debug, Display};
    use std::str::FromStr;

    use serde::Serialize;

    use crate::definition::NoticeKind;
    use crate::failure::FailureClass;
    use crate::output::OutputKind;
    use crate::status::{RunStatus, StageStatus, WaitReason};

    #[test]
    fn names_are_those_of_the_stored_form_and_read_back() {
        fn holds<T: Copy + Debug + Display + FromStr + PartialEq + Serialize>(all: &[T]) {
            for value in all {
                assert_eq!(serde_json::to_value(value).unwrap(), value.to_string());
                assert_eq!(value.to_string().parse::<T>().ok(), Some(*value));
            }
        }
        holds(RunStatus::ALL);
        holds(StageStatus::ALL);
        holds(WaitReason::ALL);
        holds(FailureClass::ALL);
        holds(OutputKind::ALL);
        holds(NoticeKind::ALL);
    }

    #[test]
    fn an_unknown_name_is_told_with_the_known_ones() {
        let error = "Paused ".parse::<RunStatus>().unwrap_err().to_string();
        assert_eq!(error, "`Paused ` is not a run status; did you mean `paused`?");
        let error = "x".parse::<RunStatus>().unwrap_err().to_string();
        let known = "`pending`, `running`, `paused`, `completed`, `failed` or `cancelled`";
        assert_eq!(error, format!("`x` is not a run status: write {known}"));
    }
}
