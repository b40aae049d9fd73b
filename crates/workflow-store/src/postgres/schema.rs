//! The tables of the store, and how a database gets them.

use tokio_postgres::types::Type;
use workflow_core::store::StoreError;

use super::database::{Database, Query};

/// What each version adds to the one before it. Committed ones never change.
const MIGRATIONS: [&str; 2] = [include_str!("schema/1.sql"), include_str!("schema/2.sql")];

/// Whether there is a table of versions, and how the server treats texts and commits.
const LOOK: Query = Query::new(
    "SELECT to_regclass($1) IS NOT NULL, current_setting('server_encoding'), \
     current_setting('synchronous_commit')",
    &[Type::TEXT],
);

const VERSION: Query = Query::new("SELECT coalesce(max(number), 0) FROM @.version", &[]);

/// Before the first version.
const BEGINNING: &str = "CREATE SCHEMA IF NOT EXISTS $schema;\n\
     CREATE TABLE IF NOT EXISTS @.version (number integer PRIMARY KEY, at timestamptz NOT NULL DEFAULT now());\n";

/// The statements that bring a schema from `version` to this crate's.
pub(super) fn migration(schema: &str, version: usize) -> String {
    let beginning = (version == 0).then(|| BEGINNING.to_owned());
    let steps = (1..)
        .zip(MIGRATIONS)
        .skip(version)
        .map(|(number, migration)| format!("{migration}INSERT INTO @.version (number) VALUES ({number});\n"));
    let sql: String = beginning.into_iter().chain(steps).collect();
    sql.replace("$schema", schema).replace("@.", &format!("{schema}."))
}

/// Brings the database to the version that this crate works with.
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
            "synchronous_commit is off: a crash of the server can take back what was acknowledged"
        );
    }
    if there && known(database, version(database).await?)? == MIGRATIONS.len() {
        return Ok(());
    }
    database
        .transaction(&format!("SELECT pg_advisory_xact_lock(2037412, hashtext('{table}'))"), async |client| {
            // Somebody else may have been at it while the lock was waited for.
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
                    "brought the schema up to date"
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

/// Refuses what a later release has made of the schema.
fn known(database: &Database, version: i32) -> Result<usize, StoreError> {
    usize::try_from(version).ok().filter(|version| *version <= MIGRATIONS.len()).ok_or_else(|| {
        StoreError::Corrupt {
            place: database.place().to_owned(),
            message: format!(
                "the schema has version {version}, made by a later release; this one knows {}: use the later one",
                MIGRATIONS.len()
            ),
        }
    })
}
