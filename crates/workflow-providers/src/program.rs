//! Resolves the programs to start, and explains why they fail to start.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use workflow_core::provider::ProviderError;

use crate::process::RunError;

/// A relative path is relative to the working directory of the program, on every system; a name is looked up
/// in the `PATH` of the program's own environment.
pub(crate) fn program(name: &str, directory: &Path) -> OsString {
    if name.contains('/') { directory.join(name).into() } else { name.into() }
}

/// What is wrong with the first line of a script that was started by its path, if that is why it did not run:
/// the system and `env` read a carriage return there as a part of the interpreter's name.
pub(crate) fn wrong_first_line(program: &OsStr) -> Option<String> {
    let mut head = Vec::new();
    let file = Path::new(program);
    // A name is looked up in the program's `PATH`, which may differ from ours.
    if file.parent()?.as_os_str().is_empty() {
        return None;
    }
    File::open(file).ok()?.take(256).read_to_end(&mut head).ok()?;
    let line = head.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let line = String::from_utf8_lossy(line);
    let interpreter = line.split_whitespace().next().unwrap_or_default();
    if line.ends_with('\r') {
        return Some(
            "its lines end in CRLF, and the interpreter in the first one is not found: save it with LF"
                .to_owned(),
        );
    }
    (!Path::new(interpreter).exists()).then(|| format!("its interpreter `{interpreter}` does not exist"))
}

pub(crate) fn run_error(program: &str, error: &RunError) -> ProviderError {
    match error {
        RunError::Start(error) => {
            let message = format!("cannot start `{program}`: {error}");
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
        // Another attempt while they are still running would do the work twice.
        RunError::Survivors(_) => ProviderError::permanent(format!("`{program}`: {error}")),
    }
}
