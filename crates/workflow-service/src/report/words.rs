//! Times, durations and amounts in words.

use std::hash::{DefaultHasher, Hash, Hasher as _};

use jiff::Timestamp;
use workflow_core::data::Data;
use workflow_core::usage::Spent;

use super::model::Excerpt;

/// How long an excerpt is at most, in characters.
const LONGEST: usize = 1_500;

/// Milliseconds from a time to a later one; 0 if the clock was set back in between.
pub(super) fn between(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.duration_since(from).as_millis()).unwrap_or(0)
}

/// `2026-01-02 03:04:05 UTC`.
pub(super) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// `350 ms`, `12.3 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`.
pub(super) fn duration(ms: u64) -> String {
    let (s, min, h) = (ms / 1_000, ms / 60_000, ms / 3_600_000);
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{s}.{} s", ms % 1_000 / 100),
        60_000..3_600_000 => format!("{min} min {} s", s % 60),
        3_600_000..86_400_000 => format!("{h} h {} min", min % 60),
        _ => format!("{} d {} h", h / 24, h % 24),
    }
}

/// `1 call`, `2 calls`.
pub(crate) fn count(number: impl Into<u64>, what: &str) -> String {
    match number.into() {
        1 => format!("1 {what}"),
        number => format!("{} {what}s", grouped(number)),
    }
}

/// The known cost, and of how many attempts it is not known.
pub(super) fn cost(spent: &Spent) -> String {
    known(spent.cost_usd.map(dollars), spent.unpriced, spent.attempts)
}

/// The known tokens, and of how many attempts they are not known.
pub(super) fn tokens(spent: &Spent) -> String {
    known(spent.tokens.map(grouped), spent.uncounted, spent.attempts)
}

fn known(value: Option<String>, unknown: u64, attempts: u64) -> String {
    match value {
        _ if attempts == 0 => "–".to_owned(),
        None => "unknown".to_owned(),
        Some(value) if unknown == 0 => value,
        Some(value) => format!("{value} + unknown for {}", count(unknown, "attempt")),
    }
}

/// `$1.2345`, `$12.50`.
pub(super) fn dollars(amount: f64) -> String {
    if amount == 0.0 || amount >= 10.0 { format!("${amount:.2}") } else { format!("${amount:.4}") }
}

/// `1,234,567`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The beginning of a value: of a text as it is, of other values as JSON.
pub(crate) fn excerpt(value: &Data) -> Excerpt {
    let text = value.text().unwrap_or_else(|| value.json().to_owned());
    let digest = digest(&text);
    match text.char_indices().nth(LONGEST) {
        None => Excerpt { text, truncated: false, digest },
        Some((end, _)) => Excerpt { text: text[..end].to_owned(), truncated: true, digest },
    }
}

/// A number that tells values apart.
pub(super) fn digest(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_amounts_are_short() {
        for (ms, text) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (1_050, "1.0 s"),
            (59_999, "59.9 s"),
            (200_000, "3 min 20 s"),
            (7_500_000, "2 h 5 min"),
            (273_600_000, "3 d 4 h"),
        ] {
            assert_eq!(duration(ms), text);
        }
        assert_eq!(
            (count(1_u64, "call"), count(1_234_567_u64, "call")),
            ("1 call".into(), "1,234,567 calls".into())
        );
        assert_eq!([0.0, 0.01234, 12.5].map(dollars), ["$0.00", "$0.0123", "$12.50"]);
    }

    #[test]
    fn what_is_not_known_is_not_zero() {
        let mut spent = Spent::default();
        assert_eq!(cost(&spent), "–");
        spent.add(None, 5);
        assert_eq!((cost(&spent), tokens(&spent)), ("unknown".into(), "unknown".into()));
        spent.cost_usd = Some(0.5);
        assert_eq!(cost(&spent), "$0.5000 + unknown for 1 attempt");
    }

    #[test]
    fn an_excerpt_ends_between_characters() {
        let long = excerpt(&Data::from("é".repeat(LONGEST + 1)));
        assert_eq!((long.text.chars().count(), long.truncated), (LONGEST, true));
        assert_ne!(long, excerpt(&Data::from("é".repeat(LONGEST + 2))));
        assert_eq!(excerpt(&Data::parse(r#"{ "a": 1 }"#).unwrap()).text, r#"{"a":1}"#);
    }
}
