use std::ffi::CStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use torc_protocol::id::{AttemptId, AttemptNumber, JobId, WorkflowId};
use torc_protocol::spec::{Environment as Inherited, JobContext};
use torc_protocol::worker::{Recovery, StartExtra};

use super::{Environment, JobEnvironment, WorkflowContext};

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

fn merged(inherited: &str, added: &[(&str, &str)]) -> Result<Arc<Environment>, String> {
    let context = JobContext {
        environment: Inherited(Bytes::copy_from_slice(inherited.as_bytes())),
        working_dir: "/".to_owned(),
        output_dir: "/out".to_owned(),
    };
    let added: Vec<_> = added.iter().map(|(name, value)| pair(name, value)).collect();
    let shared = WorkflowContext::new(WorkflowId(7), context, "/sock");
    shared.environment.unwrap().with(&added)
}

fn strings(environment: &Environment) -> Vec<&str> {
    environment.entries.iter().map(|entry| entry.to_str().unwrap()).collect()
}

const OURS: [&str; 3] = ["TORC_WORKFLOW_ID=7", "TORC_OUTPUT_DIR=/out", "TORC_SOCKET=/sock"];

#[test]
fn settings_replace_what_is_inherited_and_later_ones_win() {
    let environment = merged("A=1\0B=2\0", &[("A", "x"), ("C", "3"), ("A", "y")]).unwrap();
    assert_eq!(strings(&environment), [&["B=2"][..], &OURS, &["C=3", "A=y"]].concat());
}

#[test]
fn inherited_torc_variables_are_replaced() {
    let environment = merged("TORC_JOB_ID=1\0TORC_SOCKET=old\0TORC_X=1\0", &[]).unwrap();
    assert_eq!(strings(&environment), [&["TORC_X=1"][..], &OURS].concat());
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
    let wanted = ["TORC_JOB_ID=4", "TORC_JOB_NAME=j 1", "TORC_ATTEMPT=2", "TORC_ATTEMPT_ID=2"];
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
    assert_eq!(strings(&environment), OURS);
}

#[test]
fn a_job_with_its_own_environment_replaces_what_the_lane_has_but_not_ours() {
    let environment = merged("A=1\0PATH=/a\0", &[("B", "2")]).unwrap();
    let added = vec![pair("B", "x"), pair("TORC_SOCKET", "no"), pair("PATH", "/b")];
    let extra = StartExtra { environment: added, ..StartExtra::default() };
    let own = environment.for_job(Some(&extra)).unwrap();
    assert_eq!(strings(&own), [&["A=1"][..], &OURS, &["B=x", "PATH=/b"]].concat());
    assert_eq!(own.candidates(b"x"), [b"/b/x"]);
    for extra in [None, Some(&StartExtra::default())] {
        assert!(Arc::ptr_eq(&environment, &environment.for_job(extra).unwrap()));
    }
}

#[test]
fn a_job_with_gpus_has_a_list_of_its_own() {
    let environment = merged("A=1\0CUDA_VISIBLE_DEVICES=0\0", &[]).unwrap();
    let added = vec![pair("CUDA_VISIBLE_DEVICES", "7"), pair("B", "2")];
    let extra =
        StartExtra { environment: added, gpus: vec!["3".to_owned()], ..StartExtra::default() };
    let own = environment.for_job(Some(&extra)).unwrap();
    let given = ["B=2", "CUDA_VISIBLE_DEVICES=3", "HIP_VISIBLE_DEVICES=3", "TORC_GPUS=3"];
    assert_eq!(strings(&own), [&["A=1"][..], &OURS, &given].concat());
}

#[test]
fn a_hundred_thousand_variables_are_merged_at_once() {
    const COUNT: usize = 100_000;
    let inherited: String = (0..COUNT).map(|n| format!("V{n}=old\0")).collect();
    let environment = merged(&inherited, &[]).unwrap();
    let added: Vec<_> = (0..COUNT).map(|n| pair(&format!("V{n}"), "new")).collect();
    let begun = Instant::now();
    let own = environment.with(&added).unwrap();
    // In proportion to the square of the count, this takes minutes.
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert_eq!(own.entries.len(), COUNT + OURS.len());
    assert_eq!(own.entries.last().unwrap().to_bytes(), b"V99999=new");
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
fn the_shell_is_looked_for_once_for_each_path() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    let bash = directory.path().join("bash");
    fs::write(&bash, "").unwrap();
    fs::set_permissions(&bash, fs::Permissions::from_mode(0o755)).unwrap();
    let environment = merged(&format!("PATH={path}\0"), &[]).unwrap();
    assert_eq!(environment.shell(), bash);
    fs::remove_file(&bash).unwrap();
    let with = |name, value| environment.with(&[pair(name, value)]).unwrap().shell().to_owned();
    assert_eq!(with("A", "1"), bash);
    assert_eq!(with("PATH", path), bash);
    assert_ne!(with("PATH", &format!("{path}:{path}")), bash);
}

#[test]
fn there_is_always_a_shell() {
    assert!(merged("PATH=/nowhere\0", &[]).unwrap().shell().starts_with("/bin"));
}
