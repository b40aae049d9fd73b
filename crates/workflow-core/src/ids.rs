//! Names and addresses: the ids that events, stores and hosts use.

use std::borrow::Borrow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Why a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a {kind} id: use 1 to 64 letters, digits, `-` and `_`")]
pub struct InvalidId {
    kind: &'static str,
    text: String,
}

/// Whether `text` is 1–64 ASCII letters, digits, `-` or `_`: the form of every id.
pub fn is_id(text: &str) -> bool {
    let fits = |byte| matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_');
    // Without a branch for each byte: every run has a new id.
    (1..=64).contains(&text.len()) && text.bytes().fold(true, |all, byte| all & fits(byte))
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        ///
        /// 1–64 ASCII letters, digits, `-` and `_`. Cheap to clone.
        #[derive(Clone, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        // It is mostly compared with a clone of itself, whose text need not be read. Inlined, as is its hash: a step
        // looks up a dozen ids.
        impl PartialEq for $name {
            #[inline]
            fn eq(&self, other: &Self) -> bool {
                Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
            }
        }

        impl Hash for $name {
            #[inline]
            fn hash<H: Hasher>(&self, state: &mut H) {
                self.0.hash(state);
            }
        }

        impl $name {
            /// Checks `text` and makes an id of it.
            ///
            /// # Errors
            ///
            /// [`InvalidId`] when `text` is not of the form of an id.
            pub fn new(text: impl AsRef<str>) -> Result<Self, InvalidId> {
                let text = text.as_ref();
                if is_id(text) {
                    Ok(Self(text.into()))
                } else {
                    Err(InvalidId { kind: $kind, text: text.chars().take(80).collect() })
                }
            }

            /// The id as text.
            #[inline]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            #[inline]
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                Self::new(text)
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0.as_ref().to_owned()
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$" })
            }
        }
    };
}

id!(
    /// The id of a workflow definition.
    ///
    /// ```
    /// use workflow_core::ids::WorkflowId;
    ///
    /// let id: WorkflowId = "release-notes".parse()?;
    /// assert_eq!(id.as_str(), "release-notes");
    /// assert!("../etc".parse::<WorkflowId>().is_err());
    /// # Ok::<(), workflow_core::ids::InvalidId>(())
    /// ```
    WorkflowId, "workflow"
);
id!(
    /// The id of a stage.
    ///
    /// ```
    /// use workflow_core::ids::StageId;
    ///
    /// let id: StageId = "plan".parse()?;
    /// assert_eq!(id.as_str(), "plan");
    /// assert!("../etc".parse::<StageId>().is_err());
    /// # Ok::<(), workflow_core::ids::InvalidId>(())
    /// ```
    StageId, "stage"
);
id!(
    /// The id of a node of a stage's graph.
    NodeId, "node"
);
id!(
    /// The id of a role.
    RoleId, "role"
);
id!(
    /// The id of a profile.
    ProfileId, "profile"
);
id!(
    /// The id of a run: the caller's choice, or one the engine made.
    ///
    /// ```
    /// use workflow_core::ids::RunId;
    ///
    /// let id: RunId = "release-1-4-0".parse()?;
    /// assert_eq!(id.as_str(), "release-1-4-0");
    /// assert!("../etc".parse::<RunId>().is_err());
    /// # Ok::<(), workflow_core::ids::InvalidId>(())
    /// ```
    RunId, "run"
);

/// The position of a node in a run: `iteration/stage[lane]/node`, for instance `2/test[1]/run`. An item of a
/// `foreach` node has its index after that, counted from 0: `1/plan[0]/review[3]`. A node in the body of a loop has the
/// loop before it, with its iteration, counted from 0: `1/plan[0]/fix[2]/check`; one in the graph that is run for each item of
/// a `foreach` has the item before it: `1/plan[0]/review[3]/check`.
///
/// Cheap to clone, because most events and messages name a node.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NodePath(Arc<NodePathParts>);

/// The parts of a [`NodePath`], which dereferences to them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodePathParts {
    /// The iteration, counted from 1.
    pub iteration: u32,
    /// The stage.
    pub stage: StageId,
    /// The lane: the index of its provider among the stage's, counted from 0.
    pub lane: u32,
    /// The loop in whose body the node is, and its iteration, or the `foreach`, and its item; `None` for a node of the graph
    /// itself.
    pub within: Option<Box<Within>>,
    /// The node in the stage's graph.
    pub node: NodeId,
    /// The item of a `foreach` node, and within it the item of one in its body; empty for a node itself.
    pub items: Vec<u32>,
}

/// An iteration of a loop in a graph, or an item of a `foreach` whose body is a graph.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Within {
    /// The loop, or the `foreach`.
    pub node: NodeId,
    /// The iteration, or the item, counted from 0.
    pub number: u32,
}

impl NodePath {
    /// The path of an item of the `foreach` at this path.
    #[must_use]
    pub fn item(&self, number: u32) -> Self {
        let mut items = Vec::with_capacity(self.items.len() + 1);
        items.extend_from_slice(&self.items);
        items.push(number);
        self.with_items(items)
    }

    /// The `foreach` that the item at this path belongs to.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        let (_, items) = self.items.split_last()?;
        Some(self.with_items(items.to_vec()))
    }

    /// The path of a node in the body of the loop, or the `foreach`, whose iteration or item is at this path.
    #[must_use]
    pub fn inside(&self, id: &NodeId) -> Option<Self> {
        let [number] = *self.items.as_slice() else { return None };
        let within = Some(Box::new(Within { node: self.node.clone(), number }));
        let NodePathParts { iteration, stage, lane, .. } = &**self;
        let (iteration, stage, lane) = (*iteration, stage.clone(), *lane);
        Some(NodePathParts { iteration, stage, lane, within, node: id.clone(), items: Vec::new() }.into())
    }

    /// The path of the iteration, or the item, in whose body the node at this path is.
    #[must_use]
    pub fn owner(&self) -> Option<Self> {
        let Within { node, number } = self.within.as_deref()?;
        let NodePathParts { iteration, stage, lane, .. } = &**self;
        let (iteration, stage, lane) = (*iteration, stage.clone(), *lane);
        let (node, items) = (node.clone(), vec![*number]);
        Some(NodePathParts { iteration, stage, lane, within: None, node, items }.into())
    }

    fn with_items(&self, items: Vec<u32>) -> Self {
        let NodePathParts { iteration, stage, lane, within, node, .. } = &**self;
        let (iteration, lane) = (*iteration, *lane);
        let (stage, within, node) = (stage.clone(), within.clone(), node.clone());
        NodePathParts { iteration, stage, lane, within, node, items }.into()
    }
}

impl From<NodePathParts> for NodePath {
    fn from(parts: NodePathParts) -> Self {
        Self(Arc::new(parts))
    }
}

impl Deref for NodePath {
    type Target = NodePathParts;

    fn deref(&self) -> &NodePathParts {
        &self.0
    }
}

/// Why a text is not a [`NodePath`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a node path: write iteration/stage[lane]/node, as in `1/plan[0]/run`, with [item] after it, and \
     node[number]/ before a node in the body of a loop or a `foreach`"
)]
pub struct InvalidPath(String);

impl fmt::Display for NodePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}[{}]/", self.iteration, self.stage, self.lane)?;
        if let Some(within) = &self.within {
            write!(f, "{}[{}]/", within.node, within.number)?;
        }
        f.write_str(self.node.as_str())?;
        self.items.iter().try_for_each(|item| write!(f, "[{item}]"))
    }
}

impl fmt::Debug for NodePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for NodePath {
    type Err = InvalidPath;

    fn from_str(text: &str) -> Result<Self, InvalidPath> {
        let parse = || {
            let (iteration, rest) = text.split_once('/')?;
            let (stage, node) = rest.split_once('/')?;
            let (stage, lane) = stage.strip_suffix(']')?.split_once('[')?;
            let (within, node) = match node.split_once('/') {
                Some((within, node)) => {
                    let (repeat, number) = within.strip_suffix(']')?.split_once('[')?;
                    let (node_of_loop, number) = (NodeId::new(repeat).ok()?, number.parse().ok()?);
                    (Some(Box::new(Within { node: node_of_loop, number })), node)
                }
                None => (None, node),
            };
            let (node, items) = match node.split_once('[') {
                Some((node, items)) => (node, items.strip_suffix(']')?.split("][").collect()),
                None => (node, Vec::new()),
            };
            let parts = NodePathParts {
                iteration: iteration.parse().ok()?,
                stage: StageId::new(stage).ok()?,
                lane: lane.parse().ok()?,
                within,
                node: NodeId::new(node).ok()?,
                items: items.into_iter().map(|item| item.parse().ok()).collect::<Option<_>>()?,
            };
            Some(parts.into())
        };
        parse().ok_or_else(|| InvalidPath(text.chars().take(200).collect()))
    }
}

impl TryFrom<String> for NodePath {
    type Error = InvalidPath;

    fn try_from(text: String) -> Result<Self, InvalidPath> {
        text.parse()
    }
}

impl From<NodePath> for String {
    fn from(path: NodePath) -> String {
        path.to_string()
    }
}

impl schemars::JsonSchema for NodePath {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "NodePath".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "iteration/stage[lane]/node, with [item] after it; a node in the body of a loop or a foreach has \
                            node[number]/ before it",
            "pattern": "^[0-9]+/[A-Za-z0-9_-]{1,64}\\[[0-9]+\\]/([A-Za-z0-9_-]{1,64}\\[[0-9]+\\]/)?[A-Za-z0-9_-]{1,64}(\\[[0-9]+\\])*$",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_written_and_read_back() {
        let path: NodePath = "2/test[1]/run".parse().unwrap();
        assert_eq!((path.iteration, path.lane), (2, 1));
        assert_eq!(path.to_string(), "2/test[1]/run");
        let item = path.item(0).item(12);
        assert_eq!(item.to_string(), "2/test[1]/run[0][12]");
        assert_eq!(item.to_string().parse(), Ok(item.clone()));
        assert_eq!(item.parent(), Some(path.item(0)));
        assert_eq!(path.parent(), None);
    }

    #[test]
    fn a_path_in_the_body_of_a_loop_is_written_and_read_back() {
        let path: NodePath = "1/test[0]/fix[2]/check[3]".parse().unwrap();
        assert_eq!((path.node.as_str(), &*path.items), ("check", &[3][..]));
        let within = path.within.as_deref().map(|within| (within.node.as_str(), within.number));
        assert_eq!(within, Some(("fix", 2)));
        assert_eq!(path.to_string(), "1/test[0]/fix[2]/check[3]");
        assert_eq!(path.parent().unwrap().to_string(), "1/test[0]/fix[2]/check");
        let owner = path.owner().unwrap();
        assert_eq!(owner.to_string(), "1/test[0]/fix[2]");
        assert_eq!(owner.inside(&path.node), path.parent());
    }

    #[test]
    fn an_invalid_path_is_refused() {
        for text in [
            "",
            "1",
            "1/plan/run",
            "x/plan[0]/run",
            "1/plan[0/run",
            "1/pl an[0]/run",
            "1/plan[0]/",
            "1/plan[0]/run[",
            "1/plan[0]/run[]",
            "1/plan[0]/run[1]2",
            "1/plan[0]/run[1][x]",
            "1/plan[0]/fix/check",
            "1/plan[0]/fix[1][2]/check",
            "1/plan[0]/fix[1]/in[2]/check",
        ] {
            assert!(text.parse::<NodePath>().is_err(), "{text}");
        }
    }

    #[test]
    fn ids_are_checked_on_the_way_in() {
        assert!(StageId::new("plan-2_b").is_ok());
        for text in ["", "a b", "ü", "../x", &"x".repeat(65)] {
            assert!(StageId::new(text).is_err(), "{text}");
        }
        assert!(serde_json::from_str::<StageId>("\"a/b\"").is_err());
    }
}
