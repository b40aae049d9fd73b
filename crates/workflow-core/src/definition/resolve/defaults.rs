//! What a host sets for all workflows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use crate::definition::model::Assignments;
use crate::ids::RoleId;
use crate::role::Role;

/// What a host sets for all workflows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Defaults {
    /// The provider of stages that name none.
    pub provider: Option<String>,
    /// What stages of these names have, where neither they nor the assignments of the home say anything. A
    /// role or a profile among them that does not exist is ignored.
    pub assignments: Assignments,
    /// The providers that there are, where that is known: a recommendation of a role that is not among them
    /// is ignored.
    pub providers: Option<Arc<BTreeSet<String>>>,
    /// Roles that exist without a file. One in the home takes precedence.
    pub roles: BTreeMap<RoleId, Role>,
    /// Schemas that exist without a file, for these roles.
    pub schemas: BTreeMap<String, Value>,
}
