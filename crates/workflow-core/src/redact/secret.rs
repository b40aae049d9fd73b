//! Which values can be secrets, and what replaces them.

/// The mark that replaces a secret.
pub const MARK: &str = "[redacted]";

/// A secret has at least this many characters: shorter ones occur in many texts that have nothing to do with
/// them.
pub const SHORTEST: usize = 6;

/// A line of a secret with several lines is a secret of its own if it has at least this many bytes.
pub const SHORTEST_LINE: usize = 8;

/// A secret has at most this many bytes: so much of an output may be held back until it is known whether it
/// is one.
pub const LONGEST: usize = 64 * 1024;

/// Why a value cannot be used as a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnfitSecret {
    /// It is too short to be recognised in outputs.
    #[error(
        "secret `{0}` has fewer than {SHORTEST} characters: so short a text cannot be kept out of outputs without hiding \
         other text too; use a longer secret, or a variable if the value is not a secret"
    )]
    TooShort(String),
    /// It is too long to be looked for in outputs.
    #[error("secret `{0}` has more than {LONGEST} bytes: pass the path of a file that holds it")]
    TooLong(String),
}

/// Checks whether a value can be used as the secret of that name.
///
/// # Errors
///
/// [`UnfitSecret`], which does not tell the value.
pub fn check(name: &str, value: &str) -> Result<(), UnfitSecret> {
    if value.trim().chars().count() < SHORTEST {
        return Err(UnfitSecret::TooShort(name.to_owned()));
    }
    if value.len() > LONGEST {
        return Err(UnfitSecret::TooLong(name.to_owned()));
    }
    Ok(())
}

/// All secrets together are too long to be looked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the secrets are too long to be looked for: {0}")]
pub struct TooLong(pub(super) String);

/// A key of an object holds a secret. It cannot be replaced without changing what the object means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key of the output holds a secret")]
pub struct SecretInKey;
