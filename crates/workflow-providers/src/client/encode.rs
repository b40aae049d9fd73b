//! Percent-encoding.

use std::borrow::Cow;

use hyper::Uri;
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};

/// All but letters, digits and `-._~`, as RFC 3986 has it.
const VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The characters that an address must not contain.
const ADDRESS: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// The text as a part of a query, or as a value of a header.
pub(crate) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, VALUE).to_string()
}

/// An address without the characters that it must not contain; what is encoded already stays.
pub(super) fn characters(text: &str) -> Cow<'_, str> {
    utf8_percent_encode(text, ADDRESS).into()
}

/// The address with more parts of its query.
///
/// # Errors
///
/// If it becomes too long.
pub(crate) fn with_query(uri: &Uri, pairs: &[(String, String)]) -> Result<Uri, String> {
    if pairs.is_empty() {
        return Ok(uri.clone());
    }
    let pairs = pairs.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value)));
    let between = match uri.query() {
        None => "?",
        Some("") => "",
        Some(_) => "&",
    };
    let text = format!("{uri}{between}{}", pairs.collect::<Vec<_>>().join("&"));
    text.parse().map_err(|_| "the address with its query is too long".to_owned())
}
