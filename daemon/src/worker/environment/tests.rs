use std::ffi::CStr;

use bytes::Bytes;
use torc_protocol::id::{AttemptId, AttemptNumber, JobId, WorkflowId};
use torc_protocol::spec::{Environment as Inherited, JobContext, JobSettings};
use torc_protocol::worker::{Recovery, StartExtra};

use super::{Environment, JobEnvironment, WorkflowContext};

fn merged(inherited: &str, added: &[(&str, &str)]) -> Result<Environment, String> {
    let context = JobContext {
        environment: Inherited(Bytes::copy_from_slice(inherited.as_bytes())),
        working_dir: "/".to_owned(),
        output_dir: "/out".to_owned(),
    };
    let added = added.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let settings = JobSettings { environment: added.collect(), ..JobSettings::default() };
    let shared = WorkflowContext { context, socket: "/sock".to_owned() };
    Environment::merge(WorkflowId(7), &shared, &settings)
}

fn strings(environment: &Environment) -> Vec<&str> {
    environment.entries.iter().map(|entry| entry.to_str().unwrap()).collect()
}

const TAIL: [&str; 3] = ["TORC_WORKFLOW_ID=7", "TORC_OUTPUT_DIR=/out", "TORC_SOCKET=/sock"];

#[test]
fn settings_replace_what_is_inherited_and_later_ones_win() {
    let environment = merged("A=1\0B=2\0", &[("A", "x"), ("C", "3"), ("A", "y")]).unwrap();
    assert_eq!(strings(&environment), [&["B=2", "C=3", "A=y"][..], &TAIL].concat());
}

#[test]
fn inherited_torc_variables_are_replaced() {
    let environment = merged("TORC_JOB_ID=1\0TORC_SOCKET=old\0TORC_X=1\0", &[]).unwrap();
    assert_eq!(strings(&environment), [&["TORC_X=1"][..], &TAIL].concat());
}

/// Returns what a job or its recovery script adds.
fn own(environment: &Environment, name: &str, recovery: Option<&Recovery>) -> Vec<String> {
    let attempt = AttemptId { job: JobId(4), number: AttemptNumber(2) };
    let job = JobEnvironment::new(environment, attempt, name, recovery).unwrap();
    let (end, entries) = job.pointers().split_last().unwrap();
    assert!(end.is_null());
    let added = &entries[environment.entries.len()..];
    // SAFETY: the pointers are of C strings that `environment` and `job` own.
    #[expect(unsafe_code, reason = "what execve will read is read here")]
    let strings = added.iter().map(|entry| unsafe { CStr::from_ptr(*entry) });
    strings.map(|entry| entry.to_str().unwrap().to_owned()).collect()
}

#[test]
fn a_job_adds_its_own_variables() {
    let environment = merged("A=1\0", &[]).unwrap();
    let wanted = ["TORC_JOB_ID=4", "TORC_JOB_NAME=j 1", "TORC_ATTEMPT=2"];
    assert_eq!(own(&environment, "j 1", None), wanted);
    let attempt = AttemptId { job: JobId(4), number: AttemptNumber(2) };
    assert!(JobEnvironment::new(&environment, attempt, "a\0b", None).is_err());
}

#[test]
fn a_recovery_script_hears_with_what_code_the_attempt_ended() {
    let environment = merged("TORC_RETURN_CODE=inherited\0", &[]).unwrap();
    let recovery = Recovery { script: "true".to_owned(), return_code: 42 };
    let added = own(&environment, "j", Some(&recovery));
    assert_eq!(added.last().unwrap(), "TORC_RETURN_CODE=42");
    assert_eq!(strings(&environment), TAIL);
}

#[test]
fn a_job_with_its_own_environment_replaces_what_the_lane_has_but_not_ours() {
    let environment = merged("A=1\0PATH=/a\0", &[("B", "2")]).unwrap();
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let added = vec![pair("B", "x"), pair("TORC_SOCKET", "no"), pair("PATH", "/b")];
    let extra = StartExtra { environment: added, ..StartExtra::default() };
    let extended = environment.extended(&extra).unwrap().unwrap();
    assert_eq!(strings(&extended), [&["A=1"][..], &TAIL, &["B=x", "PATH=/b"]].concat());
    assert_eq!(extended.candidates(b"x"), [b"/b/x"]);
    assert!(environment.extended(&StartExtra::default()).unwrap().is_none());
}

#[test]
fn names_and_values_that_cannot_be_passed_are_refused() {
    for (name, value) in [("", "x"), ("A=B", "x"), ("A", "x\0y")] {
        assert!(merged("", &[(name, value)]).is_err(), "{name:?} {value:?}");
    }
}

#[test]
fn programs_are_looked_for_on_the_path_of_the_job() {
    let environment = merged("PATH=/a:/b/::/c\0", &[]).unwrap();
    assert_eq!(environment.candidates(b"x"), [&b"/a/x"[..], b"/b/x", b"x", b"/c/x"]);
    assert_eq!(environment.candidates(b"./x"), [b"./x"]);
    assert_eq!(merged("", &[]).unwrap().candidates(b"x"), [&b"/usr/bin/x"[..], b"/bin/x"]);
}

#[test]
fn exported_functions_and_start_files_of_bash_are_noticed() {
    let environment = merged("BASH_FUNC_module%%=() { :; }\0BASH_ENV=/x\0", &[]).unwrap();
    assert!(environment.has_function("module") && !environment.has_function("mod"));
    assert!(environment.has_bash_env && !merged("", &[]).unwrap().has_bash_env);
}

#[test]
fn there_is_always_a_shell() {
    assert!(merged("PATH=/nowhere\0", &[]).unwrap().shell().starts_with("/bin"));
}
