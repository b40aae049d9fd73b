//! Which stores the user trusts: their ids are in the user's state folder.
//!
//! A run carries its definition, so a process that drives the runs of a store executes commands that the writers of the
//! store chose. The runs of a store that came with a checkout are not driven until the user passes `--trust-store`. The
//! id is random and kept in the store, so a different store at the same path is not trusted.

use std::fmt;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;

use crate::print;

/// The id of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StoreId(pub u64);

impl StoreId {
    /// The id of a store that is about to be created.
    pub(crate) fn random() -> Self {
        // A positive number in every database.
        Self(uuid::Uuid::now_v7().as_u64_pair().1 & i64::MAX.cast_unsigned())
    }

    /// Parses an id.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        u64::from_str_radix(text.trim(), 16).ok().map(Self)
    }
}

impl fmt::Display for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// The stores that are known: a file for each in a folder, with its id as the name and its place as the text.
pub(crate) struct Known {
    folder: Option<PathBuf>,
}

impl Known {
    /// In `XDG_STATE_HOME`, which is `~/.local/state` unless it is set.
    pub(crate) fn of_user() -> Self {
        let named = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
        let state = named.or_else(|| Some(std::env::home_dir()?.join(".local/state")));
        Self { folder: state.map(|state| state.join("workflow/stores")) }
    }

    pub(crate) fn contains(&self, id: StoreId) -> bool {
        self.folder.as_ref().is_some_and(|folder| folder.join(id.to_string()).is_file())
    }

    /// Adds a store. If that fails it is reported, and the next command asks for `--trust-store`.
    pub(crate) fn add(&self, id: StoreId, place: &dyn fmt::Display) {
        if let Err(error) = self.note(id, place) {
            self.cannot_note(place, &error);
        }
    }

    /// Adds a store, without a message if that fails.
    pub(crate) fn note(&self, id: StoreId, place: &dyn fmt::Display) -> io::Result<()> {
        let folder = self.folder.as_ref().ok_or_else(|| io::Error::from(ErrorKind::NotFound))?;
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        fs::write(folder.join(id.to_string()), format!("{place}\n"))
    }

    pub(crate) fn cannot_note(&self, place: &dyn fmt::Display, error: &io::Error) {
        print::to_stderr(&format!(
            "warning: cannot record in {self} that you trust the store {place} ({error}): later commands need --trust-store"
        ));
    }

    /// Removes a store that was added and then not created.
    pub(crate) fn remove(&self, id: StoreId) {
        if let Some(folder) = &self.folder {
            let _ = fs::remove_file(folder.join(id.to_string()));
        }
    }
}

impl fmt::Display for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.folder {
            Some(folder) => folder.display().fmt(f),
            None => f.write_str("the state folder of the user, who has no home"),
        }
    }
}
