//! Parses when a quota is reset from agents' messages.

use jiff::{SignedDuration, Span, Timestamp};

/// Reads until when a quota is used up from an agent's message. Known forms: seconds since 1970 after a `|`,
/// a duration after words like "try again in", and an RFC 3339 time. A time of day without a zone is not
/// used.
pub(super) fn until(message: &str, now: Timestamp) -> Option<Timestamp> {
    let of_epoch = message.rsplit_once('|').and_then(|(_, rest)| {
        let digits: String = rest.trim().chars().take_while(char::is_ascii_digit).collect();
        Timestamp::from_second(digits.parse().ok()?).ok()
    });
    if of_epoch.is_some_and(|at| at > now) {
        return of_epoch;
    }
    let lower = message.to_lowercase();
    let after = [
        "try again in ",
        "retry in ",
        "retry after ",
        "reset after ",
        "resets in ",
        "reset in ",
        "retrydelay\":\"",
    ];
    for phrase in after {
        let Some((_, rest)) = lower.split_once(phrase) else { continue };
        if let Some(at) = length(rest).and_then(|length| now.checked_add(length).ok()) {
            return Some(at);
        }
    }
    let mut words = message.split([' ', '"', ',', '(', ')']);
    words.find_map(|word| word.trim_end_matches('.').parse::<Timestamp>().ok()).filter(|at| *at > now)
}

/// The duration that `text` begins with.
fn length(text: &str) -> Option<SignedDuration> {
    let mut ends: Vec<usize> =
        text.char_indices().filter(|(_, c)| !c.is_ascii_alphanumeric()).map(|(at, _)| at).collect();
    ends.push(text.len());
    // The longest prefix that is a duration; messages use only a few words.
    ends.iter().take(12).rev().find_map(|end| {
        let text = text[..*end].trim();
        let text =
            if text.bytes().all(|byte| byte.is_ascii_digit()) { format!("{text}s") } else { text.to_owned() };
        let span: Span = text.parse().ok()?;
        // A day has 24 hours here.
        let days = i64::from(span.get_days()) + 7 * i64::from(span.get_weeks());
        let hours = SignedDuration::from_hours(days.checked_mul(24)?);
        let rest = span.days(0).weeks(0).to_duration(jiff::SpanRelativeTo::days_are_24_hours()).ok()?;
        Some(hours + rest).filter(SignedDuration::is_positive)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_agents_write_them() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        for (message, until) in [
            ("Claude AI usage limit reached|1767232800", Some("2026-01-01T02:00:00Z")),
            (
                "You've hit your usage limit. Try again in 2 days 3 hours 4 minutes.",
                Some("2026-01-03T03:04:00Z"),
            ),
            ("Your quota will reset after 5h12m3s.", Some("2026-01-01T05:12:03Z")),
            ("Please retry in 38.5s", Some("2026-01-01T00:00:38.5Z")),
            ("{\"retryDelay\":\"17s\"}", Some("2026-01-01T00:00:17Z")),
            ("rate limited; retry after 30", Some("2026-01-01T00:00:30Z")),
            ("the limit resets at 2026-01-02T00:00:00Z.", Some("2026-01-02T00:00:00Z")),
            ("the limit was reset at 2025-01-02T00:00:00Z", None),
            ("5-hour limit reached, resets 3pm", None),
            ("exceeded retry limit, last status: 429 Too Many Requests", None),
            ("|", None),
            ("", None),
        ] {
            assert_eq!(super::until(message, now), until.map(|at| at.parse().unwrap()), "{message}");
        }
    }
}
