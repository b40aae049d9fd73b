//! Scripts for faults, including random ones.

use std::sync::Mutex;
use std::time::Duration;

use crate::chance::Chance;

/// What happens at a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// It works.
    None,
    /// It works after a delay; see [`FaultStore::timer`](super::FaultStore::timer).
    Delay(Duration),
    /// The host dies before anything is stored.
    DieBefore,
    /// The host dies when all is stored, before it gets the response.
    DieAfter,
    /// The host dies, and at random all is stored, or nothing.
    Die,
    /// An error, and nothing is stored.
    Lose,
    /// An error, although all is stored.
    LoseAnswer,
    /// The same, and the next attempt to read events back fails too.
    LoseAnswerAndRead,
}

/// A write that is about to be executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Write {
    /// Its kind.
    pub kind: WriteKind,
    /// Its number among all writes, from 1.
    pub number: u64,
    /// Its number among those of its kind, from 1.
    pub of_its_kind: u64,
}

/// The methods that change a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WriteKind {
    /// `create`.
    Create,
    /// `append`.
    Append,
    /// `append_output`.
    Output,
    /// `claim` and `claim_next`.
    Claim,
    /// `renew`.
    Renew,
    /// `release`.
    Release,
    /// `request`.
    Request,
    /// `delete` and `prune`.
    Delete,
    /// `claim_notice` and `settle_notice`.
    Notice,
}

impl WriteKind {
    /// All kinds.
    pub const ALL: [Self; 9] = [
        Self::Create,
        Self::Append,
        Self::Output,
        Self::Claim,
        Self::Renew,
        Self::Release,
        Self::Request,
        Self::Delete,
        Self::Notice,
    ];
}

/// A random script: about one in `one_in` writes has one of `faults`. The same seed results in the same
/// script.
pub fn seeded(seed: u64, one_in: u64, faults: &[Fault]) -> impl Fn(Write) -> Fault + Send + Sync + use<> {
    let (chance, faults) = (Mutex::new(Chance::new(seed)), faults.to_vec());
    move |_| {
        let mut chance = chance.lock().unwrap();
        let (meets, which) = (chance.draw(one_in.max(1) - 1) == 0, chance.draw(1 << 16));
        let which = usize::try_from(which).unwrap_or_default() % faults.len().max(1);
        faults.get(which).copied().filter(|_| meets).unwrap_or(Fault::None)
    }
}
