//! Redacts the keys that an agent receives: services tend to repeat them in errors.

use std::ffi::OsString;

use workflow_core::failure::FailureClass;
use workflow_core::output::OutputKind;
use workflow_core::provider::{ProviderError, Reply};
use workflow_core::redact::{Piece, Redactor, SHORTEST, Stream};

/// At most this many characters of a line about the use of a tool are shown.
const LIMIT: usize = 2000;

/// The values of the variables that are named like secrets.
pub(crate) struct Secrets(Redactor);

/// Passes on an agent's output without secrets.
pub(crate) struct Voice {
    redactor: Redactor,
    /// The text of each kind so far: a secret can begin in one piece and end in the next.
    said: Vec<(OutputKind, Stream)>,
}

impl Secrets {
    /// # Errors
    ///
    /// If the redactor cannot be built.
    pub(crate) fn of(environment: &[(OsString, OsString)]) -> Result<Self, ProviderError> {
        let is_secret =
            |name: &str| ["KEY", "TOKEN", "SECRET", "PASSWORD"].iter().any(|word| name.contains(word));
        let secrets = environment.iter().filter_map(|(name, value)| {
            let name = name.to_str()?.to_uppercase();
            // It is not a secret, and occurs in many texts.
            let is_ours = name.starts_with("WORKFLOW_");
            value.to_str().filter(|value| is_secret(&name) && !is_ours && value.trim().len() >= SHORTEST)
        });
        let redactor = Redactor::new(secrets);
        redactor.map(Self).map_err(|error| ProviderError::permanent(format!("environment: {error}")))
    }

    /// The text without secrets.
    pub(crate) fn hidden(&self, mut text: String) -> String {
        self.0.text(&mut text);
        text
    }

    /// The reply without secrets.
    pub(crate) fn reply(&self, mut reply: Reply) -> Result<Reply, ProviderError> {
        if self.0.data(&mut reply.output).is_err() {
            let message = "a key of the answer contains a secret of the agent's environment";
            let error = ProviderError::new(FailureClass::SecretInOutput, message);
            return Err(ProviderError { usage: reply.usage, ..error });
        }
        if let Some(details) = &mut reply.details {
            self.0.value(details);
        }
        Ok(reply)
    }

    pub(crate) fn redactor(&self) -> Redactor {
        self.0.clone()
    }

    pub(crate) fn voice(&self) -> Voice {
        Voice { redactor: self.0.clone(), said: Vec::new() }
    }
}

impl Voice {
    /// The first characters of a text that may be long. Secrets are redacted first, including those of
    /// `of_run`: a secret that is cut in two could not be found any more.
    pub(crate) fn short(&self, mut text: String, of_run: &Redactor) -> String {
        if text.len() > LIMIT {
            self.redactor.text(&mut text);
            of_run.text(&mut text);
        }
        match text.char_indices().nth(LIMIT) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text.trim_end().to_owned(),
        }
    }

    /// Passes on a piece of output.
    pub(crate) fn say(&mut self, kind: OutputKind, text: String, output: impl FnMut(String)) {
        if self.redactor.is_empty() {
            return std::iter::once(text).for_each(output);
        }
        let piece = if kind == OutputKind::TextDelta { Piece::Delta } else { Piece::Line };
        let known = self.said.iter().position(|(said, _)| *said == kind);
        let number = known.unwrap_or_else(|| {
            self.said.push((kind, self.redactor.stream()));
            self.said.len() - 1
        });
        self.said[number].1.push(text, piece, output);
    }

    /// Passes on text that was held back because it could have been the start of a secret.
    pub(crate) fn finish(&mut self, mut output: impl FnMut(OutputKind, String)) {
        for (kind, mut stream) in std::mem::take(&mut self.said) {
            stream.finish(|text| output(kind, text));
        }
    }
}
