//! Reads secrets from files or the environment.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use tracing::warn;
use workflow_core::machine::Secrets;
use workflow_exec::RunKey;

use crate::error::Error;

/// `${secrets.X}` is the file `X` in the folder that `WORKFLOW_SECRETS_DIR` names, and otherwise the environment
/// variable `WORKFLOW_SECRET_X`.
pub(crate) struct Sources {
    folder: Option<PathBuf>,
}

impl Sources {
    pub(crate) fn of_environment() -> Self {
        let folder = std::env::var_os("WORKFLOW_SECRETS_DIR").filter(|folder| !folder.is_empty());
        Self { folder: folder.map(PathBuf::from) }
    }

    /// The text of the file, without the line end that editors write.
    fn file(&self, name: &str) -> Option<String> {
        // A name is not a path.
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        let path = self.folder.as_ref().filter(|_| name.bytes().all(is_name))?.join(name);
        match fs::read_to_string(&path) {
            Ok(mut text) => {
                text.truncate(text.trim_end_matches(['\n', '\r']).len());
                Some(text)
            }
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => {
                warn!(path = %path.display(), %error, "a secret cannot be read");
                None
            }
        }
    }
}

/// The key that runs are signed with: the content of the file that `WORKFLOW_KEY_FILE` names.
pub(crate) fn run_key() -> Result<Option<RunKey>, Error> {
    let Some(path) = std::env::var_os("WORKFLOW_KEY_FILE").filter(|path| !path.is_empty()) else {
        return Ok(None);
    };
    let path = PathBuf::from(path);
    let failed = |source| Error::File { path: path.clone(), source };
    let text = fs::read(&path).map_err(failed)?;
    let key = RunKey::new(text.trim_ascii_end());
    key.map(Some).map_err(|error| failed(std::io::Error::new(ErrorKind::InvalidData, error)))
}

impl Secrets for Sources {
    fn secret(&self, name: &str) -> Option<String> {
        self.file(name).or_else(|| std::env::var(format!("WORKFLOW_SECRET_{name}")).ok())
    }
}
