//! The holders of leases, and until when the leases are valid.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;

use super::super::sync::lock;

/// The clock for leases that expire.
pub(super) type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// How long leases are valid.
pub(super) struct Term {
    pub(super) time: Duration,
    pub(super) clock: Clock,
}

/// Stands for a process: all of its leases are renewed together, and expire together.
pub(super) struct Holder {
    number: u64,
    term: Option<Arc<Term>>,
    heart: Mutex<Heart>,
}

#[derive(Default)]
struct Heart {
    /// Grows whenever its leases have expired: those of an earlier life never become valid again.
    life: u64,
    /// How many leases of this life were not released.
    leases: usize,
    /// Until when they are valid. Only meaningful while there are leases.
    until: Timestamp,
    /// Whether leases have expired without the holder having been told.
    untold: bool,
}

impl Heart {
    /// Ends this life when its leases have expired.
    fn look(&mut self, now: Timestamp) {
        if self.leases > 0 && now >= self.until {
            self.die();
        }
    }

    fn die(&mut self) {
        self.life += 1;
        self.leases = 0;
        self.untold = true;
    }
}

impl Term {
    fn until(&self, now: Timestamp) -> Timestamp {
        now.checked_add(self.time).unwrap_or(Timestamp::MAX)
    }
}

impl Holder {
    pub(super) fn new(number: u64, term: Option<Arc<Term>>) -> Self {
        Self { number, term, heart: Mutex::default() }
    }

    pub(super) fn term(&self) -> Option<&Arc<Term>> {
        self.term.as_ref()
    }

    /// Counts a new lease, and returns the life it belongs to.
    pub(super) fn lend(&self) -> u64 {
        let Some(term) = &self.term else { return 0 };
        let mut heart = lock(&self.heart);
        let now = (term.clock)();
        heart.look(now);
        heart.leases += 1;
        heart.until = term.until(now);
        heart.life
    }

    /// Whether leases of that life are valid.
    pub(super) fn lives(&self, life: u64) -> bool {
        let Some(term) = &self.term else { return true };
        let mut heart = lock(&self.heart);
        heart.look((term.clock)());
        heart.life == life
    }

    /// Counts the release of one lease of that life.
    pub(super) fn give_back(&self, life: u64) {
        let mut heart = lock(&self.heart);
        if heart.life == life {
            heart.leases = heart.leases.saturating_sub(1);
        }
    }

    /// Extends all leases. Returns false if they had expired: then none is valid.
    pub(super) fn renew(&self) -> bool {
        let Some(term) = &self.term else { return true };
        let mut heart = lock(&self.heart);
        let now = (term.clock)();
        heart.look(now);
        if heart.untold {
            // Runs that were claimed before the holder was told are given up too: the holder assumes that it
            // has none.
            heart.die();
            heart.untold = false;
            return false;
        }
        heart.until = term.until(now);
        true
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} of this store", self.number)
    }
}
