//! Numbers in the values of a template, as they were written.
//!
//! Templates know numbers of 64 bits alone. Where one would be written differently by them, they are given a text that
//! begins with a character that stands for nothing: it is taken away where the text is written, and helpers that look
//! at numbers know it.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::Value;

use crate::exact;

const MARK: char = '\u{fdd0}';

/// The values for a template, and whether there are such numbers among them.
pub(super) fn mark(context: Value) -> (Value, bool) {
    if !exact::has_marked(&context) {
        return (context, false);
    }
    (exact::replaced(context, &mut |number| format!("{MARK}{number}").into()), true)
}

/// A text that was rendered.
pub(super) fn written(text: String) -> String {
    if text.contains(MARK) { text.replace(MARK, "") } else { text }
}

/// JSON that was made of a value.
pub(super) fn json(json: String) -> String {
    let Some((before, mut rest)) = json.split_once(['"']).filter(|_| json.contains(MARK)) else {
        return json;
    };
    let mut out = before.to_owned();
    loop {
        // `rest` begins behind a quote.
        match rest.strip_prefix(MARK).and_then(|number| number.split_once('"')) {
            Some((number, after)) => {
                out.push_str(number);
                rest = after;
            }
            None => out.push('"'),
        }
        let Some((before, after)) = rest.split_once('"') else { break };
        out.push_str(before);
        rest = after;
    }
    out.push_str(rest);
    out
}

/// How two numbers are ordered of which one at least is such a text.
pub(super) fn order(left: &Value, right: &Value) -> Option<Ordering> {
    if number(left).is_none() && number(right).is_none() {
        return None;
    }
    let value =
        |value| number(value).map_or_else(|| Cow::Borrowed(value), |text| Cow::Owned(exact::number(text)));
    exact::compare(&value(left), &value(right))
}

fn number(value: &Value) -> Option<&str> {
    value.as_str()?.strip_prefix(MARK)
}
