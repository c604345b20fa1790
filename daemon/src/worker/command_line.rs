//! Decides whether a command line needs a shell, and splits it when it does not.
//!
//! Starting a shell costs more than most short programs themselves, so a line that a shell would
//! do nothing to but split is executed directly. The rule errs to the side of the shell: a line is
//! only split when bash would run the very same program with the very same arguments.

use std::fmt;

/// How to run a line.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Plan {
    /// Give it to a shell.
    Shell,
    /// Execute these words; there is at least one.
    Direct(Vec<String>),
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shell => f.write_str("Shell"),
            Self::Direct(words) => write!(f, "Direct({} words)", words.len()),
        }
    }
}

/// What bash gives a meaning of its own outside of quotes, wherever it stands.
const SPECIAL: &[char] = &[
    '#', ';', '\\', '*', '?', '[', ']', '&', '|', '<', '>', '(', ')', '{', '}', '$', '`', '^', '~',
    '!', '\n',
];

/// What stays special between double quotes.
const SPECIAL_IN_DOUBLE_QUOTES: &[char] = &['\\', '$', '`', '!', '\n'];

/// The reserved words and builtins of bash, sorted, without those whose programs do the same
/// (`echo`, `false`, `printf`, `true`).
const SHELL_WORDS: &[&str] = &[
    "!",
    ".",
    ":",
    "[",
    "[[",
    "]]",
    "alias",
    "bg",
    "bind",
    "break",
    "builtin",
    "caller",
    "case",
    "cd",
    "command",
    "compgen",
    "complete",
    "compopt",
    "continue",
    "coproc",
    "declare",
    "dirs",
    "disown",
    "do",
    "done",
    "elif",
    "else",
    "enable",
    "esac",
    "eval",
    "exec",
    "exit",
    "export",
    "fc",
    "fg",
    "fi",
    "for",
    "function",
    "getopts",
    "hash",
    "help",
    "history",
    "if",
    "in",
    "jobs",
    "kill",
    "let",
    "local",
    "logout",
    "mapfile",
    "popd",
    "pushd",
    "pwd",
    "read",
    "readarray",
    "readonly",
    "return",
    "select",
    "set",
    "shift",
    "shopt",
    "source",
    "suspend",
    "test",
    "then",
    "time",
    "times",
    "trap",
    "type",
    "typeset",
    "ulimit",
    "umask",
    "unalias",
    "unset",
    "until",
    "wait",
    "while",
    "{",
    "}",
];

/// Returns how to run `line`, given which names are functions that the environment exports.
pub(super) fn plan(line: &str, is_function: impl Fn(&str) -> bool) -> Plan {
    let Some(words) = split(line) else { return Plan::Shell };
    match words.first() {
        Some(program) if !is_for_shell(program, &words[1..]) && !is_function(program) => {
            Plan::Direct(words)
        }
        _ => Plan::Shell,
    }
}

/// Returns whether a simple command of this name means something else to bash than the program.
fn is_for_shell(program: &str, arguments: &[String]) -> bool {
    program.is_empty()
        || program.contains('=')
        || program.starts_with('%')
        || SHELL_WORDS.binary_search(&program).is_ok()
        || matches!(program, "echo" | "printf" | "true" | "false") && has_long_option(arguments)
}

/// Returns whether the program, unlike the builtin of its name, may take an argument as an option.
fn has_long_option(arguments: &[String]) -> bool {
    arguments.first().is_some_and(|first| first.starts_with("--"))
        || arguments.first().is_some_and(|first| first == "-v")
}

/// Returns a line that a shell splits into these words.
pub(super) fn join(words: &[String]) -> String {
    words.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ")
}

fn quote(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./,:+@%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// Splits a line into words as bash does, or gives up when that takes more than spaces and quotes.
fn split(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            ' ' | '\t' => words.extend(word.take()),
            '\'' => quoted(&mut characters, '\'', &[], word.get_or_insert_default())?,
            '"' => {
                let target = word.get_or_insert_default();
                quoted(&mut characters, '"', SPECIAL_IN_DOUBLE_QUOTES, target)?;
            }
            special if SPECIAL.contains(&special) => return None,
            plain => word.get_or_insert_default().push(plain),
        }
    }
    words.extend(word);
    Some(words)
}

/// Moves what stands before the closing `quote` to `target`; gives up at a character of `special`
/// and when the quote is not closed.
fn quoted(
    characters: &mut impl Iterator<Item = char>,
    quote: char,
    special: &[char],
    target: &mut String,
) -> Option<()> {
    for character in characters {
        if character == quote {
            return Some(());
        }
        if special.contains(&character) {
            return None;
        }
        target.push(character);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{Plan, SHELL_WORDS, join, plan};

    fn direct(line: &str, words: &[&str]) {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        assert_eq!(plan(line, |_| false), Plan::Direct(words), "{line}");
    }

    fn shell(line: &str) {
        assert_eq!(plan(line, |_| false), Plan::Shell, "{line}");
    }

    #[test]
    fn shell_words_are_sorted_for_the_search() {
        assert!(SHELL_WORDS.is_sorted());
    }

    #[test]
    fn plain_words_are_executed_directly() {
        direct("true", &["true"]);
        direct("  gzip\t-k  file.txt ", &["gzip", "-k", "file.txt"]);
        direct(
            "./run.sh a=b c:d @x %y +z -- ,",
            &["./run.sh", "a=b", "c:d", "@x", "%y", "+z", "--", ","],
        );
        direct("echo grün", &["echo", "grün"]);
    }

    #[test]
    fn quotes_are_taken_off() {
        direct("echo 'a b'  \"c d\"", &["echo", "a b", "c d"]);
        direct("printf '%s\\n' ''", &["printf", "%s\\n", ""]);
        direct("echo a'b c'd\"e f\"g \"it's\" '\"'", &["echo", "ab cde fg", "it's", "\""]);
        direct("awk '{ print $1; }' 'a\nb'", &["awk", "{ print $1; }", "a\nb"]);
        direct("echo \"*;|&<>(){}[]~#?\"", &["echo", "*;|&<>(){}[]~#?"]);
    }

    #[test]
    fn joined_words_are_split_as_they_were() {
        let words = ["a", "b c", "", "$HOME", "x=1", "-k", "a*"].map(str::to_owned);
        assert_eq!(join(&words), "a 'b c' '' '$HOME' 'x=1' -k 'a*'");
        assert_eq!(plan(&join(&words), |_| false), Plan::Direct(words.to_vec()));
        assert_eq!(join(&["it's".to_owned()]), r"'it'\''s'");
    }

    #[test]
    fn shell_syntax_needs_a_shell() {
        for character in "#;\\*?[]&|<>(){}$`^~!\n".chars() {
            shell(&format!("echo a{character}b"));
        }
        for line in ["echo \"$HOME\"", "echo \"`id`\"", "echo \"a\\\"\"", "echo \"hi!\""] {
            shell(line);
        }
    }

    #[test]
    fn unclosed_quotes_are_left_to_the_shell_to_complain_about() {
        shell("echo 'a");
        shell("echo \"a");
    }

    #[test]
    fn nothing_to_run_is_left_to_the_shell() {
        shell("");
        shell(" \t ");
        shell("''");
    }

    #[test]
    fn builtins_and_reserved_words_need_a_shell() {
        for word in SHELL_WORDS {
            shell(&format!("{word} x"));
        }
        shell("'cd' /tmp");
        shell("time sleep 1");
        shell("%1");
    }

    #[test]
    fn an_assignment_needs_a_shell() {
        shell("A=1 env");
        shell("A=1");
    }

    #[test]
    fn programs_that_differ_from_the_builtin_only_in_options_are_told_apart() {
        direct("echo -n x", &["echo", "-n", "x"]);
        shell("echo --help");
        shell("true --version");
        shell("printf -v name x");
    }

    #[test]
    fn exported_functions_need_a_shell() {
        assert_eq!(plan("module load gcc", |name| name == "module"), Plan::Shell);
        direct("modules load gcc", &["modules", "load", "gcc"]);
    }
}
