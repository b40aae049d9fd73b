//! What is kept out of a cassette.

use std::ops::Range;

use indexmap::IndexMap;
use serde_json::{Map, Value};
use workflow_core::data::Data;
use workflow_core::output::OutputKind;

use super::format::{Asked, Call, Recorded, What};

/// What stands in the place of a secret.
pub(super) const REDACTED: &str = "[redacted]";

/// Shorter values of variables would be found in texts that have nothing to do with them.
const SHORTEST: usize = 6;

/// The secrets of a call. The longer ones come first: one can be a part of another.
#[derive(Debug, Clone, Default)]
pub(super) struct Secrets(Vec<String>);

impl Secrets {
    /// Those that the host names, and the values of those variables that are named like secrets.
    pub(super) fn of(named: &[String], variables: &IndexMap<String, String>) -> Self {
        let is_secret = |name: &str| {
            let name = name.to_uppercase();
            ["KEY", "TOKEN", "SECRET", "PASSWORD"].iter().any(|word| name.contains(word))
        };
        let variables = variables.iter().filter(|(name, value)| is_secret(name) && value.len() >= SHORTEST);
        let mut all: Vec<_> = named.iter().chain(variables.map(|(_, value)| value)).cloned().collect();
        all.retain(|secret| !secret.is_empty());
        all.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Self(all)
    }

    /// Takes them out of all that a person or a model has written.
    pub(super) fn hide(&self, call: &mut Call) {
        let Asked { prompt, options, output_schema, session: _ } = &mut call.asked;
        self.text(prompt);
        self.value(options);
        self.value(output_schema);
        let mut outputs: IndexMap<OutputKind, Vec<&mut String>> = IndexMap::new();
        for said in &mut call.said {
            match &mut said.what {
                What::Output { kind, text } => outputs.entry(*kind).or_default().push(text),
                What::Session(session) => self.text(session),
                What::Usage(_) | What::Alive {} => {}
            }
        }
        outputs.into_values().for_each(|mut texts| self.pieces(&mut texts));
        match &mut call.result {
            Recorded::Reply { output, session, details, usage: _ } => {
                self.data(output);
                if let Some(session) = session {
                    self.text(session);
                }
                if let Some(details) = details {
                    self.value(details);
                }
            }
            Recorded::Error { failure, output, .. } => {
                if let Some(output) = output {
                    self.data(output);
                }
                self.text(&mut failure.message);
                if let Some(details) = &mut failure.details {
                    self.value(details);
                }
            }
            Recorded::Stopped { .. } => {}
        }
    }

    pub(super) fn text(&self, text: &mut String) {
        self.pieces(&mut [text]);
    }

    /// Texts that are pieces of one: a secret may begin in one and end in another.
    fn pieces(&self, texts: &mut [&mut String]) {
        let whole: String = texts.iter().map(|text| text.as_str()).collect();
        // From the end, so that those before it stay where they are.
        for found in self.places(&whole).into_iter().rev() {
            let (mut at, mut put) = (0, REDACTED);
            for text in &mut *texts {
                let end = at + text.len();
                let part = found.start.clamp(at, end) - at..found.end.clamp(at, end) - at;
                at = end;
                if !part.is_empty() {
                    text.replace_range(part, std::mem::take(&mut put));
                }
            }
        }
    }

    /// Where there are secrets, in order.
    fn places(&self, text: &str) -> Vec<Range<usize>> {
        let (mut places, mut from) = (Vec::new(), 0);
        let first = |from: usize| {
            let found = self.0.iter().filter_map(|secret| {
                let at = from + text[from..].find(secret)?;
                Some(at..at + secret.len())
            });
            // Of those that begin at the same place, the longest.
            found.min_by_key(|place| place.start)
        };
        while let Some(place) = first(from) {
            from = place.end;
            places.push(place);
        }
        places
    }

    fn value(&self, value: &mut Value) {
        match value {
            Value::String(text) => self.text(text),
            Value::Number(number) => {
                let mut text = number.to_string();
                if self.0.iter().any(|secret| text.contains(secret)) {
                    self.text(&mut text);
                    *value = text.into();
                }
            }
            Value::Array(values) => values.iter_mut().for_each(|value| self.value(value)),
            Value::Object(fields) => {
                let hidden = std::mem::take(fields).into_iter().map(|(mut name, mut value)| {
                    self.text(&mut name);
                    self.value(&mut value);
                    (name, value)
                });
                *fields = hidden.collect::<Map<_, _>>();
            }
            Value::Null | Value::Bool(_) => {}
        }
    }

    /// Left as it is, with all its digits, where there is nothing to hide.
    fn data(&self, data: &mut Data) {
        let value = data.value();
        let mut hidden = value.clone();
        self.value(&mut hidden);
        if hidden != value {
            *data = Data::new(&hidden);
        }
    }
}

/// Whether a text is what was recorded, in which something may be redacted: that can have been anything.
pub(super) fn is_same(recorded: &str, text: &str) -> bool {
    let Some((first, rest)) = recorded.split_once(REDACTED) else { return recorded == text };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<_> = rest.split(REDACTED).collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = text.find(part) else { return false };
        text = &text[at + part.len()..];
    }
    text.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(named: &[&str]) -> Secrets {
        Secrets::of(&named.iter().map(ToString::to_string).collect::<Vec<_>>(), &IndexMap::new())
    }

    #[test]
    fn a_secret_is_found_in_pieces_wherever_they_are_cut() {
        let whole = "aXYZXYZb, XYZ";
        for first in 0..=whole.len() {
            for second in first..=whole.len() {
                let mut pieces =
                    [&whole[..first], &whole[first..second], &whole[second..]].map(str::to_owned);
                secrets(&["XYZ"]).pieces(&mut pieces.iter_mut().collect::<Vec<_>>());
                assert_eq!(pieces.concat(), "a[redacted][redacted]b, [redacted]", "{first} {second}");
            }
        }
    }

    #[test]
    fn a_secret_that_is_part_of_another_leaves_nothing_of_it() {
        let mut text = "abcdef abc".to_owned();
        secrets(&["", "abc", "abcdef"]).text(&mut text);
        assert_eq!(text, "[redacted] [redacted]");
    }

    #[test]
    fn what_stands_in_the_place_of_a_secret_is_not_taken_for_one() {
        let mut text = "red, hunter2, act".to_owned();
        secrets(&["hunter2", "red", "act"]).text(&mut text);
        assert_eq!(text, "[redacted], [redacted], [redacted]");
    }

    #[test]
    fn numbers_and_names_can_be_secrets_and_the_rest_keeps_its_digits() {
        let mut data: Data = serde_json::from_str(r#"{"pin 4711": [147110, 1.50, null]}"#).unwrap();
        secrets(&["4711"]).data(&mut data);
        assert_eq!(data.json(), r#"{"pin [redacted]":["1[redacted]0",1.5,null]}"#);
        let mut data: Data = serde_json::from_str("[1.50]").unwrap();
        secrets(&["4711"]).data(&mut data);
        assert_eq!(data.json(), "[1.50]");
    }

    #[test]
    fn what_is_redacted_can_have_been_anything() {
        for (recorded, text, same) in [
            ("ask", "ask", true),
            ("ask", "asks", false),
            ("use [redacted]!", "use key-1!", true),
            ("use [redacted]!", "use key-1", false),
            ("use [redacted]!", "Use key-1!", false),
            ("[redacted] and [redacted]", "a and b", true),
            ("[redacted] and [redacted]", "a or b", false),
            ("a[redacted]a", "a", false),
            ("[redacted]", "", true),
        ] {
            assert_eq!(is_same(recorded, text), same, "{recorded} {text}");
        }
    }
}
