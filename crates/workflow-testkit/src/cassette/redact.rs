//! Redacts secrets in a cassette.

use indexmap::IndexMap;
use workflow_core::data::Data;
use workflow_core::output::OutputKind;
use workflow_core::redact::{MARK, Redactor, SHORTEST, TooLong};

use super::format::{Asked, Call, Recorded, What};

/// The secrets of a call: those that the host names, and the values of the variables that are named like
/// secrets.
pub(super) fn redactor(named: &[String], variables: &IndexMap<String, String>) -> Result<Redactor, TooLong> {
    let is_secret = |name: &str| {
        let name = name.to_uppercase();
        ["KEY", "TOKEN", "SECRET", "PASSWORD"].iter().any(|word| name.contains(word))
    };
    let variables =
        variables.iter().filter(|(name, value)| is_secret(name) && value.trim().len() >= SHORTEST);
    Redactor::new(named.iter().chain(variables.map(|(_, value)| value)))
}

/// Redacts all texts that a person or a model has written.
pub(super) fn hide(redactor: &Redactor, call: &mut Call) {
    if redactor.is_empty() {
        return;
    }
    let Asked { prompt, options, output_schema, session: _ } = &mut call.asked;
    redactor.text(prompt);
    redactor.value(options);
    redactor.value(output_schema);
    let mut outputs: IndexMap<OutputKind, Vec<&mut String>> = IndexMap::new();
    for said in &mut call.said {
        match &mut said.what {
            What::Output { kind, text } => outputs.entry(*kind).or_default().push(text),
            What::Session(session) => drop(redactor.text(session)),
            What::Usage(_) | What::Alive {} => {}
        }
    }
    for mut texts in outputs.into_values() {
        redactor.pieces(&mut texts);
    }
    match &mut call.result {
        Recorded::Reply { output, session, details, usage: _ } => {
            data(redactor, output);
            if let Some(session) = session {
                redactor.text(session);
            }
            if let Some(details) = details {
                redactor.value(details);
            }
        }
        Recorded::Error { failure, output, question, .. } => {
            if let Some(question) = question {
                redactor.text(&mut question.text);
            }
            if let Some(output) = output {
                data(redactor, output);
            }
            redactor.failure(failure);
        }
        Recorded::Stopped { .. } => {}
    }
}

/// Keys in an output are redacted too, because users read cassettes; an engine refuses such an output.
fn data(redactor: &Redactor, data: &mut Data) {
    if redactor.data(data).is_err() {
        let mut value = data.value();
        redactor.value(&mut value);
        *data = Data::new(&value);
    }
}

/// Whether a text matches the recorded one, in which `[redacted]` matches any text.
pub(super) fn is_same(recorded: &str, text: &str) -> bool {
    let Some((first, rest)) = recorded.split_once(MARK) else { return recorded == text };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<_> = rest.split(MARK).collect();
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
