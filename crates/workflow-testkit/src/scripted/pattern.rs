//! Patterns of nodes.

use std::fmt;

use workflow_core::ids::NodePath;

/// Matches nodes by their path; omitted parts match anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    text: String,
    iteration: Option<u32>,
    stage: String,
    lane: Option<u32>,
    node: Option<String>,
    items: Option<Vec<u32>>,
}

impl Pattern {
    /// Parses `[iteration/]stage[lane][/node[item]…]`. `None` if the text does not have that form.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut parts: Vec<&str> = text.split('/').collect();
        let iteration = parts.first().and_then(|part| part.parse().ok()).filter(|_| parts.len() > 1);
        if iteration.is_some() {
            parts.remove(0);
        }
        let (stage, node) = match parts[..] {
            [stage] => (stage, None),
            [stage, node] => (stage, Some(node)),
            _ => return None,
        };
        let (stage, lanes) = indexed(stage)?;
        let lane = match lanes[..] {
            [] => None,
            [lane] => Some(lane),
            _ => return None,
        };
        let (node, items) = match node.map(indexed) {
            None => (None, None),
            Some(indexed) => {
                let (node, items) = indexed?;
                (Some(node.to_owned()), Some(items).filter(|items| !items.is_empty()))
            }
        };
        Some(Self { text: text.to_owned(), iteration, stage: stage.to_owned(), lane, node, items })
    }

    pub(super) fn matches(&self, path: &NodePath) -> bool {
        self.iteration.is_none_or(|iteration| iteration == path.iteration)
            && self.stage == path.stage.as_str()
            && self.lane.is_none_or(|lane| lane == path.lane)
            && self.node.as_deref().is_none_or(|node| node == path.node.as_str())
            && self.items.as_ref().is_none_or(|items| *items == path.items)
    }
}

/// A name with the numbers in brackets after it.
fn indexed(text: &str) -> Option<(&str, Vec<u32>)> {
    let (name, numbers) = match text.split_once('[') {
        None => (text, Vec::new()),
        Some((name, rest)) => {
            let numbers = rest.strip_suffix(']')?.split("][").map(str::parse);
            (name, numbers.collect::<Result<_, _>>().ok()?)
        }
    };
    (!name.is_empty()).then_some((name, numbers))
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
