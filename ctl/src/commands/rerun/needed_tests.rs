use torc_protocol::id::JobId;

use super::*;
use crate::commands::rerun::record::Job;
use crate::commands::rerun::record::tests::Script;

/// Finds what is needed when `files` are there, with these sizes; each reason in words.
fn reasons(script: Script, files: &[(&str, u64)], changed: &[u32]) -> Vec<String> {
    let record = script.record();
    let needed = needed(&record, &stamps(&record, files), changed);
    let name = |job: u32| record.jobs[job as usize].name.as_str();
    let path = |path: u32| record.paths[path as usize].as_str();
    let mut lines = Vec::new();
    for (job, reason) in record.jobs.iter().zip(&needed.reasons) {
        let text = match reason {
            None => continue,
            Some(Reason::NotComplete) => "not complete".to_owned(),
            Some(Reason::CanceledWith(on)) => format!("canceled with {}", name(*on)),
            Some(Reason::CommandChanged) => "command".to_owned(),
            Some(Reason::OutputMissing(file)) => format!("no {}", path(*file)),
            Some(Reason::InputChanged(file)) => format!("changed {}", path(*file)),
            Some(Reason::InputAppeared(file)) => format!("new {}", path(*file)),
            Some(Reason::DependsOn(on)) => format!("on {}", name(*on)),
        };
        lines.push(format!("{}: {text}", job.name));
    }
    lines
}

fn stamps(record: &Record, files: &[(&str, u64)]) -> Vec<Option<FileStamp>> {
    let stamp = |path: &String| {
        let found = files.iter().find(|(name, _)| name == path);
        found.map(|(_, bytes)| FileStamp { modified: 0, bytes: *bytes })
    };
    record.paths.iter().map(stamp).collect()
}

#[test]
fn what_is_complete_and_unchanged_is_not_needed() {
    let script = Script::graph("a -> b").reads("a", "in", Some(5)).writes("a", "out").reads(
        "b",
        "out",
        Some(1),
    );
    assert_eq!(reasons(script, &[("in", 5), ("out", 1)], &[]), [""; 0]);
}

#[test]
fn what_did_not_complete_and_all_downstream_of_it_is_needed() {
    let script = Script::graph("a -> b -> c, x -> c, x -> y")
        .status("b", JobStatus::Failed, Some(2))
        .status("c", JobStatus::Canceled, None);
    assert_eq!(reasons(script, &[], &[]), ["b: not complete", "c: canceled with b"]);
}

#[test]
fn a_change_is_followed_through_jobs_that_completed() {
    let script = Script::graph("a -> b -> c, a -> d, e").reads("a", "in", Some(5));
    let found = reasons(script, &[("in", 6)], &[]);
    assert_eq!(found, ["a: changed in", "b: on a", "c: on b", "d: on a"]);
}

#[test]
fn an_output_that_is_missing_is_made_again() {
    let script = Script::graph("a -> b -> c").writes("b", "out").reads("c", "out", Some(1));
    assert_eq!(reasons(script, &[], &[]), ["b: no out", "c: on b"]);
}

#[test]
fn an_input_that_was_not_there_when_the_job_ran_and_is_now_counts_as_changed() {
    let script = || Script::graph("a").reads("a", "extra", None);
    assert_eq!(reasons(script(), &[("extra", 0)], &[]), ["a: new extra"]);
    assert_eq!(reasons(script(), &[], &[]), [""; 0]);
}

#[test]
fn a_file_that_a_job_updates_in_place_is_compared_with_what_it_left() {
    let script = || Script::graph("a").reads("a", "db", Some(5)).writes("a", "db");
    assert_eq!(reasons(script(), &[("db", 1)], &[]), [""; 0]);
    assert_eq!(reasons(script(), &[("db", 7)], &[]), ["a: changed db"]);
    // What it has made is undone.
    assert_eq!(reasons(script(), &[("db", 5)], &[]), ["a: changed db"]);
    let made = Script::graph("a").reads("a", "cache", None).writes("a", "cache");
    assert_eq!(reasons(made, &[("cache", 1)], &[]), [""; 0]);
}

#[test]
fn a_file_that_a_job_downstream_writes_is_compared_with_what_that_left() {
    // In the record the writer stands first: the order of the graph counts.
    let script = || {
        Script::graph("w, a -> b -> w").reads("a", "db", Some(5)).writes("w", "db").reads(
            "b",
            "db",
            Some(5),
        )
    };
    assert_eq!(reasons(script(), &[("db", 1)], &[]), [""; 0]);
    let found = reasons(script(), &[("db", 7)], &[]);
    assert_eq!(found, ["w: on b", "a: changed db", "b: changed db"]);
}

#[test]
fn what_a_job_upstream_has_written_since_is_a_change() {
    let script = Script::graph("w -> a").writes("w", "x").reads("a", "x", Some(5));
    assert_eq!(reasons(script, &[("x", 1)], &[]), ["a: changed x"]);
}

#[test]
fn another_command_is_a_reason_that_spreads() {
    assert_eq!(reasons(Script::graph("a -> b"), &[], &[0]), ["a: command", "b: on a"]);
}

#[test]
fn disabled_jobs_stay_out_and_so_does_what_only_they_lead_to() {
    let script = Script::graph("a -> off -> c").status("a", JobStatus::Failed, Some(1)).status(
        "off",
        JobStatus::Disabled,
        None,
    );
    assert_eq!(reasons(script, &[], &[]), ["a: not complete"]);
}

#[test]
fn an_input_that_is_gone_is_no_reason_but_is_told_of_once() {
    let script = Script::graph("a, b")
        .reads("a", "raw", Some(5))
        .reads("b", "raw", Some(5))
        .reads("b", "never", None);
    let record = script.record();
    let found = needed(&record, &stamps(&record, &[]), &[]);
    assert_eq!(found, Needed { reasons: vec![None, None], gone: vec![(0, 0)] });
}

#[test]
fn an_input_that_another_job_writes_is_not_gone() {
    let script = Script::graph("a -> b").writes("a", "mid").reads("b", "mid", Some(1));
    let record = script.record();
    assert_eq!(needed(&record, &[None], &[]).gone, []);
}

#[test]
fn a_chain_of_a_hundred_thousand_is_walked_without_recursion() {
    let mut record = Script::graph("job0").status("job0", JobStatus::Failed, Some(1)).record();
    for place in 1..100_000_u32 {
        record.dependents[place as usize - 1] = vec![place];
        record.dependents.push(Vec::new());
        record.jobs.push(Job {
            id: JobId(u64::from(place)),
            name: String::new(),
            command: String::new(),
            status: JobStatus::Completed,
            return_code: Some(0),
            reason: None,
        });
    }
    let found = needed(&record, &[], &[]);
    assert_eq!(found.reasons[99_999], Some(Reason::DependsOn(99_998)));
    assert_eq!(found.reasons.iter().flatten().count(), 100_000);
}
