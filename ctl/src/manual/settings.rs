//! The settings: the page of their file, `torc.toml(5)`, and their variables.

use torc_protocol::config::key::{SETTINGS, Setting};

use crate::manual::roff::{prose, terms, verbatim};

const ABOUT: &str = "\
Settings of torcd and torcctl that are the same every time. Each can also be set by a variable of the
environment or by a flag. A flag goes before the environment, that before the file of the project, that
before the file of the user, and that before the file of the host; `torcctl config show` tells what counts,
and where it is set.

A file that is wrong is an error that names the line. The file of a project is only read when it is
yours or root's, and nobody else can write it; torcd reads none.";

const EXAMPLE: &str = "\
[snapshot]
keep = 10
interval_seconds = 600

[exec]
max_parallel_jobs = 8";

const FILES: [(&str, &str); 3] = [
    ("/etc/torc/torc.toml", "Of the host."),
    ("~/.config/torc/torc.toml", "Of the user; below $XDG_CONFIG_HOME where that is set."),
    ("torc.toml", "Of the project: in the working directory or the nearest above it."),
];

/// Returns the body of the page.
pub(super) fn page() -> String {
    let owned = |(term, text): (&str, &str)| (term.to_owned(), text.to_owned());
    let mut page = prose("NAME", "torc.toml - settings of torcd and torcctl").replace("\\-", "-");
    page = page.replace("torc.toml - ", "torc.toml \\- ");
    page.push_str(&prose("DESCRIPTION", ABOUT));
    page.push_str(&terms("SETTINGS", SETTINGS.iter().map(told)));
    page.push_str(&verbatim("EXAMPLES", EXAMPLE));
    page.push_str(&terms("FILES", FILES.map(owned)));
    page.push_str(&prose("SEE ALSO", "torcctl-config-show(1), torcctl(1), torcd(1)"));
    page
}

fn told(setting: &Setting) -> (String, String) {
    let Setting { name, variable, flag, meaning, default, .. } = setting;
    (
        (*name).to_owned(),
        format!(
            "{}. Variable {variable}, flag {flag}; not set, it is {default}.",
            capital(meaning)
        ),
    )
}

/// Returns the variables, and what they set.
pub(super) fn variables() -> impl Iterator<Item = (String, String)> {
    SETTINGS.iter().map(|setting| {
        let text = format!("As the flag {}: {}.", setting.flag, setting.meaning);
        (setting.variable.to_owned(), text)
    })
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_every_setting_and_an_example_that_is_right() {
        let page = page();
        for setting in &SETTINGS {
            assert!(page.contains(setting.name), "{}", setting.name);
        }
        let mut table = "";
        for line in EXAMPLE.lines().filter(|line| !line.is_empty()) {
            match line.trim_matches(['[', ']']) {
                inner if inner != line => table = inner,
                _ => {
                    let key = line.split(" = ").next().unwrap();
                    let name = format!("{table}.{key}");
                    assert!(SETTINGS.iter().any(|setting| setting.name == name), "{name}");
                }
            }
        }
    }
}
