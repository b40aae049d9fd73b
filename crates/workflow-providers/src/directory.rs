//! Where a command works.

use std::path::{Path, PathBuf};

use workflow_core::provider::ProviderError;

/// The directory `directory` inside of `root`, without symbolic links. It may be absolute, as
/// long as it is inside.
///
/// # Errors
///
/// A permanent error when there is no such directory, or when it is outside of `root`.
pub(crate) fn inside(root: &Path, directory: &str) -> Result<PathBuf, ProviderError> {
    let unusable = |what: &str, error| {
        ProviderError::permanent(format!("{what} cannot be used as a directory: {error}"))
    };
    let root = root.canonicalize().map_err(|error| unusable("the work root", error))?;
    let named = format!("`cwd` `{directory}`");
    let directory = root.join(directory).canonicalize().map_err(|error| unusable(&named, error))?;
    if !directory.starts_with(&root) {
        return Err(ProviderError::permanent(format!("{named} is outside of the work root")));
    }
    if !directory.is_dir() {
        return Err(ProviderError::permanent(format!("{named} is not a directory")));
    }
    Ok(directory)
}
