//! Takes secrets out of everything that a provider gives back, before it is stored or shown.
//!
//! ```
//! use workflow_core::redact::Redactor;
//!
//! let redactor = Redactor::new(["hunter2-hunter2"])?;
//! let mut text = "key hunter2-hunter2, in Base64 aHVudGVyMi1odW50ZXIy".to_owned();
//! redactor.text(&mut text);
//! assert_eq!(text, "key [redacted], in Base64 [redacted]");
//! # Ok::<(), workflow_core::redact::TooLong>(())
//! ```
//!
//! # What is found
//!
//! A secret as it is; JSON-escaped in any way (`\"`, `\/`, `\u00e9`); percent-encoded, in upper or lower case, with any
//! choice of characters that are encoded, and with `+` for a space; in Base64, standard or URL-safe, with or without
//! padding, at any place within a longer encoded text; in hexadecimal of either case. Line ends make no difference, so
//! a secret is also found where it is wrapped. Of a secret with several lines each line of at least [`SHORTEST_LINE`]
//! bytes is a secret of its own. What overlaps is taken out as a whole.
//!
//! What is not found: a secret that was changed in any other way – reversed, compressed, encoded twice, spelled out.
//! This is a net for accidents. It does not stop a program that wants to pass a secret on.
//!
//! # What takes its place
//!
//! [`MARK`], the same for every secret: neither its name nor its length is shown. It is kept short and
//! constant so that what a run stored can be compared and searched for.

mod decode;
mod json;
mod matcher;
mod scan;
mod secret;
mod stream;

pub use secret::{LONGEST, MARK, SHORTEST, SHORTEST_LINE, SecretInKey, TooLong, UnfitSecret, check};
pub use stream::{Piece, Stream};

use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::failure::Failure;
use crate::redact::matcher::Matcher;
use crate::redact::scan::whole_characters;

/// Finds secrets and puts [`MARK`] in their place. Cheap to clone; the one without secrets does nothing.
#[derive(Clone, Default)]
pub struct Redactor(Option<Arc<Matcher>>);

impl Redactor {
    /// Looks for these secrets. Empty ones are left out; whether one is long enough is for the caller to
    /// [check].
    ///
    /// # Errors
    ///
    /// [`TooLong`] for secrets of more than a gigabyte.
    pub fn new<S: AsRef<str>>(secrets: impl IntoIterator<Item = S>) -> Result<Self, TooLong> {
        let matcher = Matcher::new(secrets).map_err(|error| TooLong(error.to_string()))?;
        Ok(Self(matcher.map(Arc::new)))
    }

    /// Whether there is no secret to be looked for.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// How many bytes a secret takes at most in the forms in which it is looked for, with room for line ends. Of a text
    /// that was cut, so much at the cut can be a part of a secret, which is not found any more.
    pub fn reach(&self) -> usize {
        // As `\u0041`, the longest way to write a byte.
        self.0.as_ref().map_or(0, |matcher| matcher.longest.saturating_mul(8))
    }

    /// Whether a text holds a secret.
    pub fn is_in(&self, text: &str) -> bool {
        self.0.as_ref().is_some_and(|matcher| !matcher.find(text).is_empty())
    }

    /// Takes secrets out of a text. Tells whether there were any.
    pub fn text(&self, text: &mut String) -> bool {
        self.pieces(&mut [text])
    }

    /// Takes secrets out of texts that are pieces of one: a secret may begin in one and end in another. Tells whether
    /// there were any.
    pub fn pieces(&self, texts: &mut [&mut String]) -> bool {
        let Some(matcher) = &self.0 else { return false };
        let found = match texts {
            [text] => matcher.find(text),
            ref texts => matcher.find(&texts.iter().map(|text| text.as_str()).collect::<String>()),
        };
        // From the end, so that those before it stay where they are.
        for place in found.iter().rev() {
            let (mut at, mut mark) = (0, MARK);
            for text in &mut *texts {
                let end = at + text.len();
                let part = place.start.clamp(at, end) - at..place.end.clamp(at, end) - at;
                at = end;
                if !part.is_empty() {
                    text.replace_range(whole_characters(text, part), std::mem::take(&mut mark));
                }
            }
        }
        !found.is_empty()
    }

    /// Takes secrets out of a value: out of texts, numbers, and the keys of objects.
    pub fn value(&self, value: &mut Value) {
        if self.is_empty() {
            return;
        }
        match value {
            Value::String(text) => drop(self.text(text)),
            Value::Number(number) => {
                if let Some(text) = self.number(&number.to_string()) {
                    *value = text.into();
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.value(item)),
            Value::Object(members) => {
                let redacted = std::mem::take(members).into_iter().map(|(mut key, mut member)| {
                    self.text(&mut key);
                    self.value(&mut member);
                    (key, member)
                });
                *members = redacted.collect::<Map<_, _>>();
            }
            Value::Null | Value::Bool(_) => {}
        }
    }

    /// Takes secrets out of the message and the details of a failure.
    pub fn failure(&self, failure: &mut Failure) {
        self.text(&mut failure.message);
        if let Some(details) = &mut failure.details {
            self.value(details);
        }
    }

    /// Takes secrets out of a text that comes in pieces.
    pub fn stream(&self) -> Stream {
        Stream::new(self.0.clone())
    }

    /// What to write in the place of a number that holds a secret.
    fn number(&self, written: &str) -> Option<String> {
        let mut text = written.to_owned();
        if self.text(&mut text) {
            return Some(text);
        }
        // `1.23456e5` is 123456.
        let plain = written.contains(['e', 'E', '.']).then(|| written.parse::<f64>().ok()).flatten()?;
        self.is_in(&plain.to_string()).then(|| MARK.to_owned())
    }
}

impl fmt::Debug for Redactor {
    /// Without the secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redactor").field("is_empty", &self.is_empty()).finish_non_exhaustive()
    }
}
