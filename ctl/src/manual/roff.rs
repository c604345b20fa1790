//! Pieces of a page in the language of `man`.

/// Returns a section of terms and what they mean.
pub(super) fn terms(heading: &str, list: impl IntoIterator<Item = (String, String)>) -> String {
    let entry =
        |(term, text): (String, String)| format!(".TP\n\\fB{}\\fR\n{}\n", line(&term), line(&text));
    format!(".SH \"{heading}\"\n{}", list.into_iter().map(entry).collect::<String>())
}

/// Returns a section of paragraphs.
pub(super) fn prose(heading: &str, text: &str) -> String {
    let paragraphs: Vec<_> = text
        .split("\n\n")
        .map(|paragraph| paragraph.lines().map(line).collect::<Vec<_>>().join("\n"))
        .collect();
    format!(".SH \"{heading}\"\n{}\n", paragraphs.join("\n.PP\n"))
}

/// Returns a section of lines that stay as they are.
pub(super) fn verbatim(heading: &str, text: &str) -> String {
    let lines: Vec<_> =
        text.lines().map(|text| line(text.strip_prefix("  ").unwrap_or(text))).collect();
    format!(".SH \"{heading}\"\n.nf\n{}\n.fi\n", lines.join("\n"))
}

/// Writes what is not ASCII in the way that every formatter takes.
pub(super) fn ascii(text: &str) -> String {
    let letters = text.chars().map(|letter| {
        if letter.is_ascii() {
            letter.to_string()
        } else {
            format!("\\[u{:04X}]", u32::from(letter))
        }
    });
    letters.collect()
}

/// Writes a line so that `man` shows the very characters, also when they are copied from there.
fn line(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    if text.starts_with(['.', '\'']) {
        escaped.push_str("\\&");
    }
    for letter in text.chars() {
        match letter {
            '\\' => escaped.push_str("\\(rs"),
            '-' => escaped.push_str("\\-"),
            '\'' => escaped.push_str("\\(aq"),
            '`' => escaped.push_str("\\(ga"),
            '^' => escaped.push_str("\\(ha"),
            '~' => escaped.push_str("\\(ti"),
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_taken_for_a_request() {
        assert_eq!(line(".nf"), "\\&.nf");
        assert_eq!(line("'x'"), "\\&\\(aqx\\(aq");
        assert_eq!(line("a\\b"), "a\\(rsb");
    }
}
