"""The client."""

from __future__ import annotations

import base64
import os
import threading
import time
from types import TracebackType
from typing import Any, Dict, Iterator, List, Optional, Sequence, Type, Union

from .connection import Connection
from .errors import NotDurable, NotFound, TimedOut
from .records import (
    Canceled,
    Event,
    JobRecord,
    Output,
    Result,
    Snapshot,
    Status,
    WorkflowRecord,
    of_json,
)
from .workflow import Workflow

#: How many rows are asked for at a time.
_PAGE = 500

#: A workflow: its number, its name, or "latest".
WorkflowName = Union[int, str]
#: A job: its number, or its name in the workflow that is named beside it.
JobName = Union[int, str]


class Client:
    """A connection to the torcd of the user.

    It is opened with the first request, and opened anew with the next one when it was lost. A client
    may be used by several threads: their requests are answered one after the other. ``watch`` and
    ``wait`` have connections of their own, so that they keep nobody waiting. After a ``fork``, the
    child needs a client of its own.

    ``socket`` is where the torcd listens; torcctl finds that of the user when it is not given.
    ``db`` reads a database file instead. ``torcctl`` is the program.
    """

    def __init__(
        self,
        socket: Optional[str] = None,
        torcctl: str = "torcctl",
        db: Optional[str] = None,
    ) -> None:
        self._command = [torcctl, "api"]
        if socket is not None:
            self._command += ["--socket", os.fspath(socket)]
        if db is not None:
            self._command += ["--db", os.fspath(db)]
        self._lock = threading.RLock()
        self._connection: Optional[Connection] = None

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection. A submission that was not finished is dropped."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    # Asking

    def request(self, verb: str, **arguments: Any) -> Any:
        """Sends any request that has one reply, and returns what the reply holds.

        ``torcctl api --list`` shows the verbs.
        """
        with self._lock:
            return self._ready().one(verb, arguments)

    def request_many(self, verb: str, **arguments: Any) -> List[Any]:
        """Sends any request whose reply has many parts, and returns what they hold."""
        with self._lock:
            return list(self._ready().many(verb, arguments))

    def _ready(self) -> Connection:
        """Returns a connection on which nothing is open."""
        if self._connection is not None and not self._connection.is_ready():
            self.close()
        if self._connection is None:
            self._connection = Connection(self._command)
        return self._connection

    # What there is

    def status(self) -> Status:
        """Returns how the torcd is."""
        return Status.of(self.request("status"))

    def workflow(self, workflow: WorkflowName = "latest") -> WorkflowRecord:
        """Returns one workflow."""
        return WorkflowRecord.of(self.request("get_workflow", workflow=_workflow(workflow)))

    def workflows(
        self, status: Sequence[str] = (), name: Optional[str] = None
    ) -> Iterator[WorkflowRecord]:
        """Returns the workflows in these states whose names match this glob, oldest first."""
        rows = self._rows("list_workflows", status=list(status), name=name)
        return (WorkflowRecord.of(row) for row in rows)

    def jobs(
        self,
        workflow: WorkflowName = "latest",
        status: Sequence[str] = (),
        name: Optional[str] = None,
    ) -> Iterator[JobRecord]:
        """Returns the jobs of a workflow in these states whose names match this glob."""
        selector = _workflow(workflow)
        rows = self._rows("list_jobs", workflow=selector, status=list(status), name=name)
        return (JobRecord.of(row) for row in rows)

    def results(
        self,
        workflow: WorkflowName = "latest",
        status: Sequence[str] = (),
        name: Optional[str] = None,
        all_attempts: bool = False,
    ) -> Iterator[Result]:
        """Returns the last attempt of each job of a workflow, or all."""
        rows = self._rows(
            "list_results",
            workflow=_workflow(workflow),
            status=list(status),
            name=name,
            all_attempts=all_attempts,
        )
        return (Result.of(row) for row in rows)

    def _rows(self, verb: str, **arguments: Any) -> Iterator[Dict[str, Any]]:
        """Asks for one page after the other, so that a long list takes no memory."""
        offset = 0
        while True:
            page = {"offset": offset, "limit": _PAGE}
            parts = self.request_many(verb, page=page, **arguments)
            rows = [row for part in parts for row in part]
            yield from rows
            if len(rows) < _PAGE:
                return
            offset += len(rows)

    def logs(
        self,
        job: JobName,
        workflow: WorkflowName = "latest",
        attempt: Optional[int] = None,
    ) -> Output:
        """Returns what the last attempt of a job has written so far, or this one.

        Output that is in files is read from there, on this host.
        """
        request: Dict[str, Any] = {"job": _job(job, workflow), "attempt": attempt}
        streams = {"stdout": bytearray(), "stderr": bytearray()}
        while True:
            offsets = {f"{name}_offset": len(read) for name, read in streams.items()}
            chunk = self.request("logs", **request, **offsets)
            # Later parts are of the same attempt, whatever starts meanwhile.
            request["attempt"] = chunk["attempt"]["number"]
            is_new = False
            for name, read in streams.items():
                part = _part(chunk[name], len(read))
                is_new = is_new or bool(part)
                read += part
            if chunk["ended"] or not is_new:
                return Output(bytes(streams["stdout"]), bytes(streams["stderr"]))

    # What is done

    def submit(self, workflow: Workflow, key: Optional[str] = None) -> int:
        """Submits a workflow and returns its number: all of it or nothing.

        With a key it is submitted once for good: a second call with the same key makes nothing, and
        returns the number of the first. So a call that has failed with ``Unavailable``, of which
        nobody knows whether it was recorded, can be made again.
        """
        with self._lock:
            # One connection for all of it: a submission belongs to the one that has begun it.
            connection = self._ready()
            for verb, arguments in workflow.requests(key):
                existing = connection.one(verb, arguments)["existing"]
                if existing is not None:
                    return int(existing)
            return int(connection.one("submit_commit", {})["workflow_id"])

    def cancel(
        self,
        workflow: WorkflowName,
        jobs: Sequence[JobName] = (),
        grace: Optional[float] = None,
    ) -> Canceled:
        """Cancels a workflow, or these jobs of it: those that run have ``grace`` seconds to end."""
        selectors = [_job(job, workflow) for job in jobs]
        reply = self.request("cancel", workflow=_workflow(workflow), jobs=selectors, grace=grace)
        return of_json(Canceled, reply)

    def snapshot(
        self, wait: Union[bool, float] = True, path: Optional[str] = None
    ) -> Optional[Snapshot]:
        """Takes a snapshot, and returns it when it is on disk: synced and verified.

        ``wait`` may be a number of seconds, after which ``TimedOut`` is raised, or False, which asks
        for one and returns None at once. Raises ``NotDurable`` when it fails.
        """
        how: Any = {"at_most": wait}
        if isinstance(wait, bool):
            how = "forever" if wait else "no"
        target = None if path is None else os.path.abspath(path)
        for step in self.request_many("snapshot", wait=how, path=target):
            if not isinstance(step, dict):
                continue
            if "done" in step:
                return of_json(Snapshot, step["done"])
            if "failed" in step:
                failure = step["failed"]
                raise NotDurable(
                    f"the snapshot {failure['path']} is not on disk: "
                    f"step '{failure['phase']}' failed: {failure['reason']}"
                )
            if "timed_out" in step:
                raise TimedOut(f"the snapshot is not on disk yet, it is at '{step['timed_out']}'")
        return None

    # What happens

    def watch(
        self, workflow: WorkflowName = "latest", from_seq: Optional[int] = None
    ) -> Iterator[Event]:
        """Returns the events of a workflow until it has ended or is paused.

        Begins with its state, or with the event of the number ``from_seq``. Has a connection of its
        own, which ends with the iterator.
        """
        return self._events(workflow, from_seq, None)

    def wait(self, workflow: WorkflowName, timeout: Optional[float] = None) -> WorkflowRecord:
        """Waits until a workflow has ended or is paused, and returns it.

        Raises ``TimedOut`` after ``timeout`` seconds; the workflow goes on.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        found = self.workflow(workflow)
        try:
            for _ in self._events(found.id, None, deadline):
                pass
        except TimedOut:
            message = f"workflow {found.id} '{found.name}' has not ended after {timeout:g} s"
            raise TimedOut(message, "it goes on") from None
        return self.workflow(found.id)

    def _events(
        self, workflow: WorkflowName, from_seq: Optional[int], deadline: Optional[float]
    ) -> Iterator[Event]:
        connection = Connection(self._command)
        try:
            while True:
                arguments = {"workflow": _workflow(workflow), "from_seq": from_seq}
                from_seq = None
                for item in connection.many("watch", arguments, deadline):
                    if "state" in item:
                        state = item["state"]
                        yield Event("state", state["workflow"], state["next_seq"])
                    elif "cut" in item:
                        from_seq = item["cut"]["next_seq"]
                    for record in item.get("events", ()):
                        yield Event.of(record)
                # Who is cut off for being slow goes on from there.
                if from_seq is None:
                    return
        finally:
            connection.close()


def _workflow(workflow: WorkflowName) -> Any:
    if isinstance(workflow, int):
        return {"id": workflow}
    return "latest" if workflow == "latest" else {"name": workflow}


def _job(job: JobName, workflow: WorkflowName) -> Any:
    if isinstance(job, int):
        return {"id": job}
    return {"name": {"workflow": _workflow(workflow), "name": job}}


def _part(part: Dict[str, Any], offset: int) -> bytes:
    if "bytes" in part:
        octets = part["bytes"]
        return octets.encode() if isinstance(octets, str) else base64.b64decode(octets["base64"])
    path = part["file"]["path"]
    try:
        with open(path, "rb") as file:
            file.seek(offset)
            return file.read()
    except OSError as error:
        raise NotFound(f"cannot read the output {path}: {error.strerror}") from error
