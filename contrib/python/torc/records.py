"""What torcd tells: records, as they were when it was asked. Times are in seconds, sizes in bytes.

A torcd that is newer than this package may tell more; what is not known here is passed over.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional, Type, TypeVar

T = TypeVar("T")


def of_json(kind: Type[T], record: Mapping[str, Any], **converted: Any) -> T:
    """Returns the record of this kind; fields that are converted take the place of those told."""
    names = {field.name for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    known = {name: value for name, value in record.items() if name in names}
    known.update(converted)
    return kind(**known)


@dataclass(frozen=True)
class JobCounts:
    """How many jobs are in which state."""

    total: int
    blocked: int
    ready: int
    pending: int
    running: int
    completed: int
    failed: int
    canceled: int
    terminated: int
    disabled: int


@dataclass(frozen=True)
class WorkflowRecord:
    """A workflow. ``status`` is running, completed, failed, canceled or paused."""

    id: int
    name: str
    status: str
    jobs: JobCounts
    submitted_at: float
    finished_at: Optional[float]
    working_dir: str
    output_dir: str
    description: Optional[str] = None
    metadata: Optional[str] = None

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> "WorkflowRecord":
        return of_json(cls, record, jobs=of_json(JobCounts, record["jobs"]))


@dataclass(frozen=True)
class JobRecord:
    """A job. ``docs/job-states.md`` has the words of ``status``."""

    id: int
    workflow_id: int
    name: str
    command: str
    status: str
    priority: int
    attempts: int
    return_code: Optional[int]
    cpus: int
    memory: Optional[int]
    gpus: int
    labels: List[str]

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> "JobRecord":
        return of_json(cls, record)


@dataclass(frozen=True)
class Result:
    """An attempt of a job. The times and the memory are None while it runs."""

    job_id: int
    workflow_id: int
    name: str
    command: str
    attempt: int
    status: str
    return_code: Optional[int]
    #: Why, in words; empty for a plain success.
    reason: str
    node: str
    pid: Optional[int]
    started_at: Optional[float]
    finished_at: Optional[float]
    stdout_bytes: int
    stderr_bytes: int
    stdout_path: Optional[str]
    stderr_path: Optional[str]
    wall: Optional[float] = None
    user_cpu: Optional[float] = None
    system_cpu: Optional[float] = None
    peak_memory: Optional[int] = None

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> "Result":
        return of_json(cls, {**record, **(record.get("usage") or {})})


@dataclass(frozen=True)
class Output:
    """What an attempt wrote."""

    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        """What it wrote to stdout, as text."""
        return self.stdout.decode(errors="replace")


@dataclass(frozen=True)
class Event:
    """Something that happened, after it was recorded.

    ``kind`` is workflow_submitted, workflow_restarted, job_started, job_finished, jobs_canceled,
    action_finished, workflow_finished; or ``state`` for the workflow as it is, where events are not
    told because they came before. ``detail`` has what belongs to the kind.
    """

    kind: str
    detail: Dict[str, Any]
    seq: int
    at: Optional[float] = None
    workflow_id: Optional[int] = None

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> "Event":
        ((kind, detail),) = record["event"].items()
        return cls(kind, detail, record["seq"], record["at"], record["workflow_id"])


@dataclass(frozen=True)
class Canceled:
    """How many jobs will not start, and how many are being stopped."""

    workflow_id: int
    canceled: int
    stopping: int


@dataclass(frozen=True)
class Snapshot:
    """A snapshot that is on disk, synced and verified."""

    generation: int
    path: str
    bytes: int
    sha256: str
    started_at: float
    finished_at: float


@dataclass(frozen=True)
class Status:
    """A torcd. ``raw`` is all that it tells."""

    version: str
    pid: int
    socket: str
    database: str
    in_memory: bool
    read_only: bool
    running_workflows: int
    jobs: JobCounts
    raw: Dict[str, Any]

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> "Status":
        return of_json(cls, record, jobs=of_json(JobCounts, record["jobs"]), raw=dict(record))
