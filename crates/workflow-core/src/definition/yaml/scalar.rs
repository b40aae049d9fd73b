//! The JSON value of a YAML scalar: the core schema of YAML 1.2.

use std::borrow::Cow;

use saphyr_parser::{ScalarStyle, Tag};
use serde_json::{Number, Value};

use crate::exact;

/// The value of a scalar, or what to say about it.
pub(super) fn value(
    text: Cow<'_, str>,
    style: ScalarStyle,
    tag: Option<&Tag>,
) -> Result<Value, (&'static str, &'static str)> {
    let Some(tag) = tag else {
        return if style == ScalarStyle::Plain { plain(text) } else { Ok(Value::String(text.into_owned())) };
    };
    if !tag.is_yaml_core_schema() {
        // A lone `!` says "not to be resolved".
        return if tag.handle.is_empty() && tag.suffix == "!" {
            Ok(Value::String(text.into_owned()))
        } else {
            Err(UNKNOWN_TAG)
        };
    }
    if tag.suffix == "str" {
        return Ok(Value::String(text.into_owned()));
    }
    let value = plain(text)?;
    match (tag.suffix.as_str(), &value) {
        ("null", Value::Null) | ("bool", Value::Bool(_)) | ("float", Value::Number(_)) => Ok(value),
        ("int", Value::Number(number)) if !number.is_f64() => Ok(value),
        ("null" | "bool" | "float" | "int", _) => Err(("bad-tag", "the value is not what its tag says")),
        _ => Err(UNKNOWN_TAG),
    }
}

/// How a number is written, where its value would be written in another way.
pub(super) fn spelling(text: &str, style: ScalarStyle) -> Option<Box<str>> {
    (style == ScalarStyle::Plain).then(|| exact::spelling(text))?.map(Into::into)
}

pub(super) const UNKNOWN_TAG: (&str, &str) = ("bad-tag", "this tag has no meaning here: remove it");

/// Whether a text without quotes is read as a text.
pub(crate) fn is_text(text: &str) -> bool {
    matches!(plain(text.into()), Ok(Value::String(_)))
}

fn plain(text: Cow<'_, str>) -> Result<Value, (&'static str, &'static str)> {
    match text.as_ref() {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Value::Null),
        "true" | "True" | "TRUE" => return Ok(Value::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(Value::Bool(false)),
        _ => {}
    }
    let digits = text.strip_prefix(['+', '-']).unwrap_or(&text);
    if matches!(digits, ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN") {
        return Err(NOT_FINITE);
    }
    // All but a few texts are told from a number by their first character.
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return Ok(Value::String(text.into_owned()));
    }
    if let Some((radix, digits)) = radix(&text) {
        let number = u64::from_str_radix(digits, radix).map_err(|_| TOO_LARGE)?;
        return Ok(Value::Number(number.into()));
    }
    if digits.bytes().all(|b| b.is_ascii_digit()) {
        return integer(&text).or_else(|| nearest(&text)).map(Value::Number).ok_or(TOO_LARGE);
    }
    if is_float(digits) {
        let number =
            text.parse().ok().and_then(Number::from_f64).or_else(|| nearest(&text)).ok_or(NOT_FINITE)?;
        return Ok(Value::Number(number));
    }
    Ok(Value::String(text.into_owned()))
}

const NOT_FINITE: (&str, &str) =
    ("bad-number", "a number has to be finite: put it in quotes if it is a text");
const TOO_LARGE: (&str, &str) =
    ("bad-number", "the number is too large to be kept exactly: put it in quotes if it is a text");

fn integer(text: &str) -> Option<Number> {
    text.parse::<i64>().map(Number::from).or_else(|_| text.parse::<u64>().map(Number::from)).ok()
}

/// The nearest number to one that is kept as a text beside it.
fn nearest(text: &str) -> Option<Number> {
    let number: f64 = exact::spelling(text)?.parse().ok()?;
    Number::from_f64(number.clamp(f64::MIN, f64::MAX))
}

fn radix(text: &str) -> Option<(u32, &str)> {
    let (radix, digits) = match text.split_at_checked(2)? {
        ("0x", digits) => (16, digits),
        ("0o", digits) => (8, digits),
        _ => return None,
    };
    (!digits.is_empty() && digits.chars().all(|c| c.is_digit(radix))).then_some((radix, digits))
}

/// `(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn is_float(digits: &str) -> bool {
    let is_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let (mantissa, exponent) = digits.split_once(['e', 'E']).map_or((digits, None), |(m, e)| (m, Some(e)));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    is_digits(whole)
        && is_digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
        && exponent.is_none_or(|exponent| {
            let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            !exponent.is_empty() && is_digits(exponent)
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn plain_scalars_are_read_by_the_core_schema() {
        for (text, value) in [
            ("~", json!(null)),
            ("True", json!(true)),
            ("yes", json!("yes")),
            ("-12", json!(-12)),
            ("+012", json!(12)),
            ("18446744073709551615", json!(u64::MAX)),
            ("0o17", json!(15)),
            ("0xfF", json!(255)),
            ("0x", json!("0x")),
            ("0o8", json!("0o8")),
            (".5", json!(0.5)),
            ("1.", json!(1.0)),
            ("-1.5e3", json!(-1500.0)),
            ("1e", json!("1e")),
            (".", json!(".")),
            ("1_000", json!("1_000")),
            ("1.2.3", json!("1.2.3")),
            ("30m", json!("30m")),
            ("é", json!("é")),
        ] {
            assert_eq!(plain(text.into()).unwrap(), value, "{text}");
        }
    }

    #[test]
    fn numbers_are_known_as_they_are_written() {
        for (text, expected) in [
            ("1e999", Some("1e999")),
            ("+18446744073709551616", Some("18446744073709551616")),
            ("0.1000", Some("0.1000")),
            ("1.10", Some("1.10")),
            ("-0.0", None),
            ("1.0", None),
            (".5", None),
            ("0x10", None),
            ("012", None),
        ] {
            assert!(plain(text.into()).unwrap().is_number(), "{text}");
            assert_eq!(spelling(text, ScalarStyle::Plain).as_deref(), expected, "{text}");
            assert_eq!(spelling(text, ScalarStyle::SingleQuoted), None);
        }
    }

    #[test]
    fn numbers_that_json_cannot_hold_are_refused() {
        for text in [".nan", "-.inf", "1.e999", "018446744073709551616", "0xfffffffffffffffff"] {
            assert_eq!(plain(text.into()).unwrap_err().0, "bad-number", "{text}");
        }
    }
}
