//! Where workflows and runs are: workflows in a home, and runs in a store, which a URL names.

use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use workflow_core::definition::did_you_mean;
use workflow_core::store::{RunStore, StoreError};
use workflow_store::{
    FileStore, ForeignRun, PostgresOptions, PostgresStore, SqliteOptions, SqliteStore, StoreStatus,
    foreign_runs,
};

use crate::error::Error;
use crate::home::{self, Home};
use crate::print;
use crate::trust::{Known, StoreId};

/// The forms of a URL, as a hint.
const ACCEPTED: &str = "write file:DIR, sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE";
/// The kinds of stores, as a URL names them.
const KINDS: [&str; 4] = ["file", "sqlite", "postgres", "postgresql"];
/// The file with the id of a store in files.
const ID: &str = "store-id";
/// The database of a home.
const DATABASE: &str = "runs.db";

/// Where workflows and runs are.
#[derive(Debug)]
pub(crate) struct Place {
    /// The workflows, and the runs unless a store is named.
    pub home: Home,
    /// Where runs are.
    store: Store,
    /// Whether `--store`, `--store-file` or the environment named the store.
    named: bool,
    /// Whether the user trusts the store from now on (`--trust-store`).
    trusts: bool,
}

/// A store that is open.
pub(crate) struct Opened {
    /// The store.
    pub store: Arc<dyn RunStore>,
    /// Where it is, without anything secret; absent for runs that only this process has.
    pub place: Option<String>,
    /// Why its runs are not driven, if they are not.
    pub distrust: Option<Error>,
}

/// The URL of a store that a file holds.
pub(crate) fn read_url(file: &Path) -> Result<String, Error> {
    let text = fs::read_to_string(file).map_err(|source| Error::File { path: file.to_owned(), source })?;
    Ok(text.trim().to_owned())
}

/// Where runs are.
enum Store {
    Files(PathBuf),
    Sqlite(PathBuf),
    Postgres(String),
}

impl Place {
    /// A home, and the store of that URL. Without one it is the database of the home, or the files of
    /// an earlier version where there are runs in files and no database yet.
    pub(crate) fn new(home: Home, url: Option<&str>, trusts: bool) -> Result<Self, Error> {
        let (store, named) = match url {
            Some(url) => (Store::parse(url).map_err(Error::BadStore)?, true),
            None => (Store::of_home(&home.path)?, false),
        };
        Ok(Self { home, store, named, trusts })
    }

    /// Opens the store, and creates it if it does not exist.
    pub(crate) fn open(&self) -> Result<Opened, Error> {
        if !self.named {
            home::make(&self.home.path)?;
        }
        let known = Known::of_user();
        let place = Some(self.to_string());
        let (store, id, is_made): (Arc<dyn RunStore>, _, _) = match &self.store {
            Store::Files(directory) => {
                let (id, is_made) = self.id_of_files(directory, &known)?;
                (Arc::new(FileStore::open(directory)?), id, is_made)
            }
            Store::Sqlite(path) => {
                let (store, id, is_made) = self.open_database(path, &known)?;
                (Arc::new(store), id, is_made)
            }
            // A database server does not come with a checkout, and the user named it with its password.
            Store::Postgres(url) => {
                let store = Arc::new(PostgresStore::open(url)?);
                return Ok(Opened { store, place, distrust: None });
            }
        };
        // A store that this process created is trusted, also if that could not be recorded.
        let is_known = is_made || id.is_some_and(|id| known.contains(id));
        if self.trusts
            && !is_known
            && let Some(id) = id
        {
            known.add(id, self);
        }
        let distrust = || Error::Untrusted { store: self.to_string(), known: known.to_string() };
        Ok(Opened { store, place, distrust: (!is_known && !self.trusts).then(distrust) })
    }

    /// Opens a database, and returns whether this process created it. If so, it is recorded as trusted before other
    /// processes can see it.
    fn open_database(
        &self,
        path: &Path,
        known: &Known,
    ) -> Result<(SqliteStore, Option<StoreId>, bool), Error> {
        // It is unknown whether this process will create it: another process may be about to, or may fail to.
        let new = StoreId::random();
        let noted = known.note(new, self);
        let opened = SqliteStore::open_with(path, SqliteOptions::new().new_id(new.0));
        let id = opened.as_ref().ok().and_then(SqliteStore::id).map(StoreId);
        let is_made = id == Some(new);
        match noted {
            Err(error) if is_made => known.cannot_note(self, &error),
            Ok(()) if !is_made => known.remove(new),
            _ => {}
        }
        Ok((opened?, id, is_made))
    }

    /// The id of a store in files, which is in a file beside the runs, and whether it was created here: a store that is
    /// new, or trusted and without an id, gets one.
    fn id_of_files(&self, directory: &Path, known: &Known) -> Result<(Option<StoreId>, bool), Error> {
        let file = directory.join(ID);
        let failed = |source| Error::File { path: file.clone(), source };
        let read = || match fs::read_to_string(&file) {
            Ok(text) => Ok(StoreId::parse(&text)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(error)),
        };
        let found = read()?;
        if found.is_some() || (!self.trusts && has_runs(&directory.join("runs"), &foreign_runs(directory)?)?)
        {
            return Ok((found, false));
        }
        fs::create_dir_all(directory).map_err(failed)?;
        let id = StoreId::random();
        known.add(id, self);
        // Linked atomically, and only if no other process was first.
        let whole = directory.join(format!(".{ID}-{id}"));
        let written = fs::write(&whole, format!("{id}\n")).and_then(|()| fs::hard_link(&whole, &file));
        let _ = fs::remove_file(&whole);
        match written {
            Ok(()) => Ok((Some(id), true)),
            Err(error) => {
                known.remove(id);
                if error.kind() == ErrorKind::AlreadyExists {
                    Ok((read()?, false))
                } else {
                    Err(failed(error))
                }
            }
        }
    }

    /// Opens the store to read its runs, without creating it. A store that does not exist is an error if it was named,
    /// and `None` otherwise.
    pub(crate) fn open_existing(&self) -> Result<Option<Opened>, Error> {
        let there = match &self.store {
            Store::Files(path) | Store::Sqlite(path) => exists(path)?,
            // Opening it asks the server.
            Store::Postgres(_) => true,
        };
        match (there, self.named) {
            (true, _) => match self.open() {
                Err(error) if is_unwritable(&error) => self.open_read_only(error).map(Some),
                opened => opened.map(Some),
            },
            (false, true) => Err(Error::NoStore(self.to_string())),
            (false, false) => Ok(None),
        }
    }
}

impl Place {
    /// What the store has. It is not opened.
    pub(crate) fn status(&self) -> Result<StoreStatus, Error> {
        Ok(match &self.store {
            Store::Files(path) if exists(path)? => FileStore::status(path)?,
            Store::Sqlite(path) if exists(path)? => SqliteStore::status(path)?,
            Store::Postgres(url) => PostgresOptions::new(url).status()?,
            Store::Files(_) | Store::Sqlite(_) => return Err(Error::NoStore(self.to_string())),
        })
    }

    /// Brings the tables of the store up to date.
    pub(crate) fn migrate(&self) -> Result<(), Error> {
        match &self.store {
            Store::Files(_) => {}
            Store::Sqlite(path) => SqliteStore::migrate(path)?,
            Store::Postgres(url) => PostgresOptions::new(url).migrate()?,
        }
        Ok(())
    }

    /// Makes the space of deleted runs usable again.
    pub(crate) async fn vacuum(&self) -> Result<(), Error> {
        match &self.store {
            Store::Files(_) => {}
            Store::Sqlite(path) if exists(path)? => SqliteStore::open(path)?.vacuum().await?,
            Store::Sqlite(_) => return Err(Error::NoStore(self.to_string())),
            Store::Postgres(url) => PostgresOptions::new(url).vacuum()?,
        }
        Ok(())
    }

    /// Opens a store that cannot be written, or returns why not. Later attempts to write to it fail.
    fn open_read_only(&self, unwritable: Error) -> Result<Opened, Error> {
        match &self.store {
            Store::Sqlite(path) => {
                let store = Arc::new(SqliteStore::open_with(path, SqliteOptions::new().read_only())?);
                Ok(Opened { store, place: Some(self.to_string()), distrust: None })
            }
            Store::Files(_) | Store::Postgres(_) => Err(unwritable),
        }
    }
}

/// Whether permissions or a read-only file system caused the error.
fn is_unwritable(error: &Error) -> bool {
    let kind = match error {
        Error::Store(StoreError::Io { source, .. }) => source.kind(),
        Error::File { source, .. } => source.kind(),
        _ => return false,
    };
    matches!(kind, ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem)
}

/// The store in the words of its URL, without anything secret.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.store.fmt(f)
    }
}

impl Store {
    /// Parses a URL. It can contain a password, so errors do not repeat it.
    fn parse(url: &str) -> Result<Self, String> {
        let is_kind = |kind: &str| !kind.is_empty() && kind.bytes().all(|b| b.is_ascii_alphanumeric());
        let Some((kind, rest)) = url.split_once(':').filter(|(kind, _)| is_kind(kind)) else {
            return Err(format!("the URL does not begin with a kind of store: {ACCEPTED}"));
        };
        match kind {
            "file" => path(kind, rest).map(Self::Files),
            "sqlite" if rest == ":memory:" => {
                Err("runs in memory would be lost when the command ends: name a file, sqlite:PATH".to_owned())
            }
            "sqlite" => path(kind, rest).map(Self::Sqlite),
            "postgres" | "postgresql" => {
                check_postgres(rest)?;
                Ok(Self::Postgres(url.to_owned()))
            }
            other => {
                Err(format!("`{other}:` is not a kind of store{} ({ACCEPTED})", did_you_mean(other, KINDS)))
            }
        }
    }

    /// The default store of a home.
    fn of_home(home: &Path) -> Result<Self, Error> {
        let database = home.join(DATABASE);
        let in_files = has_runs(&home.join("runs"), &foreign_runs(home)?)?;
        if !in_files || database.exists() {
            if in_files {
                let files = Self::Files(home.to_owned());
                print::to_stderr(&format!(
                    "note: this home has runs in files too, beside those in {}: use `--store {files}` for them",
                    database.display()
                ));
            }
            return Ok(Self::Sqlite(database));
        }
        Ok(Self::Files(home.to_owned()))
    }
}

/// The path in the URL of a file.
fn path(kind: &str, text: &str) -> Result<PathBuf, String> {
    let path = match text.strip_prefix("//") {
        // As in file:///dir, where the host is left out.
        Some(path) if path.starts_with('/') => path,
        Some(_) => {
            return Err(format!(
                "`{kind}://` begins with a host, and files are on this machine: write {kind}:PATH, or {kind}:/PATH for an \
                 absolute path"
            ));
        }
        None => text,
    };
    if path.is_empty() {
        let what = if kind == "file" { "directory" } else { "file" };
        return Err(format!("`{kind}:` names no {what}: {ACCEPTED}"));
    }
    match path.strip_prefix('~') {
        None => Ok(PathBuf::from(path)),
        Some(rest) if rest.is_empty() || rest.starts_with('/') => match std::env::home_dir() {
            Some(home) => Ok(home.join(rest.trim_start_matches('/'))),
            None => Err("`~` is your home directory, and HOME is not set".to_owned()),
        },
        Some(_) => Err(format!(
            "`~` can only stand for your own home directory, as in {kind}:~/PATH; write {kind}:./{path} for a \
             name that begins with it"
        )),
    }
}

/// Checks the URL after `postgres:`, so that no part of a password is taken for the host, which is shown.
fn check_postgres(text: &str) -> Result<(), String> {
    let rest = text.strip_prefix("//").filter(|rest| !rest.is_empty());
    let rest = rest.ok_or_else(|| format!("`postgres:` names no database: {ACCEPTED}"))?;
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let ats = |text: &str| text.matches('@').count();
    if ats(rest) > 1 || ats(rest) != ats(authority) {
        return Err(
            "the URL of the database has an `@`, `/` or `?` that must be escaped: write %40 for `@`, %2F for `/`, %3F \
             for `?` in a user name or a password"
                .to_owned(),
        );
    }
    Ok(())
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Files(directory) => write!(f, "file:{}", directory.display()),
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(url) => {
                let rest = url.split_once("//").map_or("", |(_, rest)| rest);
                let rest = rest.split_once('@').map_or(rest, |(_, rest)| rest);
                write!(f, "postgres://{}", rest.split('?').next().unwrap_or_default())
            }
        }
    }
}

/// Without secrets, like `Display`.
impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Whether the path exists. A dangling symbolic link is an error, and not "does not exist".
fn exists(path: &Path) -> Result<bool, Error> {
    match fs::metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound && fs::symlink_metadata(path).is_err() => Ok(false),
        Err(source) => Err(Error::File { path: path.to_owned(), source }),
    }
}

/// Whether there are runs in files, not counting those of another program.
fn has_runs(runs: &Path, foreign: &[ForeignRun]) -> Result<bool, Error> {
    let failed = |source| Error::File { path: runs.to_owned(), source };
    let entries = match fs::read_dir(runs) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(false);
        }
        entries => entries.map_err(failed)?,
    };
    for entry in entries {
        let run = entry.map_err(failed)?.path();
        if run.join("events.jsonl").exists() && foreign.iter().all(|foreign| foreign.directory != run) {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_stores_and_show_no_password() {
        for (url, shown) in [
            ("file:.orch", "file:.orch"),
            ("file:///var/orch", "file:/var/orch"),
            ("sqlite:runs.db", "sqlite:runs.db"),
            ("sqlite:/var/a:b?c@d.db", "sqlite:/var/a:b?c@d.db"),
            (
                "postgres://ann:s3cret@db.example:5432/runs?application_name=x",
                "postgres://db.example:5432/runs",
            ),
            ("postgresql://ann:s3cret%40%2F@h1:1,h2:2/runs", "postgres://h1:1,h2:2/runs"),
            ("postgres:///runs?host=/run/pg&password=s3cret", "postgres:///runs"),
        ] {
            let store = Store::parse(url).map_err(|error| format!("{url}: {error}"));
            assert_eq!(store.as_ref().map(ToString::to_string).as_deref(), Ok(shown));
            assert_eq!(store.map(|store| format!("{store:?}")).as_deref(), Ok(shown));
        }
    }

    #[test]
    fn a_url_that_would_show_a_part_of_a_password_is_refused_without_showing_it() {
        for url in [
            "postgres://ann:s3c@ret@db/runs",
            "postgres://ann:s3c/ret@db/runs",
            "postgres://ann:s3c?ret@db/runs",
            "postgres://db/runs?password=s3c@ret",
            "postgres:ann:s3cret@db/runs",
            "ann:s3cret@db/runs",
            "user=ann password=s3c:ret",
            "mysql://ann:s3cret@db/runs",
        ] {
            let refused = Store::parse(url).map(|store| store.to_string());
            assert!(refused.as_ref().is_err_and(|error| !error.contains("s3c")), "{url}: {refused:?}");
        }
    }
}
