//! Texts with `${…}` in them.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::Value;

use super::{Name, NameError, Scope, SyntaxError};
use crate::exact;

/// A text with `${…}` in it, parsed once. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Arc<[Part]>);

#[derive(Debug, PartialEq, Eq)]
enum Part {
    Text(Box<str>),
    Name(Name),
}

impl Template {
    /// Parses a text; see the [module](super) for its syntax.
    ///
    /// # Errors
    ///
    /// [`SyntaxError`] at an expression that is not closed or not well-formed.
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut at = 0;
        while let Some(found) = text[at..].find('$') {
            let dollar = at + found;
            literal.push_str(&text[at..dollar]);
            let rest = &text[dollar..];
            if rest.starts_with("$${") {
                literal.push_str("${");
                at = dollar + 3;
            } else if rest.starts_with("${") {
                if !literal.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut literal).into()));
                }
                let name;
                (name, at) = Name::parse(text, dollar)?;
                parts.push(Part::Name(name));
            } else {
                literal.push('$');
                at = dollar + 1;
            }
        }
        literal.push_str(&text[at..]);
        if !literal.is_empty() {
            parts.push(Part::Text(literal.into()));
        }
        Ok(Self(parts.into()))
    }

    /// Whether the text has no expressions.
    pub fn is_literal(&self) -> bool {
        self.as_literal().is_some()
    }

    /// The text, when it has no expressions; `$${` has become `${` in it.
    pub fn as_literal(&self) -> Option<&str> {
        match &*self.0 {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The name, when the text is one expression and nothing else.
    pub fn as_name(&self) -> Option<&Name> {
        match &*self.0 {
            [Part::Name(name)] => Some(name),
            _ => None,
        }
    }

    /// The names that the text refers to, in order.
    pub fn names(&self) -> impl Iterator<Item = &Name> {
        self.0.iter().filter_map(|part| match part {
            Part::Name(name) => Some(name),
            Part::Text(_) => None,
        })
    }

    /// The text with its values put in. A text that is one expression and nothing else becomes
    /// that value, whatever its type.
    ///
    /// # Errors
    ///
    /// [`NameError`] when a name is absent and has no default.
    pub fn render(&self, scope: &dyn Scope) -> Result<Value, NameError> {
        match &*self.0 {
            [Part::Name(name)] => Ok(resolve(name, scope)?.into_owned()),
            _ => Ok(Value::String(self.render_text(scope)?)),
        }
    }

    /// The text with its values put in as text: strings as they are, other values as compact JSON.
    ///
    /// # Errors
    ///
    /// [`NameError`] when a name is absent and has no default.
    pub fn render_text(&self, scope: &dyn Scope) -> Result<String, NameError> {
        if let Some(text) = self.as_literal() {
            return Ok(text.to_owned());
        }
        let mut text = String::new();
        for part in &*self.0 {
            match part {
                Part::Text(literal) => text.push_str(literal),
                Part::Name(name) => match resolve(name, scope)?.as_ref() {
                    Value::String(value) => text.push_str(value),
                    value => text.push_str(&exact::text(value)),
                },
            }
        }
        Ok(text)
    }
}

fn resolve<'s>(name: &Name, scope: &'s dyn Scope) -> Result<Cow<'s, Value>, NameError> {
    match (scope.lookup(name), name.default_text()) {
        (Some(value), _) => Ok(value),
        (None, Some(default)) => Ok(Cow::Owned(default.into())),
        (None, None) => Err(NameError::new(name, scope)),
    }
}
