//! Which part of a list is shown.

use torc_tests::torc::Torc;

use crate::read::with_history;
use crate::torc;

fn names(torc: &Torc, args: &[&str]) -> Vec<String> {
    let list = torc.args(args).args(["--columns", "name", "--format", "csv"]).run().expect(0);
    list.stdout.lines().skip(1).map(str::to_owned).collect()
}

#[test]
fn lists_are_filtered_sorted_and_cut() {
    let torc = with_history();
    for (args, expected) in [
        (&["jobs", "list", "first"][..], &["job1", "job2", "job3"][..]),
        (&["jobs", "list"], &["job1"]),
        (&["jobs", "list", "1", "--failed"], &["job2"]),
        (&["jobs", "list", "1", "--status", "completed"], &["job1", "job3"]),
        (&["jobs", "list", "1", "--status", "running,failed"], &["job2"]),
        (&["jobs", "list", "1", "--name", "*[13]"], &["job1", "job3"]),
        (&["jobs", "list", "1", "--reverse", "--limit", "2"], &["job3", "job2"]),
        (&["jobs", "list", "1", "--offset", "1", "--limit", "1"], &["job2"]),
        (&["jobs", "list", "1", "--sort", "status"], &["job1", "job3", "job2"]),
        (&["results", "list", "1", "--return-code", "2"], &["job2"]),
        (&["results", "list", "1", "--failed"], &["job2"]),
        (&["workflows", "list"], &["first", "second"]),
        (&["workflows", "list", "--failed"], &["first"]),
        (&["workflows", "list", "--name", "s*"], &["second"]),
    ] {
        assert_eq!(names(&torc, args), expected, "{args:?}");
    }
}

#[test]
fn the_help_of_a_list_says_by_what_it_can_be_sorted() {
    let torc = torc();
    torc.args(["exec", "-c", "true"]).run().expect(0);
    for noun in ["workflows", "jobs", "results"] {
        let help = torc.args([noun, "list", "--help"]).run().expect(0).stdout;
        let (_, told) = help.split_once("Sort by: ").unwrap();
        let told = told.trim_end().replace('\n', " ");
        torc.args([noun, "list", "--sort", "nosuch"])
            .run()
            .expect_refusal(2, &format!("expected one of {told}\n"));
    }
}
