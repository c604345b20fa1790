//! bash: a script of our own.
//!
//! bash takes a line apart at `:` and `=` too, and puts back what it is given as it stands. So the
//! script hands over the line itself, up to the cursor and after it; the words are found here by the
//! rules of the shell; and a candidate goes back as the part that bash will replace, quoted as the
//! word at the cursor is.

use std::ffi::OsString;

use clap::Command;
use clap_complete::CompletionCandidate;

use crate::completion::VARIABLE;
use crate::completion::answer::Words;
use crate::completion::candidate::sift;

/// The name of this form.
pub(super) const FORM: &str = "bash";
/// The `COMP_TYPE` of a list that is shown, and from which nothing is inserted.
const LISTING: &str = "63";
/// What is told of a candidate stands in one column, unless it is longer than this.
const WIDTH: usize = 40;

/// Returns the script.
///
/// Words after `--` belong to another program: where we have nothing for them, bash does what it
/// does for any.
pub(super) fn script(program: &str) -> String {
    format!(
        r#"_torcctl_complete() {{
    local before=${{COMP_LINE:0:COMP_POINT}} after=${{COMP_LINE:COMP_POINT}}
    local IFS=$' \t\n'
    mapfile -t COMPREPLY < <({VARIABLE}={FORM} {program} -- "$before" "$after" "$2" "$COMP_TYPE" 2>/dev/null)
    if [[ ${{#COMPREPLY[@]}} -eq 0 && $before == *' -- '* ]]; then
        compopt -o bashdefault -o default
    elif [[ ${{#COMPREPLY[@]}} -eq 1 && ${{COMPREPLY[0]}} == *[/=] ]]; then
        compopt -o nospace
    fi
}}
complete -o nosort -F _torcctl_complete {program}
"#
    )
}

/// Completes what the script gives: the line up to the cursor, the line after it, the part of it
/// that bash takes for the word, and the type of the completion.
pub(super) fn answer(given: &[OsString], command: Command) -> Option<Vec<u8>> {
    let mut given = given.iter().map(|text| text.to_str());
    let (before, after) = (given.next()??, given.next()??);
    let (part, kind) = (given.next()??, given.next()??);
    let mut raw = split(before);
    let typed = raw.pop().unwrap_or_default();
    let after = split(after).into_iter().skip(1);
    let unquoted = |text: &str| OsString::from(unquote(text).0);
    let index = raw.len();
    let all = raw.into_iter().chain([typed]).chain(after).map(unquoted).collect();
    let candidates = sift(Words { all, index }.candidates(command), typed);
    let written = candidates.iter().filter_map(|candidate| {
        let value = candidate.get_value().to_str()?;
        Some((candidate, write(value, typed, part)?))
    });
    Some(lines(&written.collect::<Vec<_>>(), kind == LISTING).into_bytes())
}

/// Lists candidates, in a list that is only shown with what is told of them.
fn lines(candidates: &[(&CompletionCandidate, String)], is_shown: bool) -> String {
    let long = |(_, text): &(_, String)| text.chars().count();
    let width = candidates.iter().map(long).max().unwrap_or_default().min(WIDTH);
    let tells = is_shown && candidates.len() > 1;
    let mut lines = String::new();
    for (candidate, text) in candidates {
        let help = candidate.get_help().map(ToString::to_string).unwrap_or_default();
        lines.push_str(text);
        if let Some(told) = help.lines().next().filter(|_| tells) {
            let gap = width.saturating_sub(text.chars().count()) + 2;
            lines.extend([" ".repeat(gap).as_str(), "(", told, ")"]);
        }
        lines.push('\n');
    }
    lines
}

/// What keeps the characters of a word together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quote {
    None,
    Single,
    Double,
}

impl Quote {
    /// Returns what is open after `letter`; none when it is a character as any other.
    fn after(self, letter: char) -> Option<Self> {
        match (self, letter) {
            (Self::None, '\'') => Some(Self::Single),
            (Self::None, '"') => Some(Self::Double),
            (Self::Single, '\'') | (Self::Double, '"') => Some(Self::None),
            _ => None,
        }
    }
}

/// Returns the words of a line, as they stand there. The last, which may be empty, is the one at the
/// end of the line.
fn split(line: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let (mut start, mut open, mut is_escaped) = (0, Quote::None, false);
    for (at, letter) in line.char_indices() {
        if std::mem::take(&mut is_escaped) {
            continue;
        }
        is_escaped = letter == '\\' && open != Quote::Single;
        open = open.after(letter).unwrap_or(open);
        if open == Quote::None && letter.is_ascii_whitespace() {
            words.push(&line[start..at]);
            start = at + 1;
        }
    }
    words.retain(|word| !word.is_empty());
    words.push(&line[start..]);
    words
}

/// Returns what a word means, and which quote is open at its end.
fn unquote(word: &str) -> (String, Quote) {
    let (mut text, mut open) = (String::with_capacity(word.len()), Quote::None);
    let mut letters = word.chars().peekable();
    while let Some(letter) = letters.next() {
        if let Some(next) = open.after(letter) {
            open = next;
            continue;
        }
        let escaped = match (open, letter) {
            (Quote::None, '\\') => letters.next(),
            (Quote::Double, '\\') => letters.next_if(|next| "\"\\$`".contains(*next)),
            _ => None,
        };
        text.push(escaped.unwrap_or(letter));
    }
    (text, open)
}

/// Returns what bash shall put in the place of `part`, the end of the word that is `typed`, so that
/// the word means `value`; none when it cannot begin as it does.
fn write(value: &str, typed: &str, part: &str) -> Option<String> {
    let kept = typed.strip_suffix(part).unwrap_or_default();
    let (head, open) = unquote(kept);
    let rest = value.strip_prefix(&head)?;
    // What stands for the home directory must not be quoted.
    let (home, rest) = match rest.strip_prefix("~/") {
        Some(below) if head.is_empty() && open == Quote::None => ("~/", below),
        _ => ("", rest),
    };
    Some(format!("{home}{}", quote(rest, open)))
}

/// Writes `text` so that it means itself where this quote is open.
fn quote(text: &str, open: Quote) -> String {
    let mut quoted = String::with_capacity(text.len());
    for letter in text.chars() {
        let is_special = match open {
            Quote::None => " !\"#$&'()*,;<>?[\\]^`{|}~".contains(letter),
            Quote::Double => "\"$\\`".contains(letter),
            Quote::Single => false,
        };
        if open == Quote::Single && letter == '\'' {
            quoted.push_str("'\\'");
        } else if is_special {
            quoted.push('\\');
        }
        quoted.push(letter);
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_taken_apart_as_the_shell_does_it() {
        assert_eq!(split("torcctl  logs a:b"), ["torcctl", "logs", "a:b"]);
        assert_eq!(split("torcctl logs "), ["torcctl", "logs", ""]);
        assert_eq!(split("t 'a b' \"c d\" e\\ f g"), ["t", "'a b'", "\"c d\"", "e\\ f", "g"]);
        assert_eq!(split("t \"it's "), ["t", "\"it's "]);
        assert_eq!(split("t 'a\\' b"), ["t", "'a\\'", "b"]);
        assert_eq!(split(""), [""]);
    }

    #[test]
    fn a_word_means_what_it_means_to_the_shell() {
        let meant = |word| unquote(word);
        assert_eq!(meant("a\\ b"), ("a b".to_owned(), Quote::None));
        assert_eq!(meant("'a\\b'c"), ("a\\bc".to_owned(), Quote::None));
        assert_eq!(meant("\"a\\\"b\\n"), ("a\"b\\n".to_owned(), Quote::Double));
        assert_eq!(meant("x'y z"), ("xy z".to_owned(), Quote::Single));
        assert_eq!(meant("a\\"), ("a\\".to_owned(), Quote::None));
    }

    #[test]
    fn what_is_written_means_the_value_in_the_place_of_the_part() {
        for (value, typed, part, written) in [
            ("job 1", "jo", "jo", Some("job\\ 1")),
            ("job 1", "job\\ ", "job\\ ", Some("job\\ 1")),
            ("job 1", "\"jo", "jo", Some("job 1")),
            ("it's", "'i", "i", Some("it'\\''s")),
            ("a\"$b", "\"a", "a", Some("a\\\"\\$b")),
            ("a:b:c", "a:b", "b", Some("b:c")),
            ("a:b:c", "a:", "", Some("b:c")),
            ("--status=failed", "--status=fa", "fa", Some("failed")),
            ("u@host", "u@ho", "@ho", Some("@host")),
            ("x*[1]", "x", "x", Some("x\\*\\[1\\]")),
            ("other", "a:b", "b", None),
            ("~/runs/a b.db", "~/ru", "~/ru", Some("~/runs/a\\ b.db")),
            ("~x", "", "", Some("\\~x")),
        ] {
            assert_eq!(write(value, typed, part).as_deref(), written, "{value} {typed} {part}");
        }
    }

    #[test]
    fn whatever_is_written_reads_back_as_the_value() {
        let nasty = "a b'c\"d$e`f\\g*h?i[j]k{l}m;n&o|p<q>r(s)t!u#v~w:x=y,z^";
        for (open, before, after) in
            [(Quote::None, "", ""), (Quote::Single, "'", "'"), (Quote::Double, "\"", "\"")]
        {
            let line = format!("{before}{}{after}", quote(nasty, open));
            assert_eq!(split(&line).len(), 1, "{line}");
            assert_eq!(unquote(&line), (nasty.to_owned(), Quote::None), "{line}");
        }
    }

    #[test]
    fn a_list_that_is_only_shown_tells_of_its_candidates() {
        let one = CompletionCandidate::new("1").help(Some("night: running".into()));
        let two = CompletionCandidate::new("latest").help(Some("night: running".into()));
        let both = [(&one, "1".to_owned()), (&two, "latest".to_owned())];
        assert_eq!(lines(&both, false), "1\nlatest\n");
        assert_eq!(lines(&both, true), "1       (night: running)\nlatest  (night: running)\n");
        assert_eq!(lines(&both[..1], true), "1\n", "the only one is inserted");
    }
}
