//! The form that a workflow has in a file: a header under `workflow`, then one key per stage.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;

use super::duration::Period;
use super::input::WorkflowInput;
use super::workflow::{Budget, Concurrency, LoopSpec, Stage, Workflow, WorktreeSpec};
use crate::ids::{ProfileId, StageId, WorkflowId};
use crate::priority::Priority;
use crate::role::VariableType;

/// Writes a workflow in the form of a file.
pub(crate) struct File<'w>(pub(crate) &'w Workflow);

/// What a workflow is called and which stages it has.
#[derive(serde::Serialize, JsonSchema)]
struct Header<'w> {
    /// The id; the file's name gives it where it is left out.
    #[schemars(with = "Option<WorkflowId>")]
    id: &'w WorkflowId,
    /// A name for people; default: the id.
    #[schemars(with = "Option<String>", length(min = 2, max = 100))]
    name: &'w str,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'w str>,
    /// The stages, in the order they run.
    #[schemars(length(min = 1), extend("uniqueItems" = true))]
    stages: Vec<&'w StageId>,
    /// Stages that run after these however they end: after a success, a failure or a cancellation. Their failure never
    /// replaces that of an earlier stage.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schemars(with = "Option<Vec<StageId>>", extend("uniqueItems" = true))]
    finally: &'w [StageId],
    /// How long the stages of `finally` may take together; default: 10 minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    finally_timeout: Option<Period>,
    /// The variables that a run is given when it starts, where they are declared: a run is then given no others.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<BTreeMap<String, InputEntry>>")]
    inputs: Option<&'w IndexMap<String, WorkflowInput>>,
    /// What stages have where they leave a field out: any field of a stage. `with`, `env` and `set` are merged, entry by
    /// entry; the options of a provider are left out at a stage that names another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    defaults: Option<&'w Stage>,
    /// The loop, where there is one.
    #[serde(rename = "loop", skip_serializing_if = "Option::is_none")]
    repeat: Option<&'w LoopSpec>,
    /// Limits of the whole run.
    #[serde(skip_serializing_if = "Option::is_none")]
    budget: Option<&'w Budget>,
    /// The output of a run: a value in which `${…}` is resolved when the run completes. Default: the output of the last
    /// stage that was not skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<&'w Value>,
    /// That runs work in a git worktree of their own, and on which branch; `{}` for the defaults. The start of a run can
    /// say otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    worktree: Option<&'w WorktreeSpec>,
    /// That runs with the same key do not work at the same time, in all engines that share the store.
    #[serde(skip_serializing_if = "Option::is_none")]
    concurrency: Option<&'w Concurrency>,
    /// Which of the runs that wait for a worker is first: the one with the highest priority, from -9 to 9, or `low` (-5), `normal`
    /// (0) or `high` (5); default: 0. The start of a run can say otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<PriorityEntry>")]
    priority: Option<Priority>,
    /// Whether the workflow is neither changed nor deleted until this is removed. Runs do not depend on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    protected: Option<bool>,
}

impl Serialize for File<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Workflow {
            id,
            name,
            description,
            inputs,
            defaults,
            repeat,
            budget,
            output,
            worktree,
            concurrency,
            priority,
            stages,
            finally,
            finally_timeout,
        } = self.0;
        let header = Header {
            id,
            name,
            description: description.as_deref(),
            stages: stages.keys().filter(|stage| !finally.contains(stage)).collect(),
            finally,
            finally_timeout: *finally_timeout,
            inputs: inputs.as_ref(),
            defaults: defaults.as_deref(),
            repeat: repeat.as_ref(),
            budget: budget.as_ref(),
            output: output.as_ref(),
            worktree: worktree.as_deref(),
            concurrency: concurrency.as_deref(),
            priority: *priority,
            protected: None,
        };
        let mut file = serializer.serialize_map(Some(stages.len() + 1))?;
        file.serialize_entry("workflow", &header)?;
        for (id, stage) in stages {
            file.serialize_entry(id, stage)?;
        }
        file.end()
    }
}

/// A workflow file: the key `workflow`, and one key per stage.
#[derive(JsonSchema)]
#[schemars(title = "Workflow file")]
#[allow(dead_code, reason = "describes the form of a file to schemars")]
pub(crate) struct WorkflowFile<'w> {
    workflow: Header<'w>,
    #[schemars(flatten)]
    stages: BTreeMap<String, StageEntry>,
}

/// A priority as a number or a name.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[allow(dead_code, reason = "describes the form of a file to schemars")]
enum PriorityEntry {
    Number(Priority),
    Name(PriorityName),
}

#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
#[allow(dead_code, reason = "describes the form of a file to schemars")]
enum PriorityName {
    Low,
    Normal,
    High,
}

/// A stage, or in short the name of its profile.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[allow(dead_code, reason = "describes the form of a file to schemars")]
enum StageEntry {
    Profile(ProfileId),
    Fields(Box<Stage>),
    Defaults(()),
}

/// An input, or in short its type.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[allow(dead_code, reason = "describes the form of a file to schemars")]
enum InputEntry {
    Type(VariableType),
    Fields(Box<WorkflowInput>),
    Defaults(()),
}
