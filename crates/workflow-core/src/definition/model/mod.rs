//! The types of what users write, without rules and independent of texts.

mod assignments;
mod build;
mod defaults;
mod diagnostic;
mod duration;
mod file;
mod flat;
mod graph;
mod input;
mod notifications;
mod path;
mod providers;
mod range;
mod schema;
pub(super) mod steps;
mod workflow;

pub(crate) use assignments::AssignmentsFile;
pub(crate) use file::{File, WorkflowFile};
pub(crate) use flat::Flat;
pub use flat::{calls_of, roles_of, workflows_of};
pub(crate) use graph::{call_mut, call_of, each_node};
pub(crate) use input::shown;
pub(crate) use notifications::NotificationsFile;
pub(crate) use path::{Path, shorten};
pub(crate) use providers::ProvidersFile;

pub use assignments::{Assignment, Assignments};
pub use diagnostic::{DIAGNOSTIC_CODES, Diagnostic, DiagnosticLine, Diagnostics, Severity};
pub(crate) use duration::time;
pub use duration::{InvalidDuration, Period};
pub use graph::{
    Arm, AskNode, BranchNode, EndNode, EndStatus, ExportNode, ForeachNode, GraphBody, GraphNode, Include,
    Join, LoopNode, Node, Profile, ReduceNode, ReduceStrategy, RunNode, SetNode, WaitNode, WorkflowNode,
};
pub use input::WorkflowInput;
pub use notifications::{NoticeKind, Notifications, NotifyChannel, NotifyTarget};
pub use providers::{ProviderSetting, ProviderSettings};
pub use range::SourceRange;
pub use schema::SchemaSource;
pub use workflow::{
    Budget, Concurrency, Exhausted, Lane, LoopSpec, Mode, OnFailure, OnInterrupt, OutputFormat,
    ParallelStrategy, PromptTemplate, SessionMode, Stage, Workflow, WorktreeSpec,
};
