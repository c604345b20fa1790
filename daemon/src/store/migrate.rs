//! The schema and its history: numbered steps, counted by `PRAGMA user_version`.
//!
//! Steps are appended, never changed. A database that is newer than this program, or that is not
//! torc's, is an error with a sentence and is left as it is. So is one with a schema that the steps do
//! not give: a trigger or a view that somebody has put there would act in our name.

use std::sync::OnceLock;

use rusqlite::{Connection, TransactionBehavior};
use thiserror::Error;

/// `PRAGMA application_id` of torc's databases: "torc" in ASCII.
pub const APPLICATION_ID: i32 = 0x746F_7263;

const STEPS: &[&str] = &[include_str!("schema/0001.sql")];

/// The version of the schema that this program writes.
pub const SCHEMA_VERSION: u32 = STEPS.len() as u32;

/// Why a database is not one that we can use.
#[derive(Debug, Error)]
pub enum SchemaError {
    /// It is some other program's.
    #[error("it is an SQLite database, but not torc's (application_id {0:#x})")]
    Foreign(i32),
    /// A newer torc wrote it.
    #[error("it has schema {0}, this torc knows up to {SCHEMA_VERSION}")]
    Newer(u32),
    /// It has something that torc has not made, or lacks what torc has.
    #[error("its schema is not torc's: {0}")]
    Altered(String),
    /// SQLite could not read or change it.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
}

impl SchemaError {
    /// Returns whether what is there is damaged, or something else; not that it could not be read.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        match self {
            Self::Foreign(_) => true,
            Self::Newer(_) | Self::Altered(_) => false,
            Self::Sqlite(error) => {
                matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase))
            }
        }
    }
}

/// Returns the schema version of a database of torc's; 0 for one that is empty.
///
/// # Errors
///
/// When it is foreign, newer than this program, or cannot be read.
pub fn check(connection: &Connection) -> Result<u32, SchemaError> {
    let application_id = pragma(connection, "application_id")?;
    let version = pragma(connection, "user_version")? as u32;
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if application_id != APPLICATION_ID && (application_id != 0 || tables > 0) {
        return Err(SchemaError::Foreign(application_id));
    }
    if version > SCHEMA_VERSION {
        return Err(SchemaError::Newer(version));
    }
    check_objects(connection, version)?;
    Ok(version)
}

/// A row of `sqlite_schema`: the kind, the name, and the statement that makes it.
type Object = (String, String, Option<String>);

/// Checks that the schema is the one which the first so many steps give, to the letter.
fn check_objects(connection: &Connection, version: u32) -> Result<(), SchemaError> {
    static NEWEST: OnceLock<Vec<Object>> = OnceLock::new();
    let made;
    let expected = match NEWEST.get() {
        Some(newest) if version == SCHEMA_VERSION => newest,
        _ => {
            let empty = Connection::open_in_memory()?;
            STEPS[..version as usize].iter().try_for_each(|step| empty.execute_batch(step))?;
            made = objects(&empty)?;
            if version == SCHEMA_VERSION { NEWEST.get_or_init(|| made) } else { &made }
        }
    };
    let present = objects(connection)?;
    let name = |(kind, name, _): &Object| format!("the {kind} {name:?}");
    if let Some(odd) = present.iter().find(|object| !expected.contains(object)) {
        return Err(SchemaError::Altered(format!("{} is not of its making", name(odd))));
    }
    if let Some(lost) = expected.iter().find(|object| !present.contains(object)) {
        return Err(SchemaError::Altered(format!("{} is missing", name(lost))));
    }
    Ok(())
}

/// Returns what is in the schema, except for the statistics that `ANALYZE` makes.
fn objects(connection: &Connection) -> Result<Vec<Object>, rusqlite::Error> {
    connection
        .prepare(
            "SELECT type, name, sql FROM sqlite_schema
             WHERE type <> 'table' OR name NOT IN ('sqlite_stat1', 'sqlite_stat4')",
        )?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect()
}

/// Brings the database up to [`SCHEMA_VERSION`], in one transaction.
///
/// # Errors
///
/// As [`check`].
pub fn migrate(connection: &mut Connection) -> Result<(), SchemaError> {
    if check(connection)? == SCHEMA_VERSION {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Exclusive)?;
    let version = check(&transaction)?;
    for step in &STEPS[version as usize..] {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    Ok(transaction.commit()?)
}

fn pragma(connection: &Connection, name: &str) -> Result<i32, rusqlite::Error> {
    connection.pragma_query_value(None, name, |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_database_gets_the_schema_and_its_marks() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        assert_eq!(check(&connection).unwrap(), SCHEMA_VERSION);
        migrate(&mut connection).unwrap();
    }

    #[test]
    fn a_foreign_database_is_left_alone() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE theirs (x)").unwrap();
        assert!(matches!(migrate(&mut connection), Err(SchemaError::Foreign(0))));
        let tables: i64 = connection
            .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
            .unwrap();
        assert_eq!(tables, 1);
    }

    #[test]
    fn a_schema_that_somebody_has_changed_is_refused() {
        for change in [
            "CREATE TRIGGER t AFTER INSERT ON workflow BEGIN DELETE FROM attempt; END",
            "CREATE VIEW v AS SELECT * FROM job",
            "CREATE TABLE t (x)",
            "DROP TABLE attempt",
            "DROP VIEW dependency; CREATE VIEW dependency AS SELECT 1",
            "ALTER TABLE job ADD COLUMN x INTEGER GENERATED ALWAYS AS (1) VIRTUAL",
            "ALTER TABLE output RENAME TO o; CREATE VIEW output AS SELECT * FROM o",
        ] {
            let mut connection = Connection::open_in_memory().unwrap();
            migrate(&mut connection).unwrap();
            connection.execute_batch(change).unwrap();
            let refused = check(&connection);
            assert!(matches!(refused, Err(SchemaError::Altered(_))), "{change}: {refused:?}");
            assert!(migrate(&mut connection).is_err(), "{change}");
        }
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        connection.execute_batch("ANALYZE").unwrap();
        check(&connection).unwrap();
    }

    #[test]
    fn a_newer_database_is_refused() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        connection.pragma_update(None, "user_version", SCHEMA_VERSION + 1).unwrap();
        assert!(matches!(migrate(&mut connection), Err(SchemaError::Newer(_))));
    }
}
