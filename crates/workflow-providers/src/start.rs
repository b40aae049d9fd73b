//! Programs that are started by their names.

use std::ffi::OsString;
use std::io;
use std::path::Path;

use workflow_core::provider::ProviderError;

use crate::process::RunError;

/// A relative path is one from where the program will work, on every system; a name is looked up
/// in the `PATH` of the program's own environment.
pub(crate) fn program(name: &str, directory: &Path) -> OsString {
    if name.contains('/') { directory.join(name).into() } else { name.into() }
}

pub(crate) fn run_error(program: &str, error: &RunError) -> ProviderError {
    match error {
        RunError::Start(error) => {
            let message = format!("`{program}` could not be started: {error}");
            let is_passing = matches!(
                error.kind(),
                io::ErrorKind::WouldBlock
                    | io::ErrorKind::OutOfMemory
                    | io::ErrorKind::ExecutableFileBusy
                    | io::ErrorKind::Interrupted
            ) || error
                .raw_os_error()
                .map(rustix::io::Errno::from_raw_os_error)
                .is_some_and(|error| matches!(error, rustix::io::Errno::MFILE | rustix::io::Errno::NFILE));
            if is_passing { ProviderError::transient(message) } else { ProviderError::permanent(message) }
        }
        RunError::Watch(_) => ProviderError::transient(format!("`{program}`: {error}")),
        // Another attempt beside them would do the work twice.
        RunError::Survivors(_) => ProviderError::permanent(format!("`{program}`: {error}")),
    }
}
