//! From a workflow to the text of a file.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::definition::{Budget, LoopSpec, Workflow};
use crate::ids::{StageId, WorkflowId};

/// A workflow as a file has it: the header under `workflow`, then one key per stage.
pub(in crate::definition) fn write(workflow: &Workflow) -> Result<String, serde_yaml::Error> {
    serde_yaml::to_string(&File(workflow))
}

struct File<'w>(&'w Workflow);

#[derive(Serialize)]
struct Header<'w> {
    id: &'w WorkflowId,
    name: &'w str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'w str>,
    stages: Vec<&'w StageId>,
    #[serde(rename = "loop", skip_serializing_if = "Option::is_none")]
    repeat: Option<&'w LoopSpec>,
    #[serde(skip_serializing_if = "Option::is_none")]
    budget: Option<&'w Budget>,
}

impl Serialize for File<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Workflow { id, name, description, repeat, budget, stages } = self.0;
        let header = Header {
            id,
            name,
            description: description.as_deref(),
            stages: stages.keys().collect(),
            repeat: repeat.as_ref(),
            budget: budget.as_ref(),
        };
        let mut file = serializer.serialize_map(Some(stages.len() + 1))?;
        file.serialize_entry("workflow", &header)?;
        for (id, stage) in stages {
            file.serialize_entry(id, stage)?;
        }
        file.end()
    }
}
