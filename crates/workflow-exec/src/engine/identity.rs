//! The ids of new runs, and their seeds.

use jiff::Timestamp;
use uuid::Uuid;
use workflow_core::ids::RunId;

use workflow_core::runs::EngineError;

/// The id of a new run, and its seed.
pub(super) fn identity(chosen: Option<RunId>, now: Timestamp) -> Result<(RunId, u64), EngineError> {
    let uuid = new_uuid(now);
    let (_, random) = uuid.as_u64_pair();
    let id = match chosen {
        Some(id) => id,
        None => run_id(uuid)?,
    };
    Ok((id, random))
}

/// The seed of the run of a node: as its id does, it follows from the run that starts it.
pub(super) fn seed_of_child(id: &RunId) -> Option<u64> {
    Some(Uuid::parse_str(id.as_str()).ok()?.as_u64_pair().1)
}

pub(super) fn run_id(uuid: Uuid) -> Result<RunId, EngineError> {
    Ok(RunId::new(uuid.hyphenated().encode_lower(&mut Uuid::encode_buffer()))?)
}

/// An id that sorts by the time at which it was made. A clock that was never set may show a time before 1970, which
/// such an id cannot hold.
pub(super) fn new_uuid(now: Timestamp) -> Uuid {
    if now < Timestamp::UNIX_EPOCH {
        return Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, 0, 0));
    }
    Uuid::now_v7()
}
