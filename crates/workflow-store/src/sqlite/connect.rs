//! Opens connections, and creates new databases.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, TransactionBehavior};
use workflow_core::store::StoreError;

use super::column::signed;
use super::fault::explain;
use super::options::{SqliteOptions, Synchronous};
use super::place::Place;
use crate::disk::{
    at, create_dir, create_dir_all, fault, private, sync_dir, take_turn, writable_by_owner_alone,
};

/// "wkfl": identifies a database as one of ours.
const APPLICATION: i32 = 0x776b_666c;

/// The migrations from each format to the next: forward only.
const FORMATS: [&str; 5] = [
    include_str!("schema.sql"),
    include_str!("schema_2.sql"),
    include_str!("schema_3.sql"),
    include_str!("schema_4.sql"),
    include_str!("schema_5.sql"),
];

/// The format that a process has to know to open the database: the later ones only add something. It is the `user_version`;
/// the table `sequence` has the format.
const NEEDED: usize = 4;

/// How many statements of a connection stay prepared: more than there are.
const STATEMENTS: usize = 64;

/// The write-ahead log is copied into the database when it has this many pages.
pub(super) const LOG_PAGES: i32 = 4_000;

/// Opens the database at `path` for writing, and creates it if it does not exist.
pub(super) fn open(path: &Path, options: &SqliteOptions) -> Result<(Place, Connection), StoreError> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent {
        create_dir_all(parent).map_err(at(parent))?;
    }
    create(path)?;
    let path = fs::canonicalize(path).map_err(at(path))?;
    if fs::metadata(&path).map_err(at(&path))?.permissions().readonly() {
        return Err(fault(
            &path,
            ErrorKind::PermissionDenied,
            "the database is read-only: give its owner write permission",
        ));
    }
    let mut place = Place::new(path);
    for path in place.all() {
        writable_by_owner_alone(&path)?;
    }
    // On a read-only file system this fails with a clear error; SQLite would only report that it cannot open
    // the database.
    let used_before = if place.holders.is_dir() { Some(turn(&place.holders)?) } else { None };
    let mut connection = connect(&place, options)?;
    // Checked before anything is written: it may be another program's database.
    format(&connection, &place)?;
    let _turn = if let Some(turn) = used_before {
        turn
    } else {
        match create_dir(&place.holders) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            created => created.map_err(at(&place.holders))?,
        }
        turn(&place.holders)?
    };
    let have = format(&connection, &place)?;
    prepare(&mut connection, have, options).map_err(|error| explain(&place.path, &error))?;
    place.remember()?;
    Ok((place, connection))
}

/// Opens the database at `path`, which must exist, for reading only.
pub(super) fn open_read_only(
    path: &Path,
    options: &SqliteOptions,
) -> Result<(Place, Connection), StoreError> {
    let path = fs::canonicalize(path).map_err(at(path))?;
    let place = Place::new(path);
    let connection = connect(&place, options)?;
    if format(&connection, &place)? == 0 {
        return Err(fault(&place.path, ErrorKind::NotFound, "the database is empty: it contains no runs"));
    }
    Ok((place, connection))
}

/// Locks the creation of a database, so that only one process at a time initialises it.
fn turn(holders: &Path) -> Result<File, StoreError> {
    let path = holders.join("opening");
    let open = || -> io::Result<File> {
        let file = private().read(true).write(true).create(true).truncate(false).open(&path)?;
        take_turn(&file)?;
        Ok(file)
    };
    open().map_err(at(&path))
}

fn create(path: &Path) -> Result<(), StoreError> {
    match private().write(true).create_new(true).open(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(at(path)(error)),
        Ok(_) => {
            let parent = std::path::absolute(path).map_err(at(path))?.parent().map(PathBuf::from);
            parent.map_or(Ok(()), |parent| sync_dir(&parent).map_err(at(&parent)))
        }
    }
}

fn prepare(connection: &mut Connection, have: usize, options: &SqliteOptions) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "wal")?;
    synchronous(connection, options.synchronous)?;
    // On platforms where a sync leaves data in the disk's cache, requests a full sync.
    let full = options.synchronous == Synchronous::Full;
    for name in ["fullfsync", "checkpoint_fullfsync"] {
        connection.pragma_update(None, name, full)?;
    }
    connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
    connection.pragma_update(None, "cache_size", -16_000)?;
    // Also if there is nothing to migrate: the transaction shows that the database is writable, and creates
    // its log.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for sql in FORMATS.iter().skip(have) {
        transaction.execute_batch(sql)?;
    }
    if have < NEEDED {
        transaction.pragma_update(None, "user_version", signed(NEEDED as u64))?;
    }
    if have == 0 {
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        if let Some(id) = options.new_id {
            transaction.execute("UPDATE sequence SET value = ?1 WHERE name = 'store'", [id])?;
        }
    }
    transaction.commit()
}

/// The id that distinguishes a database from all others; `None` for a database of an earlier version that is
/// opened read-only.
pub(super) fn id(connection: &Connection) -> rusqlite::Result<Option<u64>> {
    let sql = "SELECT value FROM sequence WHERE name = 'store'";
    let id = connection.query_row(sql, [], |row| row.get::<_, i64>(0)).optional()?;
    Ok(id.map(i64::cast_unsigned))
}

/// A read-only connection to the same database.
pub(super) fn reader(place: &Place, options: &SqliteOptions) -> Result<Connection, StoreError> {
    let connection = connect(place, options)?;
    connection.pragma_update(None, "query_only", true).map_err(|error| explain(&place.path, &error))?;
    Ok(connection)
}

/// Sets whether commits wait for the disk.
pub(super) fn synchronous(connection: &Connection, synchronous: Synchronous) -> rusqlite::Result<()> {
    let value = if synchronous == Synchronous::Full { "full" } else { "normal" };
    connection.pragma_update(None, "synchronous", value)
}

fn connect(place: &Place, options: &SqliteOptions) -> Result<Connection, StoreError> {
    let (path, flags) = target(place, options);
    let connect = || {
        let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        connection.busy_timeout(options.busy_timeout)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        connection.pragma_update(None, "trusted_schema", false)?;
        Ok(connection)
    };
    connect().map_err(|error| explain(&place.path, &error))
}

/// What to open, and with which flags.
fn target(place: &Place, options: &SqliteOptions) -> (PathBuf, OpenFlags) {
    let path = place.path.clone();
    if !options.read_only {
        return (path, OpenFlags::SQLITE_OPEN_READ_WRITE);
    }
    // If no process has the database open, its write-ahead log and index do not exist, and cannot be created
    // on a read-only file system: the database file is complete.
    match path.to_str() {
        Some(text) if !place.log.exists() => {
            let escaped = text.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
            let uri = format!("file:{escaped}?immutable=1");
            (uri.into(), OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI)
        }
        _ => (path, OpenFlags::SQLITE_OPEN_READ_ONLY),
    }
}

/// The formats that matter for a database.
pub(super) struct Versions {
    pub(super) format: u32,
    /// What a process has to know to open it.
    pub(super) needed: u32,
    /// What this version makes of it.
    pub(super) newest: u32,
}

/// The formats of a database that was opened.
pub(super) fn versions(connection: &Connection, place: &Place) -> Result<Versions, StoreError> {
    let number = |format: usize| u32::try_from(format).unwrap_or(u32::MAX);
    let format = format(connection, place)?;
    let needed: i64 = connection
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .map_err(|error| explain(&place.path, &error))?;
    let needed = u32::try_from(needed).unwrap_or(u32::MAX);
    Ok(Versions { format: number(format), needed, newest: number(FORMATS.len()) })
}

/// The format of the database; 0 if it is empty. A foreign database is refused, and one that needs a newer version.
fn format(connection: &Connection, place: &Place) -> Result<usize, StoreError> {
    let read = || -> rusqlite::Result<(i32, i64, i64)> {
        let value = |name| connection.pragma_query_value(None, name, |row| row.get(0));
        let tables = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        Ok((
            connection.pragma_query_value(None, "application_id", |row| row.get(0))?,
            value("user_version")?,
            tables,
        ))
    };
    let (application, version, tables) = read().map_err(|error| explain(&place.path, &error))?;
    let refuse = |message: String| StoreError::Corrupt { place: place.path.display().to_string(), message };
    if application == 0 && version == 0 && tables == 0 {
        return Ok(0);
    }
    if application != APPLICATION {
        let message = "this database does not contain workflow runs: name another file";
        return Err(refuse(message.to_owned()));
    }
    match usize::try_from(version) {
        Ok(version @ 1..) if version <= FORMATS.len() => {
            let added = added(connection).map_err(|error| explain(&place.path, &error))?;
            Ok(version.max(added))
        }
        _ => Err(refuse(format!(
            "the database has format {version}; this version reads up to {}: use a newer version",
            FORMATS.len()
        ))),
    }
}

/// The format that the table `sequence` names; 0 if it names none.
fn added(connection: &Connection) -> rusqlite::Result<usize> {
    let sql = "SELECT value FROM sequence WHERE name = 'format'";
    let added = connection.query_row(sql, [], |row| row.get::<_, i64>(0)).optional()?;
    Ok(added.and_then(|added| usize::try_from(added).ok()).unwrap_or(0))
}
