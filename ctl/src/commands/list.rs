//! What all lists have in common: which part, which columns, and how they are printed.

use torc_protocol::call::{Call, Many};
use torc_protocol::request::{Page, WorkflowSelector};

use crate::commands::value;
use crate::context::Context;
use crate::error::CliError;
use crate::exit_code;
use crate::output::column::View;
use crate::output::stdout::Stdout;

/// Which part of a list, and how it is shown.
#[derive(clap::Args, Debug, Default)]
#[command(next_help_heading = "List options")]
pub(crate) struct ListArgs {
    /// Show at most N
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// Pass over the first N
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    offset: u64,
    /// Sort by this column, one of those named below [default: the id]
    #[arg(long, value_name = "COLUMN")]
    sort: Option<String>,
    /// Show the last first
    #[arg(long)]
    reverse: bool,
    /// Show these columns, named below, in this order
    #[arg(long, value_name = "A,B,C", value_delimiter = ',')]
    columns: Vec<String>,
}

impl ListArgs {
    /// Returns the part that is wanted. Whether it can be sorted so is for the daemon to say.
    pub(crate) fn page(&self) -> Page {
        Page {
            sort: self.sort.clone(),
            reverse: self.reverse,
            offset: self.offset,
            limit: self.limit,
        }
    }

    /// Shows people these columns unless some are named.
    pub(crate) fn show(&mut self, ctx: &Context, columns: &[&str]) {
        if self.columns.is_empty() && !ctx.globals.format.is_for_programs() {
            self.columns = columns.iter().map(|name| (*name).to_owned()).collect();
        }
    }

    /// Asks for a list and prints it as it comes. Says on stderr that there is nothing `whereabouts`
    /// when people are to read it and it is empty.
    ///
    /// # Errors
    ///
    /// When a column is unknown, there is nobody to ask, or it cannot be written.
    pub(crate) async fn print<C, T>(
        &self,
        ctx: &Context,
        call: C,
        whereabouts: &str,
    ) -> Result<u8, CliError>
    where
        C: Call<Count = Many, Reply = Vec<T>>,
        T: View,
    {
        let stdout = Stdout::new(ctx.globals.format, ctx.globals.color);
        let mut list = stdout.list::<T>(&self.columns)?;
        let mut reader = ctx.reader().await?;
        reader.client.stream(call).await?;
        let mut is_empty = true;
        while let Some(items) = reader.client.next::<C>().await? {
            is_empty &= items.is_empty();
            for item in &items {
                list.item(item)?;
            }
        }
        list.end()?;
        if is_empty && !stdout.format.is_for_programs() && !ctx.globals.quiet {
            eprintln!("{}", self.nothing(T::NOUN, whereabouts));
        }
        Ok(exit_code::DONE)
    }

    /// Returns in words that no `noun` was found; a part that is empty says nothing of the rest.
    fn nothing(&self, noun: &str, whereabouts: &str) -> String {
        match (self.limit, self.offset) {
            (Some(0), _) => format!("no {noun}s shown, as `--limit 0` asks"),
            (_, 0) => format!("no {noun}s {whereabouts}"),
            (_, offset) => format!("no {noun}s {whereabouts} after the first {offset}"),
        }
    }
}

/// Which workflow a list is of.
#[derive(clap::Args, Debug, Default)]
pub(crate) struct WorkflowArg {
    /// The workflow: its id, its name, or `latest`
    #[arg(value_name = "WORKFLOW", value_parser = value::workflow)]
    positional: Option<WorkflowSelector>,
    /// The same, as an option
    #[arg(long = "workflow", short = 'w', value_name = "WORKFLOW", value_parser = value::workflow)]
    #[arg(conflicts_with = "positional")]
    option: Option<WorkflowSelector>,
}

impl WorkflowArg {
    /// Returns the workflow; the latest when none is named.
    pub(crate) fn selector(&self) -> WorkflowSelector {
        self.positional.as_ref().or(self.option.as_ref()).cloned().unwrap_or_default()
    }
}

/// Returns where nothing was found, in words: `in workflow 3`, and whether filters may be why.
pub(crate) fn whereabouts(workflow: &WorkflowSelector, is_filtered: bool) -> String {
    let place = value::describe(workflow);
    if is_filtered { format!("in {place} match the filters") } else { format!("in {place}") }
}

#[cfg(test)]
mod tests {
    use torc_protocol::view::{
        FileView, JobView, ResultView, SnapshotFileView, UserDataView, WorkflowView,
    };

    use super::*;
    use crate::cli;

    /// Returns what the help of a list says of its columns.
    fn told(noun: &str) -> Vec<String> {
        let root = cli::command();
        let list = root.find_subcommand(noun).and_then(|it| it.find_subcommand("list")).unwrap();
        let help = list.get_after_help().unwrap().to_string();
        let (_, columns) = help.split_once("Columns: ").unwrap();
        let (columns, _) = columns.split_once("\n\n").unwrap();
        columns.split([',', ' ', '\n']).filter(|it| !it.is_empty()).map(str::to_owned).collect()
    }

    #[test]
    fn a_part_that_is_empty_says_nothing_of_the_rest() {
        let said = |limit, offset| {
            ListArgs { limit, offset, ..ListArgs::default() }.nothing("job", "in workflow 3")
        };
        assert_eq!(said(None, 0), "no jobs in workflow 3");
        assert_eq!(said(Some(0), 0), "no jobs shown, as `--limit 0` asks");
        assert_eq!(said(Some(5), 9), "no jobs in workflow 3 after the first 9");
    }

    fn columns<T: View>() -> Vec<&'static str> {
        T::COLUMNS.iter().map(|column| column.name).collect()
    }

    #[test]
    fn the_help_of_a_list_names_its_columns() {
        assert_eq!(told("workflows"), columns::<WorkflowView>());
        assert_eq!(told("jobs"), columns::<JobView>());
        assert_eq!(told("results"), columns::<ResultView>());
        assert_eq!(told("files"), columns::<FileView>());
        assert_eq!(told("user-data"), columns::<UserDataView>());
        assert_eq!(told("snapshot"), columns::<SnapshotFileView>());
    }
}
