//! Who calls an operation, and whether the caller may.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use workflow_core::actor::Actor;
use workflow_core::ids::{ProfileId, RoleId, RunId, StageId, WorkflowId};
use workflow_core::provider::async_trait;

use crate::error::ServiceError;

/// What an operation does, for the decision whether a caller may use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Reads workflows, runs and logs.
    Read,
    /// Starts, controls and answers runs.
    Run,
    /// Changes workflows and what they refer to.
    Edit,
    /// Deletes runs, and changes the configuration.
    Admin,
}

impl Scope {
    /// All scopes.
    pub const ALL: [Self; 4] = [Self::Read, Self::Run, Self::Edit, Self::Admin];

    /// The name: `read`, `run`, `edit` or `admin`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Run => "run",
            Self::Edit => "edit",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Who calls an operation. The binding makes it, from a token or from the user of the system.
///
/// ```
/// use workflow_service::{Caller, Scope};
///
/// let page = Caller::new("token-7", "http").scopes([Scope::Read]);
/// assert!(page.may(Scope::Read) && !page.may(Scope::Run));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Caller {
    /// The id: a user, a token, a program.
    pub id: String,
    /// The name to show to people.
    pub name: Option<String>,
    /// The binding through which the call came: `http`, `stdio`, `terminal`, `rust`.
    pub via: String,
    /// What the caller may do, unless the policy decides otherwise.
    pub scopes: Vec<Scope>,
}

impl Caller {
    /// A caller through a binding, who may read and run.
    pub fn new(id: impl Into<String>, via: impl Into<String>) -> Self {
        Self { id: id.into(), name: None, via: via.into(), scopes: vec![Scope::Read, Scope::Run] }
    }

    /// The host program itself, which may do everything.
    pub fn host() -> Self {
        Self::new("host", "rust").scopes(Scope::ALL)
    }

    /// Gives the caller a name to show to people.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Replaces what the caller may do.
    #[must_use]
    pub fn scopes(mut self, scopes: impl IntoIterator<Item = Scope>) -> Self {
        self.scopes = scopes.into_iter().collect();
        self
    }

    /// The caller as the log of a run records it.
    pub fn actor(&self) -> Actor {
        let actor = Actor::new(&self.id).via(&self.via);
        match &self.name {
            Some(name) => actor.name(name),
            None => actor,
        }
    }

    /// Whether the caller has the scope.
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }
}

/// What an operation is: its name and what it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct OperationMeta {
    /// The name, for instance `workflow:runs:get`.
    pub name: &'static str,
    /// What a caller has to be allowed to do. A policy is told what the request needs, which can be more: a run of a text
    /// that is not in the catalog needs `edit`.
    pub scope: Scope,
    /// What it does, in one sentence.
    pub about: &'static str,
}

impl OperationMeta {
    pub(crate) const fn new(name: &'static str, scope: Scope, about: &'static str) -> Self {
        Self { name, scope, about }
    }
}

/// What an operation is called for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Target<'a> {
    /// Nothing in particular: a list, a check of a text.
    None,
    /// A workflow.
    Workflow(&'a WorkflowId),
    /// A role.
    Role(&'a RoleId),
    /// A profile of a stage.
    Profile(&'a StageId, &'a ProfileId),
    /// A skill.
    Skill(&'a str),
    /// The assignments.
    Assignments,
    /// The targets of notifications.
    Notifications,
    /// A run.
    Run(&'a RunId),
}

/// The target with its name; empty for nothing in particular.
impl fmt::Display for Target<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => Ok(()),
            Self::Workflow(workflow) => write!(f, "workflow `{workflow}`"),
            Self::Role(role) => write!(f, "role `{role}`"),
            Self::Profile(stage, profile) => write!(f, "profile `{profile}` of stage `{stage}`"),
            Self::Skill(skill) => write!(f, "skill `{skill}`"),
            Self::Assignments => f.write_str("assignments"),
            Self::Notifications => f.write_str("notifications"),
            Self::Run(run) => write!(f, "run `{run}`"),
        }
    }
}

/// Decides which caller may use which operation on what. A host replaces [`ScopePolicy`] with its own rules.
///
/// ```
/// use workflow_core::provider::async_trait;
/// use workflow_service::{Caller, OperationMeta, Policy, Scope, ServiceError, Target};
///
/// /// Only the owner of the machine may change anything.
/// struct ReadOnly;
///
/// #[async_trait]
/// impl Policy for ReadOnly {
///     async fn allow(&self, caller: &Caller, operation: &OperationMeta, _: Target<'_>) -> Result<(), ServiceError> {
///         if operation.scope == Scope::Read || caller.id == "owner" {
///             return Ok(());
///         }
///         Err(ServiceError::forbidden(format!("{} may only read", caller.id)))
///     }
/// }
/// ```
#[async_trait]
pub trait Policy: Send + Sync {
    /// Whether `caller` may use `operation` on `target`.
    ///
    /// # Errors
    ///
    /// [`ServiceError::forbidden`] with the reason; other errors when it cannot be decided, which refuse the call too.
    async fn allow(
        &self,
        caller: &Caller,
        operation: &OperationMeta,
        target: Target<'_>,
    ) -> Result<(), ServiceError>;
}

/// The policy of services that set no other: a caller may use the operations of its scopes, on everything.
#[derive(Debug, Clone, Copy, Default)]
pub struct ScopePolicy;

#[async_trait]
impl Policy for ScopePolicy {
    async fn allow(
        &self,
        caller: &Caller,
        operation: &OperationMeta,
        _: Target<'_>,
    ) -> Result<(), ServiceError> {
        if caller.may(operation.scope) {
            return Ok(());
        }
        Err(ServiceError::forbidden(format!(
            "{} needs the scope `{}`, which {} does not have",
            operation.name, operation.scope, caller.id
        )))
    }
}
