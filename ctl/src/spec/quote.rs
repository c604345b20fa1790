//! Argument vectors as people would type them.

use std::borrow::Cow;

/// Returns `argv` as one line that a POSIX shell splits into the same words.
#[must_use]
pub fn shell_line(argv: &[String]) -> String {
    argv.iter().map(|word| shell_word(word)).collect::<Vec<_>>().join(" ")
}

/// Returns `word` quoted for a POSIX shell, if it has to be.
#[must_use]
pub fn shell_word(word: &str) -> Cow<'_, str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./:=,+@%^".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        return Cow::Borrowed(word);
    }
    Cow::Owned(format!("'{}'", word.replace('\'', r"'\''")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_shell_would_change_is_quoted() {
        let argv = ["gzip", "-k", "a b.csv", "it's", "", "$HOME"].map(str::to_owned);
        assert_eq!(shell_line(&argv), r"gzip -k 'a b.csv' 'it'\''s' '' '$HOME'");
    }
}
