//! `config/assignments.yml`: what stages have by default.

use std::collections::BTreeMap;

use schemars::JsonSchema;

use crate::ids::StageId;

/// The provider, role and profile that stages have by default, in every workflow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Assignments {
    /// By stage.
    pub stages: BTreeMap<StageId, Assignment>,
}

/// What one stage has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Assignment {
    /// The provider.
    pub provider: Option<String>,
    /// The role.
    pub role: Option<String>,
    /// The profile.
    pub profile: Option<String>,
}

/// The form of the file, for its schema: the stages themselves, or below one of two keys.
#[derive(JsonSchema)]
#[schemars(untagged, title = "Assignments")]
#[allow(dead_code, reason = "only its schema is of use")]
pub(crate) enum AssignmentsFile {
    Stages { stages: BTreeMap<StageId, StageAssignment> },
    Assignments { assignments: BTreeMap<StageId, StageAssignment> },
    Plain(BTreeMap<StageId, StageAssignment>),
    Empty(()),
}

/// The defaults of one stage.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[allow(dead_code, reason = "only its schema is of use")]
pub(crate) enum StageAssignment {
    /// The name of a provider.
    Provider(String),
    /// Any of the three.
    Of {
        /// The provider.
        provider: Option<String>,
        /// The role.
        role: Option<String>,
        /// The profile.
        profile: Option<String>,
    },
    /// Nothing.
    Nothing(()),
}
