//! Secrets in serialised values.

use std::ops::Not as _;

use serde_json::value::RawValue;

use crate::data::Data;
use crate::redact::Redactor;
use crate::redact::matcher::Matcher;
use crate::redact::secret::SecretInKey;

impl Redactor {
    /// Takes secrets out of the texts and numbers of a serialised value. All else stays as it is written.
    ///
    /// # Errors
    ///
    /// [`SecretInKey`]: the value must not be stored. It is left as it is.
    pub fn data(&self, data: &mut Data) -> Result<(), SecretInKey> {
        if let Some(matcher) = &self.0
            && let Some(redacted) = redact(self, matcher, data.json())?
        {
            *data = redacted;
        }
        Ok(())
    }

    /// Whether a serialised value holds a secret.
    pub fn is_in_data(&self, data: &Data) -> bool {
        let Some(matcher) = &self.0 else { return false };
        redact(self, matcher, data.json()).is_ok_and(|redacted| redacted.is_none()).not()
    }
}

/// The value without secrets in its texts and numbers. None if there is none.
fn redact(redactor: &Redactor, matcher: &Matcher, json: &str) -> Result<Option<Data>, SecretInKey> {
    if !matcher.has_number && !may_hold(matcher, json) {
        return Ok(None);
    }
    let (mut redacted, mut rest, mut found) = (String::with_capacity(json.len()), json, false);
    while let Some(start) = rest.find(is_token) {
        redacted.push_str(&rest[..start]);
        rest = &rest[start..];
        let (token, after) = rest.split_at(token(rest));
        rest = after;
        let replaced = if token.starts_with('"') {
            let mut text: String = serde_json::from_str(token).unwrap_or_default();
            let found = redactor.text(&mut text);
            if found && rest.trim_start().starts_with(':') {
                return Err(SecretInKey);
            }
            found.then_some(text)
        } else {
            redactor.number(token)
        };
        match replaced {
            Some(text) => {
                found = true;
                redacted.push_str(&serde_json::Value::from(text).to_string());
            }
            None => redacted.push_str(token),
        }
    }
    redacted.push_str(rest);
    if !found {
        return Ok(None);
    }
    // It is JSON still, because only whole tokens were replaced. If it were not, nothing of it is kept.
    Ok(Some(RawValue::from_string(redacted).map_or(Data::NULL, Data::from_raw)))
}

/// False where no text of the value can hold a secret: each of them is a part of the whole without its escapes.
fn may_hold(matcher: &Matcher, json: &str) -> bool {
    if !matcher.find(json).is_empty() {
        return true;
    }
    json.contains('\\') && !matcher.find(&unescaped(json)).is_empty()
}

fn unescaped(json: &str) -> String {
    use super::decode::{Escape, Escaped, Step};
    let (mut escape, mut bytes) = (Escape::new(Escaped::Json), Vec::with_capacity(json.len()));
    for (at, byte) in json.bytes().enumerate() {
        escape.push(byte, at, &mut |step| match step {
            Step::Byte(byte, _) => bytes.push(byte),
            Step::Decoded(decoded, _) => bytes.extend_from_slice(decoded),
        });
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn is_token(character: char) -> bool {
    matches!(character, '"' | '-' | '0'..='9')
}

/// The length of the text or number that `json` begins with.
fn token(json: &str) -> usize {
    let bytes = json.as_bytes();
    if bytes.first() != Some(&b'"') {
        let is_number = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
        return bytes.iter().position(|byte| !is_number(byte)).unwrap_or(bytes.len());
    }
    let mut at = 1;
    while let Some(byte) = bytes.get(at) {
        at += match byte {
            b'\\' => 2,
            b'"' => return at + 1,
            _ => 1,
        };
    }
    bytes.len()
}
