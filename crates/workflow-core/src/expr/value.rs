//! JSON values whose strings are templates.

use serde_json::Value;

use super::{Name, NameError, Scope, SyntaxError, Template};

/// A JSON value whose strings, at any depth, are templates: what stands under `with`, `inputs` and
/// `set`. Keys of objects are not templates.
#[derive(Debug, Clone, PartialEq)]
pub struct ValueTemplate(Node);

#[derive(Debug, Clone, PartialEq)]
enum Node {
    /// A value without expressions, its strings already in their final form.
    Literal(Value),
    Text(Template),
    Array(Vec<Node>),
    Object(Vec<(String, Node)>),
}

/// As deep as `serde_json` reads.
const DEEPEST: usize = 128;

impl ValueTemplate {
    /// Parses every string of `value`.
    ///
    /// # Errors
    ///
    /// The first [`SyntaxError`]. Its offset counts within the string that it is about.
    pub fn parse(value: &Value) -> Result<Self, SyntaxError> {
        Node::parse(value, DEEPEST).map(Self)
    }

    /// Whether there are no expressions in it.
    pub fn is_literal(&self) -> bool {
        matches!(self.0, Node::Literal(_))
    }

    /// The name, when it is a text that is one expression and nothing else.
    pub fn as_name(&self) -> Option<&Name> {
        match &self.0 {
            Node::Text(template) => template.as_name(),
            _ => None,
        }
    }

    /// Whether no expression decides on the member `key` of an object, or on the item `index` of that
    /// member.
    pub(crate) fn is_literal_at(&self, key: &str, index: Option<usize>) -> bool {
        let Node::Object(members) = &self.0 else { return self.is_literal() };
        let Some((_, member)) = members.iter().find(|(name, _)| name == key) else { return true };
        match (member, index) {
            (Node::Array(items), Some(index)) => items.get(index).is_none_or(Node::is_literal),
            _ => member.is_literal(),
        }
    }

    /// The names that it refers to, in order.
    pub fn names(&self) -> impl Iterator<Item = &Name> {
        let mut names = Vec::new();
        self.0.names(&mut names);
        names.into_iter()
    }

    /// The value with all strings rendered; see [`Template::render`].
    ///
    /// # Errors
    ///
    /// [`NameError`] for the first name that is absent and has no default.
    pub fn render(&self, scope: &dyn Scope) -> Result<Value, NameError> {
        self.0.render(scope)
    }
}

impl Node {
    fn parse(value: &Value, deeper: usize) -> Result<Self, SyntaxError> {
        let Some(deeper) = deeper.checked_sub(1) else {
            return Err(SyntaxError::new(0, format!("a value can be nested {DEEPEST} deep: flatten it")));
        };
        let node = match value {
            Value::String(text) => {
                let template = Template::parse(text)?;
                match template.as_literal() {
                    Some(text) => Self::Literal(text.into()),
                    None => Self::Text(template),
                }
            }
            Value::Array(items) => {
                let nodes =
                    items.iter().map(|item| Self::parse(item, deeper)).collect::<Result<Vec<_>, _>>()?;
                if nodes.iter().all(Self::is_literal) {
                    Self::Literal(nodes.into_iter().filter_map(Self::into_literal).collect())
                } else {
                    Self::Array(nodes)
                }
            }
            Value::Object(members) => {
                let nodes = members
                    .iter()
                    .map(|(key, value)| Ok((key.clone(), Self::parse(value, deeper)?)))
                    .collect::<Result<Vec<_>, _>>()?;
                if nodes.iter().all(|(_, node)| node.is_literal()) {
                    let members =
                        nodes.into_iter().filter_map(|(key, node)| Some((key, node.into_literal()?)));
                    Self::Literal(Value::Object(members.collect()))
                } else {
                    Self::Object(nodes)
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => Self::Literal(value.clone()),
        };
        Ok(node)
    }

    fn is_literal(&self) -> bool {
        matches!(self, Self::Literal(_))
    }

    fn into_literal(self) -> Option<Value> {
        match self {
            Self::Literal(value) => Some(value),
            _ => None,
        }
    }

    fn names<'n>(&'n self, names: &mut Vec<&'n Name>) {
        match self {
            Self::Literal(_) => {}
            Self::Text(template) => names.extend(template.names()),
            Self::Array(items) => items.iter().for_each(|item| item.names(names)),
            Self::Object(members) => members.iter().for_each(|(_, value)| value.names(names)),
        }
    }

    fn render(&self, scope: &dyn Scope) -> Result<Value, NameError> {
        match self {
            Self::Literal(value) => Ok(value.clone()),
            Self::Text(template) => template.render(scope),
            Self::Array(items) => items.iter().map(|item| item.render(scope)).collect(),
            Self::Object(members) => members
                .iter()
                .map(|(key, value)| Ok((key.clone(), value.render(scope)?)))
                .collect::<Result<serde_json::Map<_, _>, _>>()
                .map(Value::Object),
        }
    }
}
