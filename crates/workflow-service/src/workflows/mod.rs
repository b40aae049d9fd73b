//! Operations on workflows: list, read, change, check, run.

mod change;
mod check;
mod list;
mod start;

pub use change::{CreateWorkflow, DeleteWorkflow, UpdateWorkflow};
pub use check::{Fix, Problem, ValidateWorkflow, Validated};
pub use list::{GetWorkflow, ListWorkflows, WorkflowList, WorkflowSummary, WorkflowText};
pub use start::{RunWorkflow, Started};
