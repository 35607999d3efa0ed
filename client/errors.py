"""What goes wrong: one family of errors, each one line that says what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from geomill.client.show import clean

PASSING = {429, 502, 503, 504}  # statuses of a server that may answer in a moment


class ServiceError(Exception):
    """What the service answered instead of what was asked; one line.

    status, type, title, detail: of its answer, as it came, as far as there was one. Source: RFC 9457.
    """

    def __init__(
        self,
        message: str,
        status: int | None = None,
        type: str | None = None,
        title: str | None = None,
        detail: str | None = None,
    ) -> None:
        super().__init__(clean(message))  # which servers had a hand in
        self.status, self.type, self.title, self.detail = status, type, title, detail

    @property
    def passing(self) -> bool:
        """Whether the same question may be answered in a moment."""
        return self.status in PASSING


class Unreachable(ServiceError):
    """There was no answer, or only the beginning of one."""

    @property
    def passing(self) -> bool:
        """A server that is started again is gone for a moment only."""
        return True


class InputError(ServiceError):
    """What cannot be sent: an input, a name, an address; nothing was."""


class StillRunning(ServiceError, TimeoutError):
    """The job has not ended in the time that one would wait for it; it goes on."""


class JobFailed(ServiceError):
    """The job ended without results: it failed, or was dismissed.

    info: its status document; log: the last lines that it printed, as far as the service shows any.
    """

    def __init__(self, message: str, info: dict[str, Any] | None = None, log: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.info, self.log = info or {}, list(log)
        if log:  # which a traceback shows below the message
            self.add_note("\n".join(["The end of its log:", *(f"  {line}" for line in log)]))
