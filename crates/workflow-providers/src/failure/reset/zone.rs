//! The time zone behind a time.

use jiff::tz::{Offset, TimeZone};

use super::cursor::Cursor;

/// The zone that comes next: `Ok(None)` if the text names none, an error if it names one that is not known or
/// that means several.
pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Option<TimeZone>, ()> {
    let mut next = *cursor;
    next.spaces();
    let is_enclosed = next.takes("(") || next.takes("[");
    let found = named(&mut next, is_enclosed)?;
    if found.is_some() {
        if is_enclosed && !(next.takes(")") || next.takes("]")) {
            return Err(());
        }
        *cursor = next;
    }
    Ok(found)
}

fn named(cursor: &mut Cursor<'_>, is_enclosed: bool) -> Result<Option<TimeZone>, ()> {
    if cursor.at('+') || (cursor.at('-') && is_enclosed) {
        return offset(cursor).map(Some).ok_or(());
    }
    let mut name = *cursor;
    let written = cursor.word_as_written();
    let name = name.take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '/' | '-' | '+'));
    if name.contains('/') {
        cursor.takes(name);
        return TimeZone::get(name).map(Some).map_err(|_| ());
    }
    let mut next = *cursor;
    let fixed = |hours: i8| Ok(Some(TimeZone::fixed(Offset::constant(hours))));
    let region = |name: &str| TimeZone::get(name).map(Some).map_err(|_| ());
    let word = next.word();
    let zone = match word {
        "z" => fixed(0),
        "utc" | "gmt" => {
            if next.at('+') || next.at('-') {
                offset(&mut next).map(Some).ok_or(())
            } else {
                fixed(0)
            }
        }
        "pst" => fixed(-8),
        "pdt" | "mst" => fixed(-7),
        "mdt" => fixed(-6),
        "cdt" | "est" => fixed(-5),
        "edt" => fixed(-4),
        "cet" => fixed(1),
        "cest" => fixed(2),
        "jst" => fixed(9),
        "pt" | "pacific" => region("America/Los_Angeles"),
        "et" | "eastern" => region("America/New_York"),
        "local" | "your" => Ok(None),
        // `CST` and `IST` are several zones each.
        _ if is_enclosed && !word.is_empty() => Err(()),
        _ if (3..=5).contains(&written.len()) && written.bytes().all(|byte| byte.is_ascii_uppercase()) => {
            Err(())
        }
        _ => Ok(None),
    }?;
    if zone.is_some() {
        next.spaces();
        let mut time = next;
        if time.eat_word("time") {
            next = time;
        }
        *cursor = next;
    }
    Ok(zone)
}

/// `+02:00`, `-0700`, `+2`.
pub(super) fn offset(cursor: &mut Cursor<'_>) -> Option<TimeZone> {
    let sign = if cursor.takes("+") {
        1
    } else if cursor.takes("-") {
        -1
    } else {
        return None;
    };
    let digits = cursor.digits()?;
    let (hours, minutes): (i32, i32) = match digits.len() {
        1 | 2 if cursor.takes(":") => (digits.parse().ok()?, cursor.count(2)?),
        1 | 2 => (digits.parse().ok()?, 0),
        4 => (digits[..2].parse().ok()?, digits[2..].parse().ok()?),
        _ => return None,
    };
    (hours <= 18 && minutes < 60).then_some(())?;
    Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok().map(TimeZone::fixed)
}
