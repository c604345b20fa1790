//! Pages in Markdown: their lines, their blocks of code, their headings and their links.

use std::fs;
use std::path::{Path, PathBuf};

use torc_tests::source::workspace;

/// A page of the documentation.
pub(crate) struct Page {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// All of it.
    pub(crate) text: String,
}

/// A piece of code in a page: a line of a block, or a span within a sentence.
pub(crate) struct Code {
    /// The name of its file, for messages.
    pub(crate) page: String,
    /// The code.
    pub(crate) text: String,
}

impl Page {
    /// Reads the page at a path from the root of the workspace.
    pub(crate) fn named(name: &str) -> Self {
        Self::at(workspace().join(name))
    }

    fn at(path: PathBuf) -> Self {
        let text = fs::read_to_string(&path).expect("a page is text");
        Self { path, text }
    }

    /// Returns the lines, each with whether it is in a block of code.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (bool, &str)> {
        let mut inside = false;
        self.text.lines().filter_map(move |line| {
            if line.starts_with("```") {
                inside = !inside;
                return None;
            }
            Some((inside, line))
        })
    }

    /// Returns the lines that are in no block of code.
    pub(crate) fn prose(&self) -> impl Iterator<Item = &str> {
        self.lines().filter(|(is_block, _)| !is_block).map(|(_, line)| line)
    }

    /// Returns all pieces of code. Headings of the third level quote messages, which are none.
    pub(crate) fn code(&self) -> Vec<Code> {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut found = Vec::new();
        let is_message = |(is_block, line): &(bool, &str)| !is_block && line.starts_with("### ");
        for (is_block, line) in self.lines().filter(|line| !is_message(line)) {
            let texts: Vec<_> =
                if is_block { vec![line] } else { line.split('`').skip(1).step_by(2).collect() };
            found.extend(
                texts.iter().map(|&text| Code { page: name.clone(), text: text.to_owned() }),
            );
        }
        found
    }

    /// Returns the targets of all links.
    pub(crate) fn links(&self) -> impl Iterator<Item = &str> {
        self.prose()
            .flat_map(|line| line.split("](").skip(1))
            .filter_map(|rest| rest.split(')').next())
    }

    /// Returns the file that a link leads to, and the heading in it, if it names one; none for a
    /// link to another place on the net.
    pub(crate) fn target<'a>(&self, link: &'a str) -> Option<(PathBuf, &'a str)> {
        if link.contains("://") {
            return None;
        }
        let (file, heading) = link.split_once('#').unwrap_or((link, ""));
        let path = match file {
            "" => self.path.clone(),
            file => self.path.with_file_name(file),
        };
        Some((path, heading))
    }

    /// Returns whether there is a heading with this anchor.
    pub(crate) fn has_anchor(&self, wanted: &str) -> bool {
        self.prose().any(|line| line.starts_with('#') && anchor(line) == wanted)
    }
}

/// Returns the anchor that a heading gets on the usual sites, and in the book.
fn anchor(heading: &str) -> String {
    heading
        .trim_matches(['#', ' '])
        .to_lowercase()
        .chars()
        .filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter))
        .map(|letter| if letter == ' ' { '-' } else { letter })
        .collect()
}

/// Returns whether the page at this path has a heading with this anchor.
pub(crate) fn leads_to(path: &Path, heading: &str) -> bool {
    Page::at(path.to_owned()).has_anchor(heading)
}

/// Reads all pages: those of the book, those of the root, and those of `contrib`.
pub(crate) fn pages() -> Vec<Page> {
    let others = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"];
    let mut pages: Vec<_> = others.map(Page::named).into();
    pages.extend(pages_below("docs"));
    pages.extend(pages_below("contrib"));
    pages
}

/// Reads the pages below a directory, which is named from the root of the workspace.
pub(crate) fn pages_below(dir: &str) -> Vec<Page> {
    let mut waiting = vec![workspace().join(dir)];
    let mut pages = Vec::new();
    while let Some(dir) = waiting.pop() {
        for entry in fs::read_dir(&dir).expect("a directory can be listed") {
            let path = entry.expect("a directory can be listed").path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                pages.push(Page::at(path));
            }
        }
    }
    pages
}
