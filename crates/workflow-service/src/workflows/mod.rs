//! Operations on workflows: list, read, change, check, run.

mod change;
mod check;
mod get;
mod list;
mod start;

pub use change::{CreateWorkflow, DeleteWorkflow, UpdateWorkflow};
pub use check::{Fix, Problem, ValidateWorkflow, Validated};
pub use get::{GetWorkflow, Range, WorkflowDetail, WorkflowText};
pub use list::{LastRun, ListWorkflows, WorkflowList, WorkflowOrder, WorkflowSummary};
pub use start::{RunWorkflow, Started};
