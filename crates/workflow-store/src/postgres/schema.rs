//! The tables of the store, and their migrations.

use tokio_postgres::types::Type;
use workflow_core::store::StoreError;

use super::database::{Database, Query};

/// What each version changes. Committed migrations never change.
const MIGRATIONS: [Migration; 6] = [
    Migration { sql: include_str!("schema/1.sql"), is_additive: false },
    Migration { sql: include_str!("schema/2.sql"), is_additive: false },
    Migration { sql: include_str!("schema/3.sql"), is_additive: false },
    Migration { sql: include_str!("schema/4.sql"), is_additive: false },
    Migration { sql: include_str!("schema/5.sql"), is_additive: true },
    Migration { sql: include_str!("schema/6.sql"), is_additive: true },
];

struct Migration {
    sql: &'static str,
    /// Whether processes that know only the version before can work with the tables. Its number is in a table of its own then,
    /// because they refuse a higher number in `version`.
    is_additive: bool,
}

impl Migration {
    fn table(&self) -> &'static str {
        if self.is_additive { "addition" } else { "version" }
    }
}

/// Whether the tables of versions exist, and the server's settings for encoding and commits.
const LOOK: Query = Query::new(
    "SELECT to_regclass($1) IS NOT NULL, to_regclass($2) IS NOT NULL, current_setting('server_encoding'), \
     current_setting('synchronous_commit')",
    &[Type::TEXT, Type::TEXT],
);

const VERSION: Query = Query::new("SELECT coalesce(max(number), 0) FROM @.version", &[]);

const ADDITION: Query = Query::new("SELECT coalesce(max(number), 0) FROM @.addition", &[]);

/// Executed before the first migration.
const BEGINNING: &str = "CREATE SCHEMA IF NOT EXISTS $schema;\n\
     CREATE TABLE IF NOT EXISTS @.version (number integer PRIMARY KEY, at timestamptz NOT NULL DEFAULT now());\n";

/// The statements that migrate a schema from `version` to the current version.
pub(super) fn migration(schema: &str, version: usize) -> String {
    let beginning = (version == 0).then(|| BEGINNING.to_owned());
    let steps = (1..).zip(MIGRATIONS).skip(version).map(|(number, migration)| {
        let (sql, table) = (migration.sql, migration.table());
        format!("{sql}INSERT INTO @.{table} (number) VALUES ({number});\n")
    });
    let sql: String = beginning.into_iter().chain(steps).collect();
    sql.replace("$schema", schema).replace("@.", &format!("{schema}."))
}

/// Migrates the database to the current version.
pub(super) async fn prepare(database: &Database) -> Result<(), StoreError> {
    let found = look(database).await?;
    if found.encoding != "UTF8" {
        let encoding = found.encoding;
        return Err(database
            .fault(&format!("the database has the encoding {encoding}: create one with ENCODING 'UTF8'")));
    }
    if found.commit == "off" {
        tracing::warn!(
            place = database.place(),
            "synchronous_commit is off: a crash of the server can lose acknowledged events"
        );
    }
    if found.version >= MIGRATIONS.len() {
        return Ok(());
    }
    let table = version_table(database);
    database
        .transaction(&format!("SELECT pg_advisory_xact_lock(2037412, hashtext('{table}'))"), async |client| {
            // Another process may have migrated it while this one waited for the lock.
            let found = look(database).await?.version;
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

/// The versions that matter for a schema.
pub(super) struct Versions {
    pub(super) version: u32,
    /// What a process has to know to open it.
    pub(super) needed: u32,
    /// What this release makes of it.
    pub(super) newest: u32,
}

/// The versions of the schema; 0 if there is none.
pub(super) async fn versions(database: &Database) -> Result<Versions, StoreError> {
    let number = |version: usize| u32::try_from(version).unwrap_or(u32::MAX);
    let Found { version, needed, .. } = look(database).await?;
    Ok(Versions { version: number(version), needed: number(needed), newest: number(MIGRATIONS.len()) })
}

/// What there is before a migration.
struct Found {
    /// 0 if there are no tables; higher than that of this release if a later release has added something.
    version: usize,
    /// The version that a process has to know.
    needed: usize,
    encoding: String,
    commit: String,
}

fn version_table(database: &Database) -> String {
    format!("{}.version", database.schema())
}

async fn look(database: &Database) -> Result<Found, StoreError> {
    let additions = format!("{}.addition", database.schema());
    let rows = database.read(&LOOK, &[&version_table(database), &additions]).await?;
    let row = database.one(&rows)?;
    let number = async |query| {
        let rows = database.read(query, &[]).await?;
        Ok::<i32, StoreError>(database.one(&rows)?.get(0))
    };
    let needed = if row.get(0) { known(database, number(&VERSION).await?)? } else { 0 };
    let addition = if row.get(1) { number(&ADDITION).await? } else { 0 };
    Ok(Found {
        version: needed.max(usize::try_from(addition).unwrap_or(0)),
        needed,
        encoding: row.get(2),
        commit: row.get(3),
    })
}

/// Refuses a schema that a later release has changed so that this one cannot work with it.
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
