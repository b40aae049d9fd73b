//! Who holds leases, and until when they are good.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;

use super::super::sync::lock;

/// Tells the time for leases that run out.
pub(super) type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// For how long leases are good.
pub(super) struct Term {
    pub(super) time: Duration,
    pub(super) clock: Clock,
}

/// What stands for a process: all leases that it was given are renewed together, and run out together.
pub(super) struct Holder {
    number: u64,
    term: Option<Arc<Term>>,
    heart: Mutex<Heart>,
}

#[derive(Default)]
struct Heart {
    /// Grows whenever its leases have run out: those of an earlier life are never good again.
    life: u64,
    /// How many leases of this life were not given back.
    leases: usize,
    /// Until when they are good. It counts only while there are some.
    until: Timestamp,
    /// Whether leases have run out and the holder was not told.
    untold: bool,
}

impl Heart {
    /// Ends this life when its leases have run out.
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

    /// Whether leases of that life are good.
    pub(super) fn lives(&self, life: u64) -> bool {
        let Some(term) = &self.term else { return true };
        let mut heart = lock(&self.heart);
        heart.look((term.clock)());
        heart.life == life
    }

    /// One lease of that life was given back.
    pub(super) fn give_back(&self, life: u64) {
        let mut heart = lock(&self.heart);
        if heart.life == life {
            heart.leases = heart.leases.saturating_sub(1);
        }
    }

    /// Puts off the end of all leases. False when they had run out: then none is good.
    pub(super) fn renew(&self) -> bool {
        let Some(term) = &self.term else { return true };
        let mut heart = lock(&self.heart);
        let now = (term.clock)();
        heart.look(now);
        if heart.untold {
            // What was taken before the holder was told is given up too: it believes to have nothing.
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
