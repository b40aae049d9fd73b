//! The tables of the store, and their migrations.

use tokio_postgres::types::Type;
use workflow_core::store::StoreError;

use super::database::{Database, Query};

/// What each version changes. Committed migrations never change.
const MIGRATIONS: [&str; 4] = [
    include_str!("schema/1.sql"),
    include_str!("schema/2.sql"),
    include_str!("schema/3.sql"),
    include_str!("schema/4.sql"),
];

/// Whether the table of versions exists, and the server's settings for encoding and commits.
const LOOK: Query = Query::new(
    "SELECT to_regclass($1) IS NOT NULL, current_setting('server_encoding'), \
     current_setting('synchronous_commit')",
    &[Type::TEXT],
);

const VERSION: Query = Query::new("SELECT coalesce(max(number), 0) FROM @.version", &[]);

/// Executed before the first migration.
const BEGINNING: &str = "CREATE SCHEMA IF NOT EXISTS $schema;\n\
     CREATE TABLE IF NOT EXISTS @.version (number integer PRIMARY KEY, at timestamptz NOT NULL DEFAULT now());\n";

/// The statements that migrate a schema from `version` to the current version.
pub(super) fn migration(schema: &str, version: usize) -> String {
    let beginning = (version == 0).then(|| BEGINNING.to_owned());
    let steps = (1..)
        .zip(MIGRATIONS)
        .skip(version)
        .map(|(number, migration)| format!("{migration}INSERT INTO @.version (number) VALUES ({number});\n"));
    let sql: String = beginning.into_iter().chain(steps).collect();
    sql.replace("$schema", schema).replace("@.", &format!("{schema}."))
}

/// Migrates the database to the current version.
pub(super) async fn prepare(database: &Database) -> Result<(), StoreError> {
    let table = format!("{}.version", database.schema());
    let look = async || {
        let rows = database.read(&LOOK, &[&table]).await?;
        let row = database.one(&rows)?;
        Ok::<_, StoreError>((row.get::<_, bool>(0), row.get::<_, String>(1), row.get::<_, String>(2)))
    };
    let (there, encoding, commit) = look().await?;
    if encoding != "UTF8" {
        return Err(database
            .fault(&format!("the database has the encoding {encoding}: create one with ENCODING 'UTF8'")));
    }
    if commit == "off" {
        tracing::warn!(
            place = database.place(),
            "synchronous_commit is off: a crash of the server can lose acknowledged events"
        );
    }
    if there && known(database, version(database).await?)? == MIGRATIONS.len() {
        return Ok(());
    }
    database
        .transaction(&format!("SELECT pg_advisory_xact_lock(2037412, hashtext('{table}'))"), async |client| {
            // Another process may have migrated it while this one waited for the lock.
            let (there, ..) = look().await?;
            let found = if there { known(database, version(database).await?)? } else { 0 };
            if found < MIGRATIONS.len() {
                client
                    .batch_execute(&migration(database.schema(), found))
                    .await
                    .map_err(|error| database.error(&error))?;
                tracing::info!(
                    place = database.place(),
                    from = found,
                    to = MIGRATIONS.len(),
                    "migrated the schema"
                );
            }
            Ok(())
        })
        .await
}

async fn version(database: &Database) -> Result<i32, StoreError> {
    let rows = database.read(&VERSION, &[]).await?;
    Ok(database.one(&rows)?.get(0))
}

/// Refuses a schema that a later release has migrated.
fn known(database: &Database, version: i32) -> Result<usize, StoreError> {
    usize::try_from(version).ok().filter(|version| *version <= MIGRATIONS.len()).ok_or_else(|| {
        StoreError::Corrupt {
            place: database.place().to_owned(),
            message: format!(
                "the schema has version {version}, made by a later release; this release supports up to {}: use the later release",
                MIGRATIONS.len()
            ),
        }
    })
}
