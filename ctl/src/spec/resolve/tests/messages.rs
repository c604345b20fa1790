//! The message of every error of the contract.

use super::complaints;

/// Checks what is said about a file.
macro_rules! said {
    ($($name:ident: $text:expr;)+) => {
        $(#[test]
        fn $name() {
            insta::assert_snapshot!(complaints($text));
        })+
    };
}

said! {
    an_unknown_field_is_answered_with_the_nearest:
        "jobs: [{name: a, comand: b}]\njbos: []";
    an_unknown_field_that_is_like_none_is_answered_with_all:
        "jobs: [{name: a, command: b, stdio: {frequency: 5}}]";
    a_wrong_type_is_named:
        "jobs:\n- {name: a, command: [b], depends_on: c, priority: high, env: {A: [1]}}\n\
         - {name: 5, command: b, cancel_on_blocking_job_failure: 'yes', labels: [1]}";
    a_missing_field_is_named:
        "jobs:\n- command: a\n- name: b\nfiles: [{name: f}]";
    a_file_without_jobs_is_refused: "description: none";
    an_empty_name_is_refused: "jobs: [{name: '', command: a}]";
    a_name_that_is_like_none_is_answered_with_the_first_of_all:
        "jobs: [{name: 'a_{i}', command: x, parameters: {i: '1:20'}},\n\
         {name: b, command: x, depends_on: [other], resource_requirements: small}]";
    an_empty_list_of_jobs_is_refused: "jobs: []";
    a_duplicate_name_is_found_in_every_list:
        "jobs:\n- {name: a, command: x}\n- {name: a, command: y}\n\
         files:\n- {name: f, path: x}\n- {name: f, path: y}\n\
         user_data:\n- {name: u}\n- {name: u}\n\
         resource_requirements:\n- {name: r}\n- {name: r}\n\
         failure_handlers:\n- {name: h, rules: []}\n- {name: h, rules: []}";
    a_missing_reference_is_answered_with_the_nearest:
        "jobs:\n- {name: train, command: x}\n\
         - {name: b, command: x, depends_on: [trian], resource_requirements: smal}\n\
         - {name: c, command: x, input_files: [modle], failure_handler: none}\n\
         - {name: d, command: 'x ${files.input.model1} ${user_data.output.conf}'}\n\
         - {name: e, command: 'x ${files.inputs.model}'}\n\
         files: [{name: model, path: m}]\nresource_requirements: [{name: small}]";
    a_scheduler_that_is_not_there_is_named:
        "jobs: [{name: a, command: x, scheduler: gpus}]\nslurm_schedulers: [{name: gpu}]";
    a_cycle_is_printed:
        "jobs:\n- {name: a, command: x, depends_on: [c]}\n- {name: b, command: x, depends_on: [a]}\n\
         - {name: c, command: x, depends_on: [b]}";
    a_cycle_through_a_file_is_printed:
        "jobs:\n- {name: a, command: 'x ${files.input.g} ${files.output.f}'}\n\
         - {name: b, command: 'x ${files.input.f} ${files.output.g}'}\n\
         files: [{name: f, path: f}, {name: g, path: g}]";
    a_job_that_waits_for_itself_is_a_cycle: "jobs: [{name: a, command: x, depends_on: [a]}]";
    two_writers_of_a_file_are_named:
        "jobs:\n- {name: a, command: x, output_files: [f]}\n- {name: b, command: x, output_files: [f]}\n\
         files: [{name: f, path: f}]";
    two_writers_of_user_data_are_named:
        "jobs:\n- {name: a, command: x, output_user_data: [u]}\n\
         - {name: b, command: x, output_user_data: [u]}\nuser_data: [{name: u}]";
    impossible_values_are_refused:
        "jobs: [{name: a, command: ' ', priority: 99999999999}]\n\
         resource_requirements:\n\
         - {name: r, num_cpus: 0, num_gpus: -1, memory: 0, runtime: PT0S}\n\
         - {name: s, num_cpus: 1.5, memory: lots, runtime: soon}\n\
         failure_handlers: [{name: h, rules: [{exit_codes: [0, 900], max_retries: -1}]}]\n\
         execution_config: {termination_signal: SIGNONE, timeout_exit_code: 256}";
    a_bad_iso_duration_is_refused:
        "jobs: [{name: a, command: x}]\n\
         resource_requirements: [{name: r, runtime: PT5}, {name: s, runtime: P1M}]";
    a_bad_range_is_refused:
        "jobs:\n- name: a_{i}_{j}\n  command: x\n  parameters: {i: '10:1', j: '1:5:0', k: '[\"a]'}";
    an_empty_list_of_values_is_refused:
        "jobs: [{name: 'a_{i}', command: x, parameters: {i: []}}]";
    a_value_that_is_no_value_is_refused:
        "jobs: [{name: 'a_{i}', command: x, parameters: {i: {a: 1}, j: [1, [2]], 2x: 1}}]";
    unequal_lengths_cannot_be_zipped:
        "jobs:\n- name: a_{i}_{j}\n  command: x\n  parameters: {i: [1, 2], j: '1:3'}\n  parameter_mode: zip";
    too_many_combinations_are_refused:
        "jobs: [{name: 'a_{i}_{j}', command: x, parameters: {i: '1:1000000', j: '1:1000'}}]";
    too_many_files_and_user_data_are_refused:
        "jobs: [{name: a, command: x}]\nfiles:\n\
         - {name: 'a_{i}', path: x, parameters: {i: [1]}}\n\
         - {name: 'b_{i}', path: x, parameters: {i: '1:10000000'}}\nuser_data:\n\
         - {name: 'a_{i}', parameters: {i: [1]}}\n\
         - {name: 'b_{i}', parameters: {i: '1:10000000'}}";
    a_name_without_its_parameters_is_refused:
        "jobs: [{name: 'a_{i}', command: x, parameters: {i: [1, 2], j: [1, 2]}}]";
    expanded_names_that_collide_are_refused:
        "jobs:\n- {name: 'a_{i}', command: x, parameters: {i: [1, 2]}}\n- {name: a_2, command: x}";
    an_unknown_shared_parameter_is_named:
        "parameters: {alpha: [1]}\njobs: [{name: 'a_{alfa}', command: x, use_parameters: [alfa]}]";
    a_bad_format_is_refused:
        "jobs: [{name: 'a_{i:03d}', command: 'x {i:3q}', parameters: {i: [b, c]}}]";
    a_variable_with_the_name_of_a_parameter_is_refused:
        "variables: {i: 5}\njobs: [{name: 'a_{i}', command: x, parameters: {i: [1]}}]";
    an_unresolved_name_is_refused_where_there_are_variables:
        "variables: {root: /data}\ndescription: '{rot}'\n\
         jobs: [{name: a, command: 'ls {root} {rooot} ${HOME} {{jinja}}'}]";
    a_variable_cannot_use_another:
        "variables: {root: /data, sub: '{root}/x'}\njobs: [{name: a, command: x}]";
    a_missing_table_is_named:
        "jobs: [{name: 'a_{i}', command: x, parameters_file: none.csv}]";
    a_table_and_parameters_do_not_go_together:
        "jobs: [{name: a, command: x, parameters_file: t.csv, parameters: {i: [1]}}]";
    a_table_that_the_workflow_lacks_is_asked_for:
        "jobs: [{name: a, command: x, use_parameters_file: true}]";
    a_pattern_that_matches_nothing_is_refused:
        "jobs: [{name: a, command: x, depends_on_regexes: ['^a$'], input_file_regexes: ['.']}]";
    a_pattern_that_is_none_is_refused:
        "jobs: [{name: a, command: x, depends_on_regexes: ['a(b']}]";
    an_unknown_trigger_is_answered_with_the_nearest:
        "jobs: [{name: a, command: x}]\nactions:\n\
         - {trigger_type: on_workflow_strat, action_type: run_commands, commands: [x]}\n\
         - {trigger_type: later, action_type: run_commands, commands: [x]}";
    an_action_without_commands_is_refused:
        "jobs: [{name: a, command: x}]\n\
         actions: [{trigger_type: on_jobs_ready, action_type: run_commands, jobs: [b]}]";
    an_unknown_word_is_answered_with_all:
        "jobs: [{name: a, command: x, stdio: {mode: files}}]";
    a_reserved_slurm_default_is_refused:
        "jobs: [{name: a, command: x}]\nslurm_defaults: {partition: gpu, qos: high}";
}

#[test]
fn a_mistake_in_a_template_is_not_said_for_every_job() {
    let text = complaints(
        "jobs: [{name: 'a_{i}', command: x, depends_on: ['b_{i}'], parameters: {i: '1:1000'}}]",
    );
    assert_eq!(text.matches("error: ").count(), 3);
    assert!(text.ends_with("\nand 997 more\n"), "{text}");
}

#[test]
fn the_same_mistake_of_all_jobs_is_one_complaint() {
    let text = complaints(
        "jobs: [{name: 'a_{i}', command: x, depends_on: [b], parameters: {i: '1:50000'}}]",
    );
    assert_eq!(text.matches("error: ").count(), 1);
    assert!(!text.contains("more"), "{text}");
}

#[test]
fn too_many_inputs_are_refused() {
    let text = complaints(
        "jobs: [{name: 'r_{i}', command: x, input_file_regexes: ['^p'], parameters: {i: '1:20000'}}]\n\
         files: [{name: 'p_{i}', path: 'p_{i}', parameters: {i: '1:20000'}}]",
    );
    assert!(text.contains("flow.yaml:2:15: more than 50000000 dependencies"), "{text}");
}
