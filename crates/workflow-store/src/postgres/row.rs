//! How values are stored in the tables.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_postgres::Row;
use workflow_core::ids::RunId;
use workflow_core::store::{ControlRecord, ControlRequest, RunHead, RunRecord, StoreError};

/// A head, and its fields that lists filter by.
pub(super) struct HeadRow {
    pub(super) text: String,
    pub(super) status: String,
    pub(super) ended: Option<i64>,
    pub(super) wakes: Option<i64>,
    /// Whether the run has ended.
    pub(super) ends: bool,
}

impl HeadRow {
    pub(super) fn new(head: &RunHead, place: &str) -> Result<Self, StoreError> {
        let ended = head.completed_at.filter(|_| head.status.is_terminal()).map(nanoseconds);
        let wakes = head.goes_on_from().map(nanoseconds);
        let ends = head.status.is_terminal();
        Ok(Self { text: text(head, place)?, status: head.status.to_string(), ended, wakes, ends })
    }
}

/// Converts a counter to the database's signed integers. No counter approaches the limit of either type.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// Exact for three centuries around 1970, unlike `timestamptz`.
pub(super) fn nanoseconds(time: Timestamp) -> i64 {
    let all = time.as_nanosecond();
    i64::try_from(all).unwrap_or(if all < 0 { i64::MIN } else { i64::MAX })
}

/// The time from which a run that may continue at once continues.
pub(super) fn nanoseconds_of_the_past() -> i64 {
    nanoseconds(Timestamp::MIN)
}

/// The time of a stored number. Every `i64` is within the range.
pub(super) fn timestamp(nanoseconds: i64) -> Timestamp {
    Timestamp::from_nanosecond(nanoseconds.into()).unwrap_or_default()
}

pub(super) fn text(value: &impl Serialize, place: &str) -> Result<String, StoreError> {
    serde_json::to_string(value)
        .map_err(|error| StoreError::Io { place: place.to_owned(), source: Arc::new(error.into()) })
}

pub(super) fn parse<T: DeserializeOwned>(
    text: &str,
    place: impl FnOnce() -> String,
) -> Result<T, StoreError> {
    serde_json::from_str(text)
        .map_err(|error| StoreError::Corrupt { place: place(), message: error.to_string() })
}

pub(super) fn run_id(text: &str) -> Result<RunId, StoreError> {
    RunId::new(text)
        .map_err(|error| StoreError::Corrupt { place: format!("run `{text}`"), message: error.to_string() })
}

/// The control requests of a run; the first has the number `after` + 1.
pub(super) fn controls(run: &RunId, after: u64, texts: &[String]) -> Result<Vec<ControlRecord>, StoreError> {
    let record = |(number, text): (u64, &String)| {
        let request: ControlRequest = serde_json::from_str(text).map_err(|error| StoreError::Corrupt {
            place: format!("run `{run}`, control {number}"),
            message: error.to_string(),
        })?;
        Ok(ControlRecord::new(number, request))
    };
    (after + 1..).zip(texts).map(record).collect()
}

pub(super) fn record(row: &Row) -> Result<RunRecord, StoreError> {
    let run_id = run_id(row.get(0))?;
    let head = parse(row.get(1), || format!("run `{run_id}`"))?;
    Ok(RunRecord { run_id, head, holder: row.get(2), behind: None })
}
