//! Lengths of time, as `3 days 4 hours 5 minutes` and `5h2m10s`.

use jiff::SignedDuration;

use super::cursor::Cursor;
use super::told::{Here, Told};

/// The end of the length of time that comes next.
pub(super) fn read(mut cursor: Cursor<'_>, here: &Here<'_>) -> Option<Told> {
    let mut sum: Option<SignedDuration> = None;
    loop {
        let mut next = cursor;
        let part = part(&mut next);
        let Some(part) = part else { break };
        let Ok(part) = part else { return Some(Told::Unclear) };
        let Some(more) = sum.unwrap_or_default().checked_add(part) else { return Some(Told::Unclear) };
        (sum, cursor) = (Some(more), next);
        cursor.skip(|c| matches!(c, ' ' | ','));
        if cursor.eat_word("and") {
            cursor.spaces();
        }
    }
    let sum = sum?;
    if cursor.eat_word("ago") {
        return Some(Told::Past);
    }
    Some(here.now.checked_add(sum).map_or(Told::Unclear, |at| here.told(at)))
}

/// A number and its unit, or an error if it is too large.
fn part(cursor: &mut Cursor<'_>) -> Option<Result<SignedDuration, ()>> {
    let (whole, behind) = match cursor.number() {
        Some(number) => number,
        None => (["a", "an", "one"].contains(&cursor.word()).then_some(1)?, ""),
    };
    cursor.spaces();
    let nanos: i64 = match cursor.word() {
        "ms" | "msec" | "msecs" | "millis" | "millisecond" | "milliseconds" => 1_000_000,
        "s" | "sec" | "secs" | "second" | "seconds" => 1_000_000_000,
        "m" | "min" | "mins" | "minute" | "minutes" => 60_000_000_000,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3_600_000_000_000,
        "d" | "day" | "days" => 86_400_000_000_000,
        "w" | "wk" | "week" | "weeks" => 604_800_000_000_000,
        _ => return None,
    };
    let whole = i64::try_from(whole).ok().and_then(|whole| whole.checked_mul(nanos));
    let sum = whole.map(|whole| SignedDuration::from_nanos(whole).saturating_add(fraction(behind, nanos)));
    Some(sum.ok_or(()))
}

/// The digits behind the decimal point of a unit of so many nanoseconds.
pub(super) fn fraction(digits: &str, nanos: i64) -> SignedDuration {
    let (mut unit, mut sum) = (nanos, 0);
    for digit in digits.bytes().take(15) {
        unit /= 10;
        sum += unit * i64::from(digit - b'0');
    }
    SignedDuration::from_nanos(sum)
}
