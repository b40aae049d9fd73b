//! Which runs wait until when, stored compactly: there may be many, and they may wait for a long time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use jiff::Timestamp;
use uuid::Uuid;
use workflow_core::ids::RunId;

/// Runs by the times that they wait for: in one piece of memory, because many small ones, which stay for long, would lie between
/// those of runs that are driven, and keep the heap from shrinking.
#[derive(Default)]
pub(crate) struct Due(BinaryHeap<Reverse<(i64, Name)>>);

/// The id of a run, copied so that it keeps nothing else of the driven run in memory.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Name {
    /// An id as the engine generates it.
    Uuid([u8; 16]),
    Chosen(Box<str>),
}

impl Due {
    pub(crate) fn insert(&mut self, until: Timestamp, run: &RunId) {
        self.0.push(Reverse((nanoseconds(until), Name::of(run))));
    }

    /// When the next run is due.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        let Reverse((until, _)) = self.0.peek()?;
        Some(Timestamp::from_nanosecond(i128::from(*until)).unwrap_or(Timestamp::MAX))
    }

    /// Removes and returns a run that is due.
    pub(crate) fn take(&mut self, now: Timestamp) -> Option<RunId> {
        if self.next()? > now {
            return None;
        }
        let Reverse((_, name)) = self.0.pop()?;
        if self.0.len() < self.0.capacity() / 4 {
            self.0.shrink_to(self.0.capacity() / 2);
        }
        name.run()
    }
}

impl Name {
    fn of(run: &RunId) -> Self {
        let uuid = Uuid::try_parse(run.as_str()).ok();
        // The same number in another notation is a different id.
        let uuid = uuid.filter(|uuid| uuid.to_string() == run.as_str());
        uuid.map_or_else(|| Self::Chosen(run.as_str().into()), |uuid| Self::Uuid(uuid.into_bytes()))
    }

    /// The id again. It is valid, because it was built from one.
    fn run(self) -> Option<RunId> {
        match self {
            Self::Uuid(bytes) => RunId::new(Uuid::from_bytes(bytes).to_string()).ok(),
            Self::Chosen(name) => RunId::new(&*name).ok(),
        }
    }
}

/// Since 1970. A time beyond the range of 64 bits is stored as the last time within it.
fn nanoseconds(time: Timestamp) -> i64 {
    let [first, last] = [i64::MIN, i64::MAX].map(i128::from);
    i64::try_from(time.as_nanosecond().clamp(first, last)).unwrap_or(i64::MAX)
}
