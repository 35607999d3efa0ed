"""What cwltool says while it runs: it goes to the log of the job, and the reason of a failure is kept.

cwltool raises little: it logs what was wrong and goes on to say that the process failed.
"""

from __future__ import annotations

import logging
import os
import re
import threading
from pathlib import Path

from cwltool.errors import WorkflowException

from geomill.app.cwl.loading import URI
from geomill.app.cwl.wording import readable

COMMAND = "[job %s] %s$ %s%s%s%s"  # how cwltool logs a command, which here is that of the sandbox
WRAPPED = "Exception on step"  # how cwltool begins an error whose cause is the message
LAST = 2000  # bytes at the end of a log that a failure quotes
ROOM, WIDEST = 16, 400  # lines of them, characters of a line
# how it ends the news that something has ended, or failed for a reason that it says next
AFTERWARDS = ("completed %s", "exited with status: %d", "Exception on step '%s'")


class Said(logging.Handler):
    """Keeps the last thing that was wrong in each thread, and the first error of all."""

    def __init__(self, work: Path) -> None:
        """work: the job's, from which files are named."""
        super().__init__(logging.WARNING)
        self.work, self.first = work, ""
        self._here = threading.local()

    def emit(self, record: logging.LogRecord) -> None:
        """Note one message."""
        if str(record.msg).endswith(AFTERWARDS):
            return
        message = record.getMessage()
        raised = str(record.exc_info[1]) if record.exc_info and record.exc_info[1] else ""
        self.note(message if raised in message else f"{message}: {raised}")
        if record.levelno >= logging.ERROR and not self.first:
            self.first = self._here.last

    def note(self, message: str) -> None:
        """Take a message as the last one."""
        self._here.last = told(message, self.work)

    def forget(self) -> None:
        """Begin anew in this thread."""
        self._here.last = ""

    def here(self) -> str:
        """What this thread was told last."""
        return str(getattr(self._here, "last", ""))


def listen(work: Path) -> tuple[logging.Logger, Said]:
    """The logger of cwltool, which from now on writes to the log of the job, without the host's paths."""
    logger = logging.getLogger("cwltool")
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
    written, said = logging.StreamHandler(), Said(work)
    written.setFormatter(_Local(work))
    written.addFilter(lambda record: record.msg != COMMAND)
    logger.addHandler(written)
    logger.addHandler(said)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    return logger, said


def told(message: str | BaseException, work: Path) -> str:
    """A message of cwltool in one line, which names lines of the document and files from the job's folder."""
    while isinstance(message, BaseException) and message.__cause__ and str(message).startswith(WRAPPED):
        message = message.__cause__
    return readable(WorkflowException(local(str(message), work)), URI)


def local(text: str, work: Path) -> str:
    """A text that names files from the job's folder."""
    return text.replace(f"file://{work}{os.sep}", "").replace(f"{work}{os.sep}", "")


def log_name(step: str) -> str:
    """The name of a step as that of a file."""
    return re.sub(r"[^\w.-]", "_", step, flags=re.ASCII)[:120].lstrip(".") or "step"


def last_lines(log: Path) -> str:
    """What a tool said last, in one line."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - LAST))
            text = file.read(LAST).decode(errors="replace")
    except OSError:
        return ""
    text = "".join(letter if letter.isprintable() or letter == "\n" else " " for letter in text)
    lines = [line.strip()[-WIDEST:] for line in text.splitlines() if line.strip() and not line.startswith("$ ")]
    return " | ".join(lines[-ROOM:])


class _Local(logging.Formatter):
    """Names files from the job's folder."""

    def __init__(self, work: Path) -> None:
        super().__init__()
        self.work = work

    def format(self, record: logging.LogRecord) -> str:
        """Without a traceback, which is of ours and of this host."""
        return local(f"{record.levelname} {record.getMessage()}", self.work)
