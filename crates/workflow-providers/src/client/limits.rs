//! The headers of a response that tell when to ask again.

use hyper::HeaderMap;
use jiff::Timestamp;

use crate::failure::{self, Here, Told};

/// When to ask again, according to the headers. A limit with something left does not count.
pub(crate) fn resets(headers: &HeaderMap, here: &Here<'_>) -> Option<Timestamp> {
    for name in ["retry-after-ms", "retry-after"] {
        if let Some(value) = text(headers, name)
            && let Some(at) = at(failure::read(&format!("{name}: {value}"), here), here)
        {
            return Some(at);
        }
    }
    let own = headers.keys().filter_map(|name| {
        let name = name.as_str();
        let is_of_limit = name.contains("ratelimit") || name.contains("rate-limit");
        if !is_of_limit || !name.contains("reset") || is_left(headers, &name.replace("reset", "remaining")) {
            return None;
        }
        read(text(headers, name)?, here)
    });
    let combined = headers.get_all("ratelimit").iter().filter_map(|value| value.to_str().ok());
    own.chain(combined.flat_map(|value| value.split([';', ','])).filter_map(|part| {
        // `"default";r=0;t=30`, and formerly `limit=100, remaining=0, reset=30`.
        let (name, value) = part.trim().split_once('=')?;
        if matches!(name.trim(), "t" | "reset") { read(value.trim(), here) } else { None }
    }))
    .max()
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

fn is_left(headers: &HeaderMap, name: &str) -> bool {
    text(headers, name).and_then(|value| value.parse::<f64>().ok()).is_some_and(|left| left > 0.0)
}

/// A length of time, seconds since 1970, or a date.
fn read(value: &str, here: &Here<'_>) -> Option<Timestamp> {
    let is_date = value.len() > 4 && value.as_bytes()[4] == b'-';
    let anchor = if is_date { "resets at" } else { "retry-after:" };
    at(failure::read(&format!("{anchor} {value}"), here), here)
}

/// A time in the past means now.
fn at(told: Option<Told>, here: &Here<'_>) -> Option<Timestamp> {
    match told? {
        Told::At(at) => Some(at),
        Told::Past => here.now.checked_add(jiff::SignedDuration::from_millis(1)).ok(),
        Told::Unclear => None,
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::{HeaderName, HeaderValue};
    use jiff::tz::TimeZone;

    use super::*;

    #[test]
    fn every_header_that_tells_a_time_is_read() {
        let now: Timestamp = "2026-07-15T12:00:00Z".parse().unwrap();
        for (headers, seconds) in [
            (&[("retry-after", "120")][..], Some(120)),
            (&[("retry-after", "Wed, 15 Jul 2026 12:01:00 GMT")], Some(60)),
            (&[("retry-after-ms", "1500"), ("retry-after", "2")], Some(1)),
            (&[("retry-after", "0")], Some(0)),
            (&[("ratelimit-reset", "30")], Some(30)),
            (&[("ratelimit-reset", "30"), ("ratelimit-remaining", "3")], None),
            (&[("x-ratelimit-reset", "1784116860"), ("x-ratelimit-remaining", "0")], Some(60)),
            (&[("x-ratelimit-reset-requests", "1s"), ("x-ratelimit-reset-tokens", "6m0s")], Some(360)),
            (
                &[
                    ("x-ratelimit-reset-requests", "8h"),
                    ("x-ratelimit-remaining-requests", "12"),
                    ("x-ratelimit-reset-tokens", "7.66s"),
                    ("x-ratelimit-remaining-tokens", "0"),
                ],
                Some(7),
            ),
            (
                &[
                    ("anthropic-ratelimit-requests-reset", "2026-07-15T12:00:20Z"),
                    ("anthropic-ratelimit-requests-remaining", "0"),
                ],
                Some(20),
            ),
            (&[("ratelimit", "\"default\";r=0;t=45")], Some(45)),
            (&[("ratelimit", "limit=100, remaining=0, reset=50")], Some(50)),
            (&[("retry-after", "soon")], None),
            (&[], None),
        ] {
            let headers: HeaderMap = headers
                .iter()
                .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
                .collect();
            let here = Here { now, zone: &TimeZone::UTC };
            let found = resets(&headers, &here).map(|at| at.duration_since(now).as_secs());
            assert_eq!(found, seconds, "{headers:?}");
        }
    }
}
