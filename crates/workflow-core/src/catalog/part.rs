//! What catalogs keep and list.

use std::fmt;

use crate::definition::{Diagnostic, LoopSpec};
use crate::ids::{ProfileId, RoleId, StageId, WorkflowId};

/// What workflows refer to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// A role.
    Role(RoleId),
    /// A profile of a stage.
    Profile(StageId, ProfileId),
    /// A JSON Schema, by its file name in the home.
    Schema(String),
    /// The assignments.
    Assignments,
    /// What names of providers stand for.
    Providers,
    /// Who is told of what happens to runs.
    Notifications,
    /// A skill: the text of its `SKILL.md`, or a file of the desktop app, which is a JSON object.
    Skill(String),
}

/// Whether a schema can be written under that name: a file inside of a home, outside of the folders whose files mean
/// something else.
pub fn is_schema_name(name: &str) -> bool {
    let is_plain =
        |part: &str| !part.is_empty() && !part.starts_with('.') && !part.contains(['\\', ':', '\0']);
    let folder = name.split('/').next().unwrap_or_default().to_lowercase();
    let is_taken = ["workflows", "roles", "skills", "config", "runs"].contains(&folder.as_str());
    name.len() <= 200 && name.split('/').all(is_plain) && !is_taken
}

/// The kinds of parts that are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PartKind {
    /// Roles.
    Roles,
    /// Profiles.
    Profiles,
    /// Skills.
    Skills,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Role(id) => write!(f, "role `{id}`"),
            Self::Profile(stage, id) => write!(f, "profile `{stage}.{id}`"),
            Self::Schema(name) => write!(f, "schema `{name}`"),
            Self::Assignments => f.write_str("the assignments"),
            Self::Providers => f.write_str("the settings of providers"),
            Self::Notifications => f.write_str("the notifications"),
            Self::Skill(name) => write!(f, "skill `{name}`"),
        }
    }
}

/// A text as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// Where it was read from, for diagnostics.
    pub origin: String,
    /// The text.
    pub text: String,
    /// Identifies this version of the text.
    pub version: Version,
}

/// A definition as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The workflow's id.
    pub id: WorkflowId,
    /// Where it was read from, for diagnostics.
    pub origin: String,
    /// The YAML text.
    pub text: String,
    /// Identifies this version of the text.
    pub version: Version,
}

/// Identifies one version of a definition's text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Version(pub String);

/// One line of a catalog's list.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CatalogEntry {
    /// The workflow's id.
    pub id: WorkflowId,
    /// The name for people; absent when the definition cannot be read.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// The stages, in order.
    pub stages: Vec<String>,
    /// The loop, where there is one.
    pub repeat: Option<LoopSpec>,
    /// Whether it says `isDefault: true`.
    pub is_default: bool,
    /// Whether it says `protected: true`: it is neither changed nor deleted until that is removed.
    pub is_protected: bool,
    /// Why its file cannot be changed, if that is known.
    pub read_only: Option<String>,
    /// The first error.
    pub problem: Option<String>,
    /// All errors and warnings of the file, in the order of its text.
    pub diagnostics: Vec<Diagnostic>,
}

impl CatalogEntry {
    /// An entry of which only the id is known.
    pub fn new(id: WorkflowId) -> Self {
        Self {
            id,
            name: None,
            description: None,
            stages: Vec::new(),
            repeat: None,
            is_default: false,
            is_protected: false,
            read_only: None,
            problem: None,
            diagnostics: Vec::new(),
        }
    }
}
