//! Reads an agent's output record by record.

use crate::agent::cli::{Call, Cli, End, Outcome, Reader, Said, Trouble};
use crate::agent::records::{Record, Records};

/// An agent's output so far.
pub(super) struct Transcript<C: Cli> {
    records: Records,
    pub(super) reader: C::Reader,
}

impl<C: Cli> Transcript<C> {
    pub(super) fn new(call: &Call<'_>) -> Self {
        Self { records: Records::default(), reader: C::reader(call) }
    }

    pub(super) fn push(&mut self, bytes: &[u8], say: &mut dyn FnMut(Said)) {
        let reader = &mut self.reader;
        self.records.push(bytes, |record| take(reader, record, say));
    }

    pub(super) fn end(mut self, end: &End, say: &mut dyn FnMut(Said)) -> Result<Outcome, Trouble> {
        let reader = &mut self.reader;
        self.records.finish(|record| take(reader, record, say));
        self.reader.end(end)
    }
}

fn take(reader: &mut impl Reader, record: Record, say: &mut dyn FnMut(Said)) {
    match record {
        Record::Json(value) => reader.record(&value, say),
        Record::Other(text) => say(Said::Log(text)),
        Record::TooLong => say(Said::Log("(omitted a line that is too long to read)".to_owned())),
    }
}
