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

/// `350 ms`, `12.3 s`, `3 m 05 s`, `2 h 07 m`, `3 d 04 h`.
pub(super) fn duration(ms: u64) -> String {
    let (s, min, h) = (ms / 1_000, ms / 60_000, ms / 3_600_000);
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{s}.{} s", ms % 1_000 / 100),
        60_000..3_600_000 => format!("{min} m {:02} s", s % 60),
        3_600_000..86_400_000 => format!("{h} h {:02} m", min % 60),
        _ => format!("{} d {:02} h", h / 24, h % 24),
    }
}

/// `1 call`, `2 calls`.
pub(crate) fn count(number: impl Into<u64>, what: &str) -> String {
    match number.into() {
        1 => format!("1 {what}"),
        number => format!("{} {what}s", grouped(number)),
    }
}

/// The cost: `$0.42`, `≥ $0.42, 3 of 8 calls unpriced`, `unknown`; `–` where nothing was called.
pub(super) fn cost(spent: &Spent) -> String {
    match spent.cost_usd.map(dollars) {
        _ if spent.attempts == 0 => "–".to_owned(),
        None => "unknown".to_owned(),
        Some(cost) if spent.unpriced == 0 => cost,
        Some(cost) => {
            let (unpriced, attempts) = (grouped(spent.unpriced), count(spent.attempts, "call"));
            format!("≥ {cost}, {unpriced} of {attempts} unpriced")
        }
    }
}

/// The tokens: `12,340`, `≥ 12,340`, `unknown`; `–` where nothing was called.
pub(super) fn tokens(spent: &Spent) -> String {
    match spent.tokens.map(grouped) {
        _ if spent.attempts == 0 => "–".to_owned(),
        None => "unknown".to_owned(),
        Some(tokens) if spent.uncounted == 0 => tokens,
        Some(tokens) => format!("≥ {tokens}"),
    }
}

/// `$0.0042`, `$0.42`, `$12.50`, `$1,234.50`.
pub(super) fn dollars(amount: f64) -> String {
    if amount == 0.0 || amount >= 0.1 {
        let text = format!("{amount:.2}");
        let (whole, cents) = text.split_once('.').unwrap_or((&text, "00"));
        return format!("${}.{cents}", whole.parse().map_or_else(|_| whole.to_owned(), grouped));
    }
    if amount < 0.000_1 {
        return "< $0.0001".to_owned();
    }
    let text = format!("{amount:.4}");
    let short = text.strip_suffix('0').unwrap_or(&text);
    format!("${}", short.strip_suffix('0').unwrap_or(short))
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
pub(super) mod tests {
    use serde_json::Value;

    use super::*;

    /// How the studio and reports show the same statuses and numbers.
    pub(in crate::report) fn shown() -> Value {
        serde_json::from_str(include_str!("shown.json")).unwrap()
    }

    #[test]
    fn numbers_are_shown_as_in_the_studio() {
        let shown = shown();
        let cases = |name: &str| shown[name].as_array().unwrap().clone();
        for case in cases("durations") {
            assert_eq!(duration(case[0].as_u64().unwrap()), case[1], "{case}");
        }
        for case in cases("dollars") {
            assert_eq!(dollars(case[0].as_f64().unwrap()), case[1], "{case}");
        }
        for case in cases("counted") {
            assert_eq!(count(case[0].as_u64().unwrap(), "call"), case[1], "{case}");
        }
        for case in cases("spent") {
            let spent: Spent = serde_json::from_value(case["spent"].clone()).unwrap();
            assert_eq!(
                (&cost(&spent), &tokens(&spent)),
                (&text(&case["cost"]), &text(&case["tokens"])),
                "{case}"
            );
        }
    }

    fn text(value: &Value) -> String {
        value.as_str().unwrap().to_owned()
    }

    #[test]
    fn an_excerpt_ends_between_characters() {
        let long = excerpt(&Data::from("é".repeat(LONGEST + 1)));
        assert_eq!((long.text.chars().count(), long.truncated), (LONGEST, true));
        assert_ne!(long, excerpt(&Data::from("é".repeat(LONGEST + 2))));
        assert_eq!(excerpt(&Data::parse(r#"{ "a": 1 }"#).unwrap()).text, r#"{"a":1}"#);
    }
}
