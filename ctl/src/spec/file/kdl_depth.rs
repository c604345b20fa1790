//! Finds KDL that is nested too deeply before its parser, which recurses, does.

use super::super::file::node::MAX_DEPTH;

/// Returns where `text` becomes too deep, if it does.
///
/// It knows as much of KDL as it takes not to count braces in text and comments. Of text that is
/// no KDL it may take one for the other; the parser has the last word on it.
pub(super) fn depth_violation(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut at, mut depth, mut comments) = (0, 0_usize, 0_usize);
    while at < bytes.len() {
        let rest = &bytes[at..];
        if rest.starts_with(b"/*") {
            comments += 1;
            if comments > MAX_DEPTH {
                return Some(at);
            }
            at += 2;
        } else if comments > 0 {
            let ends = rest.starts_with(b"*/");
            comments -= usize::from(ends);
            at += 1 + usize::from(ends);
        } else if rest.starts_with(b"//") {
            at += line_length(rest);
        } else if rest[0] == b'"' || (rest[0] == b'#' && is_raw(rest)) {
            at += text_length(rest);
        } else {
            match rest[0] {
                b'{' | b'(' => depth += 1,
                b'}' | b')' => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth > MAX_DEPTH {
                return Some(at);
            }
            at += 1;
        }
    }
    None
}

fn line_length(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len())
}

fn is_raw(bytes: &[u8]) -> bool {
    bytes.iter().find(|byte| **byte != b'#') == Some(&b'"')
}

/// Returns the length of the quoted text that `bytes` begin with.
fn text_length(bytes: &[u8]) -> usize {
    let hashes = bytes.iter().take_while(|byte| **byte == b'#').count();
    let quotes = if bytes[hashes..].starts_with(b"\"\"\"") { 3 } else { 1 };
    let mut end = vec![b'"'; quotes];
    end.resize(quotes + hashes, b'#');
    let mut at = hashes + quotes;
    while at < bytes.len() {
        if bytes[at..].starts_with(&end) {
            return at + end.len();
        }
        at += if hashes == 0 && bytes[at] == b'\\' { 2 } else { 1 };
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deep_nesting_is_found_where_it_becomes_too_deep() {
        let deep = "a {".repeat(MAX_DEPTH + 1);
        assert_eq!(depth_violation(&deep), Some(3 * MAX_DEPTH + 2));
        assert_eq!(depth_violation(&"a {}\n".repeat(1000)), None);
        let comment = "/*".repeat(MAX_DEPTH + 1);
        assert_eq!(depth_violation(&comment), Some(2 * MAX_DEPTH));
    }

    #[test]
    fn braces_in_text_and_comments_do_not_count() {
        let braces = "{".repeat(1000);
        for text in [
            format!("a \"{braces}\\\"{braces}\""),
            format!("a #\"{braces}\"{braces}\"#"),
            format!("a \"\"\"\n{braces}\"{braces}\n\"\"\""),
            format!("// {braces}\na"),
            format!("/* {braces} */ a"),
        ] {
            assert_eq!(depth_violation(&text), None, "{text}");
        }
    }
}
