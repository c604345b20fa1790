//! How a database is mutilated: bytes are read as a list of injuries.

use std::path::Path;

use rusqlite::Connection;
use rusqlite::types::Value;

use crate::fuzz::specimen::PAGE;

/// Bytes that are taken for a list of choices. When they end, all choices are 0.
#[derive(Debug)]
pub struct Choices<'a>(&'a [u8]);

impl<'a> Choices<'a> {
    /// Returns the choices that `bytes` are.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn byte(&mut self) -> u8 {
        self.0.split_off_first().copied().unwrap_or(0)
    }

    fn number(&mut self) -> usize {
        usize::from(self.byte()) | usize::from(self.byte()) << 8
    }

    /// As many bytes as the next one says.
    fn bytes(&mut self) -> &'a [u8] {
        let length = usize::from(self.byte()).min(self.0.len());
        self.0.split_off(..length).unwrap_or_default()
    }

    fn value(&mut self) -> Value {
        match self.byte() % 6 {
            0 => Value::Null,
            1 => Value::Integer(i64::from(self.byte().cast_signed())),
            2 => Value::Integer([i64::MIN, i64::MAX, -1, 1 << 32][self.number() % 4]),
            3 => Value::Real(self.number() as f64 * 1e17),
            4 => Value::Text(String::from_utf8_lossy(self.bytes()).into_owned()),
            _ => Value::Blob(self.bytes().to_vec()),
        }
    }
}

/// Mutilates the pages of a database.
pub fn injure_pages(database: &mut Vec<u8>, choices: &mut Choices<'_>) {
    while !choices.is_empty() && !database.is_empty() {
        let (what, page, other) = (choices.byte(), choices.number(), choices.number());
        let pages = (database.len() / PAGE).max(1);
        let at = (page % pages * PAGE + other % PAGE).min(database.len() - 1);
        match what % 6 {
            0..=2 => {
                let written = choices.bytes();
                let end = (at + written.len()).min(database.len());
                database[at..end].copy_from_slice(&written[..end - at]);
            }
            3 => {
                let from = other % pages * PAGE;
                let copied = database[from..(from + PAGE).min(database.len())].to_vec();
                let to = page % pages * PAGE;
                let end = (to + copied.len()).min(database.len());
                database[to..end].copy_from_slice(&copied[..end - to]);
            }
            4 => database.extend_from_slice(choices.bytes()),
            _ => database.truncate(at),
        }
    }
}

/// The names that hostile statements can use.
const NAMES: [&str; 16] = [
    "meta",
    "workflow",
    "environment",
    "settings",
    "job",
    "dependency",
    "action",
    "file",
    "job_file",
    "user_data",
    "job_user_data",
    "attempt",
    "output",
    "snapshot",
    "job_by_name",
    "sqlite_sequence",
];

/// Hostile statements, `{}` being one of the names, some of which never end when they are run.
const SCHEMA: [&str; 10] = [
    "CREATE VIEW {} AS WITH RECURSIVE n (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n) \
     SELECT *, id AS workflow_id, id AS value, id AS generation, 'x' AS status FROM n",
    "CREATE VIEW {} AS SELECT * FROM {}",
    "CREATE TABLE {} (id, workflow_id, job_id, name, status, value, generation, changes, instance)",
    "CREATE TABLE {} (id INTEGER PRIMARY KEY, value AS (hex(zeroblob(400000000))), \
     key AS (hex(zeroblob(400000000))), status AS (hex(zeroblob(400000000))))",
    "CREATE TABLE {} (id CHECK (length(hex(zeroblob(400000000))) > 5))",
    "CREATE TRIGGER {} AFTER INSERT ON meta BEGIN INSERT INTO meta SELECT 'x' || rowid, 'y' \
     FROM sqlite_schema; END",
    "CREATE VIRTUAL TABLE {} USING dbstat(main)",
    "CREATE VIRTUAL TABLE {} USING fts5(id, value)",
    "CREATE INDEX {} ON job (length(hex(zeroblob(400000000))))",
    "CREATE VIEW {} AS SELECT writefile('pwned', id) AS id, load_extension('x') AS value FROM job",
];

/// Mutilates what the tables of a database hold, and what they are said to be. What SQLite refuses
/// is left as it is.
///
/// # Errors
///
/// When it is no database.
pub fn injure_cells(path: &Path, choices: &mut Choices<'_>) -> rusqlite::Result<()> {
    let connection = Connection::open(path)?;
    connection.execute_batch(
        "PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF; PRAGMA writable_schema = ON;
         PRAGMA ignore_check_constraints = ON; PRAGMA foreign_keys = OFF;",
    )?;
    for _ in 0..8 {
        if choices.is_empty() {
            break;
        }
        let (what, name) = (choices.byte(), NAMES[usize::from(choices.byte()) % NAMES.len()]);
        let _ = if what.is_multiple_of(3) {
            injure_schema(&connection, name, choices)
        } else {
            injure_table(&connection, name, choices)
        };
    }
    connection.execute_batch("PRAGMA writable_schema = OFF")
}

fn injure_table(
    connection: &Connection,
    name: &str,
    choices: &mut Choices<'_>,
) -> rusqlite::Result<usize> {
    let columns: Vec<String> = {
        let statement = connection.prepare(&format!("SELECT * FROM {name}"))?;
        statement.column_names().map(str::to_owned).collect()
    };
    let column = &columns[choices.number() % columns.len().max(1)];
    let sql = match choices.byte() % 4 {
        0 => format!("UPDATE {name} SET {column} = ?1"),
        1 => format!("UPDATE OR IGNORE {name} SET {column} = cast(?1 AS TEXT)"),
        2 => format!("UPDATE {name} SET {column} = {column} || ?1"),
        _ => format!("DELETE FROM {name} WHERE {column} = ?1 OR ?1 IS NULL"),
    };
    connection.execute(&sql, [choices.value()])
}

fn injure_schema(
    connection: &Connection,
    name: &str,
    choices: &mut Choices<'_>,
) -> rusqlite::Result<usize> {
    let hostile = SCHEMA[usize::from(choices.byte()) % SCHEMA.len()].replace("{}", name);
    let kind = hostile.split(' ').nth(1).unwrap_or_default().to_ascii_lowercase();
    match choices.byte() % 4 {
        0 => connection.execute(
            "UPDATE sqlite_schema SET sql = replace(sql, 'STRICT', '') WHERE name = ?1",
            [name],
        ),
        1 => connection.execute(
            "UPDATE sqlite_schema SET sql = ?2, type = ?3 WHERE name = ?1",
            (name, &hostile, &kind),
        ),
        2 => connection.execute(
            "UPDATE sqlite_schema SET rootpage = ?2 WHERE name = ?1",
            (name, choices.byte()),
        ),
        _ if kind == "view" || kind == "virtual" || kind == "trigger" => connection.execute(
            "UPDATE sqlite_schema SET sql = ?2, type = replace(?3, 'virtual', 'table'),
                 rootpage = 0 WHERE name = ?1",
            (name, &hostile, &kind),
        ),
        _ => connection.execute(
            "INSERT INTO sqlite_schema VALUES (?1, 'x', ?2, 0, ?3)",
            (&kind, name, hostile.replacen(name, "x", 1)),
        ),
    }
}
