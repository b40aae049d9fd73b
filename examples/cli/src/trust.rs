//! Which stores are this user's: their ids are in the user's state folder.
//!
//! A run carries its definition, so whoever drives the runs of a store executes what its writers put there. A store
//! that came with a checkout is not driven before somebody says `--trust-store`. The id is in the store and random, so
//! another one in the same place is another one.

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
    /// The id of a store that is about to be made.
    pub(crate) fn random() -> Self {
        // A positive number in every database.
        Self(uuid::Uuid::now_v7().as_u64_pair().1 & i64::MAX.cast_unsigned())
    }

    /// The id that a text says.
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

    /// Adds a store. Where that fails it is said, and the next command will ask for `--trust-store`.
    pub(crate) fn add(&self, id: StoreId, place: &dyn fmt::Display) {
        if let Err(error) = self.note(id, place) {
            self.cannot_note(place, &error);
        }
    }

    /// Adds a store, and says nothing where that fails.
    pub(crate) fn note(&self, id: StoreId, place: &dyn fmt::Display) -> io::Result<()> {
        let folder = self.folder.as_ref().ok_or_else(|| io::Error::from(ErrorKind::NotFound))?;
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        fs::write(folder.join(id.to_string()), format!("{place}\n"))
    }

    pub(crate) fn cannot_note(&self, place: &dyn fmt::Display, error: &io::Error) {
        print::to_stderr(&format!(
            "that {place} is a store of yours cannot be noted in {self} ({error}): later commands need --trust-store"
        ));
    }

    /// Takes back what was added for a store that was not made.
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
