//! `controls.jsonl`: the control requests of a run, from any process.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use workflow_core::store::{ControlRecord, ControlRequest, StoreError};

use super::lines::{Lines, line_number};
use crate::disk::{at, private, sync_dir, take_turn};

const FILE: &str = "controls.jsonl";

/// Appends a control request to the run in `directory`, and returns its number.
pub(super) fn request(directory: &Path, request: ControlRequest) -> Result<u64, StoreError> {
    let path = directory.join(FILE);
    let mut file = private().read(true).append(true).create(true).open(&path).map_err(at(&path))?;
    take_turn(&file).map_err(at(&path))?;
    let (records, end) = read(&path, &file)?;
    let length = file.metadata().map_err(at(&path))?.len();
    let number = records.last().map_or(0, |record| record.number) + 1;
    let write = || {
        // A line that another process did not finish was not acknowledged.
        if length > end {
            file.set_len(end)?;
        }
        let mut line = serde_json::to_vec(&ControlRecord::new(number, request))?;
        line.push(b'\n');
        file.write_all(&line)?;
        file.sync_data()?;
        if length == 0 { sync_dir(directory) } else { Ok(()) }
    };
    write().map_err(at(&path))?;
    Ok(number)
}

/// The control requests with numbers above `after`.
pub(super) fn controls(directory: &Path, after: u64) -> Result<Vec<ControlRecord>, StoreError> {
    Delivery { given: after, read: 0 }.next(directory)
}

/// Which control requests were delivered to the holder of a run.
#[derive(Debug)]
pub(super) struct Delivery {
    given: u64,
    /// How many bytes of the file were read.
    read: u64,
}

impl Delivery {
    /// Starts after the control request with that number.
    pub(super) fn after(control: u64) -> Self {
        Self { given: control, read: 0 }
    }

    /// The control requests that were not delivered yet.
    pub(super) fn next(&mut self, directory: &Path) -> Result<Vec<ControlRecord>, StoreError> {
        let path = directory.join(FILE);
        match fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(at(&path)(error)),
            Ok(metadata) if metadata.len() <= self.read => return Ok(Vec::new()),
            Ok(_) => {}
        }
        let file = File::open(&path).map_err(at(&path))?;
        let (mut records, end) = read(&path, &file)?;
        records.retain(|record| record.number > self.given);
        if let Some(last) = records.last() {
            // A control request must be durable before it is acted on: if a crash lost it, its number would
            // be used again.
            file.sync_data().map_err(at(&path))?;
            self.given = last.number;
        }
        self.read = end;
        Ok(records)
    }
}

/// All control requests, and the end of the last complete line.
fn read(path: &Path, file: &File) -> Result<(Vec<ControlRecord>, u64), StoreError> {
    let length = file.metadata().map_err(at(path))?.len();
    let mut lines = Lines::new(file, 0, length).map_err(at(path))?;
    let mut records: Vec<ControlRecord> = Vec::new();
    let mut end = 0;
    while let Some(line) = lines.next().map_err(at(path))? {
        let corrupt = |message: String| StoreError::Corrupt {
            place: format!("{}:{}", path.display(), line_number(file, line.start)),
            message,
        };
        let record: ControlRecord =
            serde_json::from_slice(line.bytes).map_err(|error| corrupt(error.to_string()))?;
        let expected = records.len() as u64 + 1;
        if record.number != expected {
            let message = format!("found control request {}, expected {expected}", record.number);
            return Err(corrupt(message));
        }
        end = line.end();
        records.push(record);
    }
    Ok((records, end))
}
