//! The working directory of a command.

use std::path::{Path, PathBuf};

use workflow_core::provider::{CallRequest, ProviderError, Workspace};

/// The directory `directory` inside the workspace that the call asks for, by default `work_root`.
///
/// # Errors
///
/// Those of [`inside`], and a permanent error if no component has created the workspace that the run asks
/// for.
pub(crate) fn of_call(
    work_root: &Path,
    request: &CallRequest,
    directory: &str,
) -> Result<PathBuf, ProviderError> {
    match &request.workspace {
        Workspace::Shared => inside(work_root, directory),
        Workspace::At(workspace) => inside(workspace, directory),
        Workspace::Isolated | Workspace::IsolatedFrom(_) => Err(ProviderError::permanent(
            "the run asks for an isolated workspace, and none was created for this provider",
        )),
    }
}

/// The directory `directory` inside `root`, without symbolic links. It may be absolute if it is inside.
///
/// # Errors
///
/// A permanent error if there is no such directory, or if it is outside of `root`.
fn inside(root: &Path, directory: &str) -> Result<PathBuf, ProviderError> {
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
