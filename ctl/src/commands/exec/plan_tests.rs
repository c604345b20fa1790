use super::*;

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn plan(input: InputArgs) -> Result<Plan, CliError> {
    let job = JobArgs { cpus: 1, ..JobArgs::default() };
    Plan::new(input, &WorkflowArgs::default(), &PaceArgs::default(), &job)
}

fn refusal(input: InputArgs) -> String {
    let error = plan(input).unwrap_err();
    assert_eq!(error.exit_code(), crate::exit_code::USAGE);
    error.to_string()
}

#[test]
fn stray_words_are_answered_with_the_command_that_was_meant() {
    let stray = |stray: &[&str]| InputArgs { words: words(stray), ..InputArgs::default() };
    assert_eq!(
        refusal(stray(&["echo", "a b"])),
        "error: unexpected word 'echo'\nhint: did you mean `torcctl exec -- echo 'a b'`?"
    );
    assert_eq!(
        refusal(stray(&["dir/flow.yaml"])),
        "error: 'dir/flow.yaml' is a workflow file, and `exec` takes commands\n\
         hint: did you mean `torcctl run dir/flow.yaml`?"
    );
    let after = InputArgs { commands: words(&["echo"]), ..stray(&["hi"]) };
    assert_eq!(
        refusal(after),
        "error: unexpected word 'hi'\nhint: a command is one word to the shell: `-c 'echo hi'`"
    );
}

#[test]
fn a_file_of_commands_given_as_a_word_is_recognised() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    let input = InputArgs { words: words(&[path]), ..InputArgs::default() };
    assert!(refusal(input).ends_with(&format!("did you mean `torcctl exec -C {path}`?")));
}

#[test]
fn words_after_the_dashes_stand_alone() {
    let input = InputArgs {
        commands: words(&["x"]),
        argv: words(&["echo", "it's"]),
        ..InputArgs::default()
    };
    assert!(
        refusal(input).starts_with("error: `-- CMD` cannot be used together with `-c` or `-C`")
    );
}

#[test]
fn nothing_to_run_is_an_error_with_a_remedy() {
    assert!(
        refusal(InputArgs::default()).starts_with("error: nothing to run\nhint: give commands")
    );
}

#[test]
fn a_run_without_a_name_has_that_of_its_time_unless_it_resumes() {
    let input = || InputArgs { commands: words(&["true"]), ..InputArgs::default() };
    assert!(plan(input()).unwrap().spec.name.starts_with("exec_20"));
    assert_eq!(default_name(true), "exec");
}

#[test]
fn jobs_that_are_skipped_leave_the_names_of_the_others() {
    let input = InputArgs { commands: words(&["a", "b", "c"]), ..InputArgs::default() };
    let mut plan = plan(input).unwrap();
    plan.skipped = vec![true, false, true];
    let names: Vec<_> = plan.jobs().map(|job| job.name).collect();
    assert_eq!(names, ["job2"]);
}

#[test]
fn each_job_has_what_was_asked_for_it() {
    let job = JobArgs {
        cpus: 2,
        gpus: 1,
        retries: 3,
        memory: Some("1g".parse().unwrap()),
        ..JobArgs::default()
    };
    let settings = settings(&job).unwrap();
    assert_eq!((settings.cpus, settings.memory, settings.gpus), (2, Some(1 << 30), 1));
    let rule = settings.retry_rule(7).unwrap();
    assert_eq!((rule.max_retries, &rule.recovery_script), (3, &None));
}

#[test]
fn output_goes_where_it_was_asked_to_go() {
    let input = || InputArgs { commands: words(&["true"]), ..InputArgs::default() };
    let mut first = plan(input()).unwrap();
    first.set_stdio(StdioMode::Separate);
    assert_eq!(first.spec.settings[0].stdio, StdioMode::Separate);
    let mut second = plan(input()).unwrap();
    second.stdio = Some(StdioMode::None);
    second.set_stdio(StdioMode::Separate);
    assert_eq!(second.spec.settings[0].stdio, StdioMode::None);
}

#[test]
fn parameters_that_cannot_be_zipped_have_a_remedy_of_their_own() {
    let input = InputArgs {
        commands: words(&["{a}{b}"]),
        parameters: words(&["a=1:3", "b=[x,y]"]),
        link: Link::Zip,
        ..InputArgs::default()
    };
    let refusal = refusal(input);
    assert!(refusal.contains("hint: give each as many values"), "{refusal}");
}
