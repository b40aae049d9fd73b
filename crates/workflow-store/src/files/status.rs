//! What a store in files has.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use workflow_core::store::{RunFilter, StoreError};

use super::FileStore;
use super::held::EVENTS;
use super::home::Home;
use crate::disk::at;
use crate::status::StoreStatus;

impl FileStore {
    /// What the store in `home` has. Reads all files of events; blocks until that is done.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`] if there is no store, or it cannot be read.
    pub fn status(home: impl AsRef<Path>) -> Result<StoreStatus, StoreError> {
        let path = home.as_ref();
        let runs = path.join("runs");
        fs::metadata(&runs).map_err(at(&runs))?;
        let records = Home::open(path)?.list(&RunFilter::all())?;
        let mut status = StoreStatus {
            kind: "file",
            version: None,
            needed_version: None,
            newest_version: None,
            runs: BTreeMap::new(),
            events: 0,
            bytes: 0,
            oldest_run_at: records.last().map(|run| run.head.created_at),
        };
        for run in records {
            *status.runs.entry(run.head.status.to_string()).or_default() += 1;
            let events = runs.join(run.run_id.as_str()).join(EVENTS);
            let text = fs::read(&events).map_err(at(&events))?;
            status.events += text.split_inclusive(|byte| *byte == b'\n').count() as u64;
        }
        for directory in ["runs", "bundles", "slots"] {
            let directory = path.join(directory);
            status.bytes += size(&directory).map_err(at(&directory))?;
        }
        Ok(status)
    }
}

/// How many bytes the files of a directory have. What is deleted meanwhile does not count.
fn size(directory: &Path) -> io::Result<u64> {
    let gone = |error: io::Error| if error.kind() == io::ErrorKind::NotFound { Ok(0) } else { Err(error) };
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) => return gone(error),
    };
    let mut bytes = 0;
    for entry in entries {
        let entry = entry?;
        bytes += match entry.metadata() {
            Ok(found) if found.is_dir() => size(&entry.path())?,
            Ok(found) => found.len(),
            Err(error) => gone(error)?,
        };
    }
    Ok(bytes)
}
