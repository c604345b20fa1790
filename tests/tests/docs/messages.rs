//! The messages that `docs/troubleshooting.md` explains are messages of ours.

use torc_tests::source::sources;

use crate::page::Page;

/// Returns the texts in a source, without those of its tests, with `…` for what is filled in.
fn texts(source: &str) -> Vec<String> {
    let code = source.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = joined(code);
    lines
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| {
            let pieces = line.replace("\\\"", "\u{0}");
            pieces.split('"').skip(1).step_by(2).map(filled).collect::<Vec<_>>()
        })
        .collect()
}

/// Joins the lines of texts that go on after a `\`.
fn joined(code: &str) -> String {
    let mut parts = code.split("\\\n");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |joined, part| joined + part.trim_start())
}

/// Puts `…` in place of what is filled in.
fn filled(text: &str) -> String {
    let text = text.replace('\u{0}', "\"").replace("{{", "\u{1}").replace("}}", "\u{2}");
    let mut parts = text.split('{');
    let first = parts.next().unwrap_or_default().to_owned();
    let all = parts
        .fold(first, |all, part| all + "…" + part.split_once('}').map_or("", |(_, rest)| rest));
    all.replace('\u{1}', "{").replace('\u{2}', "}")
}

/// Returns the messages of the page: the headings of the third level.
fn messages(page: &Page) -> Vec<String> {
    page.prose()
        .filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`'))
        .map(|message| message.trim_matches(['…', ' ']).to_owned())
        .collect()
}

#[test]
fn every_message_is_one_of_ours() {
    let page = Page::named("docs/troubleshooting.md");
    let all = ["protocol/src", "daemon/src", "ctl/src"].into_iter().flat_map(sources);
    let texts: Vec<_> = all.flat_map(|source| texts(&source.text)).collect();
    let messages = messages(&page);
    assert!(messages.len() > 40, "only {} messages are found", messages.len());
    let headings = page.prose().filter(|line| line.starts_with("### ")).count();
    assert_eq!(headings, messages.len(), "a heading of the third level is not a message");
    for message in messages {
        let is_ours = texts.iter().any(|text| text.contains(&message));
        assert!(is_ours, "docs/troubleshooting.md: nothing says: {message}");
    }
}

#[test]
fn a_text_is_found_however_it_is_written() {
    let source = "a(\"one {x} two {}\"); b(\"say \\\"{y:?}\\\"\"); // \"no\n// \"not this\"\n\
                  c(\"a long \\\n      {one}, and {{so}} on\");\n#[cfg(test)]\nd(\"only in a test\");";
    assert_eq!(texts(source), ["one … two …", "say \"…\"", "no", "a long …, and {so} on"]);
}
