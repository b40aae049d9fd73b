//! Which runs wait until when, in few bytes: there may be many, and they may wait for long.

use std::collections::BTreeSet;

use jiff::Timestamp;
use uuid::Uuid;
use workflow_core::ids::RunId;

/// Runs by the times that they wait for.
#[derive(Default)]
pub(crate) struct Due(BTreeSet<(i64, Name)>);

/// The id of a run. Kept apart from all that it was shared with when the run was driven, which goes.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Name {
    /// As the engine makes them.
    Uuid([u8; 16]),
    Chosen(Box<str>),
}

impl Due {
    pub(crate) fn insert(&mut self, until: Timestamp, run: &RunId) {
        self.0.insert((nanoseconds(until), Name::of(run)));
    }

    /// When the next one goes on.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        let (until, _) = self.0.first()?;
        Some(Timestamp::from_nanosecond(i128::from(*until)).unwrap_or(Timestamp::MAX))
    }

    /// Takes out one whose time has come.
    pub(crate) fn take(&mut self, now: Timestamp) -> Option<RunId> {
        if self.next()? > now {
            return None;
        }
        self.0.pop_first()?.1.run()
    }
}

impl Name {
    fn of(run: &RunId) -> Self {
        let uuid = Uuid::try_parse(run.as_str()).ok();
        // One that is written in another way is another id.
        let uuid = uuid.filter(|uuid| uuid.to_string() == run.as_str());
        uuid.map_or_else(|| Self::Chosen(run.as_str().into()), |uuid| Self::Uuid(uuid.into_bytes()))
    }

    /// The id again; there is one, since it comes of one.
    fn run(self) -> Option<RunId> {
        match self {
            Self::Uuid(bytes) => RunId::new(Uuid::from_bytes(bytes).to_string()).ok(),
            Self::Chosen(name) => RunId::new(&*name).ok(),
        }
    }
}

/// Since 1970. What is too far away for a number of 64 bits is as good as the last time that is not.
fn nanoseconds(time: Timestamp) -> i64 {
    let [first, last] = [i64::MIN, i64::MAX].map(i128::from);
    i64::try_from(time.as_nanosecond().clamp(first, last)).unwrap_or(i64::MAX)
}
