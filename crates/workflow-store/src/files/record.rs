//! `run.json`: the head of a run, for lists and for users.
//!
//! It is derived from the events, written after them and not synced: a reader that finds it outdated or
//! missing derives it again.

use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};
use workflow_core::ids::RunId;
use workflow_core::store::RunHead;

use super::facts::Facts;
use super::log::Mark;
use crate::disk::{Content, replace};

pub(super) const FILE: &str = "run.json";

/// A head, and the position in the log that it describes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Record {
    run_id: RunId,
    #[serde(flatten)]
    pub(super) head: RunHead,
    pub(super) log: Mark,
    #[serde(default, skip_serializing_if = "is_zero")]
    obeyed_control: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde asks for")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Record {
    pub(super) fn new(run: &RunId, head: RunHead, obeyed: u64, log: Mark) -> Self {
        Self { run_id: run.clone(), head, log, obeyed_control: obeyed }
    }

    pub(super) fn facts(&self) -> Facts {
        Facts { head: Some(self.head.clone()), obeyed: self.obeyed_control }
    }

    pub(super) fn save(&self, directory: &Path) -> io::Result<()> {
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        replace(&directory.join(FILE), &directory.join("run.json.new"), &text, Content::Derived)
    }

    /// Reads the record in a run's directory, unless it is missing or damaged.
    pub(super) fn load(run: &RunId, directory: &Path) -> Option<Self> {
        let text = fs::read(directory.join(FILE)).ok()?;
        serde_json::from_slice::<Self>(&text).ok().filter(|record| record.run_id == *run)
    }
}
