//! Bundles: resolved definitions, addressed by their content.

mod providers;
mod settings;

pub use providers::ProviderMap;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::definition::model::{Profile, ProviderSetting, Workflow};
use crate::ids::{RoleId, StageId, WorkflowId};
use crate::role::Role;

/// The version of the bundle format that this crate writes.
pub const BUNDLE_FORMAT: u32 = 1;

/// A workflow with everything that its runs need, so that editing files never changes a run. Two bundles with
/// the same content have the same [hash](Bundle::hash).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Bundle {
    /// The format; see [`BUNDLE_FORMAT`].
    pub format: u32,
    /// The workflow, with defaults filled in.
    pub workflow: Workflow,
    /// The provider in place of all that the definitions name, where one was chosen for a run; see
    /// [`Bundle::with_providers`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The providers in place of some, by the names that are replaced.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub providers: BTreeMap<String, String>,
    /// What names of providers stand for, where a provider is named by an expression.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, ProviderSetting>,
    /// The profiles of the stages that have another one than `simple`.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub profiles: IndexMap<StageId, Profile>,
    /// The roles that its nodes can have.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub roles: IndexMap<RoleId, Role>,
    /// The JSON Schemas that it names, and those that they refer to, by their file names in the home.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub schemas: IndexMap<String, Value>,
    /// The skills that its nodes can have, by their names; those that were not found are left out.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub skills: IndexMap<String, Skill>,
    /// The workflows that its nodes run, each a bundle as it would be by itself.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub workflows: BTreeMap<WorkflowId, Arc<Bundle>>,
}

/// A skill: a folder with instructions for an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Skill {
    /// The text of its `SKILL.md`.
    pub text: String,
    /// The folder, where there is one: the instructions may refer to other files in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
}

/// The SHA-256 of a bundle's JSON, in lower-case hexadecimal.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct BundleHash(Arc<str>);

/// A text is not a valid bundle hash.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a bundle hash: it has 64 hexadecimal digits")]
pub struct InvalidHash(String);

/// A stored bundle cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// The text is not a bundle.
    #[error("not a bundle: {0}")]
    Malformed(#[from] serde_json::Error),
    /// It was written by a newer version.
    #[error("bundle format {0} is not known; this version reads format {BUNDLE_FORMAT}")]
    Format(u32),
}

impl Bundle {
    /// A bundle of a resolved workflow.
    pub fn new(workflow: Workflow) -> Self {
        Self {
            format: BUNDLE_FORMAT,
            workflow,
            provider: None,
            providers: BTreeMap::new(),
            settings: BTreeMap::new(),
            profiles: IndexMap::new(),
            roles: IndexMap::new(),
            schemas: IndexMap::new(),
            skills: IndexMap::new(),
            workflows: BTreeMap::new(),
        }
    }

    /// The bundle, and those of the workflows that its nodes run, and that theirs run.
    pub fn all(&self) -> Vec<&Self> {
        let mut all = vec![self];
        let mut seen = 0;
        while let Some(bundle) = all.get(seen).copied() {
            all.extend(bundle.workflows.values().map(|child| &**child));
            seen += 1;
        }
        all
    }

    /// The bundle as JSON: what is stored, and what is hashed.
    ///
    /// # Errors
    ///
    /// A JSON error when a number in the definition is not finite.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }

    /// Reads a stored bundle.
    ///
    /// # Errors
    ///
    /// [`BundleError`] when the text is not a bundle, or has another format.
    pub fn from_json(json: &str) -> Result<Self, BundleError> {
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let Format { format } = serde_json::from_str(json)?;
        if format != BUNDLE_FORMAT {
            return Err(BundleError::Format(format));
        }
        Ok(serde_json::from_str(json)?)
    }

    /// The hash of the bundle's content.
    ///
    /// # Errors
    ///
    /// See [`Bundle::to_json`].
    pub fn hash(&self) -> Result<BundleHash, serde_json::Error> {
        Ok(BundleHash::of(&self.to_json()?))
    }
}

impl BundleHash {
    /// The hash of a bundle's JSON.
    pub fn of(json: &str) -> Self {
        use fmt::Write as _;
        let mut text = String::with_capacity(64);
        for byte in Sha256::digest(json.as_bytes()) {
            // Writing to a `String` cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        Self(text.into())
    }

    /// The hash as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BundleHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for BundleHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl TryFrom<String> for BundleHash {
    type Error = InvalidHash;

    fn try_from(text: String) -> Result<Self, InvalidHash> {
        if text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidHash(text.chars().take(80).collect()))
        }
    }
}

impl From<BundleHash> for String {
    fn from(hash: BundleHash) -> String {
        hash.0.as_ref().to_owned()
    }
}
