//! What a target is told.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use workflow_core::event::BudgetLimit;
use workflow_core::failure::FailureClass;
use workflow_core::ids::{RunId, StageId, WorkflowId};
use workflow_core::status::{RunStatus, WaitReason};

/// The longest text of a question or a failure, in bytes.
const LONGEST: usize = 4 << 10;

/// What a target is told. Its texts come from recorded events, in which secrets are redacted.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Notice {
    /// Identifies the notice for its target: the same in every try.
    pub id: String,
    /// What it is about.
    #[serde(rename = "type")]
    pub kind: NoticeType,
    /// When it happened.
    pub timestamp: Timestamp,
    /// The name of the target.
    pub target: String,
    /// The number of the event within the run; absent in a test.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<u64>,
    /// The run; absent in a test.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<NoticeRun>,
    /// What the run waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait: Option<NoticeWait>,
    /// Why the run failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<NoticeFailure>,
    /// The stages that failed on the way of a run that completed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failed_stages: Vec<StageId>,
    /// The budget that is nearly used up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<NoticeBudget>,
}

/// What a notice is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub enum NoticeType {
    /// A run began to wait for a person.
    #[serde(rename = "run.waiting")]
    Waiting,
    /// A run failed.
    #[serde(rename = "run.failed")]
    Failed,
    /// A run completed.
    #[serde(rename = "run.completed")]
    Completed,
    /// A budget of a run is nearly used up.
    #[serde(rename = "run.budget")]
    Budget,
    /// A test of the target.
    #[serde(rename = "notification.test")]
    Test,
}

impl NoticeType {
    /// The name in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "run.waiting",
            Self::Failed => "run.failed",
            Self::Completed => "run.completed",
            Self::Budget => "run.budget",
            Self::Test => "notification.test",
        }
    }
}

/// A run, as a notice names it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct NoticeRun {
    /// Its id.
    pub id: RunId,
    /// Its workflow.
    pub workflow: WorkflowId,
    /// Its status when the event was read.
    pub status: RunStatus,
    /// When it was created.
    pub created_at: Timestamp,
    /// Its labels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// What a run waits for.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct NoticeWait {
    /// Why: `approval`, `question`, `unknown_outcome` or `crashes`.
    pub reason: WaitReason,
    /// What an answer names as `wait`; absent where the run is resumed instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait: Option<u64>,
    /// What waits: a stage as `1/plan`, or a node as `1/plan[0]/ask`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// What the person is asked, cut after 4 KiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub question: Option<String>,
}

/// Why a run failed.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct NoticeFailure {
    /// The kind of failure.
    pub class: FailureClass,
    /// What happened, cut after 4 KiB.
    pub message: String,
}

/// A budget that is nearly used up.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct NoticeBudget {
    /// The stage whose budget it is; absent: the run's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<StageId>,
    /// The quantity that it limits.
    pub limit: BudgetLimit,
    /// How much was used: US dollars, tokens, or seconds.
    pub used: f64,
    /// How much may be used.
    pub of: f64,
}

impl Notice {
    /// The notice as JSON.
    pub fn to_json(&self) -> String {
        // Texts, numbers and keys that are texts: nothing that JSON cannot hold.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// A test of a target.
    pub(super) fn test(target: &str, now: Timestamp) -> Self {
        Self {
            id: id(&["", &now.to_string(), target]),
            kind: NoticeType::Test,
            timestamp: now,
            target: target.to_owned(),
            event: None,
            run: None,
            wait: None,
            failure: None,
            failed_stages: Vec::new(),
            budget: None,
        }
    }
}

/// An id that depends on all of its parts.
pub(super) fn id(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        // The lengths keep apart what would be alike when put together.
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    let mut id = "ntc_".to_owned();
    for byte in &hash.finalize()[..16] {
        // Writing to a text cannot fail.
        let _ = write!(id, "{byte:02x}");
    }
    id
}

/// A text that is not longer than it may be.
pub(super) fn clip(text: &str) -> String {
    if text.len() <= LONGEST {
        return text.to_owned();
    }
    let end = (0..=LONGEST).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    format!("{}…", &text[..end])
}
