//! The store in SQLite: what is seen through the trait.

use std::sync::Arc;

use workflow_store::SqliteStore;

fn open() -> (Arc<SqliteStore>, tempfile::TempDir) {
    let home = tempfile::tempdir().unwrap();
    (Arc::new(SqliteStore::open(home.path().join("runs.db")).unwrap()), home)
}

crate::suite!(open());
