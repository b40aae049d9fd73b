//! Headers that a definition writes.

use hyper::header::{self, HeaderName, HeaderValue};

/// Headers of the connection.
const OWN: [HeaderName; 8] = [
    header::HOST,
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::TE,
    header::TRAILER,
    header::UPGRADE,
    header::EXPECT,
];

/// A header that may be sent.
///
/// # Errors
///
/// What is wrong with it, without its value: it can be a secret.
pub(crate) fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), &'static str> {
    let name: HeaderName = name.parse().map_err(|_| "not the name of a header")?;
    if OWN.contains(&name) {
        return Err("the client sets it: leave it out");
    }
    let value = value.parse().map_err(|_| "a header cannot contain this text")?;
    Ok((name, value))
}
