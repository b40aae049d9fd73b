//! Who did something to a run: a person, or a program on behalf of one.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An id, a name or a binding is cut to this many characters.
pub const MAX_CHARS: usize = 256;

/// Who started, controlled, answered, forked or migrated a run. It is recorded with the event, and never changes what the
/// engine does.
///
/// The engine believes what the host says: a host makes it from a token or a login that it has checked. The texts can be
/// anything, so whoever shows them to people has to make them harmless.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Actor {
    /// The id: a user, a token, a program.
    id: Box<str>,
    /// The name to show to people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<Box<str>>,
    /// The way by which the request came: `http`, `stdio`, `terminal`, `rust`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    via: Option<Box<str>>,
}

impl Actor {
    /// An actor with an id. Only the first [`MAX_CHARS`] characters of a text are kept.
    ///
    /// ```
    /// use workflow_core::actor::Actor;
    ///
    /// let ana = Actor::new("u-17").name("Ana").via("http");
    /// assert_eq!(ana.to_string(), "Ana (http)");
    /// assert_eq!(Actor::new("u-17").to_string(), "u-17");
    /// ```
    pub fn new(id: impl AsRef<str>) -> Self {
        Self { id: cut(id.as_ref()), name: None, via: None }
    }

    /// Gives the actor a name to show to people.
    #[must_use]
    pub fn name(mut self, name: impl AsRef<str>) -> Self {
        self.name = Some(cut(name.as_ref()));
        self
    }

    /// Says by which way the request came: `http`, `terminal`.
    #[must_use]
    pub fn via(mut self, via: impl AsRef<str>) -> Self {
        self.via = Some(cut(via.as_ref()));
        self
    }

    /// The id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The name to show to people: the id where there is no other.
    pub fn display_name(&self) -> &str {
        self.name.as_deref().filter(|name| !name.is_empty()).unwrap_or(&self.id)
    }

    /// The way by which the request came.
    pub fn binding(&self) -> Option<&str> {
        self.via.as_deref()
    }
}

fn cut(text: &str) -> Box<str> {
    let end = text.char_indices().nth(MAX_CHARS).map_or(text.len(), |(end, _)| end);
    text[..end].into()
}

/// The name, and the way by which the request came.
impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.display_name())?;
        match self.binding() {
            Some(via) => write!(f, " ({via})"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_at_whole_characters_and_absent_ones_are_not_written() {
        let long = "ü".repeat(MAX_CHARS + 1);
        let actor = Actor::new(&long).name(&long).via(&long);
        for text in [actor.id(), actor.display_name(), actor.binding().unwrap()] {
            assert_eq!(text, "ü".repeat(MAX_CHARS));
        }
        assert_eq!(serde_json::to_string(&Actor::new("a")).unwrap(), r#"{"id":"a"}"#);
        let ana = Actor::new("a").name("Ana").via("http");
        let json = serde_json::to_string(&ana).unwrap();
        assert_eq!(json, r#"{"id":"a","name":"Ana","via":"http"}"#);
        assert_eq!(serde_json::from_str::<Actor>(&json).unwrap(), ana);
    }

    #[test]
    fn an_actor_with_an_empty_name_is_shown_by_its_id() {
        assert_eq!(Actor::new("a").name("").via("stdio").to_string(), "a (stdio)");
    }
}
