//! Worker processes, and a database server, that are killed or suspended while calls write a trace.
//!
//! The steps depend on what was observed, not on time: a trace grew by some calls, a run has ended in the
//! store.

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
mod slots;
mod work;

/// Random numbers from a seed (`SplitMix64`), so that a failing sequence can be repeated.
struct Chance(u64);

impl Chance {
    fn below(&mut self, count: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) >> 1).unwrap() % count
    }
}
