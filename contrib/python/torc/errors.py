"""What can go wrong. Every error has a ``code`` to branch on and, often, a ``hint`` what to do."""

from __future__ import annotations

from typing import Any, Dict, Optional, Type


class TorcError(Exception):
    """A request was refused or failed.

    ``message`` names the thing and says what failed; ``code`` is a word of the list in
    ``docs/api.md``; ``hint`` says what to do about it, where there is something to say.
    """

    code = "internal"

    def __init__(self, message: str, hint: Optional[str] = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} (hint: {self.hint})" if self.hint else self.message


class InvalidRequest(TorcError):
    """The request itself is wrong."""

    code = "invalid_request"


class NotFound(TorcError):
    """What the request names is not there."""

    code = "not_found"


class Refused(TorcError):
    """What the request names is in another state, or a rule of torc forbids it."""

    code = "wrong_state"


class Unavailable(TorcError):
    """No torcd answers, it has gone, it only reads, or it is ending.

    Whether a request that was on its way was carried out is not known then. A submission with a key
    can be sent again.
    """

    code = "unavailable"


class Internal(TorcError):
    """A fault of torc; the log of torcd says more."""

    code = "internal"


class NotDurable(TorcError):
    """The snapshot is not on disk. The one before it is untouched."""

    code = "not_durable"


class TimedOut(TorcError, TimeoutError):
    """The time to wait is over. What was waited for goes on."""

    code = "timed_out"

    def __new__(cls, message: str, hint: Optional[str] = None) -> "TimedOut":
        # An OSError with two arguments takes the first for its number.
        return super().__new__(cls, message)


class DegradedWarning(UserWarning):
    """Snapshots fail: what is recorded now may not be there tomorrow."""


_KINDS: Dict[str, Type[TorcError]] = {
    kind.code: kind for kind in (InvalidRequest, NotFound, Refused, Unavailable, Internal)
}


def of_reply(error: Dict[str, Any]) -> TorcError:
    """Returns the exception for an error reply."""
    # A torcd that is newer than this may know other kinds.
    kind = _KINDS.get(error["code"], TorcError)
    made = kind(error["message"], error.get("hint"))
    made.code = error["code"]
    return made
