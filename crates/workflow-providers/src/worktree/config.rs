//! Writes the current configuration of git to one file.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use workflow_core::provider::ProviderError;

use super::git::{At, Git};

/// Settings that are left out: the files that they name were read as well (`include`), or their values differ
/// in a worktree of a run. Hooks never run.
const LEFT_OUT: [&str; 6] = [
    "core.bare",
    "core.worktree",
    "core.hookspath",
    "core.fsmonitor",
    "extensions.worktreeconfig",
    "include.path",
];

/// Sections that are left out for the same reasons.
const SECTIONS_LEFT_OUT: [&str; 2] = ["includeif", "hook"];

/// Where the large files of git-lfs are; by default, in the folder with the configuration that it finds.
const LFS: &str = "lfs.storage";

/// All settings for a repository, from the configuration of the system, of the user, of the repository, and
/// of files that one of those includes.
pub(super) fn read(repository: &Path, directory: &Path, git: &Git<'_>) -> Result<Vec<u8>, ProviderError> {
    let ask = ["config", "--list", "--null", "--includes"];
    let said = git.ask(&At::Repository(repository, directory), &ask)?.bytes();
    let mut config = Vec::new();
    let mut lfs = b"lfs".to_vec();
    for entry in said.split(|byte| *byte == 0).filter(|entry| !entry.is_empty()) {
        let mut parts = entry.splitn(2, |byte| *byte == b'\n');
        let (key, value) = (parts.next().unwrap_or_default(), parts.next());
        if key == LFS.as_bytes() {
            lfs = value.unwrap_or_default().to_vec();
        } else {
            write(&mut config, key, value);
        }
    }
    let lfs = repository.join(OsStr::from_bytes(&lfs));
    write(&mut config, LFS.as_bytes(), Some(lfs.as_os_str().as_bytes()));
    Ok(config)
}

/// Writes one setting: `section.name`, or `section.with.anything.name`.
fn write(config: &mut Vec<u8>, key: &[u8], value: Option<&[u8]>) {
    let is_dot = |byte: &u8| *byte == b'.';
    let (Some(first), Some(last)) = (key.iter().position(is_dot), key.iter().rposition(is_dot)) else {
        return;
    };
    let (section, name) = (&key[..first], &key[last + 1..]);
    let is_left_out = LEFT_OUT.iter().any(|left_out| left_out.as_bytes() == key)
        || SECTIONS_LEFT_OUT.iter().any(|left_out| left_out.as_bytes() == section);
    if is_left_out {
        return;
    }
    config.push(b'[');
    config.extend_from_slice(section);
    if first < last {
        config.push(b' ');
        quote(config, &key[first + 1..last]);
    }
    config.extend_from_slice(b"]\n\t");
    config.extend_from_slice(name);
    if let Some(value) = value {
        config.extend_from_slice(b" = ");
        quote(config, value);
    }
    config.push(b'\n');
}

fn quote(config: &mut Vec<u8>, text: &[u8]) {
    config.push(b'"');
    for byte in text {
        match byte {
            b'"' | b'\\' => config.extend_from_slice(&[b'\\', *byte]),
            b'\n' => config.extend_from_slice(b"\\n"),
            byte => config.push(*byte),
        }
    }
    config.push(b'"');
}
