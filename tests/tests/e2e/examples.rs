//! The examples in `contrib/examples`, as users run them.

use std::fs;
use std::path::Path;

use torc_tests::source::workspace;
use torc_tests::torc::Torc;

use crate::torc;

/// Copies a directory of examples into the working directory.
fn copy(torc: &Torc, from: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            fs::copy(entry.path(), torc.path(&entry.file_name().to_string_lossy())).unwrap();
        }
    }
}

#[test]
fn every_example_completes() {
    let examples = workspace().join("contrib/examples");
    let mut count = 0;
    for entry in fs::read_dir(&examples).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            continue;
        }
        count += 1;
        let torc = torc();
        copy(&torc, &examples);
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        torc.args(["run", &name]).run().expect(0);
    }
    assert!(count >= 4, "only {count} examples");
}

#[test]
fn the_stations_give_a_table_and_a_chart_and_only_what_is_needed_runs_again() {
    let torc = torc();
    copy(&torc, &workspace().join("contrib/examples/stations"));
    torc.args(["run", "stations.yaml"]).run().expect(0).says("23 jobs completed");
    let report = torc.contents_of("work/report.txt");
    assert_eq!(report.lines().count(), 13, "{report}");
    assert!(torc.contents_of("work/chart.svg").ends_with("</svg>\n"));
    fs::write(torc.path("work/clean/coast.txt"), "1 5.0\n2 6.0\n").unwrap();
    let plan = torc.args(["run", "latest", "--dry-run", "--format", "json"]).run().expect(0).json();
    let names: Vec<&str> =
        plan.as_array().unwrap().iter().map(|job| job["name"].as_str().unwrap()).collect();
    let expected =
        ["smooth_coast_3", "smooth_coast_7", "smooth_coast_30", "summarize", "report", "chart"];
    assert_eq!(names, expected);
}
