//! Lists in every format, written as their items come: nothing grows with the length of a list.

use std::io::{self, Write};

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::format::Format;
use crate::output::column::{Column, Raw, UnknownColumn, View, choose, find};
use crate::output::table::{Layout, TableWriter};

/// How a list is to be written.
#[derive(Debug)]
pub struct ListOptions<'a> {
    /// The format.
    pub format: Format,
    /// The names of the columns wanted, in order; when empty, those of the view.
    pub columns: &'a [String],
    /// The room and the colours for a table.
    pub layout: Layout,
}

/// Takes the items of a list one by one.
pub trait ListWriter<T> {
    /// Takes the next item.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    fn item(&mut self, item: &T) -> io::Result<()>;

    /// Writes what remains.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    fn end(&mut self) -> io::Result<()>;
}

/// Returns a writer of a list of `T` to `out`.
///
/// # Errors
///
/// When a column is named that `T` does not have.
pub fn list_writer<'a, T: View>(
    options: &ListOptions<'_>,
    out: impl Write + 'a,
) -> Result<Box<dyn ListWriter<T> + 'a>, UnknownColumn> {
    let named = choose::<T, _>(options.columns)?;
    let selection = if named.is_empty() { None } else { Some(named) };
    Ok(match options.format {
        Format::Table => {
            let columns = match selection {
                Some(columns) => columns,
                None => choose::<T, _>(T::SHOWN)?,
            };
            Box::new(TableWriter::new(columns, options.layout, out))
        }
        Format::Csv => {
            Box::new(CsvWriter::new(selection.unwrap_or(T::COLUMNS.iter().collect()), out))
        }
        Format::Json => Box::new(JsonWriter { columns: selection, out, framing: &ARRAY, count: 0 }),
        Format::Ndjson => {
            Box::new(JsonWriter { columns: selection, out, framing: &LINES, count: 0 })
        }
        Format::Id => Box::new(IdWriter { column: find::<T>(T::ID)?, out }),
    })
}

/// Writes what names each item, and nothing else.
struct IdWriter<T: 'static, W> {
    column: &'static Column<T>,
    out: W,
}

impl<T: View, W: Write> ListWriter<T> for IdWriter<T, W> {
    fn item(&mut self, item: &T) -> io::Result<()> {
        writeln!(self.out, "{}", self.column.raw(item))
    }

    fn end(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// What stands around the items of a list in JSON.
struct Framing {
    begin: &'static str,
    separator: &'static str,
    end: &'static str,
    empty: &'static str,
}

const ARRAY: Framing = Framing { begin: "[\n  ", separator: ",\n  ", end: "\n]\n", empty: "[]\n" };
const LINES: Framing = Framing { begin: "", separator: "\n", end: "\n", empty: "" };

struct JsonWriter<T: 'static, W> {
    /// Only these keys, flat; the whole view when none.
    columns: Option<Vec<&'static Column<T>>>,
    out: W,
    framing: &'static Framing,
    count: u64,
}

impl<T: View, W: Write> ListWriter<T> for JsonWriter<T, W> {
    fn item(&mut self, item: &T) -> io::Result<()> {
        let before = if self.count == 0 { self.framing.begin } else { self.framing.separator };
        self.out.write_all(before.as_bytes())?;
        self.count += 1;
        match &self.columns {
            None => serde_json::to_writer(&mut self.out, item)?,
            Some(columns) => serde_json::to_writer(&mut self.out, &Selected { columns, item })?,
        }
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        let end = if self.count == 0 { self.framing.empty } else { self.framing.end };
        self.out.write_all(end.as_bytes())?;
        self.out.flush()
    }
}

/// An item with the chosen keys only, in the chosen order.
struct Selected<'a, T: 'static> {
    columns: &'a [&'static Column<T>],
    item: &'a T,
}

impl<T> Serialize for Selected<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.columns.len()))?;
        for column in self.columns {
            map.serialize_entry(column.name, &column.raw(self.item))?;
        }
        map.end()
    }
}

struct CsvWriter<T: 'static, W: Write> {
    columns: Vec<&'static Column<T>>,
    out: csv::Writer<W>,
    has_header: bool,
}

impl<T, W: Write> CsvWriter<T, W> {
    fn new(columns: Vec<&'static Column<T>>, out: W) -> Self {
        let out = csv::WriterBuilder::new().has_headers(false).from_writer(out);
        Self { columns, out, has_header: false }
    }

    fn header(&mut self) -> io::Result<()> {
        if !self.has_header {
            self.has_header = true;
            let names = self.columns.iter().map(|column| column.name);
            self.out.write_record(names).map_err(csv_error)?;
        }
        Ok(())
    }
}

impl<T: View, W: Write> ListWriter<T> for CsvWriter<T, W> {
    fn item(&mut self, item: &T) -> io::Result<()> {
        self.header()?;
        let row: Vec<_> = self.columns.iter().map(|column| CsvCell(column.raw(item))).collect();
        self.out.serialize(row).map_err(csv_error)
    }

    fn end(&mut self) -> io::Result<()> {
        self.header()?;
        self.out.flush()
    }
}

/// A value in one cell: words are joined by commas.
struct CsvCell<'a>(Raw<'a>);

impl Serialize for CsvCell<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Raw::Words(words) => serializer.serialize_str(&words.join(",")),
            other => other.serialize(serializer),
        }
    }
}

/// Keeps the kind of an I/O error, which csv's own conversion loses: a broken pipe is silent.
fn csv_error(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("cannot write CSV: {other:?}")),
    }
}

#[cfg(test)]
mod tests;
