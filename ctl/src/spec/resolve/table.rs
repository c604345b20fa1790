//! `parameters_file`: a table of parameters, one combination a row, in CSV, JSON or JSONL.

use std::path::Path;

use thiserror::Error;

use crate::spec::complaint::{Complaints, Source};
use crate::spec::file::bytes::{self, ReadError};
use crate::spec::file::node::{Node, Value};
use crate::spec::file::{self, Format};
use crate::spec::parameter::{Parameter, is_name, shortest};

/// Why a table cannot be used.
#[derive(Debug, Error)]
pub(super) enum TableError {
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It is not written as its ending says.
    #[error("{0}")]
    Invalid(String),
}

/// Reads the table at `path`. Its parameters all have one value for each row.
///
/// # Errors
///
/// When it cannot be read, is no table, or has no rows.
pub(super) fn read(path: &Path) -> Result<Vec<Parameter>, TableError> {
    let source = bytes::read_file(path)?;
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let columns = match extension.to_ascii_lowercase().as_str() {
        "json" | "json5" => json(&source)?,
        "jsonl" | "ndjson" => jsonl(&source)?,
        "csv" => csv_columns(&source.text, b',')?,
        "tsv" => csv_columns(&source.text, b'\t')?,
        _ => {
            let message = format!("{}: a table is a .csv, .json or .jsonl file", source.name);
            return Err(TableError::Invalid(message));
        }
    };
    columns.into_parameters(&source.name)
}

/// Names, and the values of each.
#[derive(Debug, Default)]
struct Columns {
    names: Vec<String>,
    values: Vec<Vec<String>>,
}

impl Columns {
    fn into_parameters(self, name: &str) -> Result<Vec<Parameter>, TableError> {
        if self.values.first().is_none_or(Vec::is_empty) {
            return Err(TableError::Invalid(format!("{name} has no rows")));
        }
        if let Some(bad) = self.names.iter().find(|column| !is_name(column)) {
            let message = format!(
                "{name}: '{bad}' cannot be the name of a parameter: use letters, digits and _"
            );
            return Err(TableError::Invalid(message));
        }
        let columns = self.names.iter().zip(self.values);
        let parameters = columns.map(|(column, values)| Parameter::of_values(column, values));
        parameters.collect::<Result<_, _>>().map_err(|error| TableError::Invalid(error.to_string()))
    }

    /// Adds a row, which must have the columns of the first one.
    fn add(&mut self, row: &Node) -> Result<(), String> {
        let Value::Map(cells) = &row.value else {
            return Err(format!("a row is a map of names to values, not {}", row.kind()));
        };
        if self.names.is_empty() {
            self.names = cells.iter().map(|(key, _)| key.name.clone()).collect();
            self.values = vec![Vec::new(); self.names.len()];
        }
        if let Some((key, _)) = cells.iter().find(|(key, _)| !self.names.contains(&key.name)) {
            return Err(format!("'{}' is not in the first row", key.name));
        }
        for (name, column) in self.names.iter().zip(&mut self.values) {
            let cell = cells.iter().find(|(key, _)| key.name == *name);
            let value = match cell.map(|(_, node)| &node.value) {
                Some(Value::String(text)) => text.clone(),
                Some(Value::Number(text)) => shortest(text),
                Some(Value::Bool(value)) => value.to_string(),
                _ => return Err(format!("'{name}' has no value")),
            };
            column.push(value);
        }
        Ok(())
    }
}

fn json(source: &Source) -> Result<Columns, TableError> {
    let mut complaints = Complaints::new(source.clone());
    let tree = file::parse_any_value(source, Format::Json5, &mut complaints);
    let Some(tree) = tree.filter(|_| complaints.is_empty()) else {
        return Err(TableError::Invalid(first_of(&complaints)));
    };
    let Value::List(rows) = &tree.value else {
        let message = format!("{}: a table is a list of rows, not {}", source.name, tree.kind());
        return Err(TableError::Invalid(message));
    };
    let mut columns = Columns::default();
    for row in rows {
        columns.add(row).map_err(|error| invalid(&source.name, row.at.line as usize, &error))?;
    }
    Ok(columns)
}

fn jsonl(source: &Source) -> Result<Columns, TableError> {
    let mut columns = Columns::default();
    for (index, line) in source.text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let line = Source { name: source.name.clone(), text: line.into() };
        let mut complaints = Complaints::new(line.clone());
        let row = file::parse_any_value(&line, Format::Json5, &mut complaints);
        let Some(row) = row.filter(|_| complaints.is_empty()) else {
            return Err(invalid(&source.name, index + 1, "not a JSON object"));
        };
        columns.add(&row).map_err(|error| invalid(&source.name, index + 1, &error))?;
    }
    Ok(columns)
}

fn csv_columns(text: &str, delimiter: u8) -> Result<Columns, TableError> {
    let failed = |error: csv::Error| TableError::Invalid(error.to_string());
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let names: Vec<String> = reader.headers().map_err(failed)?.iter().map(str::to_owned).collect();
    let mut values = vec![Vec::new(); names.len()];
    for record in reader.records() {
        let record = record.map_err(failed)?;
        for (column, cell) in values.iter_mut().zip(&record) {
            column.push(shortest(cell));
        }
    }
    Ok(Columns { names, values })
}

fn invalid(name: &str, line: usize, error: &str) -> TableError {
    TableError::Invalid(format!("{name}, line {line}: {error}"))
}

fn first_of(complaints: &Complaints) -> String {
    let text = complaints.to_string();
    text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned()
}
