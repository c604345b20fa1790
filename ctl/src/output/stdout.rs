//! Our stdout, and how things are written to it.

use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};

use crate::error::CliError;
use crate::format::{ColorWhen, Format};
use crate::output::column::View;
use crate::output::list::{ListOptions, ListWriter, list_writer};
use crate::output::table::{Layout, terminal_width};
use crate::style::Palette;

/// What the global options and the terminal say about stdout.
#[derive(Clone, Copy, Debug)]
pub struct Stdout {
    /// The format.
    pub format: Format,
    /// The room and the colours.
    pub layout: Layout,
}

/// Our stdout, whose errors say that it is it.
#[derive(Debug)]
pub struct Named(StdoutLock<'static>);

impl Write for Named {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(named)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(named)
    }
}

fn named(error: io::Error) -> io::Error {
    match error.kind() {
        // The writer above us looks for this one, and tries again.
        io::ErrorKind::Interrupted => error,
        kind => io::Error::new(kind, format!("cannot write to stdout: {error}")),
    }
}

impl Stdout {
    /// Looks at the terminal.
    #[must_use]
    pub fn new(format: Format, color: ColorWhen) -> Self {
        let is_terminal = io::stdout().is_terminal();
        let width = if is_terminal { terminal_width() } else { None };
        let palette = Palette::new(color, is_terminal);
        Self { format, layout: Layout { width, palette } }
    }

    /// Returns the stream, buffered. Errors while it is dropped are lost: flush it.
    #[must_use]
    pub fn open(self) -> BufWriter<Named> {
        BufWriter::with_capacity(64 * 1024, Named(io::stdout().lock()))
    }

    /// Returns the writer of a list with these columns; with those of the view when none are named.
    ///
    /// # Errors
    ///
    /// When a column is named that `T` does not have, or any with `--format id`, which is one.
    pub fn list<T: View>(self, columns: &[String]) -> Result<Box<dyn ListWriter<T>>, CliError> {
        if self.format == Format::Id && !columns.is_empty() {
            let message = "`--columns` and `--format id` both say which columns are shown";
            return Err(CliError::usage(message)
                .hint("leave one out; `--format csv` writes the columns that are named"));
        }
        let options = ListOptions { format: self.format, columns, layout: self.layout };
        Ok(list_writer(&options, self.open())?)
    }

    /// Writes one line as it stands.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn line(self, text: &str) -> io::Result<()> {
        let mut out = self.open();
        writeln!(out, "{text}")?;
        out.flush()
    }
}
