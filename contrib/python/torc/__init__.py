"""Run many commands on a node with torc, from Python.

A :class:`Client` talks to the torcd of the user, which ``torcctl daemon start`` starts::

    import torc

    with torc.Client() as client:
        sweep = torc.Workflow("squares")
        for x in range(10):
            sweep.add(f"x{x}", f"echo $(({x} * {x}))")
        done = client.wait(client.submit(sweep), timeout=600)
        for result in client.results(done.id):
            print(result.name, result.return_code, client.logs(result.job_id).text)

It needs nothing but the standard library, Python 3.8 or later, and ``torcctl`` in ``PATH``.
"""

from .client import Client
from .errors import (
    DegradedWarning,
    Internal,
    InvalidRequest,
    NotDurable,
    NotFound,
    Refused,
    TimedOut,
    TorcError,
    Unavailable,
)
from .records import (
    Canceled,
    Event,
    JobCounts,
    JobRecord,
    Output,
    Result,
    Snapshot,
    Status,
    WorkflowRecord,
)
from .workflow import Job, Workflow

__all__ = [
    "Canceled",
    "Client",
    "DegradedWarning",
    "Event",
    "Internal",
    "InvalidRequest",
    "Job",
    "JobCounts",
    "JobRecord",
    "NotDurable",
    "NotFound",
    "Output",
    "Refused",
    "Result",
    "Snapshot",
    "Status",
    "TimedOut",
    "TorcError",
    "Unavailable",
    "Workflow",
    "WorkflowRecord",
]
