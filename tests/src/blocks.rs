//! The blocks of code in a page, each with its language and the heading above it.

/// A block of code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The heading of the second level above it; empty before the first.
    pub heading: String,
    /// What stands behind the opening fence.
    pub language: String,
    /// What is in it, with the last line break.
    pub text: String,
}

/// Returns the blocks of a page in order.
///
/// # Panics
///
/// When the last one does not end.
#[must_use]
pub fn blocks(page: &str) -> Vec<Block> {
    let mut heading = String::new();
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for line in page.lines() {
        match (line.strip_prefix("```"), open.as_mut()) {
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(language), None) => {
                let language = language.to_owned();
                open = Some(Block { heading: heading.clone(), language, text: String::new() });
            }
            (None, Some(block)) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, None) => {
                if let Some(text) = line.strip_prefix("## ") {
                    text.clone_into(&mut heading);
                }
            }
        }
    }
    assert!(open.is_none(), "a block below '{heading}' does not end");
    blocks
}
