//! Runs of another program in the same home: they are recognised, listed, and left alone.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use workflow_core::ids::RunId;
use workflow_core::store::StoreError;

use super::record;
use crate::disk::at;

/// The files by which a directory is known as a run of another program, where ours is not there.
const THEIRS: [&str; 2] = ["state.json", "meta.json"];
/// So much of a file of another program is read.
const LONGEST: u64 = 1 << 20;

/// A run that another program wrote into a home: a directory `runs/ID` with `state.json`, `meta.json` and
/// `events.jsonl` of that program's format. No store reads, changes or deletes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ForeignRun {
    /// What the directory is called.
    pub run_id: String,
    /// The directory.
    pub directory: PathBuf,
    /// The workflow, where `state.json` names it.
    pub workflow_id: Option<String>,
    /// The status, as that program calls it.
    pub status: Option<String>,
    /// When it was created, as that program writes it.
    pub created_at: Option<String>,
}

/// What is read of `state.json`; whatever is not a text counts as not there.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct State {
    workflow_id: serde_json::Value,
    status: serde_json::Value,
    created_at: serde_json::Value,
}

/// The runs in `home` that another program wrote, in the order of their names. None where there is no home.
///
/// This reads files, so it blocks for a moment.
///
/// # Errors
///
/// [`StoreError::Io`] when the directory of runs cannot be read. A file of a run that cannot be read leaves the
/// fields of [`ForeignRun`] empty.
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

/// Whether a directory of runs has a run that another program wrote.
pub(super) fn is_foreign(directory: &Path) -> bool {
    // Ours is looked for first: it is nearly always there.
    !directory.join(record::FILE).exists() && THEIRS.iter().any(|name| directory.join(name).is_file())
}

/// Why nothing is done with such a run.
pub(super) fn refused(directory: &Path) -> StoreError {
    StoreError::Corrupt {
        place: directory.display().to_string(),
        message: "this run was written by another program: it is left alone, and can be read only there"
            .to_owned(),
    }
}

fn read(path: &Path) -> Option<State> {
    let mut text = Vec::new();
    File::open(path).ok()?.take(LONGEST).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}
