//! Numbers that stay as they were written.
//!
//! A [`Value`] keeps a number as 64 bits: `1e2` becomes `100.0`, `23000000000000000001` another number, and `1e400`
//! none at all. `serde_json` can keep their texts with its feature `arbitrary_precision`, but that changes the whole
//! build of a host. So what has to look inside of a value reads it *exactly*: a number that a `Value` would not give
//! back as it was written is an object `{"$serde_json::private::Number": "1e400"}` in it, which is also how
//! `serde_json` names it to itself. [`Data::new`](crate::data::Data::new) makes a number of it again.

mod decimal;

use std::borrow::Cow;
use std::cmp::Ordering;

pub(crate) use self::decimal::Decimal;
use serde_json::value::RawValue;
use serde_json::{Map, Number, Value};

/// The only key of an object that stands for a number.
const KEY: &str = "$serde_json::private::Number";
/// How the text of such an object begins. Within strings of JSON no quote stands by itself, so there it never occurs.
const OPEN: &str = "{\"$serde_json::private::Number\":\"";
const CLOSE: &str = "\"}";

/// A number that the reader of a value cannot hold exactly.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}the number {number} cannot be kept exactly here: pass it as a text", place(.path))]
pub struct InexactNumber {
    /// Where in the value, as a JSON Pointer; empty for the whole value.
    pub path: String,
    /// The number as it was written.
    pub number: String,
}

fn place(path: &str) -> Cow<'_, str> {
    if path.is_empty() { "".into() } else { format!("at {path}: ").into() }
}

/// Reads JSON exactly.
pub(crate) fn parse(text: &str) -> Result<Value, serde_json::Error> {
    let Some(marked) = mark(text) else { return serde_json::from_str(text) };
    serde_json::from_str(&marked).map_err(|error| {
        // Its position, counted in what was given.
        serde_json::from_str::<&RawValue>(text).err().unwrap_or(error)
    })
}

/// The text in which numbers that a `Value` would change are marked; `None` where there are none.
fn mark(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let (mut marked, mut copied, mut at) = (String::new(), 0, 0);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => at = end_of_string(bytes, at),
            b'-' | b'0'..=b'9' => {
                let part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-');
                let end = bytes[at..].iter().position(|byte| !part(byte)).map_or(bytes.len(), |n| at + n);
                let number = &text[at..end];
                if !is_kept(number) && is_number(number) {
                    marked.push_str(&text[copied..at]);
                    marked.extend([OPEN, number, CLOSE]);
                    copied = end;
                }
                at = end;
            }
            _ => at += 1,
        }
    }
    (copied > 0).then(|| {
        marked.push_str(&text[copied..]);
        marked
    })
}

/// Where the string ends that begins at `start`.
fn end_of_string(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(found) =
        bytes.get(at..).and_then(|rest| rest.iter().position(|b| matches!(b, b'"' | b'\\')))
    {
        at += found;
        if bytes[at] == b'"' {
            return at + 1;
        }
        at += 2;
    }
    bytes.len()
}

/// Whether a `Value` gives the number back as it is written.
fn is_kept(number: &str) -> bool {
    let digits = number.strip_prefix('-').unwrap_or(number);
    if digits.len() <= 18 && digits.bytes().all(|b| b.is_ascii_digit()) {
        return number != "-0";
    }
    serde_json::from_str::<Number>(number).is_ok_and(|read| read.to_string() == number)
}

/// Whether a text is a number of JSON.
fn is_number(text: &str) -> bool {
    text.starts_with(|c: char| c == '-' || c.is_ascii_digit())
        && text.ends_with(|c: char| c.is_ascii_digit())
        && serde_json::from_str::<&RawValue>(text).is_ok()
}

/// Whether a serialised value has a mark in it. Nearly none has.
pub(crate) fn may_be_marked(text: &str) -> bool {
    text.contains(OPEN)
}

/// The text in which what was marked are numbers again.
pub(crate) fn unmark(text: String) -> String {
    if !may_be_marked(&text) {
        return text;
    }
    let (mut out, mut rest) = (String::with_capacity(text.len()), text.as_str());
    while let Some((before, after)) = rest.split_once(OPEN) {
        out.push_str(before);
        match after.split_once(CLOSE) {
            Some((number, after)) if is_number(number) => {
                out.push_str(number);
                rest = after;
            }
            _ => {
                out.push_str(OPEN);
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

/// The texts around a number in [`readable`].
const READABLE: [&str; 2] = ["number\u{27ea}", "\u{27eb}"];

/// The value with each marked number as a text that [`numbers`] makes a number again, in whatever it was written.
pub(crate) fn readable(value: Value) -> Value {
    replaced(value, &mut |number| READABLE.join(number).into())
}

/// A text in which what [`readable`] made are numbers again.
pub(crate) fn numbers(text: &str) -> String {
    let quoted = |quote: &str| [format!("{quote}{}", READABLE[0]), format!("{}{quote}", READABLE[1])];
    let [open, close] = quoted("\"");
    text.replace(&open, "").replace(&close, "").replace(READABLE[0], "").replace(READABLE[1], "")
}

/// The number in other notation than a `Value` has for it; none where a `Value` gives it back, or where it is
/// not a number of JSON.
pub(crate) fn spelling(number: &str) -> Option<&str> {
    Some(number.strip_prefix('+').unwrap_or(number)).filter(|number| is_number(number) && !is_kept(number))
}

/// The text of a value that was read exactly.
pub(crate) fn text(value: &Value) -> String {
    unmark(value.to_string())
}

/// A value that stands for the number with that text.
pub(crate) fn number(text: &str) -> Value {
    match serde_json::from_str::<Number>(text) {
        Ok(number) if is_kept(text) => Value::Number(number),
        _ => Value::Object(Map::from_iter([(KEY.to_owned(), text.into())])),
    }
}

/// The text of a number that is marked.
pub(crate) fn marked(value: &Value) -> Option<&str> {
    let members = value.as_object().filter(|members| members.len() == 1)?;
    members.get(KEY)?.as_str().filter(|text| is_number(text))
}

/// Compares two numbers, at least one of which is marked; `None` if one of them is not a number.
pub(crate) fn compare(left: &Value, right: &Value) -> Option<Ordering> {
    let text = |value: &Value| match value {
        Value::Number(number) => Some(number.to_string()),
        other => marked(other).map(str::to_owned),
    };
    Some(decimal::compare(&text(left)?, &text(right)?))
}

/// Whether two values are the same, however their numbers are spelled.
pub(crate) fn same(left: &Value, right: &Value) -> bool {
    let canonical = |value: &Value| {
        let mut value = value.clone();
        canonical(&mut value);
        value
    };
    left == right || canonical(left) == canonical(right)
}

/// Gives all spellings of each number in it the same text.
pub(crate) fn canonical(value: &mut Value) {
    let number = match &*value {
        Value::Number(number) => Some(decimal::canonical(&number.to_string())),
        other => marked(other).map(decimal::canonical),
    };
    if let Some(number) = number {
        // As an object it equals no text.
        *value = Value::Object(Map::from_iter([(KEY.to_owned(), number.into())]));
        return;
    }
    match value {
        Value::Array(items) => items.iter_mut().for_each(canonical),
        Value::Object(members) => members.values_mut().for_each(canonical),
        _ => {}
    }
}

/// The value with plain numbers, for readers that cannot handle marked ones.
///
/// # Errors
///
/// [`InexactNumber`] for the first one whose value is another then.
pub(crate) fn plain(value: Value) -> Result<Value, InexactNumber> {
    let mut path = Vec::new();
    each(value, &mut path, &mut |number, path| {
        let read = serde_json::from_str::<Number>(number).ok();
        let same = |read: &Number| decimal::compare(&read.to_string(), number).is_eq();
        read.filter(same)
            .map(Value::Number)
            .ok_or_else(|| InexactNumber { path: pointer(path), number: number.to_owned() })
    })
}

/// A JSON Pointer.
fn pointer(path: &[String]) -> String {
    path.iter().fold(String::new(), |path, part| path + "/" + &part.replace('~', "~0").replace('/', "~1"))
}

/// The value with the nearest numbers of 64 bits that are not above, and those that are not below; `None` where no
/// number is marked.
pub(crate) fn bounds(value: &Value) -> Option<(Value, Value)> {
    let bound = |upper| replaced(value.clone(), &mut |number| nearest(number, Some(upper)));
    has_marked(value).then(|| (bound(false), bound(true)))
}

/// The value with the nearest numbers of 64 bits.
pub(crate) fn rounded(value: Value) -> Value {
    replaced(value, &mut |number| nearest(number, None))
}

/// The value with something else in the place of each marked number.
pub(crate) fn replaced(value: Value, replace: &mut impl FnMut(&str) -> Value) -> Value {
    let replaced = each(value, &mut Vec::new(), &mut |number, _| Ok::<_, InexactNumber>(replace(number)));
    replaced.unwrap_or_default()
}

/// Whether a number is marked in it.
pub(crate) fn has_marked(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(has_marked),
        Value::Object(members) => marked(value).is_some() || members.values().any(has_marked),
        _ => false,
    }
}

/// A number of 64 bits: the nearest one, or the nearest one on that side.
fn nearest(number: &str, upper: Option<bool>) -> Value {
    if let Ok(read) = serde_json::from_str::<Number>(number)
        && (upper.is_none() || decimal::compare(&read.to_string(), number).is_eq())
    {
        return Value::Number(read);
    }
    let read = number.parse::<f64>().unwrap_or_default().clamp(f64::MIN, f64::MAX);
    let side = Number::from_f64(read).map(|read| decimal::compare(&read.to_string(), number));
    let bound = match (upper, side) {
        (Some(true), Some(Ordering::Less)) => read.next_up(),
        (Some(false), Some(Ordering::Greater)) => read.next_down(),
        _ => read,
    };
    Number::from_f64(bound).or_else(|| Number::from_f64(read)).map_or(Value::Null, Value::Number)
}

/// The value with each marked number replaced.
fn each<E>(
    value: Value,
    path: &mut Vec<String>,
    replace: &mut impl FnMut(&str, &[String]) -> Result<Value, E>,
) -> Result<Value, E> {
    if let Some(number) = marked(&value) {
        return replace(number, path);
    }
    let mut within = |key: String, value: Value| {
        path.push(key);
        let replaced = each(value, path, replace);
        path.pop();
        replaced
    };
    match value {
        Value::Array(items) => {
            let items = items.into_iter().enumerate();
            items.map(|(n, item)| within(n.to_string(), item)).collect::<Result<_, _>>().map(Value::Array)
        }
        Value::Object(members) => {
            let members = members.into_iter().map(|(key, value)| Ok((key.clone(), within(key, value)?)));
            members.collect::<Result<_, _>>().map(Value::Object)
        }
        other => Ok(other),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ODD: [&str; 10] = [
        "23000000000000000001",
        "1e400",
        "-0",
        "1e2",
        "0.1000",
        "1E-2",
        "-1.50",
        "100000000000000000000.0",
        "1e-400",
        "0e0",
    ];

    #[test]
    fn what_is_read_exactly_is_written_as_it_was() {
        let texts =
            ODD.iter().chain(&["-0.0", "1.0", "0", "-12", "18446744073709551615", "0.5", "true", "\"1e2\""]);
        for number in texts {
            for text in [
                (*number).to_owned(),
                format!("{{\"a\":[{number},{{\"-0\":{number}}}],\"b\":\"{{\\\"1e2\"}}")
                    .replace("\"{\\\"1e2\"", "\"x\\\"1e2\""),
            ] {
                let value = parse(&text).unwrap();
                assert_eq!(self::text(&value), text);
            }
        }
    }

    #[test]
    fn positions_of_errors_are_those_of_the_text() {
        for text in ["[1e2, 1.0.0]", "{\"a\": 0.10,", "[1e2 2]", "1e2e", "-", "[01]", "[1e2, \"\\ud800\"]"] {
            let (exact, plain) = (parse(text).unwrap_err(), serde_json::from_str::<Value>(text).unwrap_err());
            assert_eq!(exact.line(), plain.line(), "{text}: {exact}");
        }
        assert_eq!(parse("[1e2, x]").unwrap_err().column(), 7);
    }

    #[test]
    fn a_number_is_plain_where_that_is_the_same_and_else_named() {
        let value = parse(r#"{"a/b":[1e2,0.1000,-0],"c":2}"#).unwrap();
        assert_eq!(plain(value).unwrap(), json!({ "a/b": [100.0, 0.1, -0.0], "c": 2 }));
        for number in ["23000000000000000001", "1e400", "1e-400", "0.10000000000000000001"] {
            let value = parse(&format!(r#"{{"a/b":[1,{number}]}}"#)).unwrap();
            let error = plain(value).unwrap_err();
            assert_eq!((error.path.as_str(), error.number.as_str()), ("/a~1b/1", number));
        }
    }

    #[test]
    fn bounds_are_around_the_number() {
        for number in ODD {
            let value = parse(number).unwrap();
            let (below, above) = bounds(&value).unwrap();
            let order = |bound: &Value| compare(bound, &value).unwrap();
            assert!(order(&below).is_le(), "{number}: {below}");
            assert!(order(&above).is_ge() || number == "1e400", "{number}: {above}");
        }
        assert_eq!(bounds(&json!([1, 1.5])), None);
    }
}
