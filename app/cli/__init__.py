"""The command: geomill serve, processes, jobs, token, credential, drain, backup, doctor, fsck."""

from __future__ import annotations

import errno
from importlib import import_module
from typing import Any

import click

from geomill.app.config import SettingsError

# each in a module of this package, which is imported when the command is meant: a server needs no client
COMMANDS = {"serve": "serve", "processes": "processes", "jobs": "jobs", "token": "tokens", "credential": "credentials",
            "drain": "drain", "backup": "backup", "doctor": "doctor", "fsck": "doctor"}  # fmt: skip
ADVICE = {  # by errno
    errno.EROFS: "; find out why its disk cannot be written (dmesg), and mount it anew",
    errno.ENOSPC: "; make room on its disk (geomill jobs gc, geomill jobs remove)",
    errno.EDQUOT: "; make room, or have the quota of its disk raised",
    errno.EIO: "; its disk is failing: look at dmesg, and save what can be read (geomill backup)",
}


class OneLine(click.Group):
    """Commands whose foreseen errors are one line without a traceback, with status 1."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Called by click."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Called by click."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"{__name__}.{COMMANDS[cmd_name]}"), cmd_name)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Called by click."""
        try:
            return super().invoke(ctx)
        except (BrokenPipeError, RuntimeError):  # the latter: click's own, such as Exit
            raise
        except Exception as error:
            if foreseen := _foreseen(error):
                raise foreseen from error
            raise


def _foreseen(error: Exception) -> click.ClickException | None:
    """The line for an error that somebody has foreseen."""
    from geomill.app.identity.tokens import TokenError
    from geomill.client import ServiceError, show

    if isinstance(error, SettingsError):
        usage = str(error).startswith("--")  # an option, not a variable or a file
        return (click.UsageError if usage else click.ClickException)(show.clean(error))
    if isinstance(error, TokenError | ServiceError):
        return click.ClickException(show.clean(error))
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        advice = ADVICE.get(error.errno or 0, "")
        return click.ClickException(show.clean(f"{where}{error.strerror or error}{advice}"))
    return None


@click.group(cls=OneLine, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="geomill", message="%(package)s %(version)s")
def main() -> None:
    """Geospatial processes, run as jobs: a server, and commands for this host or any OGC API - Processes server."""
