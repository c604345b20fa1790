//! What only some jobs have: an environment, GPUs, a script around the command.

use torc_protocol::spec::{Command, JobSettings};
use torc_protocol::worker::StartExtra;

use crate::harness::{Worker, text};

fn pairs(variables: &[(&str, &str)]) -> Vec<(String, String)> {
    variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn the_environment_of_a_job_is_over_that_of_its_lane_and_of_no_other_job() {
    let mut worker = Worker::plain();
    worker.set_environment(b"PATH=/usr/bin:/bin\0A=inherited\0");
    let environment = pairs(&[("A", "lane"), ("B", "lane")]);
    worker.lane(1, JobSettings { environment, ..JobSettings::default() });
    let environment = pairs(&[("B", "job"), ("TORC_ATTEMPT", "no")]);
    let extra = StartExtra { environment, ..StartExtra::default() };
    let line = "echo $A $B $TORC_ATTEMPT";
    assert_eq!(text(&worker.run_extra(line, extra).stdout), "lane job 1\n");
    assert_eq!(text(&worker.run(line).stdout), "lane lane 1\n");
}

#[test]
fn programs_are_looked_for_on_the_path_of_the_job_itself() {
    let mut worker = Worker::plain();
    let extra = StartExtra { environment: pairs(&[("PATH", "/nowhere")]), ..StartExtra::default() };
    assert_eq!(worker.run_extra("env", extra).return_code(), 127);
}

#[test]
fn a_variable_that_cannot_be_passed_on_is_refused_in_words() {
    let mut worker = Worker::plain();
    let extra = StartExtra { environment: pairs(&[("A=B", "x")]), ..StartExtra::default() };
    let result = worker.run_extra("true", extra);
    assert_eq!(result.return_code(), 125);
    assert!(result.reason().contains("A=B"), "{}", result.reason());
}

#[test]
fn a_job_sees_the_gpus_that_it_was_given_and_one_without_what_it_inherits() {
    let mut worker = Worker::plain();
    worker.set_environment(b"PATH=/usr/bin:/bin\0CUDA_VISIBLE_DEVICES=0,1,2,3\0");
    worker.lane(1, JobSettings::default());
    let line = "echo $CUDA_VISIBLE_DEVICES:$HIP_VISIBLE_DEVICES:$TORC_GPUS";
    let gpus = vec!["1".to_owned(), "3".to_owned()];
    let extra = StartExtra { gpus, ..StartExtra::default() };
    assert_eq!(text(&worker.run_extra(line, extra).stdout), "1,3:1,3:1,3\n");
    assert_eq!(text(&worker.run(line).stdout), "0,1,2,3::\n");
}

#[test]
fn a_script_runs_the_command_which_is_its_arguments() {
    let mut worker = Worker::plain();
    let extra = |script: &str| StartExtra {
        invocation_script: Some(script.to_owned()),
        ..StartExtra::default()
    };
    let result = worker.run_extra("a 'b c'", extra("printf '<%s>'"));
    assert_eq!(text(&result.stdout), "<a><b c>");
    let result = worker.run_extra("echo $X; exit 3", extra("export X=1;"));
    assert_eq!((text(&result.stdout).as_str(), result.return_code()), ("1\n", 3));
    let words = ["printf", "[%s]", "it's", "$HOME", ""].map(str::to_owned).to_vec();
    worker.start_extra(1, Command::Argv(words), extra("env -u X"));
    assert_eq!(text(&worker.finished(1).stdout), "[it's][$HOME][]");
}
