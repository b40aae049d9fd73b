//! Finds fields of files that were read before.

use super::role;
use crate::definition::report::place_of;
use crate::definition::yaml::{self, Node};

/// A file whose fields can be found by their paths.
pub(crate) struct PlacedFile(Option<Node>);

impl PlacedFile {
    /// Reads a YAML file, or the front matter of a role.
    pub(crate) fn read(text: &str) -> Self {
        let front = role::parts(text.as_bytes()).ok().filter(|parts| !parts.front.is_empty());
        let yaml = front.map_or(text, |parts| parts.front);
        Self(yaml::read(yaml.as_bytes()).0)
    }

    /// The line and column of the field at a path, or of as much of it as there is. The stages of assignments may
    /// stand under a key of their own.
    pub(crate) fn place(&self, path: &str) -> (u32, u32) {
        let Some(tree) = &self.0 else { return (1, 1) };
        let under = ["assignments", "stages"].into_iter().find(|key| {
            let first = path.split(['.', '[']).next().unwrap_or_default();
            tree.get(first).is_none() && tree.get(key).is_some()
        });
        let place = match under {
            Some(key) => place_of(tree, &format!("{key}.{path}")),
            None => place_of(tree, path),
        };
        (place.line, place.column)
    }
}
