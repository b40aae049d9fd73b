//! Runs of another program in the same home: they are recognised and listed, but never changed.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use workflow_core::ids::RunId;
use workflow_core::store::StoreError;

use super::record;
use crate::disk::at;

/// The files that identify a directory as a run of another program, unless ours is there too.
const THEIRS: [&str; 2] = ["state.json", "meta.json"];
/// At most this many bytes of a file of another program are read.
const LONGEST: u64 = 1 << 20;

/// A run that another program wrote into a home: a directory `runs/ID` with `state.json`, `meta.json` and
/// `events.jsonl` in that program's format. No store reads, changes or deletes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ForeignRun {
    /// The name of the directory.
    pub run_id: String,
    /// The path of the directory.
    pub directory: PathBuf,
    /// The workflow, if `state.json` names it.
    pub workflow_id: Option<String>,
    /// The status, in that program's words.
    pub status: Option<String>,
    /// The creation time, in that program's format.
    pub created_at: Option<String>,
}

/// The fields read from `state.json`; a value that is not a string is ignored.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct State {
    workflow_id: serde_json::Value,
    status: serde_json::Value,
    created_at: serde_json::Value,
}

/// The runs in `home` that another program wrote, ordered by name. Empty if the home does not exist.
///
/// Reads files, so it blocks briefly.
///
/// # Errors
///
/// [`StoreError::Io`] if the directory of runs cannot be read. If a file of a run cannot be read, the fields
/// of its [`ForeignRun`] are `None`.
pub fn foreign_runs(home: &Path) -> Result<Vec<ForeignRun>, StoreError> {
    let runs = home.join("runs");
    let entries = match fs::read_dir(&runs) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        entries => entries.map_err(at(&runs))?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let directory = entry.map_err(at(&runs))?.path();
        let name =
            directory.file_name().and_then(|name| name.to_str()).filter(|name| RunId::new(*name).is_ok());
        if let Some(name) = name.map(str::to_owned)
            && is_foreign(&directory)
        {
            let state = read(&directory.join(THEIRS[0])).unwrap_or_default();
            let text = |value: serde_json::Value| value.as_str().map(str::to_owned);
            found.push(ForeignRun {
                run_id: name,
                directory,
                workflow_id: text(state.workflow_id),
                status: text(state.status),
                created_at: text(state.created_at),
            });
        }
    }
    found.sort_by(|a, b| a.run_id.cmp(&b.run_id));
    Ok(found)
}

/// Whether a directory in `runs` contains a run that another program wrote.
pub(super) fn is_foreign(directory: &Path) -> bool {
    // Checks for our own file first, because it nearly always exists.
    !directory.join(record::FILE).exists() && THEIRS.iter().any(|name| directory.join(name).is_file())
}

/// The error for an operation on such a run.
pub(super) fn refused(directory: &Path) -> StoreError {
    StoreError::Corrupt {
        place: directory.display().to_string(),
        message: "this run was written by another program: use that program to read it".to_owned(),
    }
}

fn read(path: &Path) -> Option<State> {
    let mut text = Vec::new();
    File::open(path).ok()?.take(LONGEST).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}
