//! Operations on workflows: list, read, change, check, draw, export, import, run.

mod change;
mod check;
mod dry_run;
mod get;
mod graph;
mod list;
mod start;
mod transfer;

pub use crate::planned::{PlannedLane, PlannedNode, PlannedStage};
pub use crate::problem::{Fix, Problem};
pub use change::{
    CreateWorkflow, DeleteWorkflow, DuplicateWorkflow, EditText, EditedText, FieldEdit, UpdateWorkflow,
};
pub(crate) use check::CheckedText;
pub use check::{Effective, TextValues, ValidateWorkflow, Validated};
pub use dry_run::{DryRun, Input, InputList, ListInputs, Missing};
pub use get::{GetWorkflow, Range, WorkflowDetail, WorkflowText};
pub use graph::{BoxKind, GraphBox, GraphFormat, GraphLine, GraphWorkflow, LineKind, WorkflowGraph};
pub use list::{LastRun, ListWorkflows, WorkflowList, WorkflowOrder, WorkflowSummary};
pub use start::{RunWorkflow, StartOutcome, Started};
pub use transfer::{ExportWorkflow, Exported, ImportItem, ImportState, ImportWorkflow, Imported};
