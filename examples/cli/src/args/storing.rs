//! The subcommands of `store`.

use clap::Subcommand;

use super::PruneArgs;

/// What `store` does.
#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Show the kind of the store, the version of its tables, and how many runs, events and bytes it has. Changes nothing: a store
    /// of an older version is not migrated.
    Status,
    /// Bring the tables up to date, as the first process of a new version does by itself. Of several processes one does it, and the
    /// others wait. There is no way back but a backup.
    Migrate,
    /// Make the space of deleted runs usable again. SQLite returns it to the file system, and blocks writers meanwhile; PostgreSQL
    /// keeps it for new rows, and no process waits.
    Vacuum,
    /// Delete runs that have ended: old ones, those with a status, or all but the newest. The same as `workflow prune`.
    Prune(PruneArgs),
}
