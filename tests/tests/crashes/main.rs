//! Worker processes that are killed or stopped, and a database that is, over runs whose calls leave a trace.
//!
//! What happens next is decided by what was seen to happen, not by time: a trace grows by so many calls, a run
//! has ended in the store.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot continue has failed"
)]

mod check;
mod disk;
mod fleet;
mod killed;
mod paused;
mod server;
mod work;

/// Chance that a seed decides (`SplitMix64`), so that a failing sequence can be had again.
struct Chance(u64);

impl Chance {
    fn below(&mut self, count: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) >> 1).unwrap() % count
    }
}
