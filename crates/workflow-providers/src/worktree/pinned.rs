//! The record of a run's worktree, which is written when it is created and used by every git command in it.
//!
//! The record is a folder beside the worktrees that git uses as the common folder of the repository
//! (`GIT_COMMON_DIR`): it links to everything in the repository, but has a configuration of its own. So git
//! does not read what is written into the configuration of the repository, the worktree or the user during a
//! run.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::json;
use workflow_core::ids::RunId;
use workflow_core::provider::ProviderError;

use super::folder::{self, unable};

/// Where the records are, in the folder of the worktrees. It is not a valid run id.
const RECORDS: &str = ".pinned";

/// What of a repository is not linked to.
const NOT_LINKED: [&str; 3] = ["config", "config.worktree", "hooks"];

/// What may be missing in a repository and be created later.
const LINKED: [&str; 5] = ["info", "logs", "packed-refs", "shallow", "worktrees"];

/// The worktree of a run as it was recorded.
pub(super) struct Pinned {
    pub(super) worktree: PathBuf,
    /// Where git keeps the data of the worktree.
    pub(super) git_dir: PathBuf,
    pub(super) repository: PathBuf,
    config: Vec<u8>,
    record: PathBuf,
}

/// A hash of each configuration that this process has recorded or read: it detects a call that changes a
/// record, also during the next call.
#[derive(Debug, Default)]
pub(super) struct Known {
    hasher: RandomState,
    records: Mutex<HashMap<PathBuf, u64>>,
}

/// The error for a worktree that is not as it was created.
pub(super) fn changed(worktree: &Path, problem: &str, what: &str) -> ProviderError {
    let path = worktree.display().to_string();
    let message = format!("the worktree {path} {what}; nothing in it is changed");
    let details = json!({ "changed_worktree": { "path": path, "problem": problem } });
    ProviderError::permanent(message).with_details(details)
}

/// The git folder that the `.git` of a worktree names, if that is a file and the folder exists.
pub(super) fn git_dir(worktree: &Path) -> Option<PathBuf> {
    named(worktree)?.canonicalize().ok()
}

fn named(worktree: &Path) -> Option<PathBuf> {
    let file = worktree.join(".git");
    let is_file = file.symlink_metadata().is_ok_and(|found| found.is_file());
    let text = is_file.then(|| fs::read(file).ok()).flatten()?;
    Some(worktree.join(path(text.strip_prefix(b"gitdir: ")?)))
}

/// The path in a file of git.
fn path(text: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(text.trim_ascii_end()))
}

impl Pinned {
    /// A record that is to be written, with this configuration.
    pub(super) fn new(
        directory: &Path,
        run: &RunId,
        repository: &Path,
        git_dir: PathBuf,
        config: Vec<u8>,
    ) -> Result<Self, ProviderError> {
        let record = record(directory, run)?;
        let (worktree, repository) = (directory.join(run.as_str()), repository.to_owned());
        Ok(Self { worktree, git_dir, repository, config, record })
    }

    /// The record of a run, if it is complete.
    pub(super) fn load(directory: &Path, run: &RunId, known: &Known) -> Result<Option<Self>, ProviderError> {
        let (worktree, record) = (directory.join(run.as_str()), record(directory, run)?);
        let Some(made) = read(&record.join("record"))? else { return Ok(None) };
        let Some(config) = Self::config(directory, run, known)? else { return Ok(None) };
        let mut paths =
            made.split(|byte| *byte == 0).map(|path| PathBuf::from(OsString::from_vec(path.to_vec())));
        let (Some(git_dir), Some(repository)) = (paths.next(), paths.next()) else { return Ok(None) };
        Ok(Some(Self { worktree, git_dir, repository, config, record }))
    }

    /// The configuration of a run that began earlier, even if its worktree is gone.
    pub(super) fn config(
        directory: &Path,
        run: &RunId,
        known: &Known,
    ) -> Result<Option<Vec<u8>>, ProviderError> {
        let record = record(directory, run)?;
        let config = read(&record.join("config"))?;
        if known.agrees(&record, config.as_deref()) {
            Ok(config)
        } else {
            Err(is_changed(&directory.join(run.as_str()), &record))
        }
    }

    /// Removes the mark of a complete record: the worktree is going to be created.
    pub(super) fn begin(directory: &Path, run: &RunId) -> Result<(), ProviderError> {
        let record = record(directory, run)?;
        remove_file(&record.join("record")).map_err(|error| unable(&record, &error))
    }

    /// Writes what git needs for its calls.
    pub(super) fn write(&self) -> Result<(), ProviderError> {
        let link = || {
            folder::create(self.record.parent().unwrap_or(&self.record))?;
            folder::create(&self.record)?;
            let entries = fs::read_dir(&self.repository)?.map(|entry| Ok(entry?.file_name()));
            let names =
                entries.collect::<io::Result<Vec<_>>>()?.into_iter().chain(LINKED.map(OsString::from));
            for name in names {
                let is_lock = Path::new(&name).extension().is_some_and(|extension| extension == "lock");
                if is_lock || NOT_LINKED.iter().any(|not| *not == name) {
                    continue;
                }
                match symlink(self.repository.join(&name), self.record.join(&name)) {
                    Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
                    _ => {}
                }
            }
            // Git creates none where it finds a link.
            folder::create(&self.repository.join("logs"))?;
            self.write_file("config", &self.config)
        };
        link().map_err(|error| unable(&self.record, &error))
    }

    /// Marks the record as complete: the worktree is created. No call has run in it before.
    pub(super) fn complete(&self, known: &Known) -> Result<(), ProviderError> {
        self.write_file("record", &self.text()).map_err(|error| unable(&self.record, &error))?;
        known.note(self);
        Ok(())
    }

    /// Whether a run has a record, complete or not.
    pub(super) fn exists(directory: &Path, run: &RunId) -> Result<bool, ProviderError> {
        let record = record(directory, run)?;
        Ok(record.symlink_metadata().is_ok())
    }

    /// Removes the record of a run whose worktree was removed. Its configuration may contain tokens.
    pub(super) fn remove(directory: &Path, run: &RunId, known: &Known) -> Result<(), ProviderError> {
        // Without this file the record is incomplete, whatever else is left of it.
        Self::begin(directory, run)?;
        let record = record(directory, run)?;
        match fs::remove_dir_all(&record) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(unable(&record, &error)),
            _ => {}
        }
        known.forget(&record);
        Ok(())
    }

    /// The environment of every git command for this run.
    pub(super) fn environment(&self) -> [(&'static str, &OsStr); 3] {
        [
            ("GIT_COMMON_DIR", self.record.as_os_str()),
            ("GIT_CONFIG_NOSYSTEM", OsStr::new("1")),
            ("GIT_CONFIG_GLOBAL", OsStr::new("/dev/null")),
        ]
    }

    /// Checks that the worktree is still the one that was recorded.
    pub(super) fn verify(&self) -> Result<(), ProviderError> {
        let worktree = &self.worktree;
        let wrong = |problem, what: &str| Err(changed(worktree, problem, what));
        if !worktree.symlink_metadata().is_ok_and(|found| found.is_dir()) {
            return wrong(
                "folder",
                "is no longer the folder that was created for the run: restore that folder",
            );
        }
        let is_own = |named: PathBuf| {
            named == self.git_dir || named.canonicalize().is_ok_and(|dir| dir == self.git_dir)
        };
        if !named(worktree).is_some_and(is_own) {
            let text = format!(
                "has lost its original `.git`: create it again as a file with the line `gitdir: {}`",
                self.git_dir.display()
            );
            return wrong("git_file", &text);
        }
        let leads_to = |name: &str| {
            let text = fs::read(self.git_dir.join(name)).ok()?;
            self.git_dir.join(path(&text)).canonicalize().ok()
        };
        let back = leads_to("gitdir").is_some_and(|back| back == worktree.join(".git"));
        let is_folder = self.git_dir.canonicalize().is_ok_and(|dir| dir == self.git_dir);
        if !is_folder || !back || leads_to("commondir").as_ref() != Some(&self.repository) {
            let text = format!(
                "is no longer the one that git has in {}: run `git worktree repair`, or restore that folder",
                self.git_dir.display()
            );
            return wrong("git_dir", &text);
        }
        match fs::read(self.record.join("config")) {
            Ok(config) if config == self.config => Ok(()),
            _ => Err(is_changed(worktree, &self.record)),
        }
    }

    fn text(&self) -> Vec<u8> {
        [self.git_dir.as_os_str().as_bytes(), b"\0", self.repository.as_os_str().as_bytes()].concat()
    }

    /// Writes a file of the record atomically.
    fn write_file(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let part = self.record.join(format!("{name}.part"));
        remove_file(&part)?;
        folder::private_file(&part)?.write_all(content)?;
        fs::rename(part, self.record.join(name))
    }
}

fn is_changed(worktree: &Path, record: &Path) -> ProviderError {
    let text = format!(
        "has a record that was changed: restore the file `config` in {}, or delete that folder \
         and the worktree after committing everything that is to be kept",
        record.display()
    );
    changed(worktree, "record", &text)
}

/// The path of the record of a run.
fn record(directory: &Path, run: &RunId) -> Result<PathBuf, ProviderError> {
    let records = directory.join(RECORDS);
    let record = records.join(run.as_str());
    folder::checked(&records)?;
    folder::checked(&record)?;
    Ok(record)
}

fn read(file: &Path) -> Result<Option<Vec<u8>>, ProviderError> {
    match fs::read(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        read => read.map(Some).map_err(|error| unable(file, &error)),
    }
}

fn remove_file(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

impl Known {
    fn note(&self, pinned: &Pinned) {
        let hash = self.hasher.hash_one(&pinned.config);
        self.records().insert(pinned.record.clone(), hash);
    }

    fn forget(&self, record: &Path) {
        self.records().remove(record);
    }

    /// Whether the configuration matches what this process knows. The first one that it reads counts from
    /// then on.
    fn agrees(&self, record: &Path, config: Option<&[u8]>) -> bool {
        let hash = config.map(|config| self.hasher.hash_one(config));
        match (self.records().entry(record.to_owned()), hash) {
            (Entry::Occupied(known), hash) => hash == Some(*known.get()),
            (Entry::Vacant(unknown), Some(hash)) => {
                unknown.insert(hash);
                true
            }
            (Entry::Vacant(_), None) => true,
        }
    }

    fn records(&self) -> MutexGuard<'_, HashMap<PathBuf, u64>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
