//! How events are cloned: stores in memory clone each.

use crate::event::{Event, EventBody};

impl Clone for Event {
    fn clone(&self) -> Self {
        Self { seq: self.seq, at: self.at, body: clone_of(&self.body) }
    }
}

/// Not inlined, so that the body is made where it stays, and not moved there.
#[inline(never)]
fn clone_of(body: &EventBody) -> EventBody {
    body.clone()
}
