//! The beginning of a response, for messages.

use workflow_core::redact::Redactor;

/// More bytes than are shown, so that a secret at the end of what is shown is complete, and found.
const MORE: usize = 64 * 1024;

/// The first `limit` bytes of a text, without secrets.
pub(crate) fn excerpt(bytes: &[u8], limit: usize, redactor: &Redactor) -> String {
    let mut text = String::from_utf8_lossy(&bytes[..bytes.len().min(limit + MORE)]).into_owned();
    redactor.text(&mut text);
    let is_whole = bytes.len() <= limit + MORE && text.len() <= limit;
    if !is_whole {
        let end = (0..=limit.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}
