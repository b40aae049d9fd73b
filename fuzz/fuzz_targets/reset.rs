//! Any text as the message of a service that is over its quota, at any time, in several zones: what is read is in the
//! future and not far away, and times are never later than their bound.
//!
//! `cargo fuzz run --sanitizer none reset -- -max_total_time=10 -max_len=512 -dict=fuzz/reset.dict`

#![no_main]

use jiff::Timestamp;
use jiff::tz::TimeZone;
use libfuzzer_sys::fuzz_target;

// The parser is not part of the public API.
#[path = "../../crates/workflow-providers/src/failure/reset/mod.rs"]
mod reset;

use reset::{Here, Told};

const ZONES: [&str; 6] =
    ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Auckland", "America/St_Johns"];

fuzz_target!(|input: (u8, i64, &str)| {
    let (zone, now, text) = input;
    let zone = TimeZone::get(ZONES[usize::from(zone) % ZONES.len()]).expect("the zone is known");
    // Most of the times in this century, and every other time as well.
    let seconds = if now % 2 == 0 { now.rem_euclid(4_000_000_000) } else { now };
    let Ok(now) = Timestamp::from_second(seconds) else { return };
    let here = Here { now, zone: &zone };
    let told = reset::read(text, &here);
    if let Some(Told::At(at)) = told {
        let away = at.duration_since(now);
        assert!(away.is_positive() && away.as_hours() <= 366 * 24, "{at} is {away:?} after {now}");
    }
    assert_eq!(reset::read(text, &here), told);
});
