use torc_protocol::view::{SnapshotFailure, SnapshotPhase};

use super::*;
use crate::commands::running::fixtures::{failed_job, outcome};
use crate::commands::running::outcome::Idle;
use crate::signals::EndSignal;

fn full_disk() -> Saved {
    Saved::Failed(SnapshotFailure {
        path: "/full/torc.db".to_owned(),
        phase: SnapshotPhase::Write,
        errno: Some(28),
        reason: "No space left on device".to_owned(),
        kept: None,
    })
}

#[test]
fn a_run_without_failures_takes_two_lines() {
    let outcome = outcome(WorkflowStatus::Completed);
    insta::assert_snapshot!(text(&outcome, Palette::PLAIN, false), @r"
    200 jobs completed in 12.3 s (workflow 4, night)
    snapshot /w/torc_output/torc.db (1.2 MiB, generation 3)
    ");
    assert_eq!(text(&outcome, Palette::PLAIN, true), "");
}

#[test]
fn failed_commands_are_shown_with_their_last_lines() {
    let mut outcome = outcome(WorkflowStatus::Failed);
    outcome.counts = JobCounts { total: 200, completed: 193, failed: 7, ..JobCounts::default() };
    outcome.failed = (0..5).map(|_| failed_job(&[])).collect();
    outcome.failed[0] = failed_job(&["gzip: foo: No such file", "or directory"]);
    insta::assert_snapshot!(text(&outcome, Palette::PLAIN, false), @r"
    200 jobs: 193 completed, 7 failed in 12.3 s (workflow 4, night)
    job2 failed (exit code 2): gzip -k foo
      | gzip: foo: No such file
      | or directory
    job2 failed (exit code 2): gzip -k foo
    job2 failed (exit code 2): gzip -k foo
    job2 failed (exit code 2): gzip -k foo
    job2 failed (exit code 2): gzip -k foo
    … and 2 more
    snapshot /w/torc_output/torc.db (1.2 MiB, generation 3)
    look further: torcctl results list --failed · torcctl logs job2
    run again only what is needed: torcctl run 4
    ");
    let quiet = text(&outcome, Palette::PLAIN, true);
    assert!(quiet.starts_with("job2 failed") && quiet.ends_with("… and 2 more\n"), "{quiet}");
}

#[test]
fn what_failed_before_and_did_not_run_now_is_told_apart() {
    let mut outcome = outcome(WorkflowStatus::Failed);
    outcome.counts = JobCounts { total: 1, completed: 1, ..JobCounts::default() };
    outcome.failed_before = 1;
    insta::assert_snapshot!(text(&outcome, Palette::PLAIN, false), @r"
    1 job completed in 12.3 s (workflow 4, night)
    1 other job of the workflow has failed before, and did not run now
    snapshot /w/torc_output/torc.db (1.2 MiB, generation 3)
    run again only what is needed: torcctl run 4
    ");
    outcome.failed_before = 2;
    let quiet = text(&outcome, Palette::PLAIN, true);
    let expected = "2 other jobs of the workflow have failed before, and did not run now\n";
    assert_eq!(quiet, expected);
}

#[test]
fn a_snapshot_that_is_not_on_disk_is_said_in_quiet_mode_too() {
    let mut outcome = outcome(WorkflowStatus::Completed);
    outcome.saved = full_disk();
    insta::assert_snapshot!(text(&outcome, Palette::PLAIN, true), @r"
    error: the record of this run is not safe in /full/torc.db: step 'write' failed: No space left on device
    hint: what was there before is untouched; make room or name another place with `--db FILE`, and run again
    ");
}

#[test]
fn the_way_to_look_further_names_the_database() {
    let mut outcome = outcome(WorkflowStatus::Failed);
    outcome.failed = vec![failed_job(&[])];
    outcome.found_by = Some(" --db 'my runs.db'".to_owned());
    let text = text(&outcome, Palette::PLAIN, false);
    assert!(text.ends_with(
        "results list --failed --db 'my runs.db' · torcctl logs job2 --db 'my runs.db'\n\
         run again only what is needed: torcctl run 4 --db 'my runs.db'\n"
    ));
}

#[test]
fn the_way_to_look_further_names_a_workflow_that_was_run_again() {
    let mut outcome = outcome(WorkflowStatus::Failed);
    outcome.failed = vec![failed_job(&[])];
    outcome.is_rerun = true;
    let text = text(&outcome, Palette::PLAIN, false);
    assert!(text.contains("results list --failed -w 4 · torcctl logs job2 -w 4\n"), "{text}");
}

#[test]
fn a_run_that_is_found_nowhere_is_not_pointed_to() {
    let mut outcome = outcome(WorkflowStatus::Failed);
    outcome.failed = vec![failed_job(&[])];
    outcome.found_by = None;
    let text = text(&outcome, Palette::PLAIN, false);
    assert!(!text.contains("look further") && !text.contains("run again"), "{text}");
}

#[test]
fn a_record_that_is_elsewhere_is_pointed_to_with_the_command_that_brings_it_home() {
    let mut outcome = outcome(WorkflowStatus::Completed);
    let Saved::Failed(failure) = full_disk() else { unreachable!() };
    let kept = |path: &str, in_memory| Some(Kept { path: path.to_owned(), in_memory });
    let in_memory = kept("/dev/shm/torc-1/9 a/torc.db", true);
    outcome.saved = Saved::Failed(SnapshotFailure { kept: in_memory.clone(), ..failure.clone() });
    insta::assert_snapshot!(text(&outcome, Palette::PLAIN, true), @r"
    error: the record of this run is not safe in /full/torc.db: step 'write' failed: No space left on device
    it stays in memory, in /dev/shm/torc-1/9 a/torc.db
    hint: `torcctl snapshot recover --db /w/torc_output/torc.db` brings it there when there is room, before this host is rebooted; so does the next run with that database
    ");
    outcome.saved =
        Saved::Failed(SnapshotFailure { kept: kept("/tmp/torc-1/x.db", false), ..failure });
    insta::assert_snapshot!(text(&outcome, Palette::PLAIN, true), @r"
    error: the record of this run is not safe in /full/torc.db: step 'write' failed: No space left on device
    it is saved in /tmp/torc-1/x.db
    hint: `torcctl snapshot recover --db /w/torc_output/torc.db` brings it there when there is room; so does the next run with that database
    ");
    let reason = "torcd was killed".to_owned();
    outcome.saved = Saved::Unknown { reason, rest: Rest::Kept(in_memory.unwrap()) };
    outcome.status = WorkflowStatus::Failed;
    let text = text(&outcome, Palette::PLAIN, false);
    assert!(text.contains("torc.db: torcd was killed\nit stays in memory, in /dev/shm/"), "{text}");
    assert!(!text.contains("run again only what is needed"), "{text}");
    assert_eq!(outcome.exit_code(), 5);
}

#[test]
fn a_record_of_which_nothing_is_known_can_be_looked_for() {
    let mut outcome = outcome(WorkflowStatus::Completed);
    let reason = "you did not wait for it; torcd goes on saving it".to_owned();
    outcome.saved = Saved::Unknown { reason, rest: Rest::Nowhere };
    let text = text(&outcome, Palette::PLAIN, true);
    let list = "`torcctl snapshot list --db /w/torc_output/torc.db` shows what is there now";
    assert!(text.contains(list), "{text}");
}

#[test]
fn a_database_on_disk_whose_torcd_was_killed_has_all_that_was_recorded() {
    let mut outcome = outcome(WorkflowStatus::Completed);
    let reason = "torcd was killed".to_owned();
    outcome.saved = Saved::Unknown { reason, rest: Rest::Database };
    insta::assert_snapshot!(text(&outcome, Palette::PLAIN, true), @r"
    error: the end of this run was not seen to: torcd was killed
    hint: the database /w/torc_output/torc.db has all that was recorded before
    ");
    assert_eq!(outcome.exit_code(), 5);
}

#[test]
fn a_job_that_was_stopped_is_told_with_its_return_code() {
    let mut failed = failed_job(&[]);
    failed.result.status = JobStatus::Terminated;
    failed.result.return_code = Some(152);
    failed.result.reason = "timed out (signal 15)".to_owned();
    let mut outcome = outcome(WorkflowStatus::Failed);
    outcome.failed = vec![failed];
    let text = text(&outcome, Palette::PLAIN, false);
    let expected = "job2 terminated (timed out (signal 15), return code 152): gzip -k foo\n";
    assert!(text.contains(expected), "{text}");
}

#[test]
fn a_workflow_that_is_paused_says_what_is_left_and_how_to_run_it() {
    let mut outcome = outcome(WorkflowStatus::Paused);
    let counts =
        JobCounts { total: 4, completed: 1, ready: 2, disabled: 1, ..JobCounts::default() };
    outcome.counts = counts;
    outcome.left = Some(Left::default());
    let text = text(&outcome, Palette::PLAIN, false);
    assert!(text.starts_with("4 jobs: 1 completed, 1 disabled, 2 left in 12.3 s"), "{text}");
    assert!(text.contains("\nthe workflow is paused: "), "{text}");
    assert!(text.contains("\nhint: `torcctl run 4`\n"), "{text}");
    assert_eq!(outcome.exit_code(), 1);
}

#[test]
fn an_action_that_failed_is_a_warning_and_no_failure() {
    let mut outcome = outcome(WorkflowStatus::Completed);
    let (name, reason) = ("on_workflow_start 1".to_owned(), "exit code 3".to_owned());
    outcome.failed_actions = vec![FailedAction { name, reason }];
    let text = text(&outcome, Palette::PLAIN, true);
    assert_eq!(text, "warning: the action 'on_workflow_start 1' failed: exit code 3\n");
    assert_eq!(outcome.exit_code(), 0);
}

#[test]
fn a_run_that_had_nothing_to_do_says_so_and_is_well() {
    let mut outcome = outcome(WorkflowStatus::Paused);
    outcome.idle = Some(Idle { why: "nothing to do".to_owned(), is_done: true });
    outcome.counts = JobCounts::default();
    let text = text(&outcome, Palette::PLAIN, false);
    assert!(text.starts_with("nothing to do\nsnapshot "), "{text}");
    assert_eq!(outcome.exit_code(), 0);
    outcome.idle = Some(Idle { why: "nothing to do".to_owned(), is_done: false });
    assert_eq!(outcome.exit_code(), 1);
    outcome.saved = full_disk();
    assert_eq!(outcome.exit_code(), 5);
}

#[test]
fn long_commands_are_cut() {
    let mut failed = failed_job(&[]);
    failed.result.command = "ü".repeat(300);
    let mut outcome = outcome(WorkflowStatus::Failed);
    outcome.failed = vec![failed];
    let text = text(&outcome, Palette::PLAIN, false);
    assert!(text.contains(&format!(": {}…\n", "ü".repeat(COMMAND_WIDTH))), "{text}");
}

#[test]
fn the_exit_code_tells_the_worst() {
    let mut outcome = outcome(WorkflowStatus::Completed);
    assert_eq!(outcome.exit_code(), 0);
    outcome.all_shown = false;
    assert_eq!(outcome.exit_code(), 1);
    outcome.status = WorkflowStatus::Failed;
    assert_eq!(outcome.exit_code(), 1);
    outcome.signal = Some(EndSignal::Terminate);
    assert_eq!(outcome.exit_code(), 143);
    outcome.saved = full_disk();
    assert_eq!(outcome.exit_code(), 5);
}
