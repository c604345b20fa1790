//! What the list commands ask: filters, order and page as SQL, rows as views.

pub mod files;
pub mod jobs;
pub mod results;
#[cfg(test)]
mod tests;
pub mod user_data;
pub mod workflows;

use std::fmt::Write;

use rusqlite::types::ToSql;
use rusqlite::{Connection, Row, params_from_iter};
use thiserror::Error;
use torc_protocol::request::Page;

/// Why a list cannot be had.
#[derive(Debug, Error)]
pub enum QueryError {
    /// The field to sort by is not one.
    #[error("cannot sort by '{field}': expected one of {}", known.join(", "))]
    UnknownField {
        /// What was asked for.
        field: String,
        /// What there is.
        known: Vec<&'static str>,
    },
    /// SQLite failed.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
}

/// A field that a list can be sorted by, and the SQL for it.
type SortField = (&'static str, &'static str);

/// A `SELECT` that is put together.
struct Select {
    sql: String,
    values: Vec<Box<dyn ToSql>>,
    conditions: usize,
}

impl Select {
    fn new(sql: &str) -> Self {
        Self { sql: sql.to_owned(), values: Vec::new(), conditions: 0 }
    }

    /// Adds a condition with one `?` for each of the values.
    fn filter(&mut self, condition: &str, values: Vec<Box<dyn ToSql>>) {
        self.sql.push_str(if self.conditions == 0 { " WHERE " } else { " AND " });
        self.sql.push_str(condition);
        self.values.extend(values);
        self.conditions += 1;
    }

    fn filter_words(&mut self, column: &str, words: impl Iterator<Item = &'static str>) {
        let words: Vec<Box<dyn ToSql>> =
            words.map(|word| Box::new(word) as Box<dyn ToSql>).collect();
        if !words.is_empty() {
            let marks = vec!["?"; words.len()].join(", ");
            self.filter(&format!("{column} IN ({marks})"), words);
        }
    }

    fn filter_glob(&mut self, column: &str, glob: Option<&String>) {
        if let Some(glob) = glob {
            self.filter(&format!("{column} GLOB ?"), vec![Box::new(glob.clone())]);
        }
    }

    /// Adds the order and the page.
    fn page(
        &mut self,
        page: &Page,
        by_default: &str,
        fields: &[SortField],
    ) -> Result<(), QueryError> {
        let direction = if page.reverse { "DESC" } else { "ASC" };
        let order = match &page.sort {
            None => format!(" ORDER BY {}", by_default.replace("{}", direction)),
            Some(field) => {
                let (_, sql) = fields.iter().find(|(name, _)| name == field).ok_or_else(|| {
                    QueryError::UnknownField {
                        field: field.clone(),
                        known: fields.iter().map(|(name, _)| *name).collect(),
                    }
                })?;
                format!(" ORDER BY {sql} {direction}, {}", by_default.replace("{}", direction))
            }
        };
        self.sql.push_str(&order);
        let limit = page.limit.and_then(|limit| i64::try_from(limit).ok()).unwrap_or(-1);
        let offset = i64::try_from(page.offset).unwrap_or(i64::MAX);
        let _ = write!(self.sql, " LIMIT {limit} OFFSET {offset}");
        Ok(())
    }

    /// Runs it, and gives each row to `each` until that returns false.
    fn run<T>(
        self,
        connection: &Connection,
        view: fn(&Row<'_>) -> rusqlite::Result<T>,
        each: &mut dyn FnMut(T) -> bool,
    ) -> Result<(), QueryError> {
        let mut statement = connection.prepare_cached(&self.sql)?;
        let mut rows = statement.query(params_from_iter(self.values))?;
        while let Some(row) = rows.next()? {
            if !each(view(row)?) {
                break;
            }
        }
        Ok(())
    }
}
