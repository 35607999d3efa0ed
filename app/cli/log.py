"""The server's log: gunicorn's lines and ours, alike, and what it says when it has begun."""

from __future__ import annotations

import getpass
import logging
import os
import sys
from contextlib import suppress
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

from gunicorn.glogging import Logger

from geomill.app import loglines
from geomill.app.config import Settings
from geomill.app.loglines import OURS

log = logging.getLogger(__name__)


class Log(Logger):  # type: ignore[misc]  # without types
    """gunicorn's log; wherever that is written, ours is, too."""

    def setup(self, cfg: Any) -> None:
        """Called by gunicorn, again when it reloads."""
        super().setup(cfg)
        for logger in (logging.getLogger(), OURS):
            logger.handlers[:] = self.error_log.handlers
        OURS.propagate = False
        OURS.setLevel(logging.WARNING if is_watched() else logging.INFO)

    def _set_handler(self, log: Any, output: Any, fmt: logging.Formatter, stream: Any = None) -> None:
        ours = log is self.error_log or loglines.is_json()
        super()._set_handler(log, output, loglines.formatter() if ours else fmt, stream)

    def access(self, resp: Any, req: Any, environ: Any, request_time: timedelta) -> None:
        """Called by gunicorn for each answer; its own options say whether there is a log of them.

        An address in it has no query, which may hold what opens something.
        """
        if not loglines.is_json():
            super().access(resp, req, environ, request_time)
        elif self.access_log_enabled:
            method, path = environ["REQUEST_METHOD"], environ["RAW_URI"].partition("?")[0]
            status = int(str(resp.status).split(None, 1)[0])
            about = {
                **{"method": method, "path": path, "status": status, "bytes": resp.sent},
                **{"seconds": request_time.total_seconds(), "address": environ.get("REMOTE_ADDR", "")},
            }
            self.access_log.info("%s %s %d", method, path, status, extra={"about": about})


def is_watched() -> bool:
    """Whether somebody looks at the log on a terminal, who knows when it was and what he has started."""
    return sys.stderr.isatty()


def announce(settings: Settings, file: Path | None, told: list[str]) -> None:
    """Say that the server serves: to people what is told, on standard output; to a log when, and under what.

    file: the settings that were read; told: first where it is.
    """
    if not is_watched():
        where = told[0].partition(" and keeps ")[0].removeprefix("Geomill ")
        log.info(
            "Geomill %s %s; user %s, home %s, runtime directory %s, %s", version("geomill"), where, _user(),
            settings.home, settings.runtime_dir, f"settings of {file}" if file else "no geomill.toml",
        )  # fmt: skip
        for line in told[1:]:
            log.info("%s", line)
        with suppress(OSError):
            # in one file everything has its time, and those who read objects read nothing else
            if loglines.is_json() or os.path.sameopenfile(1, 2):
                return
    print("\n".join(told), flush=True)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # one who has no name
        return str(os.geteuid())
