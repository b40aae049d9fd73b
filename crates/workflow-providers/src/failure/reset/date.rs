//! Dates and times of day, as they are written in messages and in headers.

use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Span, Timestamp};

use super::cursor::Cursor;
use super::told::{Here, Told};
use super::{time, zone};

/// A time of day that was so recently is past, and not that of tomorrow.
const RECENT: SignedDuration = SignedDuration::from_mins(10);

/// The day that is told with a time.
#[derive(Debug, Clone, Copy)]
enum Day {
    Date(Date),
    /// Month and day of whichever year is closest.
    OfYear(i8, i8),
    Weekday(Weekday),
    /// So many days from today.
    From(i32),
}

/// The time that comes next, if it is one.
pub(super) fn read(cursor: Cursor<'_>, here: &Here<'_>) -> Option<Told> {
    if let Some(told) = iso(cursor, here) {
        return Some(told);
    }
    let mut next = cursor;
    let mut on = day(&mut next);
    if on.is_some() {
        next.skip(|c| matches!(c, ',' | ' '));
        if next.eat_word("at") {
            next.spaces();
        }
    }
    let Ok(at) = time::read(&mut next) else { return Some(Told::Unclear) };
    (on.is_some() || at.is_some()).then_some(())?;
    let Ok(mut of) = zone::read(&mut next) else { return Some(Told::Unclear) };
    if on.is_none() {
        // `9am on Monday`, `3:05 PM, Jul 29`.
        let mut behind = next;
        behind.skip(|c| matches!(c, ',' | ' '));
        behind.eat_word("on");
        behind.spaces();
        on = day(&mut behind);
        if on.is_some() && of.is_none() {
            let Ok(zone) = zone::read(&mut behind) else { return Some(Told::Unclear) };
            of = zone;
        }
    }
    let of = of.unwrap_or_else(|| here.zone.clone());
    Some(resolve(on, at, &of, here))
}

/// `2026-01-02T03:04:05Z` and its relatives.
pub(super) fn iso(mut cursor: Cursor<'_>, here: &Here<'_>) -> Option<Told> {
    let year = cursor.digits().filter(|digits| digits.len() == 4)?.parse().ok()?;
    let separator = ["-", "/"].into_iter().find(|separator| cursor.takes(separator))?;
    let month = cursor.count(2)?;
    cursor.takes(separator).then_some(())?;
    let day = cursor.count(2)?;
    let Ok(date) = Date::new(year, month, day) else { return Some(Told::Unclear) };
    let mut next = cursor;
    if !next.takes("t") {
        next.skip(|c| matches!(c, ' ' | ','));
        if next.eat_word("at") {
            next.spaces();
        }
    }
    let Ok(at) = time::read(&mut next) else { return Some(Told::Unclear) };
    if at.is_some() {
        cursor = next;
    }
    // A sign directly behind a time is that of its offset.
    let of = if at.is_some() && cursor.at('-') { signed(&mut cursor) } else { zone::read(&mut cursor) };
    let Ok(of) = of else { return Some(Told::Unclear) };
    let of = of.unwrap_or_else(|| here.zone.clone());
    Some(resolve(Some(Day::Date(date)), at, &of, here))
}

fn signed(cursor: &mut Cursor<'_>) -> Result<Option<TimeZone>, ()> {
    zone::offset(cursor).map(Some).ok_or(())
}

fn day(cursor: &mut Cursor<'_>) -> Option<Day> {
    let mut next = *cursor;
    let word = next.word();
    let relative = match word {
        "today" | "tonight" => Some(0),
        "tomorrow" => Some(1),
        _ => None,
    };
    if let Some(days) = relative {
        *cursor = next;
        return Some(Day::From(days));
    }
    let weekday = weekday(word);
    if weekday.is_some() {
        *cursor = next;
        next.skip(|c| matches!(c, ',' | '.' | ' '));
    } else {
        next = *cursor;
    }
    let of_year = month_and_day(&mut next);
    if of_year.is_some() {
        *cursor = next;
    }
    of_year.or_else(|| weekday.map(Day::Weekday))
}

/// `Jul 29th, 2026`, `31 July`, `Aug 1`.
fn month_and_day(cursor: &mut Cursor<'_>) -> Option<Day> {
    let number = |cursor: &mut Cursor<'_>| {
        let day = cursor.count::<i8>(2)?;
        let mut next = *cursor;
        if ["st", "nd", "rd", "th"].contains(&next.word()) {
            *cursor = next;
        }
        Some(day)
    };
    let name = |cursor: &mut Cursor<'_>| {
        let found = month(cursor.word());
        cursor.takes(".");
        cursor.spaces();
        found
    };
    let mut next = *cursor;
    let (day, month) = if let Some(month) = name(&mut next) {
        (number(&mut next)?, month)
    } else {
        next = *cursor;
        let day = number(&mut next)?;
        next.skip(|c| matches!(c, ' ' | '-'));
        (day, name(&mut next)?)
    };
    *cursor = next;
    next.skip(|c| matches!(c, ' ' | ',' | '-'));
    let year = next.digits().filter(|digits| digits.len() == 4);
    match year.and_then(|year| year.parse().ok()) {
        // Not the hour of `Jul 31, 2026:15`.
        Some(year) if !next.at(':') => {
            *cursor = next;
            // An impossible date is found to be one later.
            Some(Date::new(year, month, day).map_or(Day::OfYear(month, day), Day::Date))
        }
        _ => Some(Day::OfYear(month, day)),
    }
}

fn month(word: &str) -> Option<i8> {
    const NAMES: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let is_it =
        |name: &&str| word.len() >= 3 && (name.starts_with(word) || word == "sept" && *name == "september");
    i8::try_from(NAMES.iter().position(is_it)? + 1).ok()
}

fn weekday(word: &str) -> Option<Weekday> {
    const NAMES: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    let number = NAMES.iter().position(|name| word.len() >= 3 && name.starts_with(word))?;
    Weekday::from_monday_zero_offset(i8::try_from(number).ok()?).ok()
}

fn resolve(on: Option<Day>, at: Option<Time>, of: &TimeZone, here: &Here<'_>) -> Told {
    let today = of.to_datetime(here.now).date();
    let moment = |date: Date| instant(date.to_datetime(at.unwrap_or_default()), of, here.now);
    let in_days = |days: i32| moment(today.checked_add(Span::new().days(days)).ok()?);
    // The first one that is not clearly past.
    let next = |mut days: std::ops::RangeInclusive<i32>, takes: &dyn Fn(Timestamp) -> bool| {
        let start = here.now.checked_sub(RECENT).unwrap_or(here.now);
        days.find_map(|days| in_days(days).filter(|at| *at > start && takes(*at)))
    };
    let found = match on {
        None => next(-1..=2, &|_| true),
        // Without a time it is not clear when on that day.
        Some(Day::From(0)) if at.is_none() => None,
        Some(Day::From(days)) => in_days(days),
        Some(Day::Date(date)) => moment(date),
        Some(Day::Weekday(day)) => next(-1..=8, &|at| of.to_datetime(at).date().weekday() == day),
        Some(Day::OfYear(month, day)) => {
            let years = (-1..=1).filter_map(|more| Date::new(today.year() + more, month, day).ok());
            years.filter_map(moment).min_by_key(|at| at.duration_since(here.now).abs())
        }
    };
    found.map_or(Told::Unclear, |at| here.told(at))
}

/// The instant of a local time: behind the gap if clocks skip it, and the next one if it occurs twice.
fn instant(local: DateTime, of: &TimeZone, now: Timestamp) -> Option<Timestamp> {
    let found = of.to_ambiguous_timestamp(local);
    match found.offset() {
        AmbiguousOffset::Fold { .. } => {
            let earlier = found.earlier().ok()?;
            if earlier > now { Some(earlier) } else { found.later().ok() }
        }
        _ => found.compatible().ok(),
    }
}
