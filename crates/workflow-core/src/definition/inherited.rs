//! Values of stages that are written under `workflow.defaults`.

use serde_json::Value;

use super::model::steps::{self, Step};
use super::yaml::{Kind, Node};

/// The path under `workflow.defaults` where the value at a path of a stage is written; none where the stage has the
/// value itself, and where neither has it.
pub(super) fn inherited(tree: &Node, path: &str) -> Option<String> {
    let defaults = &tree.get("workflow")?.value.get("defaults")?.value;
    let steps = steps::parse(path)?;
    let (Step::Key(stage), inside) = steps.split_first()? else { return None };
    if stage == "workflow" || inside.is_empty() {
        return None;
    }
    let own = tree.get(stage).map(|entry| &entry.value);
    let is_profile = |own: &Node| matches!(own.kind, Kind::Scalar(_, Value::String(_)));
    let names_profile = own.is_some_and(is_profile) && inside == [Step::Key("profile".to_owned())];
    if names_profile || own.is_some_and(|own| has(own, inside)) || !has(defaults, inside) {
        return None;
    }
    Some(format!("workflow.defaults{}", path.strip_prefix(stage.as_str())?))
}

fn has(node: &Node, steps: &[Step]) -> bool {
    let found = steps.iter().try_fold(node, |node, step| match step {
        Step::Key(key) => node.get(key).map(|entry| &entry.value),
        Step::Index(index) => node.item(*index),
    });
    found.is_some_and(|node| !node.is_null())
}
