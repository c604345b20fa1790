//! Tables for people: one line an item, columns aligned, texts shortened to the width of a terminal.
//!
//! Rows are laid out in batches, so that a long list neither waits for its end nor fills memory.
//! Each batch keeps at least the widths of those before it; ordinarily there is only one.

use std::io::{self, Write};

use comfy_table::{
    Cell, CellAlignment, Color, ColumnConstraint, ContentArrangement, Row, Table, Width, presets,
};

use crate::output::column::{Column, Field, View};
use crate::output::list::ListWriter;
use crate::style::{Palette, Tone};

/// How many rows are laid out together.
const BATCH: usize = 10_000;
/// No column is shortened to less than this.
const NARROWEST: u16 = 8;
/// Spaces between columns.
const GAP: u16 = 2;

/// The room and the colours for a table.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// The columns of the terminal; none when it is not one, and nothing is shortened.
    pub width: Option<u16>,
    /// The colours.
    pub palette: Palette,
}

/// Returns how many columns the terminal at our stdout has; none when that cannot be found out.
#[must_use]
pub fn terminal_width() -> Option<u16> {
    Table::new().width().filter(|width| *width > 0)
}

/// Writes a list as a table.
pub(crate) struct TableWriter<T: 'static, W> {
    columns: Vec<&'static Column<T>>,
    layout: Layout,
    out: W,
    rows: Vec<Row>,
    /// The widths of what has been written; empty before the header is.
    widths: Vec<u16>,
}

impl<T, W: Write> TableWriter<T, W> {
    pub(crate) fn new(columns: Vec<&'static Column<T>>, layout: Layout, out: W) -> Self {
        Self { columns, layout, out, rows: Vec::new(), widths: Vec::new() }
    }

    fn flush_batch(&mut self) -> io::Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let mut table = self.empty_table();
        if self.widths.is_empty() {
            let heading = |column: &&Column<T>| self.cell(column, column.heading, Tone::Strong);
            table.set_header(self.columns.iter().map(heading).collect::<Vec<_>>());
        }
        table.add_rows(self.rows.drain(..));
        self.widths = self.arrange(&table);
        for (column, width) in table.column_iter_mut().zip(&self.widths) {
            let is_last = column.index + 1 == self.columns.len();
            let gap = if is_last { 0 } else { GAP };
            column.set_padding((0, gap));
            column.set_constraint(ColumnConstraint::Absolute(Width::Fixed(width + gap)));
        }
        for line in table.lines() {
            writeln!(self.out, "{}", line.trim_end())?;
        }
        Ok(())
    }

    /// Returns the widths of the columns: no narrower than before, and wide enough for what they
    /// hold, except that texts are shortened where the room ends. Numbers never are.
    fn arrange(&self, table: &Table) -> Vec<u16> {
        let is_first = self.widths.is_empty();
        let mut widths = table.column_max_content_widths();
        for width in &mut widths {
            *width = (*width).min(u16::MAX - GAP);
        }
        let Some(room) = self.layout.width else {
            widths
                .iter_mut()
                .zip(&self.widths)
                .for_each(|(now, before)| *now = (*now).max(*before));
            return widths;
        };
        let is_text: Vec<_> = self
            .columns
            .iter()
            .map(|column| matches!(column.field, Field::Text(_) | Field::Words(_)))
            .collect();
        if is_first {
            let gaps = GAP.saturating_mul(u16::try_from(widths.len() - 1).unwrap_or(u16::MAX));
            shrink(&mut widths, &is_text, room.saturating_sub(gaps));
        }
        for ((now, before), is_text) in widths.iter_mut().zip(&self.widths).zip(is_text) {
            *now = if is_text { *before } else { (*now).max(*before) };
        }
        widths
    }

    fn empty_table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        // Texts are cut where the room ends, not between words: this is in none of them.
        table.set_delimiter('\0');
        table.set_content_arrangement(ContentArrangement::Disabled);
        if self.layout.palette.is_colored() {
            table.enforce_styling().style_text_only();
        } else {
            table.force_no_tty();
        }
        table
    }

    fn cell(&self, column: &Column<T>, text: &str, tone: Tone) -> Cell {
        let alignment =
            if column.is_right_aligned() { CellAlignment::Right } else { CellAlignment::Left };
        let cell = Cell::new(text).set_alignment(alignment);
        if self.layout.palette.is_colored() { paint(cell, tone) } else { cell }
    }
}

impl<T: View, W: Write> ListWriter<T> for TableWriter<T, W> {
    fn item(&mut self, item: &T) -> io::Result<()> {
        let mut row = Row::new();
        for column in &self.columns {
            let (text, tone) = column.shown(item);
            row.add_cell(self.cell(column, &text, tone));
        }
        row.max_height(1);
        self.rows.push(row);
        if self.rows.len() == BATCH { self.flush_batch() } else { Ok(()) }
    }

    fn end(&mut self) -> io::Result<()> {
        self.flush_batch()?;
        self.out.flush()
    }
}

/// Takes from the widest of the columns that may shrink until all fit into `room`, or all of these
/// are as narrow as they may be.
fn shrink(widths: &mut [u16], may_shrink: &[bool], room: u16) {
    let total = |widths: &[u16]| widths.iter().map(|width| u64::from(*width)).sum::<u64>();
    let mut excess = total(widths).saturating_sub(room.into());
    while excess > 0 {
        let candidates = (0..widths.len()).filter(|at| may_shrink[*at] && widths[*at] > NARROWEST);
        let Some(widest) = candidates.max_by_key(|at| widths[*at]) else { return };
        widths[widest] -= 1;
        excess -= 1;
    }
}

fn paint(cell: Cell, tone: Tone) -> Cell {
    match tone {
        Tone::Plain => cell,
        Tone::Good => cell.fg(Color::DarkGreen),
        Tone::Bad => cell.fg(Color::DarkRed),
        Tone::Warning => cell.fg(Color::DarkYellow),
        Tone::Active => cell.fg(Color::DarkCyan),
        Tone::Dim => cell.add_attribute(comfy_table::Attribute::Dim),
        Tone::Strong => cell.add_attribute(comfy_table::Attribute::Bold),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_widest_texts_are_shortened() {
        let mut widths = [4, 30, 50, 9];
        shrink(&mut widths, &[false, true, true, false], 60);
        assert_eq!(widths, [4, 24, 23, 9]);
    }

    #[test]
    fn a_terminal_too_narrow_for_anything_leaves_the_narrowest() {
        let mut widths = [20, 30, 5];
        shrink(&mut widths, &[false, true, true], 10);
        assert_eq!(widths, [20, NARROWEST, 5]);
    }
}
