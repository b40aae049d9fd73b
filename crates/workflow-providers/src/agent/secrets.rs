//! Keys that an agent is given: services like to repeat them in their errors.

use std::ffi::OsString;

/// The values of those variables that are named like secrets.
pub(super) struct Secrets(Vec<String>);

/// Shorter values would be found in texts that have nothing to do with them.
const SHORTEST: usize = 6;

impl Secrets {
    pub(super) fn of(environment: &[(OsString, OsString)]) -> Self {
        let is_secret =
            |name: &str| ["KEY", "TOKEN", "SECRET", "PASSWORD"].iter().any(|word| name.contains(word));
        let secrets = environment.iter().filter_map(|(name, value)| {
            let name = name.to_str()?.to_uppercase();
            // It is no secret, and stands in many texts.
            let is_ours = name.starts_with("WORKFLOW_");
            value.to_str().filter(|value| is_secret(&name) && !is_ours && value.len() >= SHORTEST)
        });
        Self(secrets.map(str::to_owned).collect())
    }

    /// The text without them.
    pub(super) fn hidden(&self, mut text: String) -> String {
        for secret in &self.0 {
            if text.contains(secret) {
                text = text.replace(secret, "[redacted]");
            }
        }
        text
    }
}
