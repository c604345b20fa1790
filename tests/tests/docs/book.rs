//! The book in `docs/`: it has every page, and nothing in it leads out of it.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use torc_tests::blocks::{Block, blocks};
use torc_tests::recipes::{PAGE, recipes};
use torc_tests::source::workspace;

use crate::page::{Page, pages, pages_below};

/// Where the repository shows its files.
const REPOSITORY: &str = "https://github.com/torc-hpc/torc";

/// Removes `..` and `.` from a path.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(plain.pop()),
            Component::CurDir => {}
            part => plain.push(part),
        }
    }
    plain
}

fn chapters() -> Vec<PathBuf> {
    let summary = Page::named("docs/SUMMARY.md");
    let links: Vec<_> = summary.links().map(str::to_owned).collect();
    links.iter().map(|link| plain(&summary.path.with_file_name(link))).collect()
}

/// Returns the pages of the book, without its table of contents.
fn book() -> Vec<Page> {
    let mut pages = pages_below("docs");
    pages.retain(|page| !page.path.ends_with("SUMMARY.md"));
    pages
}

#[test]
fn the_table_of_contents_has_every_page_once() {
    let chapters = chapters();
    let there: BTreeSet<_> = book().into_iter().map(|page| page.path).collect();
    let named: BTreeSet<_> = chapters.iter().cloned().collect();
    assert!(there.len() > 15, "only {} pages are found", there.len());
    assert_eq!(named, there, "docs/SUMMARY.md names these pages, and there are those");
    assert_eq!(chapters.len(), named.len(), "docs/SUMMARY.md names a page twice");
}

#[test]
fn the_table_of_contents_is_one_that_mdbook_reads() {
    for line in Page::named("docs/SUMMARY.md").text.lines() {
        let entry = line.trim_start().trim_start_matches("- ");
        let is_chapter = entry.starts_with('[') && entry.ends_with(')') && entry.contains("](");
        let is_known = line.is_empty() || line.starts_with("# ") || is_chapter;
        assert!(is_known, "docs/SUMMARY.md: {line}");
    }
}

#[test]
fn a_page_of_the_book_leads_out_of_it_by_the_address_of_the_repository() {
    let docs = workspace().join("docs");
    for page in book() {
        for link in page.links() {
            let Some((target, _)) = page.target(link) else { continue };
            let is_inside = plain(&target).starts_with(&docs);
            assert!(is_inside, "{}: {link} is dead in the book", page.path.display());
        }
    }
}

#[test]
fn what_is_linked_in_the_repository_is_there() {
    let cargo = Page::named("Cargo.toml").text;
    assert!(
        cargo.contains(&format!("\nrepository = \"{REPOSITORY}\"\n")),
        "{REPOSITORY} is not ours"
    );
    let files = format!("{REPOSITORY}/blob/main/");
    let mut count = 0;
    for page in pages() {
        for path in page.links().filter_map(|link| link.strip_prefix(&files)) {
            count += 1;
            let path = path.split('#').next().unwrap_or_default();
            assert!(workspace().join(path).exists(), "{}: no {path}", page.path.display());
        }
    }
    assert!(count > 2, "only {count} links are found");
}

#[test]
fn every_page_is_reached_from_the_readme() {
    let mut waiting = vec![workspace().join("README.md")];
    let mut seen = BTreeSet::from_iter(waiting.clone());
    while let Some(path) = waiting.pop() {
        if path.extension().is_none_or(|extension| extension != "md") || !path.exists() {
            continue;
        }
        let page = Page::named(&path.to_string_lossy());
        for (target, _) in page.links().filter_map(|link| page.target(link)) {
            let target = plain(&target);
            if seen.insert(target.clone()) {
                waiting.push(target);
            }
        }
    }
    for page in pages() {
        let is_contents = page.path.ends_with("SUMMARY.md");
        assert!(is_contents || seen.contains(&page.path), "{}: no way", page.path.display());
    }
}

#[test]
fn a_block_of_code_begins_at_the_start_of_a_line() {
    // The checks of commands, links and recipes do not see others.
    for page in pages() {
        let indented = page
            .text
            .lines()
            .find(|line| line.trim_start().starts_with("```") && line.starts_with(' '));
        assert_eq!(indented, None, "{}", page.path.display());
    }
}

#[test]
fn every_script_is_one_that_bash_can_read() {
    let mut count = 0;
    for page in pages() {
        for Block { text: script, .. } in blocks(&page.text) {
            if !script.starts_with("#!/bin/bash\n") {
                continue;
            }
            count += 1;
            let bash = Command::new("bash").args(["-n", "-c", &script]).output();
            let bash = bash.expect("there is a bash");
            let said = String::from_utf8_lossy(&bash.stderr);
            assert!(bash.status.success(), "{}: {said}\n{script}", page.path.display());
        }
    }
    assert!(count > 15, "only {count} scripts are found");
}

#[test]
fn every_script_of_the_cookbook_is_a_recipe() {
    let scripts = Page::named(PAGE).text.lines().filter(|line| line.starts_with("```sh")).count();
    let recipes = recipes();
    assert!(recipes.len() >= 10, "{PAGE} has only {} recipes", recipes.len());
    assert_eq!(scripts, recipes.len(), "some scripts of {PAGE} are not run");
}
