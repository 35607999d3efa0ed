"""What cwltool says while it runs: it goes to the log of the job, and the reason of a failure is kept.

cwltool raises little: it logs what was wrong and goes on to say that the process failed.
"""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path

from geomill.app.cwl.loading import URI
from geomill.app.cwl.wording import readable

COMMAND = "[job %s] %s$ %s%s%s%s"  # how cwltool logs a command, which here is that of the sandbox
AFTERWARDS = ("completed %s", "exited with status: %d")  # how it ends the news that something has ended


class Said(logging.Handler):
    """Keeps the last thing that was wrong in each thread, and the first error of all."""

    def __init__(self) -> None:
        """Nothing was said yet."""
        super().__init__(logging.WARNING)
        self.first = ""
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
        self._here.last = readable(message, URI)

    def here(self) -> str:
        """What this thread was told last."""
        return str(getattr(self._here, "last", ""))


def listen(work: Path) -> tuple[logging.Logger, Said]:
    """The logger of cwltool, which from now on writes to the log of the job, without the host's paths."""
    logger = logging.getLogger("cwltool")
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
    written, said = logging.StreamHandler(), Said()
    written.setFormatter(_Local(f"{work}{os.sep}"))
    written.addFilter(lambda record: record.msg != COMMAND)
    logger.addHandler(written)
    logger.addHandler(said)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    return logger, said


class _Local(logging.Formatter):
    """Names files from the job's folder."""

    def __init__(self, folder: str) -> None:
        super().__init__("%(levelname)s %(message)s")
        self.folder = folder

    def format(self, record: logging.LogRecord) -> str:
        return super().format(record).replace(f"file://{self.folder}", "").replace(self.folder, "")
