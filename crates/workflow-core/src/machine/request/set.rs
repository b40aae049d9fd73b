//! The variables that `set` writes.

use std::sync::Arc;

use indexmap::IndexMap;

use crate::data::Data;
use crate::expr::ValueTemplate;
use crate::failure::Failure;
use crate::ids::StageId;
use crate::machine::request::scope::{RunScope, unresolved};
use crate::machine::state::State;
use crate::plan::Plan;

/// The variables that the `set` of a stage writes after its output was changed to another.
///
/// # Errors
///
/// A [`Failure`] that names the variable whose value the new output does not have.
pub fn set_of_edited(
    plan: &Plan,
    state: &State,
    stage: &StageId,
    output: &Data,
) -> Result<IndexMap<String, Data>, Failure> {
    let Some(stage) = plan.stage(stage) else { return Ok(IndexMap::new()) };
    let scope = RunScope { output: Some(output), ..RunScope::stage(state, stage) };
    let set = set(&stage.set, &scope, stage.id.as_str())?;
    Ok(set.map(Arc::unwrap_or_clone).unwrap_or_default())
}

/// Variables that `set` writes, of an output.
pub(in crate::machine) fn set(
    templates: &[(String, ValueTemplate)],
    scope: &RunScope<'_>,
    field: &str,
) -> Result<Option<Arc<IndexMap<String, Data>>>, Failure> {
    if templates.is_empty() {
        return Ok(None);
    }
    let mut set = IndexMap::new();
    for (name, value) in templates {
        let value =
            value.render(scope).map_err(|error| unresolved(&format!("{field}.set.{name}"), &error))?;
        set.insert(name.clone(), Data::new(&value));
    }
    Ok(Some(Arc::new(set)))
}
