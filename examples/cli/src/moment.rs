//! Points in time on the command line.

use jiff::Timestamp;
use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;
use workflow_core::definition::Period;

/// A point in time: how long ago it was (`10m`, `2d`), a time of day or a date with one, here or with an offset.
pub(crate) fn moment(text: &str) -> Result<Timestamp, String> {
    moment_at(text, Timestamp::now(), &TimeZone::system())
}

fn moment_at(text: &str, now: Timestamp, zone: &TimeZone) -> Result<Timestamp, String> {
    let out_of_range = |error: jiff::Error| error.to_string();
    if let Ok(Period(ago)) = text.parse() {
        return now.checked_sub(ago).map_err(out_of_range);
    }
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    let today = || now.to_zoned(zone.clone()).date();
    let local =
        text.parse::<DateTime>().or_else(|_| text.parse().map(|time: Time| today().to_datetime(time)));
    let local = local.map_err(|_| {
        "write how long ago it was (`10m`, `2h`, `7d`), a time of day (`14:30`), or a date (`2026-01-31`, \
         `2026-01-31T14:30`)"
            .to_owned()
    })?;
    local.to_zoned(zone.clone()).map(|at| at.timestamp()).map_err(out_of_range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_relative_or_absolute() {
        let now: Timestamp = "2026-01-31T12:00:00Z".parse().unwrap();
        let zone = TimeZone::fixed(jiff::tz::offset(1));
        for (text, expected) in [
            ("10m", Some("2026-01-31T11:50:00Z")),
            ("90", Some("2026-01-31T11:58:30Z")),
            ("2d", Some("2026-01-29T12:00:00Z")),
            ("2026-01-30T10:00:00Z", Some("2026-01-30T10:00:00Z")),
            ("2026-01-30T10:00:00+03:00", Some("2026-01-30T07:00:00Z")),
            ("2026-01-30 10:00", Some("2026-01-30T09:00:00Z")),
            ("2026-01-30", Some("2026-01-29T23:00:00Z")),
            ("10:30", Some("2026-01-31T09:30:00Z")),
            ("yesterday", None),
            ("-10m", None),
            ("", None),
        ] {
            let at = moment_at(text, now, &zone);
            assert_eq!(at.ok(), expected.map(|expected| expected.parse().unwrap()), "{text}");
        }
    }
}
