//! Operations on workflows: list, read, change, check, export, import, run.

mod change;
mod check;
mod dry_run;
mod get;
mod list;
mod start;
mod transfer;

pub use change::{CreateWorkflow, DeleteWorkflow, DuplicateWorkflow, FieldEdit, UpdateWorkflow};
pub use check::{Fix, Problem, ValidateWorkflow, Validated};
pub use dry_run::{DryRun, Input, InputList, ListInputs, Missing, PlannedLane, PlannedNode, PlannedStage};
pub use get::{GetWorkflow, Range, WorkflowDetail, WorkflowText};
pub use list::{LastRun, ListWorkflows, WorkflowList, WorkflowOrder, WorkflowSummary};
pub use start::{RunWorkflow, StartOutcome, Started};
pub use transfer::{ExportWorkflow, Exported, ImportItem, ImportState, ImportWorkflow, Imported};
