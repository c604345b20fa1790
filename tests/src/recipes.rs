//! The recipes of `docs/scripting.md`, as they stand in the page.
//!
//! A recipe is a heading of the second level with one script, a block of `sh`, and one block of
//! `text`: what the script prints on stdout. It exits with 0. A heading without blocks is prose.

use std::fs;

use crate::blocks::{Block, blocks};
use crate::source::workspace;

/// The page, from the root of the workspace.
pub const PAGE: &str = "docs/scripting.md";

/// A script, and what it prints.
#[derive(Debug, PartialEq, Eq)]
pub struct Recipe {
    /// The heading above it.
    pub heading: String,
    /// The whole script.
    pub script: String,
    /// What it writes to stdout.
    pub output: String,
}

/// Reads the recipes of the page.
///
/// # Panics
///
/// When a block belongs to no recipe, or a script to no output.
#[must_use]
pub fn recipes() -> Vec<Recipe> {
    let page = workspace().join(PAGE);
    parse(&fs::read_to_string(&page).unwrap_or_else(|error| panic!("{}: {error}", page.display())))
}

/// Takes the recipes from the text of a page.
fn parse(page: &str) -> Vec<Recipe> {
    let mut blocks = blocks(page).into_iter();
    let mut recipes = Vec::new();
    while let Some(script) = blocks.next() {
        let Block { heading, language, text: script } = script;
        assert_eq!(language, "sh", "'{heading}' does not begin with a script");
        let output = blocks.next().unwrap_or_else(|| panic!("'{heading}' has no output"));
        assert_eq!(output.heading, heading, "'{heading}' has no output");
        assert_eq!(output.language, "text", "'{heading}' has two scripts");
        recipes.push(Recipe { heading, script, output: output.text });
    }
    recipes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recipe_is_a_heading_with_a_script_and_its_output() {
        let page = "# Page\nprose\n## Two\n```sh\n## no heading\necho 2\n```\nprints\n```text\n2\n```\n\
                    ## Prose\n## Three\n```sh\necho 3\n```\n```text\n3\n```\n";
        let recipe = |heading: &str, script: &str, output: &str| Recipe {
            heading: heading.to_owned(),
            script: script.to_owned(),
            output: output.to_owned(),
        };
        let expected =
            [recipe("Two", "## no heading\necho 2\n", "2\n"), recipe("Three", "echo 3\n", "3\n")];
        assert_eq!(parse(page), expected);
    }

    #[test]
    #[should_panic(expected = "'One' has no output")]
    fn a_script_without_output_is_found() {
        parse("## One\n```sh\necho 1\n```\n## Two\n```text\n2\n```\n");
    }

    #[test]
    #[should_panic(expected = "'One' does not begin with a script")]
    fn a_block_that_nothing_runs_is_found() {
        parse("## One\n```bash\necho 1\n```\n");
    }
}
