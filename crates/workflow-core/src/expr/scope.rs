//! Where the names of a template are looked up.

use std::borrow::Cow;

use serde_json::Value;

use super::Name;

/// The names that a template can refer to at the moment it is rendered.
///
/// An implementor looks at [`Name::root`] first and materialises no more than that name needs;
/// [`Name::select`] walks the rest of the way. A JSON object is a scope of its own members.
pub trait Scope {
    /// The value of `name`, or `None` when there is none. `null` is a value.
    fn lookup(&self, name: &Name) -> Option<Cow<'_, Value>>;

    /// The names that exist, for the message about one that does not: `vars.a`,
    /// `stages.plan.output`.
    fn known(&self) -> Vec<String>;
}

impl Scope for Value {
    fn lookup(&self, name: &Name) -> Option<Cow<'_, Value>> {
        name.select(0, Cow::Borrowed(self))
    }

    fn known(&self) -> Vec<String> {
        let mut known = Vec::new();
        for (root, value) in self.as_object().into_iter().flatten() {
            match value {
                Value::Object(members) if !members.is_empty() => {
                    known.extend(members.keys().map(|key| format!("{root}.{key}")));
                }
                _ => known.push(root.clone()),
            }
        }
        known
    }
}
