//! Operations on workflows: list, read, change, check, export, import, run.

mod change;
mod check;
mod get;
mod list;
mod start;
mod transfer;

pub use change::{CreateWorkflow, DeleteWorkflow, DuplicateWorkflow, FieldEdit, UpdateWorkflow};
pub use check::{Fix, Problem, ValidateWorkflow, Validated};
pub use get::{GetWorkflow, Range, WorkflowDetail, WorkflowText};
pub use list::{LastRun, ListWorkflows, WorkflowList, WorkflowOrder, WorkflowSummary};
pub use start::{RunWorkflow, Started};
pub use transfer::{ExportWorkflow, Exported, ImportItem, ImportState, ImportWorkflow, Imported};
