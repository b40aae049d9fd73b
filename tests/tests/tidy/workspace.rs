//! The packages and files of the workspace, for the checks.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use cargo_metadata::{Metadata, MetadataCommand};

/// A text file of the workspace.
pub(crate) struct TextFile {
    /// From the workspace's root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The workspace's own packages, and their direct dependencies.
pub(crate) static METADATA: LazyLock<Metadata> =
    LazyLock::new(|| MetadataCommand::new().current_dir(root()).no_deps().exec().unwrap());

/// Every text file that is committed, or would be by `git add --all`.
pub(crate) static FILES: LazyLock<Vec<TextFile>> = LazyLock::new(|| {
    let list = ["ls-files", "--cached", "--others", "--exclude-standard", "-z"];
    let listed = Command::new("git").args(list).current_dir(root()).output().unwrap();
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    let paths = String::from_utf8(listed.stdout).unwrap();
    let read = |path: &str| {
        // A path may be a link to a folder, or its deletion may not be committed yet.
        let text = std::fs::read_to_string(PathBuf::from_iter([root(), Path::new(path)])).ok()?;
        Some(TextFile { path: path.to_owned(), text })
    };
    let files: Vec<TextFile> = paths.split_terminator('\0').filter_map(read).collect();
    assert!(files.iter().any(|file| file.path == "Cargo.toml"), "the list of files is not this workspace's");
    files
});

/// The files whose path ends like this.
pub(crate) fn files(ending: &str) -> impl Iterator<Item = &'static TextFile> {
    FILES.iter().filter(move |file| file.path.ends_with(ending))
}

/// Fails with all violations, if there are any.
#[track_caller]
pub(crate) fn none(violations: &[String]) {
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
}
