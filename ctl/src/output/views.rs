//! The columns of each view, in the words of the protocol.

use torc_protocol::time::{Span, Timestamp};
use torc_protocol::view::{
    Fate, FileView, JobView, ResultView, SnapshotFileView, UserDataView, WorkflowView,
};

use crate::output::column::{Column, Field, View};

const fn column<T>(name: &'static str, heading: &'static str, field: Field<T>) -> Column<T> {
    Column { name, heading, field }
}

impl View for WorkflowView {
    const NOUN: &'static str = "workflow";
    const ID: &'static str = "id";
    const COLUMNS: &'static [Column<Self>] = &[
        column("id", "ID", Field::Count(|it| it.id.0)),
        column("name", "NAME", Field::Text(|it| Some(&it.name))),
        column("description", "DESCRIPTION", Field::Text(|it| it.description.as_deref())),
        column("status", "STATUS", Field::Status(|it| (it.status.as_str(), it.status.into()))),
        column("total", "JOBS", Field::Count(|it| it.jobs.total)),
        column("blocked", "BLOCKED", Field::Count(|it| it.jobs.blocked)),
        column("ready", "READY", Field::Count(|it| it.jobs.ready)),
        column("pending", "PENDING", Field::Count(|it| it.jobs.pending)),
        column("running", "RUNNING", Field::Count(|it| it.jobs.running)),
        column("completed", "COMPLETED", Field::Count(|it| it.jobs.completed)),
        column("failed", "FAILED", Field::Count(|it| it.jobs.failed)),
        column("canceled", "CANCELED", Field::Count(|it| it.jobs.canceled)),
        column("terminated", "TERMINATED", Field::Count(|it| it.jobs.terminated)),
        column("disabled", "DISABLED", Field::Count(|it| it.jobs.disabled)),
        column("submitted_at", "SUBMITTED", Field::Time(|it| Some(it.submitted_at))),
        column("finished_at", "FINISHED", Field::Time(|it| it.finished_at)),
        column(
            "elapsed",
            "ELAPSED",
            Field::Duration(|it| Some(it.finished_at?.since(it.submitted_at))),
        ),
        column("working_dir", "WORKING DIRECTORY", Field::Text(|it| Some(&it.working_dir))),
        column("output_dir", "OUTPUT DIRECTORY", Field::Text(|it| Some(&it.output_dir))),
        column("metadata", "METADATA", Field::Text(|it| it.metadata.as_deref())),
    ];
    const SHOWN: &'static [&'static str] =
        &["id", "name", "status", "total", "completed", "failed", "submitted_at", "elapsed"];
}

impl View for JobView {
    const NOUN: &'static str = "job";
    const ID: &'static str = "id";
    const COLUMNS: &'static [Column<Self>] = &[
        column("id", "ID", Field::Count(|it| it.id.0)),
        column("workflow_id", "WORKFLOW", Field::Count(|it| it.workflow_id.0)),
        column("name", "NAME", Field::Text(|it| Some(&it.name))),
        column("status", "STATUS", Field::Status(|it| (it.status.as_str(), it.status.into()))),
        column("return_code", "CODE", Field::Number(|it| it.return_code.map(i64::from))),
        column("attempts", "ATTEMPTS", Field::Count(|it| it.attempts.into())),
        column("priority", "PRIORITY", Field::Number(|it| Some(it.priority.into()))),
        column("cpus", "CPUS", Field::Count(|it| it.cpus.into())),
        column("memory", "MEMORY", Field::Size(|it| it.memory)),
        column("gpus", "GPUS", Field::Count(|it| it.gpus.into())),
        column("labels", "LABELS", Field::Words(|it| &it.labels)),
        column("command", "COMMAND", Field::Text(|it| Some(&it.command))),
    ];
    const SHOWN: &'static [&'static str] =
        &["id", "name", "status", "return_code", "attempts", "command"];
}

impl View for ResultView {
    const NOUN: &'static str = "result";
    const ID: &'static str = "job_id";
    const COLUMNS: &'static [Column<Self>] = &[
        column("job_id", "JOB", Field::Count(|it| it.job_id.0)),
        column("workflow_id", "WORKFLOW", Field::Count(|it| it.workflow_id.0)),
        column("name", "NAME", Field::Text(|it| Some(&it.name))),
        column("attempt", "ATTEMPT", Field::Count(|it| it.attempt.0.into())),
        column("status", "STATUS", Field::Status(|it| (it.status.as_str(), it.status.into()))),
        column("return_code", "CODE", Field::Number(|it| it.return_code.map(i64::from))),
        column("reason", "REASON", Field::Text(|it| Some(&it.reason))),
        column("wall", "WALL", Field::Duration(|it| Some(it.usage?.wall))),
        column("user_cpu", "USER", Field::Duration(|it| Some(it.usage?.user_cpu))),
        column("system_cpu", "SYSTEM", Field::Duration(|it| Some(it.usage?.system_cpu))),
        column(
            "cpu",
            "CPU",
            Field::Duration(|it| {
                it.usage.map(|usage| Span(usage.user_cpu.0.saturating_add(usage.system_cpu.0)))
            }),
        ),
        column("peak_memory", "MEMORY", Field::Size(|it| Some(it.usage?.peak_memory))),
        column("started_at", "STARTED", Field::Time(|it| it.started_at)),
        column("finished_at", "FINISHED", Field::Time(|it| it.finished_at)),
        column("node", "NODE", Field::Text(|it| Some(&it.node))),
        column("pid", "PID", Field::Number(|it| it.pid.map(i64::from))),
        column("recovery_code", "RECOVERY", Field::Number(|it| it.recovery_code.map(i64::from))),
        column("stdout_bytes", "STDOUT", Field::Size(|it| Some(it.stdout_bytes))),
        column("stderr_bytes", "STDERR", Field::Size(|it| Some(it.stderr_bytes))),
        column("stdout_path", "STDOUT FILE", Field::Text(|it| it.stdout_path.as_deref())),
        column("stderr_path", "STDERR FILE", Field::Text(|it| it.stderr_path.as_deref())),
        column("command", "COMMAND", Field::Text(|it| Some(&it.command))),
    ];
    const SHOWN: &'static [&'static str] = &[
        "job_id",
        "name",
        "attempt",
        "status",
        "return_code",
        "wall",
        "cpu",
        "peak_memory",
        "command",
    ];
}

impl View for FileView {
    const NOUN: &'static str = "file";
    const ID: &'static str = "path";
    const COLUMNS: &'static [Column<Self>] = &[
        column("id", "ID", Field::Count(|it| it.id)),
        column("name", "NAME", Field::Text(|it| Some(&it.name))),
        column("path", "PATH", Field::Text(|it| Some(&it.path))),
        column("written_by", "WRITTEN BY", Field::Text(|it| it.written_by.as_deref())),
        column("read_by", "READERS", Field::Count(|it| it.read_by)),
        column(
            "modified_at",
            "MODIFIED",
            Field::Time(|it| Some(Timestamp(it.stamp?.modified.div_euclid(1_000)))),
        ),
        column("bytes", "SIZE", Field::Size(|it| Some(it.stamp?.bytes))),
    ];
    const SHOWN: &'static [&'static str] =
        &["id", "name", "path", "written_by", "read_by", "modified_at", "bytes"];
}

impl View for UserDataView {
    const NOUN: &'static str = "value";
    const ID: &'static str = "name";
    const COLUMNS: &'static [Column<Self>] = &[
        column("id", "ID", Field::Count(|it| it.id)),
        column("name", "NAME", Field::Text(|it| Some(&it.name))),
        column("data", "DATA", Field::Text(|it| it.data.as_deref())),
        column("is_ephemeral", "EPHEMERAL", Field::Flag(|it| it.is_ephemeral)),
        column("written_by", "WRITTEN BY", Field::Text(|it| it.written_by.as_deref())),
        column("read_by", "READERS", Field::Count(|it| it.read_by)),
    ];
    const SHOWN: &'static [&'static str] =
        &["id", "name", "is_ephemeral", "written_by", "read_by", "data"];
}

impl View for SnapshotFileView {
    const NOUN: &'static str = "snapshot";
    const ID: &'static str = "path";
    const COLUMNS: &'static [Column<Self>] = &[
        column("path", "PATH", Field::Text(|it| Some(&it.path))),
        column("place", "PLACE", Field::Text(|it| Some(it.place.as_str()))),
        column("target", "TARGET", Field::Text(|it| it.target.as_deref())),
        column("generation", "GENERATION", Field::Number(|it| number(it.generation?.0))),
        column("changes", "CHANGES", Field::Number(|it| number(it.changes?))),
        column("taken_at", "TAKEN", Field::Time(|it| it.taken_at)),
        column("bytes", "SIZE", Field::Size(|it| it.bytes)),
        column("host", "HOST", Field::Text(|it| it.host.as_deref())),
        column("instance", "INSTANCE", Field::Text(|it| it.instance.as_deref())),
        column("problem", "PROBLEM", Field::Text(|it| it.problem.as_deref())),
        column("fate", "FATE", Field::Text(|it| it.fate.map(fate))),
    ];
    const SHOWN: &'static [&'static str] =
        &["path", "place", "generation", "changes", "taken_at", "bytes", "host", "problem", "fate"];
}

fn number(number: u64) -> Option<i64> {
    i64::try_from(number).ok()
}

fn fate(fate: Fate) -> &'static str {
    match fate {
        Fate::Newer => "newer",
        Fate::Superseded => "superseded",
        Fate::Diverged => "diverged",
    }
}
