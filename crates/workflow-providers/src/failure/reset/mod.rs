//! Reads from an agent's message when its quota is refilled.
//!
//! This is the only place that reads such times from text. The clock and the time zone are passed in. What the
//! text does not say clearly is [`Told::Unclear`], never a time that may be wrong.

mod cursor;
mod date;
mod length;
mod time;
mod told;
mod zone;

use jiff::{SignedDuration, Timestamp};

use self::cursor::Cursor;
pub(crate) use self::told::{Here, Told};

/// How many bytes of a text are read.
const LIMIT: usize = 64 * 1024;

/// Words in front of the time of a reset, or their beginnings.
const ANCHORS: [&str; 9] =
    ["reset", "retry", "again", "wait", "until", "refill", "replenish", "renew", "available"];

/// Words between an anchor and the time.
const FILLERS: [&str; 27] = [
    "about",
    "after",
    "again",
    "approximately",
    "around",
    "at",
    "automatically",
    "be",
    "by",
    "for",
    "from",
    "in",
    "is",
    "it",
    "least",
    "less",
    "limit",
    "next",
    "of",
    "on",
    "roughly",
    "than",
    "the",
    "time",
    "to",
    "until",
    "will",
];

/// When the quota is refilled, if `text` says anything about it.
pub(crate) fn read(text: &str, here: &Here<'_>) -> Option<Told> {
    let end = (0..=text.len().min(LIMIT)).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    let (text, lower) = cursor::plain(&text[..end]);
    let mut first = None;
    let mut take = |told: Option<Told>| {
        first = first.or(told);
        matches!(told, Some(Told::At(_)))
    };
    for (start, anchor) in anchors(&text, &lower) {
        let from = start + anchor.len();
        let told = after_anchor(Cursor::new(&text[from..], &lower[from..]), anchor, here);
        if take(told) {
            return told;
        }
    }
    let told = after_bar(&lower, here).or_else(|| any_date(&text, &lower, here));
    if take(told) { told } else { first }
}

/// The anchors and where they begin: at the start of a word, or of a part of a name, as in `quotaResetDelay`.
fn anchors<'t>(text: &'t str, lower: &'t str) -> impl Iterator<Item = (usize, &'static str)> {
    let is_start = |at: usize| {
        let before = text[..at].chars().next_back();
        before.is_none_or(|c| !c.is_ascii_alphanumeric())
            || (before.is_some_and(|c| c.is_ascii_lowercase())
                && text[at..].starts_with(|c: char| c.is_ascii_uppercase()))
    };
    let starts = lower.char_indices().filter(|(_, c)| "rawu".contains(*c)).map(|(at, _)| at);
    starts.filter(move |at| is_start(*at)).filter_map(|at| {
        let anchor = ANCHORS.iter().find(|anchor| lower[at..].starts_with(**anchor))?;
        Some((at, *anchor))
    })
}

fn after_anchor(mut cursor: Cursor<'_>, anchor: &str, here: &Here<'_>) -> Option<Told> {
    // The rest of a word or of a name, as in `retry-after-ms` and `resetTimeStamp`.
    let rest = cursor.take_while(|c| c.is_ascii_alphabetic() || matches!(c, '_' | '-'));
    if !rest.is_empty() && !anchor.starts_with("re") {
        return None;
    }
    let mut is_length = ["after", "delay", "_in", "-in"].iter().any(|word| rest.contains(word));
    let (mut is_date, is_milliseconds) = (true, rest.ends_with("ms") || rest.ends_with("millis"));
    for _ in 0..12 {
        cursor.skip(|c| " \"':=([,~·∙•—–".contains(c));
        let mut next = cursor;
        let word = next.word();
        if !FILLERS.contains(&word) {
            break;
        }
        (is_length, is_date) = match word {
            "in" | "for" => (true, false),
            "after" | "than" | "least" => (true, true),
            "at" | "on" | "by" | "until" => (false, true),
            _ => (is_length, is_date),
        };
        cursor = next;
    }
    let date = if is_date { date::read(cursor, here) } else { None };
    date.or_else(|| length::read(cursor, here)).or_else(|| number(cursor, is_length, is_milliseconds, here))
}

/// A number without a unit.
fn number(mut cursor: Cursor<'_>, is_length: bool, is_milliseconds: bool, here: &Here<'_>) -> Option<Told> {
    let (whole, part) = cursor.number()?;
    let mut behind = cursor;
    behind.spaces();
    let has_unit = behind.starts_word();
    let told = match whole {
        1_000_000_000_000..=9_999_999_999_999 => millisecond(whole),
        1_000_000_000..=9_999_999_999 => Timestamp::from_second(i64::try_from(whole).unwrap_or(0)).ok(),
        0..=99_999_999 if is_length && !has_unit && !cursor.at(':') => {
            let seconds = if is_milliseconds {
                SignedDuration::from_millis(whole.cast_signed())
            } else {
                SignedDuration::from_secs(whole.cast_signed()) + length::fraction(part, 1_000_000_000)
            };
            here.now.checked_add(seconds).ok()
        }
        _ => None,
    };
    Some(told.map_or(Told::Unclear, |at| here.told(at)))
}

fn millisecond(count: u64) -> Option<Timestamp> {
    Timestamp::from_millisecond(i64::try_from(count).ok()?).ok()
}

/// `usage limit reached|1795833570`.
fn after_bar(lower: &str, here: &Here<'_>) -> Option<Told> {
    let digits: String =
        lower.rsplit_once('|')?.1.trim_start().chars().take_while(char::is_ascii_digit).collect();
    let count: u64 = digits.parse().ok()?;
    let at = match digits.len() {
        9..=11 => Timestamp::from_second(i64::try_from(count).ok()?).ok(),
        12..=14 => millisecond(count),
        _ => return None,
    };
    Some(at.map_or(Told::Unclear, |at| here.told(at)))
}

/// A complete date anywhere. It may be that of a log line, so it is only used if it is in the future.
fn any_date(text: &str, lower: &str, here: &Here<'_>) -> Option<Told> {
    let bytes = lower.as_bytes();
    let starts = bytes.windows(5).enumerate().filter(|(at, five)| {
        five[..4].iter().all(u8::is_ascii_digit)
            && five[4] == b'-'
            && at.checked_sub(1).is_none_or(|before| !bytes[before].is_ascii_alphanumeric())
    });
    let mut all = starts.filter_map(|(at, _)| date::iso(Cursor::new(&text[at..], &lower[at..]), here));
    all.find(|told| matches!(told, Told::At(_)))
}

#[cfg(test)]
mod table;
