"""One ``torcctl api`` process: requests go in as lines of JSON, replies come out as lines of JSON."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import tempfile
import time
import warnings
from typing import IO, Any, Dict, Iterator, List, Optional

from .errors import DegradedWarning, TimedOut, TorcError, Unavailable, of_reply

#: How long a process has to end by itself when its input is closed, in seconds.
_PATIENCE = 5.0


class Connection:
    """A process and its pipes. Not for use by several threads at a time."""

    def __init__(self, command: List[str]) -> None:
        # Its last words. A file, since nobody reads a pipe while the replies are read.
        self._stderr: IO[bytes] = tempfile.TemporaryFile()
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
                # Ctrl-C is for Python, which may still want to cancel something.
                start_new_session=True,
            )
        except OSError as error:
            self._stderr.close()
            raise Unavailable(
                f"cannot start {command[0]}: {error.strerror}",
                "install torc, or name the program with Client(torcctl=...)",
            ) from error
        assert self._process.stdin is not None and self._process.stdout is not None
        self._stdin: IO[bytes] = self._process.stdin
        self._stdout: IO[bytes] = self._process.stdout
        self._buffer = bytearray()
        self._scanned = 0
        self._is_answered = True
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._stdout, selectors.EVENT_READ)

    def is_ready(self) -> bool:
        """Returns whether a request can be sent: the last one is answered, and the process lives."""
        return self._is_answered and self._process.poll() is None

    def one(self, verb: str, arguments: Dict[str, Any]) -> Any:
        """Sends a request that has one reply, and returns what it holds."""
        self._send(verb, arguments)
        (held,) = self._reply(None).values()
        self._is_answered = True
        return held

    def many(
        self, verb: str, arguments: Dict[str, Any], deadline: Optional[float] = None
    ) -> Iterator[Any]:
        """Sends a request whose reply has many parts, and returns what they hold.

        Raises ``TimedOut`` when ``deadline`` comes before, by ``time.monotonic``. When the parts are
        not all taken, the connection is not ready any more.
        """
        self._send(verb, arguments)
        while True:
            part = self._reply(deadline)
            if part == "end":
                self._is_answered = True
                return
            (held,) = part.values()
            yield held

    def _send(self, verb: str, arguments: Dict[str, Any]) -> None:
        line = json.dumps({verb: arguments}, allow_nan=False, separators=(",", ":"))
        self._is_answered = False
        try:
            self._stdin.write(line.encode() + b"\n")
            self._stdin.flush()
        except OSError:
            raise self._gone() from None

    def _reply(self, deadline: Optional[float]) -> Any:
        while True:
            reply = json.loads(self._line(deadline))
            if reply == "end":
                return reply
            if "degraded" in reply:
                _warn(reply["degraded"])
                continue
            if "error" in reply:
                self._is_answered = True
                raise of_reply(reply["error"])
            return reply

    def _line(self, deadline: Optional[float]) -> bytes:
        while True:
            end = self._buffer.find(b"\n", self._scanned)
            if end >= 0:
                line = bytes(self._buffer[:end])
                del self._buffer[: end + 1]
                self._scanned = 0
                return line
            self._scanned = len(self._buffer)
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            if not self._selector.select(left):
                if deadline is not None and time.monotonic() >= deadline:
                    raise TimedOut("the time to wait is over")
                continue
            read = os.read(self._stdout.fileno(), 1 << 20)
            if not read:
                raise self._gone()
            self._buffer += read

    def _gone(self) -> TorcError:
        """Returns the error that the process has ended with."""
        self.close()
        # Warnings may stand before it.
        words = self._words.rpartition("error: ")[2].strip()
        message, _, hint = words.partition("\nhint: ")
        return Unavailable(message or "torcctl has ended without a word", hint or None)

    def close(self) -> None:
        """Ends the process. What it was asked for and has not told is lost."""
        if self._stderr.closed:
            return
        self._selector.close()
        for pipe in (self._stdin, self._stdout):
            try:
                pipe.close()
            except OSError:
                pass
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._stderr.seek(0)
        self._words = self._stderr.read().decode(errors="replace")
        self._stderr.close()


def _warn(status: Dict[str, Any]) -> None:
    failure = status.get("error") or {}
    what = failure.get("reason") or "the reason is not known yet"
    message = f"snapshots fail: {what}; what is recorded now may not be there tomorrow"
    warnings.warn(message, DegradedWarning, stacklevel=5)
