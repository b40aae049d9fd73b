//! How long to wait before another attempt.

use std::time::Duration;

use jiff::Timestamp;

use crate::ids::NodePath;

/// No retry waits longer than this.
const CAP: Duration = Duration::from_secs(300);

/// `base × 2^(failures − 1)`, capped, of which a random half is taken off: "equal jitter" of
/// Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015. The randomness comes from
/// the run's seed, the node and the count, so it is the same whenever it is asked for.
pub(super) fn delay(base: Duration, failures: u32, seed: u64, path: &NodePath) -> Duration {
    let factor = 1u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
    let full = base.saturating_mul(factor).min(CAP);
    let half = full / 2;
    let random = mix(seed ^ hash(path) ^ u64::from(failures));
    half + half.mul_f64(unit(random))
}

/// FNV-1a (Fowler, Noll, Vo) over what names the node.
fn hash(path: &NodePath) -> u64 {
    let numbers = [path.iteration, path.lane].into_iter().chain(path.items.iter().copied());
    let names = path.stage.as_str().bytes().chain(path.node.as_str().bytes());
    names
        .chain(numbers.flat_map(u32::to_le_bytes))
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The output function of `SplitMix64` (Steele, Lea, Flood, 2014).
fn mix(seed: u64) -> u64 {
    let z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A number from 0 up to, but not including, 1.
fn unit(random: u64) -> f64 {
    // 32 bits are exact in an f64, and fine-grained enough for a delay.
    f64::from(u32::try_from(random >> 32).unwrap_or(u32::MAX)) / (f64::from(u32::MAX) + 1.0)
}

pub(super) fn later(now: Timestamp, delay: Duration) -> Timestamp {
    now.checked_add(delay).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_within_their_jitter_up_to_the_cap() {
        let path: NodePath = "1/test[0]/run".parse().unwrap();
        let base = Duration::from_secs(5);
        for (failures, full) in [(1, 5), (2, 10), (3, 20), (6, 160), (7, 300), (40, 300)] {
            for seed in 0..200 {
                let delay = delay(base, failures, seed, &path);
                let full = Duration::from_secs(full);
                assert!(delay >= full / 2 && delay <= full, "{failures} {seed}: {delay:?}");
            }
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_delay_and_lanes_and_items_differ() {
        let delay = |seed, path: &str| delay(Duration::from_secs(5), 1, seed, &path.parse().unwrap());
        assert_eq!(delay(7, "1/test[0]/run"), delay(7, "1/test[0]/run"));
        assert_ne!(delay(7, "1/test[0]/run"), delay(7, "1/test[1]/run"));
        assert_ne!(delay(7, "1/test[0]/run"), delay(8, "1/test[0]/run"));
        assert_ne!(delay(7, "1/test[0]/each[0]"), delay(7, "1/test[0]/each[1]"));
    }
}
