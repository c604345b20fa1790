"""What is submitted: a workflow and its jobs."""

from __future__ import annotations

import base64
import json
import os
from dataclasses import dataclass, field
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple, Union

#: A request holds at most so many jobs or files.
_CHUNK = 1000
#: A request ends with the job that brings it to this size, in characters.
_CHUNK_CHARACTERS = 1 << 20

Request = Tuple[str, Dict[str, Any]]


@dataclass
class Job:
    """A command, and what it needs. Times are in seconds, memory is in bytes."""

    #: Unique within its workflow.
    name: str
    #: A line as one would type it, or a program and its arguments as they stand.
    command: Union[str, Sequence[str]]
    #: The jobs that it waits for, or their names; they may come later in the workflow.
    depends_on: Sequence[Union[str, "Job"]] = ()
    #: How many CPUs it takes.
    cpus: int = 1
    #: How much memory it takes. It is killed when it takes more.
    memory: Optional[int] = None
    #: How many GPUs it takes.
    gpus: int = 0
    #: How long it may run.
    timeout: Optional[float] = None
    #: How many more times it is tried when it fails.
    retries: int = 0
    #: How long to wait before each of them.
    retry_delay: float = 0.0
    #: Higher ones start first.
    priority: int = 0
    #: Added to the environment of the workflow.
    env: Mapping[str, str] = field(default_factory=dict)
    #: Instead of the working directory of the workflow; relative to it.
    working_dir: Optional[str] = None
    #: What becomes of its output: capture, separate, combined, no-stdout, no-stderr, none.
    stdio: str = "capture"
    #: The files that it reads. It waits for the jobs of the workflow that write them.
    inputs: Sequence[str] = ()
    #: The files that it writes. One that is missing when it has ended makes it fail.
    outputs: Sequence[str] = ()
    #: It does not run when a job that it waits for did not complete.
    cancel_on_failure: bool = True

    def _waits_for(self) -> List[str]:
        return [job.name if isinstance(job, Job) else job for job in self.depends_on]

    def _settings(self) -> Dict[str, Any]:
        retry = [{"any": True, "max_retries": self.retries}] if self.retries else []
        return {
            "stdio": self.stdio,
            "retry": retry,
            "retry_delay": self.retry_delay,
            "timeout": self.timeout,
            "cpus": self.cpus,
            "memory": self.memory,
            "gpus": self.gpus,
            "working_dir": self.working_dir,
            "cancel_on_blocking_job_failure": self.cancel_on_failure,
        }


@dataclass
class Workflow:
    """Jobs that are submitted together."""

    #: What people call it; need not be unique.
    name: str
    #: Its jobs, in the order in which they are to start.
    jobs: List[Job] = field(default_factory=list)
    #: Free text.
    description: Optional[str] = None
    #: Anything that JSON has, for whoever reads the record.
    metadata: Optional[Mapping[str, Any]] = None
    #: The environment of the jobs; that of this process when not given.
    env: Optional[Mapping[str, str]] = None
    #: Where they run; the working directory of this process when not given.
    working_dir: Optional[str] = None
    #: Where files of output go.
    output_dir: str = "torc_output"
    #: At most so many of them run at a time, whatever the node has room for.
    max_parallel_jobs: Optional[int] = None

    def add(self, name: str, command: Union[str, Sequence[str]], **options: Any) -> Job:
        """Adds a job with the options of :class:`Job`, and returns it."""
        job = Job(name, command, **options)
        self.jobs.append(job)
        return job

    def requests(self, key: Optional[str]) -> Iterator[Request]:
        """Returns what is sent of it, without the commit.

        Raises ``ValueError`` when a job waits for one that there is not, or two have one name.
        """
        settings: Dict[str, int] = {}
        kinds: List[Dict[str, Any]] = []
        for job in self.jobs:
            kind = job._settings()
            text = json.dumps(kind)
            if text not in settings:
                settings[text] = len(kinds)
                kinds.append(kind)
        places = self._places()
        files = self._files()
        jobs = (self._job(job, settings, places, files) for job in self.jobs)
        yield "submit", {"spec": self._head(kinds), "key": key}
        for chunk in _chunks({"name": path, "path": path} for path in files):
            yield "submit_files", {"files": chunk}
        for chunk in _chunks(jobs):
            yield "submit_jobs", {"jobs": chunk}

    def _head(self, kinds: List[Dict[str, Any]]) -> Dict[str, Any]:
        working_dir = os.path.abspath(self.working_dir or os.getcwd())
        return {
            "name": self.name,
            "description": self.description,
            "metadata": None if self.metadata is None else json.dumps(self.metadata),
            "context": {
                "environment": _environment() if self.env is None else dict(self.env),
                "working_dir": working_dir,
                "output_dir": os.path.join(working_dir, self.output_dir),
            },
            "settings": kinds,
            "options": {"max_parallel_jobs": self.max_parallel_jobs},
        }

    def _places(self) -> Dict[str, int]:
        places: Dict[str, int] = {}
        for place, job in enumerate(self.jobs):
            if places.setdefault(job.name, place) != place:
                raise ValueError(f"two jobs are called {job.name!r}")
        for job in self.jobs:
            for name in job._waits_for():
                if name not in places:
                    raise ValueError(f"job {job.name!r} waits for {name!r}, which there is not")
        return places

    def _files(self) -> Dict[str, Tuple[int, List[int]]]:
        """Returns the place of each file, and the places of the jobs that write it."""
        files: Dict[str, Tuple[int, List[int]]] = {}
        for place, job in enumerate(self.jobs):
            for path in (*job.inputs, *job.outputs):
                files.setdefault(path, (len(files), []))
            for path in job.outputs:
                files[path][1].append(place)
        return files

    def _job(
        self,
        job: Job,
        settings: Dict[str, int],
        places: Dict[str, int],
        files: Dict[str, Tuple[int, List[int]]],
    ) -> Dict[str, Any]:
        waits = {places[name] for name in job._waits_for()}
        for path in job.inputs:
            waits.update(files[path][1])
        is_line = isinstance(job.command, str)
        return {
            "name": job.name,
            "command": {"line": job.command} if is_line else {"argv": list(job.command)},
            "priority": job.priority,
            "settings": settings[json.dumps(job._settings())],
            "depends_on": sorted(waits),
            "inputs": [files[path][0] for path in job.inputs],
            "outputs": [files[path][0] for path in job.outputs],
            "environment": dict(job.env),
        }


def _environment() -> Dict[str, Any]:
    """Returns the environment of this process. Values need not be UTF-8, names have to be."""
    variables: Dict[str, Any] = {}
    for name, value in os.environb.items():
        try:
            key = name.decode()
        except UnicodeDecodeError:
            continue
        try:
            variables[key] = value.decode()
        except UnicodeDecodeError:
            variables[key] = {"base64": base64.b64encode(value).decode()}
    return variables


def _chunks(items: Iterator[Dict[str, Any]]) -> Iterator[List[Dict[str, Any]]]:
    chunk: List[Dict[str, Any]] = []
    characters = 0
    for item in items:
        chunk.append(item)
        characters += len(json.dumps(item))
        if len(chunk) == _CHUNK or characters >= _CHUNK_CHARACTERS:
            yield chunk
            chunk, characters = [], 0
    if chunk:
        yield chunk
