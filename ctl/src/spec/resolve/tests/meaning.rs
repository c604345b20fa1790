//! What correct files mean.

use std::fs;

use torc_protocol::spec::StdioMode;
use torc_protocol::time::Span;

use super::{depends_on, job, names, workflow};
use crate::spec::resolved::{Trigger, Workflow};
use crate::spec::workflow_file::load;

#[test]
fn the_first_parameter_is_the_slowest() {
    let workflow = workflow(
        "jobs: [{name: '{b}{a}', command: 'echo {a:02d}', parameters: {b: [x, y], a: '1:3'}}]",
    );
    assert_eq!(names(&workflow), ["x1", "x2", "x3", "y1", "y2", "y3"]);
    assert_eq!(workflow.jobs[1].command, "echo 02");
}

#[test]
fn zipped_parameters_go_side_by_side() {
    let workflow = workflow(
        "jobs:\n- {name: '{a}{b}', command: x, parameters: {a: [1, 2], b: [p, q]}, parameter_mode: zip}",
    );
    assert_eq!(names(&workflow), ["1p", "2q"]);
}

#[test]
fn shared_parameters_are_taken_by_name_and_own_ones_win() {
    let workflow = workflow(
        "parameters: {a: [1, 2], b: [x]}\njobs:\n\
         - {name: 's{a}', command: x, use_parameters: [a]}\n\
         - {name: 'o{a}{b}', command: x, parameters: {a: [7]}, use_parameters: [b, a]}\n\
         - {name: plain, command: 'echo {a}'}",
    );
    assert_eq!(names(&workflow), ["s1", "s2", "o7x", "plain"]);
    assert_eq!(job(&workflow, "plain").command, "echo {a}");
}

#[test]
fn variables_stand_in_all_texts() {
    let workflow = workflow(
        "variables: {root: /data, n: 2, mem: 2g}\nenv: {R: '{root}', PORT: 80}\n\
         jobs: [{name: 'a{i}', command: '{root}/{i} ${i} {n:02d}', parameters: {i: '1:{n}'}}]\n\
         resource_requirements: [{name: r, memory: '{mem}'}]\nfiles: [{name: f, path: '{root}/f'}]",
    );
    assert_eq!(names(&workflow), ["a1", "a2"]);
    assert_eq!(workflow.jobs[1].command, "/data/2 ${i} 02");
    let expected = [("R", "/data"), ("PORT", "80")].map(|(n, v)| (n.to_owned(), v.to_owned()));
    assert_eq!(workflow.environment, expected);
    assert_eq!(workflow.resources[0].memory, Some(2 << 30));
    assert_eq!(workflow.files[0].path, "/data/f");
}

#[test]
fn braces_of_the_shell_are_left_alone_without_variables() {
    let command = r#"awk '{print}' x | jq '{a: .b}' && echo ${HOME} {{.Names}} {1..3} {a:b}"#;
    let text = serde_json::to_string(command).unwrap();
    let plain = workflow(&format!("jobs: [{{name: a, command: {text}}}]"));
    assert_eq!(plain.jobs[0].command, command);
    assert_eq!(plain.warnings, Vec::<String>::new());
    let swept =
        workflow(&format!("jobs: [{{name: 'a{{i}}', command: {text}, parameters: {{i: [1]}}}}]"));
    assert_eq!(swept.jobs[0].command, command);
    assert_eq!(
        swept.warnings,
        ["flow.yaml:2:32: {print} stays as it is: no parameter has this name"]
    );
}

#[test]
fn references_become_paths_and_relations() {
    let workflow = workflow(
        "jobs:\n- {name: r, command: 'cat ${files.input.f} ${user_data.input.u}'}\n\
         - {name: w, command: 'x > ${files.output.f} ${user_data.output.u}'}\n\
         - {name: k, command: 'touch ${files.input.k} ${files.output.k} ${files}'}\n\
         files: [{name: f, path: out/f}, {name: k, path: k}]\nuser_data: [{name: u, data: {a: [1, null]}}]",
    );
    assert_eq!(job(&workflow, "r").command, "cat out/f {\"a\":[1,null]}");
    assert_eq!(depends_on(&workflow, "r"), ["w"]);
    // Who reads what it writes itself does not wait for itself.
    assert_eq!(depends_on(&workflow, "k"), Vec::<&str>::new());
    assert_eq!(job(&workflow, "k").command, "touch k k ${files}");
}

#[test]
fn user_data_without_data_is_null_and_warned_about() {
    let workflow = workflow(
        "jobs: [{name: 'a{i}', command: 'x ${user_data.input.u}', parameters: {i: [1, 2]}}]\n\
         user_data: [{name: u}]",
    );
    assert_eq!(workflow.jobs[1].command, "x null");
    let warning = "flow.yaml:2:32: the user data 'u' has no data; the command has null for it";
    assert_eq!(workflow.warnings, [warning]);
}

#[test]
fn explicit_matched_and_inferred_dependencies_add_up() {
    let workflow = workflow(
        "jobs:\n- {name: 'w{i}', command: x, output_files: ['f{i}'], parameters: {i: '1:3'}}\n\
         - {name: other, command: x}\n\
         - {name: all, command: x, depends_on: [other, w1], input_file_regexes: ['^f\\d$'], depends_on_regexes: ['w2|all']}\n\
         files: [{name: 'f{i}', path: 'f{i}', parameters: {i: '1:3'}}]",
    );
    assert_eq!(depends_on(&workflow, "all"), ["w1", "w2", "w3", "other"]);
    assert_eq!(*job(&workflow, "all").depends_on, [0, 1, 2, 3]);
}

#[test]
fn who_reads_a_path_waits_for_who_writes_it_under_another_name() {
    let workflow = workflow(
        "jobs:\n- {name: r, command: x, input_files: [g]}\n- {name: w, command: x, output_files: [f]}\n\
         - {name: other, command: x, input_files: [h]}\n\
         files: [{name: f, path: out/f}, {name: g, path: ./out//f/.}, {name: h, path: out/h}]",
    );
    assert_eq!(depends_on(&workflow, "r"), ["w"]);
    assert_eq!(depends_on(&workflow, "other"), Vec::<&str>::new());
    assert_eq!(workflow.files[1].path, "./out//f/.");
    assert_eq!(workflow.warnings, Vec::<String>::new());
}

#[test]
fn a_job_may_write_and_read_a_path_under_two_names() {
    let workflow = workflow(
        "jobs: [{name: a, command: x, input_files: [g], output_files: [f, g]}]\n\
         files: [{name: f, path: out}, {name: g, path: ./out}]",
    );
    assert_eq!(depends_on(&workflow, "a"), Vec::<&str>::new());
    assert_eq!(workflow.warnings, Vec::<String>::new());
}

#[test]
fn two_jobs_that_write_a_path_under_different_names_are_warned_about() {
    let workflow = workflow(
        "jobs:\n- {name: a, command: x, output_files: [f]}\n- {name: b, command: x, output_files: [g]}\n\
         - {name: c, command: x, input_files: [g]}\n- {name: d, command: x, input_files: [h]}\n\
         files: [{name: f, path: out}, {name: g, path: ./out}, {name: h, path: out/}]",
    );
    assert_eq!(depends_on(&workflow, "c"), ["b"], "it says which of them it means");
    assert_eq!(depends_on(&workflow, "d"), ["a", "b"]);
    let warning = "flow.yaml:4:10: two jobs write ./out: a as 'f' and b as 'g'";
    assert_eq!(workflow.warnings, [warning]);
}

#[test]
fn values_in_patterns_match_themselves() {
    let workflow = workflow(
        "jobs:\n- {name: 'a_{v}', command: x, parameters: {v: ['1.5', '1x5']}}\n\
         - {name: 'b_{v}', command: x, depends_on_regexes: ['^a_{v}$'], parameters: {v: ['1.5']}}",
    );
    assert_eq!(depends_on(&workflow, "b_1.5"), ["a_1.5"]);
}

#[test]
fn numbers_are_written_in_their_shortest_form() {
    let workflow = workflow(
        "jobs: [{name: 'a{x}', command: x, parameters: {x: [1.0, 0.50, 1e-3, '2.0', 007]}}]",
    );
    assert_eq!(names(&workflow), ["a1", "a0.5", "a0.001", "a2.0", "a007"]);
}

#[test]
fn defaults_are_those_of_the_contract() {
    let workflow = workflow(
        "jobs: [{name: a, command: x}]\nresource_requirements: [{name: r}]\n\
         failure_handlers: [{name: h, rules: [{exit_codes: [1]}]}]",
    );
    let job = &workflow.jobs[0];
    assert!(job.cancel_on_blocking_job_failure && job.priority == 0 && job.stdio.is_none());
    let resources = &workflow.resources[0];
    assert_eq!((resources.cpus, resources.gpus, resources.nodes), (1, 0, 1));
    assert_eq!((resources.memory, resources.runtime), (None, None));
    assert_eq!(workflow.handlers[0].rules[0].max_retries, 3);
    assert_eq!(workflow.execution.sigkill_headroom, Span(60_000_000));
    assert_eq!(
        (workflow.execution.timeout_exit_code, workflow.execution.oom_exit_code),
        (152, 137)
    );
}

#[test]
fn a_job_has_the_stdio_of_the_workflow_unless_it_has_its_own() {
    let workflow = workflow(
        "execution_config: {termination_signal: USR1, stdio: {mode: combined, delete_on_success: true}}\n\
         jobs:\n- {name: a, command: x}\n- {name: b, command: x, stdio: {mode: no_stdout}}",
    );
    let stdio = |name| {
        let stdio = job(&workflow, name).stdio.unwrap();
        (stdio.mode, stdio.delete_on_success)
    };
    assert_eq!(stdio("a"), (StdioMode::Combined, true));
    assert_eq!(stdio("b"), (StdioMode::NoStdout, false));
}

#[test]
fn actions_have_the_jobs_that_they_name_and_match() {
    let workflow = workflow(
        "jobs: [{name: 'a{i}', command: x, parameters: {i: '1:3'}}]\nactions:\n\
         - {trigger_type: on_jobs_complete, action_type: run_commands, commands: [x, y], jobs: [a3], job_name_regexes: ['1$']}\n\
         - {trigger_type: on_workflow_start, action_type: schedule_nodes, scheduler: s}\n\
         - {trigger_type: on_worker_start, action_type: run_commands, commands: [z], persistent: true}",
    );
    let [first, second] = workflow.actions.as_slice() else { panic!("{:?}", workflow.actions) };
    assert_eq!((first.trigger, first.jobs.as_slice()), (Trigger::JobsComplete, [0, 2].as_slice()));
    assert!(second.persistent && second.jobs.is_empty());
    assert_eq!(workflow.warnings.len(), 1);
}

#[test]
fn what_has_no_effect_is_told_once() {
    let workflow = workflow(
        "enable_ro_crate: true\nuse_pending_failed: false\naccess_groups: []\n\
         resource_monitor: {granularity: TimeSeries, metrics: [cpu]}\nslurm_schedulers: [{name: s}]\n\
         execution_config: {mode: slurm}\nresource_requirements: [{name: r, num_nodes: 2}, {name: q, num_nodes: 3}]\n\
         jobs:\n- {name: a, command: x, scheduler: s}\n- {name: b, command: x, scheduler: s}",
    );
    insta::assert_snapshot!(workflow.warnings.join("\n"));
}

#[test]
fn nothing_is_as_good_as_not_there() {
    let workflow = workflow(
        "description: null\nfiles: ~\njobs: [{name: a, command: x, depends_on: null, env: null, stdio: null, parameters: null}]",
    );
    assert_eq!(names(&workflow), ["a"]);
}

#[test]
fn metadata_becomes_json_text() {
    let map = workflow("metadata: {team: a, n: 1.50}\njobs: [{name: a, command: x}]");
    assert_eq!(map.metadata.as_deref(), Some(r#"{"team":"a","n":1.50}"#));
    let text = workflow("metadata: '{\"a\": 1}'\njobs: [{name: a, command: x}]");
    assert_eq!(text.metadata.as_deref(), Some(r#"{"a": 1}"#));
}

#[test]
fn user_data_is_made_for_each_value() {
    let workflow = workflow(
        "user_data: [{name: 'c_{e}', data: {e: '{e}', n: [0.001, '{e}!']}, parameters: {e: [x, y]}}, {data: 1}]\n\
         jobs: [{name: a, command: x}]",
    );
    let data: Vec<_> = workflow.user_data.iter().map(|data| data.data.as_deref()).collect();
    assert_eq!(data[1], Some(r#"{"e":"y","n":[0.001,"y!"]}"#));
    assert_eq!(workflow.user_data[2].name, "user_data_2");
}

fn loaded(files: &[(&str, &str)]) -> Result<Workflow, String> {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(dir.path().join(name), text).unwrap();
    }
    load(&dir.path().join(files[0].0)).map_err(|error| error.to_string())
}

#[test]
fn tables_of_all_formats_give_a_combination_a_row() {
    let flow = |file: &str| {
        format!(
            "name: x\njobs: [{{name: '{{m}}-{{n}}', command: 'x {{n:02d}}', parameters_file: {file}}}]"
        )
    };
    for (name, text) in [
        ("t.csv", "m,n\n\"a, b\",1\nc,2.0\n"),
        ("t.json", "[{\"m\": \"a, b\", \"n\": 1}, {\"n\": 2.0, \"m\": \"c\"}]"),
        ("t.jsonl", "{\"m\": \"a, b\", \"n\": 1}\n\n{\"m\": \"c\", \"n\": 2}\n"),
    ] {
        let workflow = loaded(&[("flow.yaml", &flow(name)), (name, text)]).unwrap();
        assert_eq!(names(&workflow), ["a, b-1", "c-2"], "{name}");
        assert_eq!(workflow.jobs[1].command, "x 02");
    }
}

#[test]
fn broken_tables_say_where_they_are_broken() {
    let flow = |file: &str| {
        format!("name: x\njobs: [{{name: 'j{{m}}', command: x, parameters_file: {file}}}]")
    };
    for (name, text, problem) in [
        ("t.csv", "m,n\n1\n", "found record with 1 fields"),
        ("t.csv", "m,n\n", "has no rows"),
        ("t.csv", "m o\n1\n", "'m o' cannot be the name of a parameter"),
        ("t.json", "[{\"m\": 1},\n{\"k\": 2}]", "line 2: 'k' is not in the first row"),
        ("t.json", "{\"m\": 1}", "a table is a list of rows, not a map"),
        ("t.json", "[{\"m\": [1]}]", "line 1: 'm' has no value"),
        ("t.json", "[{\"m\" 1}]", "1:7: not valid JSON5: expected ':', and found a number"),
        ("t.jsonl", "{\"m\": 1}\n{", "line 2: not a JSON object"),
        ("t.txt", "1", "a table is a .csv, .json or .jsonl file"),
    ] {
        let error = loaded(&[("flow.yaml", &flow(name)), (name, text)]).unwrap_err();
        assert!(error.contains(problem), "{problem}: {error}");
        assert!(error.contains("flow.yaml:2:"), "{error}");
    }
}

#[test]
fn a_shared_table_is_for_those_who_ask() {
    let workflow = loaded(&[
        (
            "flow.yaml",
            "name: x\nparameters_file: t.csv\njobs:\n\
             - {name: 'a{m}', command: x, use_parameters_file: true}\n\
             - {name: 'b{m}', command: x, use_parameters_file: true, depends_on: ['a{m}']}\n\
             - {name: c, command: x}",
        ),
        ("t.csv", "m\n1\n2\n"),
    ])
    .unwrap();
    assert_eq!(names(&workflow), ["a1", "a2", "b1", "b2", "c"]);
    assert_eq!(depends_on(&workflow, "b2"), ["a2"]);
}

#[test]
fn values_come_from_a_file_beside_the_workflow_file() {
    let flow = "name: x\njobs: [{name: 'a{v}', command: x, parameters: {v: '@values.txt'}}]";
    let workflow = loaded(&[("flow.yaml", flow), ("values.txt", "# no\n1.0\n\n x \n")]).unwrap();
    assert_eq!(names(&workflow), ["a1", "ax"]);
}

#[test]
fn a_long_chain_and_a_wide_fan_in_take_no_recursion() {
    let chain: String = (1..50_000)
        .map(|i| format!("- {{name: j{i}, command: x, depends_on: [j{}]}}\n", i - 1))
        .collect();
    let chain = workflow(&format!("jobs:\n- {{name: j0, command: x}}\n{chain}"));
    assert_eq!(*chain.jobs[49_999].depends_on, [49_998]);
    let fan = workflow(
        "jobs:\n- {name: 'j{i}', command: x, parameters: {i: '1:50000'}}\n\
         - {name: end, command: x, depends_on_regexes: ['^j']}",
    );
    assert_eq!(fan.jobs[50_000].depends_on.len(), 50_000);
}

#[test]
fn the_time_of_a_file_has_no_effect_and_a_warning() {
    let workflow =
        workflow("jobs: [{name: a, command: x}]\nfiles: [{name: f, path: f, st_mtime: 1.5}]");
    let [warning] = workflow.warnings.as_slice() else { panic!("{:?}", workflow.warnings) };
    assert!(warning.contains("'st_mtime'"), "{warning}");
}

#[test]
fn references_without_an_end_stay_and_take_no_quadratic_time() {
    let command = "${files.${".repeat(200_000);
    let workflow = workflow(&format!("jobs: [{{name: a, command: '{command}'}}]"));
    assert_eq!(workflow.jobs[0].command, command);
}
