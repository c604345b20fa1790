//! Help, the manual, and what is said of a mistake on the command line.

use std::fs;

use crate::torc;

#[test]
fn help_is_the_same_before_and_after_a_command() {
    let torc = torc();
    for (before, after) in [
        (["help"].as_slice(), ["--help"].as_slice()),
        (&["help", "exec"], &["exec", "--help"]),
        (&["help", "jobs", "ls"], &["jobs", "list", "--help"]),
    ] {
        let before = torc.args(before).run().expect(0).stdout;
        assert!(before.contains("Examples:\n  torcctl "), "{before}");
        assert_eq!(before, torc.args(after).run().expect(0).stdout);
    }
    let refused = torc.args(["help", "jobs", "lst"]).run().expect_refusal(2, "no command 'lst'");
    assert!(refused.stderr.ends_with("hint: did you mean `torcctl jobs list`?\n"), "{refused}");
}

#[test]
fn a_mistake_is_answered_with_what_was_meant() {
    let torc = torc();
    for (line, meant) in [
        ("exce", "did you mean `torcctl exec`?"),
        ("exce -c true -j 2", "did you mean `torcctl exec`?"),
        ("job list", "did you mean `torcctl jobs list`?"),
        ("daemon strat", "did you mean `torcctl daemon start`?"),
        ("--formt json status", "did you mean `--format`?"),
        ("jobs list --json", "did you mean `--format json`?"),
        ("ps", "did you mean `torcctl jobs list --status running`?"),
        ("list", "did you mean `torcctl workflows list`?"),
        ("kill 3", "did you mean `torcctl cancel`?"),
        ("rm 3", "did you mean `torcctl workflows delete`?"),
        ("start", "did you mean `torcctl daemon start`?"),
        ("stop", "did you mean `torcctl cancel` or `torcctl daemon stop`?"),
        ("log job1", "did you mean `torcctl logs`?"),
        ("queue", "did you mean `torcctl jobs list`?"),
        ("nonsense", "`torcctl --help` lists those that there are"),
        ("status --format jsn", "did you mean `json`? it is one of table, json, ndjson, csv"),
        ("logs", "`torcctl logs --help` shows what it takes"),
    ] {
        let refused = torc.args(line.split(' ')).run().expect(2);
        let (error, hint) = refused.stderr.split_once("\nhint: ").unwrap_or(("", ""));
        assert!(error.starts_with("error: ") && !error.contains('\n'), "{line}: {refused}");
        assert!(hint.starts_with(meant), "{line}: {refused}");
        assert_eq!(refused.stdout, "");
    }
}

#[test]
fn the_manual_has_a_page_for_every_command() {
    let torc = torc();
    let said = torc.args(["man", "pages"]).run().expect(0).stderr;
    let pages = |section: &str| -> Vec<String> {
        let entries = fs::read_dir(torc.path("pages").join(section)).expect("it was made");
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    let (commands, files) = (pages("man1"), pages("man5"));
    for name in ["torcctl.1", "torcctl-exec.1", "torcctl-jobs-list.1", "torcd.1"] {
        assert!(commands.iter().any(|page| page == name), "{commands:?}");
    }
    assert_eq!(files, ["torc.toml.5"]);
    assert_eq!(said, format!("{} pages in pages\n", commands.len() + files.len()));
    let page = |name: &str| fs::read_to_string(torc.path("pages").join(name)).unwrap();
    let names: Vec<_> = commands.iter().map(|name| format!("man1/{name}")).collect();
    for name in names.iter().chain(&["man5/torc.toml.5".to_owned()]) {
        let page = page(name);
        assert!(page.starts_with(".TH \"") && page.is_ascii(), "{name}: {page}");
        let references = page.split([' ', ',', '\n']).filter(|word| word.ends_with("(1)"));
        for reference in references {
            let file = reference.replace("\\-", "-").replace("\\fR", "").replace("(1)", ".1");
            assert!(commands.contains(&file.replace("\\fB", "")), "{name} names {reference}");
        }
    }
    assert!(page("man1/torcd.1").contains("SIGUSR2"));
    torc.args(["man", "/proc/none"]).run().expect_refusal(1, "cannot write /proc/none");
}

#[test]
fn the_pages_of_a_package_are_of_the_day_that_it_is_told() {
    let torc = torc();
    torc.args(["man", "pages"]).env("SOURCE_DATE_EPOCH", "86400").run().expect(0);
    for name in ["man1/torcctl.1", "man1/torcd.1", "man5/torc.toml.5"] {
        let page = fs::read_to_string(torc.path("pages").join(name)).unwrap();
        assert!(page.lines().next().unwrap().contains("\"1970-01-02\""), "{name}");
    }
}
