//! The variables that a new run is given.

use indexmap::IndexMap;
use serde_json::Value;
use workflow_core::definition::{VariableType, WorkflowInput};

use crate::args::RunArgs;

/// The variables of the command line. The text of one that the workflow declares is read by its type; where it cannot
/// be, it stays a text, and what checks the variables says so.
pub(super) fn given(
    args: &RunArgs,
    inputs: Option<&IndexMap<String, WorkflowInput>>,
) -> IndexMap<String, Value> {
    let files = args.var_file.iter().flatten().map(|(name, value)| (name.clone(), value.clone()));
    let typed = args.vars.iter().map(|(name, value)| {
        let input = inputs.and_then(|inputs| inputs.get(name));
        let read = input.zip(value.as_str()).and_then(|(input, text)| read(input, text));
        (name.clone(), read.unwrap_or_else(|| value.clone()))
    });
    files.chain(typed).collect()
}

/// The value of a text, also one that is of the type and not among the choices.
fn read(input: &WorkflowInput, text: &str) -> Option<Value> {
    let any = || serde_json::from_str(text).ok().filter(|_| input.kind != VariableType::String);
    input.read(text).ok().or_else(any)
}
