//! Marks that stand for secrets in the texts of a call, until its worker puts the values in.
//!
//! A mark is `⟦"NONCE:NUMBER⟧`. No other text of the call can be taken for one: the nonce is a hash of the whole call
//! as it is without it. The quote tells how often the text around the mark was written as JSON, as an object among
//! the inputs is: the value is then written in the same way.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::command_line::LiteralWords;
use crate::expr::Name;
use crate::machine::request::secrets::Secrets;

const OPEN: char = '\u{27e6}';
const CLOSE: char = '\u{27e7}';

/// How much of the hash is in a mark, in bytes.
const NONCE: usize = 16;

/// A secret that a call names, and what it has instead where there is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Named {
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    default: Option<String>,
}

/// What `${secrets.x}` becomes.
#[derive(Clone, Copy)]
pub(in crate::machine) enum SecretSource<'a> {
    /// The secret.
    Values(&'a dyn Secrets),
    /// A mark in its place.
    Marks(&'a Marks),
}

impl SecretSource<'_> {
    pub(in crate::machine) fn find(self, name: &Name) -> Option<String> {
        match self {
            Self::Values(secrets) => secrets.secret(name.segment(1)?),
            Self::Marks(marks) => marks.of(name),
        }
    }
}

/// Makes the marks of one call.
pub(in crate::machine) struct Marks {
    nonce: String,
    named: RefCell<Vec<Named>>,
    command: RefCell<Option<LiteralWords>>,
}

impl Marks {
    /// Marks without a nonce.
    pub(super) fn new() -> Self {
        Self { nonce: String::new(), named: RefCell::default(), command: RefCell::default() }
    }

    /// Marks that nothing in `text` can be taken for, which was made with other marks.
    pub(super) fn apart_from(text: &str) -> Self {
        let mut nonce = String::with_capacity(2 * NONCE);
        for byte in Sha256::digest(text.as_bytes()).iter().take(NONCE) {
            // Writing to a string cannot fail.
            let _ = write!(nonce, "{byte:02x}");
        }
        Self { nonce, ..Self::new() }
    }

    /// Notes which words of the call's command line no value decides: a secret that is put in can be an option.
    pub(super) fn note(&self, command: Option<LiteralWords>) {
        *self.command.borrow_mut() = command;
    }

    pub(super) fn command(&self) -> Option<LiteralWords> {
        self.command.borrow().clone()
    }

    pub(super) fn are_used(&self) -> bool {
        !self.named.borrow().is_empty()
    }

    /// The mark for the secret of that name.
    fn of(&self, name: &Name) -> Option<String> {
        let default = name.default_text().map(str::to_owned);
        let named = Named { name: name.segment(1)?.to_owned(), default };
        let mut known = self.named.borrow_mut();
        let number = known.iter().position(|known| *known == named).unwrap_or_else(|| {
            known.push(named);
            known.len() - 1
        });
        Some(format!("{OPEN}\"{}:{number}{CLOSE}", self.nonce))
    }

    /// The nonce, and the secrets by the numbers of their marks.
    pub(super) fn into_parts(self) -> (String, Vec<Named>) {
        (self.nonce, self.named.into_inner())
    }
}

/// Puts the values of secrets where their marks are.
pub(super) struct Values<'a> {
    nonce: &'a str,
    values: Vec<String>,
}

impl<'a> Values<'a> {
    /// Looks the secrets up.
    ///
    /// # Errors
    ///
    /// The name of one that is absent and has no default.
    pub(super) fn look_up(nonce: &'a str, named: &[Named], secrets: &dyn Secrets) -> Result<Self, String> {
        let mut values = Vec::with_capacity(named.len());
        for Named { name, default } in named {
            let value = secrets.secret(name).or_else(|| default.clone());
            values.push(value.ok_or_else(|| name.clone())?);
        }
        Ok(Self { nonce, values })
    }

    pub(super) fn put_into(&self, text: &mut String) {
        if !text.contains(OPEN) {
            return;
        }
        let mut out = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some(at) = rest.find(OPEN) {
            let (before, mark) = rest.split_at(at);
            out.push_str(before);
            if let Some((value, length)) = self.read(mark) {
                out.push_str(&value);
                rest = mark.get(length..).unwrap_or_default();
            } else {
                out.push(OPEN);
                rest = mark.get(OPEN.len_utf8()..).unwrap_or_default();
            }
        }
        out.push_str(rest);
        *text = out;
    }

    pub(super) fn put_into_value(&self, value: &mut Value) {
        match value {
            Value::String(text) => self.put_into(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.put_into_value(item)),
            Value::Object(members) => members.values_mut().for_each(|member| self.put_into_value(member)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// The value that the mark at the beginning of `text` stands for, and how long the mark is.
    fn read(&self, text: &str) -> Option<(Cow<'_, str>, usize)> {
        let inside = text.strip_prefix(OPEN)?;
        let quoted = inside.trim_start_matches('\\');
        let backslashes = inside.len() - quoted.len();
        let number = quoted.strip_prefix('"')?.strip_prefix(self.nonce)?.strip_prefix(':')?;
        let (number, after) = number.split_once(CLOSE)?;
        let value = self.values.get(number.parse::<usize>().ok()?)?;
        // Written as JSON, a quote has one backslash; again, three; and so on.
        let times = (backslashes + 1).ilog2();
        let value = (0..times).fold(Cow::Borrowed(value.as_str()), |value, _| Cow::Owned(within(&value)));
        Some((value, text.len() - after.len()))
    }
}

/// A text as it is within a string of JSON.
fn within(text: &str) -> String {
    let json = Value::from(text).to_string();
    json.get(1..json.len() - 1).unwrap_or_default().to_owned()
}
