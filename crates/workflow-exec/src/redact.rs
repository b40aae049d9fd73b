//! Secrets that were given to a provider are taken out of all that comes back.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{OnceLock, PoisonError, RwLock};

use serde_json::Value;
use workflow_core::data::Data;
use workflow_core::failure::Failure;
use workflow_core::machine::Secrets;

use crate::panics::caught;

/// What stands in the place of a secret.
const MARK: &str = "[redacted]";

/// The secrets that one run has used so far.
#[derive(Debug, Default)]
pub(crate) struct Redactor {
    any: AtomicBool,
    values: RwLock<Vec<String>>,
}

/// Looks secrets up and remembers what was found.
pub(crate) struct Remembering<'a> {
    pub secrets: &'a dyn Secrets,
    pub redactor: &'a Redactor,
    /// The text of a panic of the host's secrets.
    pub panicked: OnceLock<String>,
}

impl Secrets for Remembering<'_> {
    fn secret(&self, name: &str) -> Option<String> {
        let value = caught(|| self.secrets.secret(name)).unwrap_or_else(|panic| {
            self.panicked.get_or_init(|| panic);
            None
        })?;
        self.redactor.remember(&value);
        Some(value)
    }
}

impl Redactor {
    fn remember(&self, value: &str) {
        if value.is_empty() {
            return;
        }
        let mut values = self.values.write().unwrap_or_else(PoisonError::into_inner);
        // A provider shows text line by line, so each line of a secret is one.
        for part in std::iter::once(value).chain(value.lines().filter(|line| line.len() >= 8)) {
            // Programs print JSON too, and there it is written with escapes.
            let json = Value::from(part).to_string();
            for form in [part, &json[1..json.len() - 1]] {
                if !values.iter().any(|known| known == form) {
                    values.push(form.to_owned());
                }
            }
        }
        // Longer ones first: one secret may contain another.
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        self.any.store(true, Ordering::Release);
    }

    pub(crate) fn text(&self, text: &mut String) {
        if !self.any.load(Ordering::Acquire) {
            return;
        }
        for value in self.values.read().unwrap_or_else(PoisonError::into_inner).iter() {
            if text.contains(value.as_str()) {
                *text = text.replace(value.as_str(), MARK);
            }
        }
    }

    pub(crate) fn data(&self, data: &mut Data) {
        if !self.any.load(Ordering::Acquire) {
            return;
        }
        let before = data.exact_value();
        let mut value = before.clone();
        self.value(&mut value);
        if value != before {
            *data = Data::new(&value);
        }
    }

    pub(crate) fn failure(&self, failure: &mut Failure) {
        self.text(&mut failure.message);
        if let Some(details) = &mut failure.details {
            self.value(details);
        }
    }

    pub(crate) fn value(&self, value: &mut Value) {
        match value {
            Value::String(text) => self.text(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.value(item)),
            Value::Object(members) => {
                let taken = std::mem::take(members);
                for (mut key, mut member) in taken {
                    self.text(&mut key);
                    self.value(&mut member);
                    members.insert(key, member);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_taken_out_wherever_they_stand() {
        let redactor = Redactor::default();
        redactor.remember("hunter2");
        redactor.remember("hunter2-and-more");
        let mut text = "a hunter2-and-more b hunter2".to_owned();
        redactor.text(&mut text);
        assert_eq!(text, "a [redacted] b [redacted]");
        let mut data = Data::new(&json!({ "hunter2": ["x hunter2", 1, null] }));
        redactor.data(&mut data);
        assert_eq!(data.value(), json!({ "[redacted]": ["x [redacted]", 1, null] }));
    }

    #[test]
    fn a_secret_is_found_in_text_that_is_json() {
        let redactor = Redactor::default();
        redactor.remember("pass\"word\\1\nand a second line");
        let mut text =
            json!({ "token": "pass\"word\\1\nand a second line", "line": "pass\"word\\1" }).to_string();
        redactor.text(&mut text);
        assert_eq!(text, r#"{"token":"[redacted]","line":"[redacted]"}"#);
    }

    #[test]
    fn a_secret_that_json_escapes_is_found_in_data() {
        let redactor = Redactor::default();
        redactor.remember("pass\"word\\1");
        let mut data = Data::new(&json!("say pass\"word\\1 now"));
        redactor.data(&mut data);
        assert_eq!(data.value(), json!("say [redacted] now"));
    }
}
