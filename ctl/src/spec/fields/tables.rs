//! The tables themselves, in the order in which people write the fields.

use super::{Field, Kind, Table};

const fn field(name: &'static str, kind: Kind, about: &'static str) -> Field {
    Field { name, kind, required: false, about, kdl: &[], no_effect: None }
}

impl Field {
    const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    const fn kdl(mut self, names: &'static [&'static str]) -> Self {
        self.kdl = names;
        self
    }

    const fn no_effect(mut self, reason: &'static str) -> Self {
        self.no_effect = Some(reason);
        self
    }
}

const fn table(name: &'static str, fields: &'static [Field]) -> Table {
    Table { name, fields, others: None }
}

const COUNT: Kind = Kind::Integer(0, u32::MAX as i64);
const POSITIVE: Kind = Kind::Integer(1, u32::MAX as i64);
const SECONDS: Kind = Kind::Integer(0, 1_000_000_000);
const EXIT_CODE: Kind = Kind::Integer(1, 255);

const NO_SLURM: &str = "torc does not submit to Slurm yet";
const NO_WAITING: &str = "workers do not wait for jobs yet";
const NO_CRATE: &str = "torc writes no RO-Crate yet";
const NO_MONITOR: &str = "torc does not sample resources yet";

/// A workflow file.
pub static WORKFLOW: Table = table(
    "a workflow",
    &[
        field("name", Kind::Text, "What the workflow is called.").required(),
        field("user", Kind::Text, "Whose it is."),
        field("description", Kind::Text, "What it is for."),
        field("project", Kind::Text, "What it belongs to."),
        field("metadata", Kind::Any, "Anything else about it: a map, or JSON text."),
        field(
            "parameters",
            Kind::Parameters,
            "Parameters that entries take with `use_parameters`.",
        ),
        field(
            "parameters_file",
            Kind::Text,
            "A table (CSV, JSON, JSONL) that entries take with `use_parameters_file`.",
        ),
        field("variables", Kind::Variables, "Constants that stand for `{NAME}` in all texts."),
        field("env", Kind::Variables, "Environment variables of every job."),
        field("jobs", Kind::Entries(&JOB), "What is to be run.").required().kdl(&["job"]),
        field("files", Kind::Entries(&FILE), "The files that jobs read and write.").kdl(&["file"]),
        field("user_data", Kind::Entries(&USER_DATA), "The JSON values that jobs read and write."),
        field("resource_requirements", Kind::Entries(&RESOURCES), "What jobs may need.")
            .kdl(&["resource_requirement"]),
        field("failure_handlers", Kind::Entries(&HANDLER), "What to do about failed jobs.")
            .kdl(&["failure_handler"]),
        field("slurm_schedulers", Kind::Entries(&SCHEDULER), "Kinds of Slurm allocations.")
            .kdl(&["slurm_scheduler"])
            .no_effect(NO_SLURM),
        field("slurm_defaults", Kind::Entry(&SLURM_DEFAULTS), "Options for every allocation.")
            .no_effect(NO_SLURM),
        field("resource_monitor", Kind::Entry(&MONITOR), "How the use of resources is sampled.")
            .no_effect(NO_MONITOR),
        field("actions", Kind::Entries(&ACTION), "Commands that run beside the jobs.")
            .kdl(&["action"]),
        field("dynamic_jobs", Kind::Any, "Jobs that jobs add.")
            .no_effect("jobs cannot add jobs yet"),
        field("use_pending_failed", Kind::Bool, "Whether failed jobs wait for a decision.")
            .no_effect("failed jobs do not wait for a decision yet"),
        field("enable_ro_crate", Kind::Bool, "Whether provenance is written as an RO-Crate.")
            .no_effect(NO_CRATE),
        field(
            "execution_config",
            Kind::Entry(&EXECUTION),
            "How jobs are run, stopped and limited.",
        ),
        field("compute_node_wait_for_new_jobs_seconds", SECONDS, "How long idle workers wait.")
            .no_effect(NO_WAITING),
        field("compute_node_ignore_workflow_completion", Kind::Bool, "Whether workers outlive it.")
            .no_effect(NO_WAITING),
        field("compute_node_wait_for_healthy_database_minutes", SECONDS, "How long workers retry.")
            .no_effect(NO_WAITING),
        field("compute_node_min_time_for_new_jobs_seconds", SECONDS, "How much time must be left.")
            .no_effect(NO_WAITING),
        field("compute_node_expiration_buffer_seconds", SECONDS, "How early workers end.")
            .no_effect(NO_WAITING),
        field("access_groups", Kind::Texts, "Who else may use it.")
            .kdl(&["access_group"])
            .no_effect("a torcd belongs to one user"),
    ],
);

/// An entry of `jobs`.
pub static JOB: Table = table(
    "a job",
    &[
        field("name", Kind::Text, "What the job is called; unique.").required(),
        field("command", Kind::Text, "The line or script for the shell.").required(),
        field(
            "priority",
            Kind::Integer(i32::MIN as i64, i32::MAX as i64),
            "Higher ones start first; 0 without it.",
        ),
        field("labels", Kind::Texts, "Runs only where all of these are offered.").kdl(&["label"]),
        field("invocation_script", Kind::Text, "A script that runs the command."),
        field(
            "env",
            Kind::Variables,
            "Environment variables; they win over those of the workflow.",
        ),
        field("resource_requirements", Kind::Text, "What it needs, by name."),
        field("failure_handler", Kind::Text, "What to do when it fails, by name."),
        field("scheduler", Kind::Text, "The Slurm scheduler, by name.").no_effect(NO_SLURM),
        field(
            "cancel_on_blocking_job_failure",
            Kind::Bool,
            "Whether it is canceled when a job that it waits for does not complete; true without it.",
        ),
        field("supports_termination", Kind::Bool, "Whether it ends by itself when told to."),
        field("depends_on", Kind::Texts, "The jobs that it waits for.").kdl(&["depends_on_job"]),
        field("depends_on_regexes", Kind::Texts, "It waits for the jobs with names like these.")
            .kdl(&["depends_on_regex", "depends_on_job_regexes", "depends_on_job_regex"]),
        field("input_files", Kind::Texts, "The files that it reads.").kdl(&["input_file"]),
        field("input_file_regexes", Kind::Texts, "It reads the files with names like these.")
            .kdl(&["input_file_regex", "input_files_regexes"]),
        field("output_files", Kind::Texts, "The files that it writes.").kdl(&["output_file"]),
        field("output_file_regexes", Kind::Texts, "It writes the files with names like these.")
            .kdl(&["output_file_regex", "output_files_regexes"]),
        field("input_user_data", Kind::Texts, "The user data that it reads."),
        field("input_user_data_regexes", Kind::Texts, "It reads user data with names like these.")
            .kdl(&["input_user_data_regex"]),
        field("output_user_data", Kind::Texts, "The user data that it writes."),
        field(
            "output_user_data_regexes",
            Kind::Texts,
            "It writes user data with names like these.",
        )
        .kdl(&["output_user_data_regex"]),
        PARAMETERS,
        PARAMETER_MODE,
        USE_PARAMETERS,
        PARAMETERS_FILE,
        USE_PARAMETERS_FILE,
        field("stdio", Kind::Entry(&STDIO), "What becomes of its output."),
    ],
);

/// An entry of `files`.
pub static FILE: Table = table(
    "a file",
    &[
        field("name", Kind::Text, "What jobs call the file; unique.").required(),
        field("path", Kind::Text, "Where it is.").required(),
        field("identifier", Kind::Text, "Its name in an RO-Crate.").no_effect(NO_CRATE),
        field("st_mtime", Kind::Number, "When it was last changed, in seconds since 1970.")
            .no_effect("torc looks at the file itself"),
        PARAMETERS,
        PARAMETER_MODE,
        USE_PARAMETERS,
        PARAMETERS_FILE,
        USE_PARAMETERS_FILE,
    ],
);

/// An entry of `user_data`.
pub static USER_DATA: Table = table(
    "user data",
    &[
        field("name", Kind::Text, "What jobs call it; unique."),
        field("data", Kind::Any, "Any JSON value."),
        field("is_ephemeral", Kind::Bool, "Whether it is forgotten when the workflow ends."),
        PARAMETERS,
        PARAMETER_MODE,
        USE_PARAMETERS,
        PARAMETERS_FILE,
        USE_PARAMETERS_FILE,
    ],
);

const PARAMETERS: Field =
    field("parameters", Kind::Parameters, "The entry is made once for each of the values.")
        .kdl(&["parameter"]);
const PARAMETER_MODE: Field = field(
    "parameter_mode",
    Kind::Word(&["product", "zip"]),
    "Every value with every other (product), or the first ones, the second ones, and so on (zip).",
);
const USE_PARAMETERS: Field =
    field("use_parameters", Kind::Texts, "Parameters of the workflow that it takes.")
        .kdl(&["use_parameter"]);
const PARAMETERS_FILE: Field = field(
    "parameters_file",
    Kind::Text,
    "A table (CSV, JSON, JSONL); the entry is made once for each row.",
);
const USE_PARAMETERS_FILE: Field =
    field("use_parameters_file", Kind::Bool, "Whether it takes the table of the workflow.");

/// An entry of `resource_requirements`.
pub static RESOURCES: Table = table(
    "resource requirements",
    &[
        field("name", Kind::Text, "What jobs call them; unique.").required(),
        field("num_cpus", POSITIVE, "CPUs; 1 without it."),
        field("memory", Kind::Memory, "The most memory, as in 512m, 2g, 1.5g or 2GiB."),
        field("num_gpus", COUNT, "GPUs; 0 without it."),
        field("num_nodes", POSITIVE, "Nodes; 1 without it."),
        field(
            "runtime",
            Kind::Text,
            "The expected time, as in PT1H30M or 90m; where less is left, it does not start.",
        ),
    ],
);

/// An entry of `failure_handlers`.
pub static HANDLER: Table = table(
    "a failure handler",
    &[
        field("name", Kind::Text, "What jobs call it; unique.").required(),
        field("rules", Kind::Entries(&RULE), "The first that fits applies.")
            .required()
            .kdl(&["rule"]),
    ],
);

/// An entry of `rules`.
pub static RULE: Table = table(
    "a rule",
    &[
        field("exit_codes", Kind::Integers(-255, 255), "The exit codes that it is for.")
            .kdl(&["exit_code"]),
        field("match_all_exit_codes", Kind::Bool, "Whether it is for every exit code but 0."),
        field("recovery_script", Kind::Text, "Runs before the next attempt."),
        field("max_retries", COUNT, "How many more attempts there are; 3 without it."),
    ],
);

/// An entry of `slurm_schedulers`.
pub static SCHEDULER: Table = table(
    "a Slurm scheduler",
    &[
        field("name", Kind::Text, "What jobs call it; unique."),
        field("account", Kind::Text, "The account."),
        field("partition", Kind::Text, "The partition."),
        field("nodes", POSITIVE, "The number of nodes."),
        field("walltime", Kind::Text, "The time limit."),
        field("mem", Kind::Scalar, "The memory."),
        field("gres", Kind::Text, "Generic resources."),
        field("qos", Kind::Text, "The quality of service."),
        field("ntasks_per_node", POSITIVE, "The number of tasks on each node."),
        field("tmp", Kind::Scalar, "The temporary storage."),
        field("extra", Kind::Text, "More options."),
        field("serialize_allocations", Kind::Bool, "Whether allocations run one at a time."),
    ],
);

/// `slurm_defaults`: the long options of sbatch.
pub static SLURM_DEFAULTS: Table =
    Table { name: "Slurm defaults", fields: &[], others: Some(Kind::Scalar) };

/// The long options of sbatch that belong to a scheduler, not to `slurm_defaults`.
pub const SCHEDULER_OPTIONS: &[&str] =
    &["partition", "nodes", "walltime", "time", "mem", "gres", "name", "job-name"];

/// An entry of `actions`.
pub static ACTION: Table = table(
    "an action",
    &[
        field("trigger_type", Kind::Word(TRIGGERS), "When it runs.").required(),
        field("action_type", Kind::Word(&["run_commands", "schedule_nodes"]), "What it does.")
            .required(),
        field("jobs", Kind::Texts, "The jobs that it waits for.").kdl(&["job"]),
        field("job_name_regexes", Kind::Texts, "It waits for the jobs with names like these.")
            .kdl(&["job_name_regex"]),
        field("commands", Kind::Texts, "Lines for the shell.").kdl(&["command"]),
        field("scheduler", Kind::Text, "For schedule_nodes: the scheduler, by name."),
        field("scheduler_type", Kind::Text, "For schedule_nodes: slurm or local."),
        field("num_allocations", POSITIVE, "For schedule_nodes: how many."),
        field("start_one_worker_per_node", Kind::Bool, "For schedule_nodes."),
        field("max_parallel_jobs", POSITIVE, "For schedule_nodes: how many jobs at a time."),
        field("persistent", Kind::Bool, "Whether it runs each time, not once only."),
    ],
);

/// What starts an action.
pub const TRIGGERS: &[&str] = &[
    "on_workflow_start",
    "on_workflow_complete",
    "on_jobs_ready",
    "on_jobs_complete",
    "on_worker_start",
    "on_worker_complete",
];

/// `execution_config`.
pub static EXECUTION: Table = table(
    "an execution configuration",
    &[
        field("mode", Kind::Word(&["direct", "slurm", "auto"]), "Who runs the jobs."),
        field("sigkill_headroom_seconds", SECONDS, "How early before the end jobs are killed; 60."),
        field("timeout_exit_code", EXIT_CODE, "The exit code of a job out of time; 152."),
        field("staggered_start", Kind::Bool, "Whether workers start one after the other.")
            .no_effect("there is one worker on a node"),
        field("limit_resources", Kind::Bool, "Whether jobs are held to what they ask for; true."),
        field("termination_signal", Kind::Text, "The signal that tells jobs to end; SIGTERM."),
        field("sigterm_lead_seconds", SECONDS, "How early before the kill jobs are told; 30."),
        field(
            "oom_exit_code",
            EXIT_CODE,
            "The exit code of a job that takes too much memory; 137.",
        ),
        field("srun_termination_signal", Kind::Text, "The signal that srun sends.")
            .no_effect(NO_SLURM),
        field("srun_mpi", Kind::Text, "The kind of MPI for srun.").no_effect(NO_SLURM),
        field("enable_cpu_bind", Kind::Bool, "Whether Slurm binds jobs to CPUs.")
            .no_effect(NO_SLURM),
        field("stdio", Kind::Entry(&STDIO), "What becomes of the output of jobs."),
    ],
);

/// `stdio`.
pub static STDIO: Table = table(
    "a stdio configuration",
    &[
        field("mode", Kind::Word(STDIO_MODES), "Where output goes; separate."),
        field("delete_on_success", Kind::Bool, "Whether it is dropped when the job completes."),
    ],
);

/// Where output goes.
pub const STDIO_MODES: &[&str] =
    &["capture", "separate", "combined", "no_stdout", "no_stderr", "none"];

/// `resource_monitor`.
pub static MONITOR: Table = table(
    "a resource monitor",
    &[
        field("sample_interval_seconds", POSITIVE, "How often samples are taken; 10."),
        field("flush_interval_seconds", POSITIVE, "How often samples are written."),
        field("generate_plots", Kind::Bool, "Whether plots are drawn."),
        field("jobs", Kind::Entry(&MONITORED), "The jobs."),
        field("compute_node", Kind::Entry(&MONITORED), "The node."),
        field("enabled", Kind::Bool, "As `jobs.enabled`, in older files."),
        field("granularity", GRANULARITY, "As `jobs.granularity`, in older files."),
        field("metrics", Kind::Texts, "What is sampled, in older files.").kdl(&["metric"]),
    ],
);

/// What is monitored.
pub static MONITORED: Table = table(
    "a monitored scope",
    &[
        field("enabled", Kind::Bool, "Whether it is sampled."),
        field("granularity", GRANULARITY, "Whether every sample is kept."),
        field("cpu", Kind::Bool, "Whether the use of CPUs is sampled."),
        field("memory", Kind::Bool, "Whether the use of memory is sampled."),
    ],
);

const GRANULARITY: Kind = Kind::Word(&["summary", "time_series", "Summary", "TimeSeries"]);
