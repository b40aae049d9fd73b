//! Reads an agent's output record by record.

use crate::agent::cli::{Call, Cli, End, Outcome, Reader, Said, Trouble, text};
use crate::agent::escapes;
use crate::agent::records::{Record, Records};

/// An agent's output so far.
pub(crate) struct Transcript<C: Cli> {
    records: Records,
    unknown: Unknown,
    pub(crate) reader: C::Reader,
}

/// The records of which the reader does not know the kind.
#[derive(Default)]
pub(crate) struct Unknown {
    count: u64,
    /// The first kinds.
    kinds: Vec<String>,
}

impl<C: Cli> Transcript<C> {
    pub(crate) fn new(call: &Call<'_>) -> Self {
        Self { records: Records::default(), unknown: Unknown::default(), reader: C::reader(call) }
    }

    pub(crate) fn push(&mut self, bytes: &[u8], say: &mut dyn FnMut(Said)) {
        let Self { records, unknown, reader } = self;
        records.push(bytes, |record| take(reader, unknown, record, say));
    }

    pub(crate) fn end(mut self, end: &End, say: &mut dyn FnMut(Said)) -> Result<Outcome, Trouble> {
        let (reader, unknown) = (&mut self.reader, &mut self.unknown);
        self.records.finish(|record| take(reader, unknown, record, say));
        if let Some(notice) = unknown.notice() {
            say(Said::Log(notice));
        }
        self.reader.end(end)
    }
}

fn take(reader: &mut impl Reader, unknown: &mut Unknown, record: Record, say: &mut dyn FnMut(Said)) {
    match record {
        Record::Json(value) => {
            if !reader.record(&value, say) {
                let kinds = ["type", "subtype"].map(|name| text(&value, name));
                unknown.add(kinds.join("/").trim_matches('/'));
            }
        }
        Record::Other(text) => say(Said::Log(escapes::without(&text))),
        Record::TooLong => say(Said::Log("(omitted a line that is too long to read)".to_owned())),
    }
}

impl Unknown {
    pub(crate) fn add(&mut self, kind: &str) {
        const MOST: usize = 3;
        self.count += 1;
        let kind = if kind.is_empty() { "without a type" } else { kind };
        let kind: String = kind.chars().filter(|c| !c.is_control()).take(40).collect();
        if self.kinds.len() < MOST && !self.kinds.contains(&kind) {
            self.kinds.push(kind);
        }
    }

    pub(crate) fn notice(&self) -> Option<String> {
        let records = match self.count {
            0 => return None,
            1 => "1 record".to_owned(),
            count => format!("{count} records"),
        };
        let kinds = self.kinds.join(", ");
        Some(format!(
            "{records} of a kind that is not known ({kinds}): the provider may be older than the agent"
        ))
    }
}
