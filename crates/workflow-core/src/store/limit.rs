//! Limits of how many runs with the same value of a label are driven at a time.

use crate::ids::is_id;

/// How many runs with the same value of a label may be held at a time: runs of one tenant, for instance.
///
/// ```
/// use workflow_core::store::LabelLimit;
///
/// let limit: LabelLimit = "tenant=4".parse()?;
/// assert_eq!((limit.label(), limit.most()), ("tenant", 4));
/// # Ok::<(), workflow_core::store::InvalidLimit>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelLimit {
    label: String,
    most: usize,
}

/// What is not a [`LabelLimit`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "write LABEL=N: a label, and how many runs with the same value of it may be driven at a time, at least 1"
)]
#[non_exhaustive]
pub struct InvalidLimit;

impl LabelLimit {
    /// At most `most` runs with the same value of `label`. Runs without that label are not limited.
    ///
    /// # Errors
    ///
    /// [`InvalidLimit`] if `label` is not the [name of a label](crate::labels::check_labels), or `most` is 0.
    pub fn new(label: impl Into<String>, most: usize) -> Result<Self, InvalidLimit> {
        let label = label.into();
        if is_id(&label) && most > 0 { Ok(Self { label, most }) } else { Err(InvalidLimit) }
    }

    /// The name of the label: ASCII letters, digits, `-` and `_`.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// How many runs with the same value of the label may be held at a time.
    pub fn most(&self) -> usize {
        self.most
    }
}

impl std::str::FromStr for LabelLimit {
    type Err = InvalidLimit;

    fn from_str(text: &str) -> Result<Self, InvalidLimit> {
        let (label, most) = text.split_once('=').ok_or(InvalidLimit)?;
        Self::new(label, most.parse().map_err(|_| InvalidLimit)?)
    }
}

/// How many more runs of each value may be held.
#[derive(Debug)]
pub struct Room<'l> {
    limit: &'l LabelLimit,
    held: std::collections::HashMap<String, usize>,
}

impl<'l> Room<'l> {
    /// Room within a limit, as long as no run is held.
    pub fn new(limit: &'l LabelLimit) -> Self {
        Self { limit, held: std::collections::HashMap::new() }
    }

    /// Counts a run that is held.
    pub fn held(&mut self, head: &super::RunHead) {
        if let Some(value) = head.labels.get(&self.limit.label) {
            *self.held.entry(value.clone()).or_default() += 1;
        }
    }

    /// Whether a run may be claimed beside those that are held.
    pub fn is_for(&self, head: &super::RunHead) -> bool {
        let value = head.labels.get(&self.limit.label);
        value.and_then(|value| self.held.get(value)).is_none_or(|held| *held < self.limit.most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_names_a_label_and_a_number() {
        assert_eq!("tenant=1".parse(), LabelLimit::new("tenant", 1));
        for text in ["", "tenant", "tenant=", "tenant=0", "tenant=-1", "ten ant=1", "=1", "a=b=1"] {
            assert_eq!(text.parse::<LabelLimit>(), Err(InvalidLimit), "{text}");
        }
    }
}
