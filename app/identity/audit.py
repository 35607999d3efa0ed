"""The audit log: a line of JSON for every change, done or refused, and for all credentials that were no good.

It holds no secrets, and nothing that a caller sends can begin a line. A line that cannot be written fails no request.
"""

from __future__ import annotations

import json
import logging
import os
import pwd
import threading
import time
from pathlib import Path
from typing import Any

from geomill.app.config import Settings
from geomill.app.identity.tokens import FOLDER
from geomill.jobstore.records import now, timestamp

LONGEST = 4096  # bytes of a line, which is written in one go
_CUTS = (200, 50, 10)  # characters that a text is cut to, until the line is short enough
STRANGERS = 60  # lines a minute and worker about strangers who were refused: nobody shall fill the disk with them
log = logging.getLogger(__name__)


def path_of(settings: Settings) -> Path:
    """Where the log is."""
    return settings.audit or settings.home / FOLDER / "audit.jsonl"


class Audit:
    """Appends to a file, and to a new one when that was moved away; several processes may."""

    def __init__(self, path: Path) -> None:
        """path: made with the first line, for its owner alone."""
        self.path = path
        self._lock = threading.Lock()
        self._file, self._mark = -1, (0, 0)
        self._torn = self._failing = False
        self._minute, self._strangers, self._left_out = 0, 0, 0

    def write(self, *, stranger: bool = False, **members: Any) -> None:
        """Append a line with these members, those that are empty left out. stranger: it need not be all of them."""
        with self._lock:
            if stranger and not self._has_place():
                self._left_out += 1
                return
            members = {"time": timestamp(now()), **members, "left_out": self._left_out}
            try:
                self._append(line(members))
                self._left_out, self._failing = 0, False
            except OSError as error:
                if not self._failing:
                    log.error("%s: the audit log cannot be written: %s", self.path, error.strerror)
                self._failing = True

    def _has_place(self) -> bool:
        minute = int(time.monotonic() / 60)
        if minute != self._minute:
            self._minute, self._strangers = minute, 0
        self._strangers += 1
        return self._strangers <= STRANGERS

    def _append(self, content: bytes) -> None:
        self._open()
        content = b"\n" + content if self._torn else content
        written = os.write(self._file, content)
        self._torn = written < len(content)  # the disk is full: the next line begins a new one

    def _open(self) -> None:
        """Have the file open that is there now."""
        try:
            found = os.stat(self.path)
            if (found.st_dev, found.st_ino) == self._mark:
                return
        except FileNotFoundError:
            self.path.parent.mkdir(mode=0o700, exist_ok=True)  # not the home: that was there, and may come back
        if self._file >= 0:
            os.close(self._file)
            self._file, self._mark = -1, (0, 0)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
        self._file = os.open(self.path, flags, 0o600)
        found = os.fstat(self._file)
        self._mark = (found.st_dev, found.st_ino)

    def __del__(self) -> None:
        """Let go of the file."""
        if self._file >= 0:
            os.close(self._file)


def note(settings: Settings, operation: str, **members: Any) -> None:
    """Note what a command on this host has changed."""
    Audit(path_of(settings)).write(**local(), operation=operation, **members)


def local() -> dict[str, Any]:
    """Who runs this process: the user of the system and, where he came by sudo, the one who he was before."""
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # one who has no name
        user = str(os.getuid())
    return {"by": "local", "user": user, "sudo": os.environ.get("SUDO_USER", "")}


def line(members: dict[str, Any]) -> bytes:
    """Members as a line of at most LONGEST bytes, in ASCII."""
    for most in _CUTS:
        cut = {name: each[:most] if isinstance(each, str) else each for name, each in members.items() if each}
        text = json.dumps(cut, separators=(",", ":")).replace("\x7f", "\\u007f") + "\n"
        if len(text) <= LONGEST:
            break
    return text.encode()
