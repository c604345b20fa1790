//! Reads Rust sources as far as the rules about them need it: which paths a file names.
//!
//! Not a parser. It drops comments, the contents of literals, and test modules, and then reads the
//! paths that are left, with their groups expanded: `use crate::{a, b::{c, d}}` names `a`, `b::c`
//! and `b::d`. Macros that build paths, and `as` names, are not followed.

use std::fs;
use std::path::{Path, PathBuf};

/// A source file of a crate.
#[derive(Debug)]
pub struct Source {
    /// Where it is, from the root of the workspace.
    pub path: PathBuf,
    /// Its module path from the root of its crate; empty for `lib.rs`.
    pub module: Vec<String>,
    /// As it is.
    pub text: String,
    /// Without comments, literals and tests.
    pub code: String,
}

impl Source {
    /// Reads one from its text; `path` is from the root of the workspace.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, text: &str) -> Self {
        let path = path.into();
        let module = module_of(&path);
        let code = if is_test(&path) { String::new() } else { without_tests(&blank(text)) };
        Self { path, module, text: text.to_owned(), code }
    }

    /// Returns the top module that this file belongs to; none for the root of the crate.
    #[must_use]
    pub fn top(&self) -> Option<&str> {
        self.module.first().map(String::as_str)
    }

    /// Returns the paths within its crate that it names, from the root of the crate.
    #[must_use]
    pub fn own_paths(&self) -> Vec<Vec<String>> {
        let mut paths = paths_after(&self.code, "crate");
        // `super` climbs out of this file's module, and out of the crate's root into a sibling.
        let climb = vec!["super"; self.module.len()].join("::");
        if !climb.is_empty() {
            paths.extend(paths_after(&self.code, &climb));
        }
        paths.retain(|path| path[0] != "super" && path[0] != "self");
        paths
    }

    /// Returns whether it names anything of another crate.
    #[must_use]
    pub fn names_crate(&self, name: &str) -> bool {
        words(&self.code, name).any(|(at, end)| {
            let before = self.code[..at].trim_end();
            let after = self.code[end..].trim_start();
            let is_root = !before.ends_with("::") && !before.ends_with('.');
            let is_whole_use = before.ends_with("use") && after.starts_with([';', ' ']);
            is_root && (after.starts_with("::") || is_whole_use)
        })
    }

    /// Returns how often a word stands in its code.
    #[must_use]
    pub fn count(&self, word: &str) -> usize {
        words(&self.code, word).count()
    }
}

/// Returns the root of the workspace.
#[must_use]
pub fn workspace() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package).to_owned()
}

/// Reads every `.rs` file below `dir`, which is from the root of the workspace.
///
/// # Panics
///
/// When one cannot be read.
#[must_use]
pub fn sources(dir: &str) -> Vec<Source> {
    let root = workspace();
    let mut waiting = vec![root.join(dir)];
    let mut sources = Vec::new();
    while let Some(dir) = waiting.pop() {
        let entries =
            fs::read_dir(&dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
        for entry in entries {
            let path = entry.expect("a directory can be read").path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a source is UTF-8");
                sources.push(Source::new(path.strip_prefix(&root).unwrap_or(&path), &text));
            }
        }
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(!sources.is_empty(), "there are no sources in {dir}");
    sources
}

fn module_of(path: &Path) -> Vec<String> {
    let mut parts = path.iter().map(|part| part.to_string_lossy().into_owned());
    parts.by_ref().find(|part| part == "src");
    let mut parts: Vec<_> = parts.collect();
    if let Some(file) = parts.pop() {
        let stem = file.trim_end_matches(".rs");
        if !["lib", "main", "mod"].contains(&stem) {
            parts.push(stem.to_owned());
        }
    }
    parts
}

fn is_test(path: &Path) -> bool {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    stem.is_some_and(|stem| stem == "tests" || stem.ends_with("_tests"))
}

/// Returns `text` with spaces in place of comments and of what literals contain.
fn blank(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at..] {
            [b'/', b'/', ..] => line_end(bytes, at),
            [b'/', b'*', ..] => block_comment_end(bytes, at),
            [b'"', ..] => string_end(bytes, at),
            [b'r', b'"' | b'#', ..] if !follows_word(bytes, at) => match raw_string_end(text, at) {
                Some(end) => end,
                None => at,
            },
            [b'\'', ..] => char_end(bytes, at),
            _ => at,
        };
        code[at..end].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
        at = end.max(at + 1);
    }
    String::from_utf8_lossy(&code).into_owned()
}

fn line_end(bytes: &[u8], at: usize) -> usize {
    bytes[at..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |length| at + length)
}

fn block_comment_end(bytes: &[u8], start: usize) -> usize {
    let mut depth = 0;
    let mut at = start;
    while at < bytes.len() {
        match bytes[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(bytes.len())
}

fn raw_string_end(text: &str, start: usize) -> Option<usize> {
    let hashes = text[start + 1..].bytes().take_while(|byte| *byte == b'#').count();
    let open = start + 1 + hashes;
    (text.as_bytes().get(open) == Some(&b'"')).then_some(())?;
    let close = format!("\"{}", "#".repeat(hashes));
    let length = text[open + 1..].find(&close)?;
    Some(open + 1 + length + close.len())
}

/// Tells a character from a lifetime by its closing quote.
fn char_end(bytes: &[u8], start: usize) -> usize {
    if bytes.get(start + 1) == Some(&b'\\') {
        let closing = bytes[start + 3..].iter().position(|byte| *byte == b'\'');
        return closing.map_or(bytes.len(), |length| start + 4 + length);
    }
    let closing = (start + 2..=start + 5).find(|at| bytes.get(*at) == Some(&b'\''));
    match closing {
        Some(end) if end == start + 2 || !bytes[start + 1].is_ascii() => end + 1,
        _ => start + 1,
    }
}

/// Returns `code` without what stands under `#[cfg(test)]`.
fn without_tests(code: &str) -> String {
    let mut rest = code;
    let mut kept = String::new();
    while let Some(at) = rest.find("#[cfg(test)]") {
        kept.push_str(&rest[..at]);
        rest = &rest[at..];
        rest = &rest[item_end(rest)..];
    }
    kept.push_str(rest);
    kept
}

/// Returns where the item at the start of `code` ends: at its `;` or its last brace.
fn item_end(code: &str) -> usize {
    let mut depth = 0;
    for (at, letter) in code.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ';' if depth == 0 => return at + 1,
            _ => continue,
        }
        if depth == 0 {
            return at + 1;
        }
    }
    code.len()
}

/// Returns the places where `word` stands as a word of its own.
fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = (usize, usize)> + 'a {
    let bytes = code.as_bytes();
    code.match_indices(word).map(|(at, word)| (at, at + word.len())).filter(move |(at, end)| {
        !follows_word(bytes, *at) && !bytes.get(*end).is_some_and(|byte| is_word(*byte))
    })
}

fn follows_word(bytes: &[u8], at: usize) -> bool {
    at > 0 && is_word(bytes[at - 1])
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Returns the paths that follow `root::`, with their groups expanded.
fn paths_after(code: &str, root: &str) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    for (_, end) in words(code, root) {
        if let Some(rest) = code[end..].trim_start().strip_prefix("::") {
            tree(rest, &mut Vec::new(), &mut paths);
        }
    }
    paths
}

/// Reads one path or group, appends what it names to `paths`, and returns what follows it.
fn tree<'a>(code: &'a str, above: &mut Vec<String>, paths: &mut Vec<Vec<String>>) -> &'a str {
    let code = code.trim_start();
    if let Some(mut rest) = code.strip_prefix('{') {
        loop {
            rest = rest.trim_start().trim_start_matches(',').trim_start();
            if rest.is_empty() {
                return rest;
            }
            if let Some(rest) = rest.strip_prefix('}') {
                return rest;
            }
            let before = rest.len();
            rest = tree(rest, above, paths);
            if rest.len() == before {
                rest = &rest[rest.chars().next().map_or(0, char::len_utf8)..];
            }
        }
    }
    let length = code.bytes().take_while(|byte| is_word(*byte)).count();
    let (name, rest) = code.split_at(length);
    if name.is_empty() {
        return rest;
    }
    above.push(name.to_owned());
    let rest = match rest.trim_start().strip_prefix("::") {
        Some(rest) if rest.trim_start().starts_with(['{', '_']) || starts_name(rest) => {
            tree(rest, above, paths)
        }
        _ => {
            paths.push(above.clone());
            rest
        }
    };
    above.pop();
    rest
}

fn starts_name(code: &str) -> bool {
    code.trim_start().starts_with(|letter: char| letter.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own_paths(path: &str, text: &str) -> Vec<String> {
        Source::new(path, text).own_paths().iter().map(|path| path.join("::")).collect()
    }

    #[test]
    fn groups_lines_and_inline_paths_are_all_read() {
        let text = "use crate::{\n    a,\n    b::{self, c::{D, E}},\n};\nfn f() -> crate::g::H { crate::i::j() }";
        let paths = own_paths("daemon/src/x.rs", text);
        assert_eq!(paths, ["a", "b::self", "b::c::D", "b::c::E", "g::H", "i::j"]);
    }

    #[test]
    fn super_reaches_a_sibling_of_the_top_module_only_from_its_depth() {
        assert_eq!(own_paths("daemon/src/x/y.rs", "use super::super::z::A;"), ["z::A"]);
        assert_eq!(own_paths("daemon/src/x/y.rs", "use super::z::A;"), [""; 0]);
        assert_eq!(own_paths("daemon/src/x/mod.rs", "use super::z::A;"), ["z::A"]);
    }

    #[test]
    fn comments_literals_and_tests_do_not_count() {
        let text = r##"
            //! crate::a::A
            /* crate::b /* nested */ crate::b */
            const S: &str = "crate::c \" crate::c";
            const R: &str = r#"crate::d " crate::d"#;
            const C: [char; 3] = ['"', '\'', '\\'];
            fn f<'a>(x: &'a str) -> crate::e::E {}
            #[cfg(test)]
            mod tests { use crate::f::F; fn g() { if true {} } }
            #[cfg(test)]
            mod more;
            use crate::g::G;
        "##;
        assert_eq!(own_paths("daemon/src/x.rs", text), ["e::E", "g::G"]);
        assert_eq!(own_paths("daemon/src/x/tests.rs", text), [""; 0]);
    }

    #[test]
    fn a_foreign_crate_is_named_by_the_first_part_of_a_path() {
        let names = |text: &str| Source::new("daemon/src/x.rs", text).names_crate("nix");
        assert!(names("use nix::unistd::Pid;"));
        assert!(names("use nix;"));
        assert!(names("fn f(pid: nix::unistd::Pid) {}"));
        assert!(!names("use crate::nix::Pid;"));
        assert!(!names("use unix::Pid; use nixos::Pid; let nix = 1;"));
    }
}
