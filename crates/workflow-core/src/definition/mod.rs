//! Definitions: what a user writes.
//!
//! A definition is read from a file with [`parse`] or built in Rust with [`Workflow::new`], and
//! [resolved](resolve) before it runs. The same rules apply to both: [`validate`].
//!
//! ```
//! use workflow_core::definition::{self, Defaults};
//!
//! let parsed = definition::parse(b"
//! workflow:
//!   id: hello
//!   name: Hello
//!   stages: [greet]
//! greet:
//!   provider: command
//!   with: { command: [echo, hello] }
//!   retrys: 2
//! ", None);
//!
//! let warnings: Vec<_> = parsed.diagnostics.iter().map(ToString::to_string).collect();
//! let expected = "9:3: warning[unknown-key]: `retrys` is not known here and is ignored; did you mean `retries`?";
//! assert_eq!(warnings, [expected]);
//! let workflow = parsed.workflow.expect("no errors");
//! let resolved = definition::resolve(&workflow, &Defaults::default())?;
//! assert_eq!(resolved.stages["greet"].retries, Some(3));
//! # Ok::<(), definition::Diagnostics>(())
//! ```

mod check;
mod draft;
pub mod edit;
mod explain;
mod export;
mod inherited;
pub(crate) mod model;
mod parse;
mod parts;
mod read;
mod report;
mod resolve;
mod yaml;

pub(crate) use check::{NodeNames, after, arms, needs, uses};
pub(crate) use model::{AssignmentsFile, Flat, NotificationsFile, ProvidersFile, WorkflowFile};

pub use crate::role::{Role, Variable, VariableType};
pub use crate::suggest::{did_you_mean, nearest};
pub use check::{GraphEdge, validate, validate_profile, validate_role};
pub use draft::{Draft, Parsed, parse, read};
pub use edit::Correction;
pub use explain::{EffectiveValue, ValueOrigin};
pub use export::{EXPORT_FORMAT, Export};
pub(crate) use model::time;
pub use model::{
    Arm, AskNode, Assignment, Assignments, BranchNode, Budget, Concurrency, DIAGNOSTIC_CODES, Diagnostic,
    DiagnosticLine, Diagnostics, EndNode, EndStatus, Exhausted, ExportNode, ForeachNode, GraphBody,
    GraphNode, Include, InvalidDuration, Join, Lane, LoopNode, LoopSpec, Mode, Node, NoticeKind,
    Notifications, NotifyChannel, NotifyTarget, OnFailure, OnInterrupt, OutputFormat, ParallelStrategy,
    Period, Profile, PromptTemplate, ProviderSetting, ProviderSettings, ReduceNode, ReduceStrategy, RunNode,
    SchemaSource, SessionMode, SetNode, Severity, SourceRange, Stage, WaitNode, Workflow, WorkflowInput,
    WorkflowNode, WorktreeSpec, calls_of, roles_of, workflows_of,
};
pub use parse::{ParsedProfile, ParsedRole, parse_profile, parse_role, parse_role_with};
pub use read::{
    ParsedAssignments, ParsedNotifications, ParsedProviders, check_schema, parse_assignments,
    parse_notifications, parse_providers, read_front_matter, read_schema, read_value,
};
pub use resolve::{CheckedBundle, Defaults, Library, SourceFile, recommended_provider, resolve};
pub use yaml::NotWritable;
