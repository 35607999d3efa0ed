"""The command: geomill serve, processes, jobs, token, credential, drain, backup, doctor, fsck."""

from __future__ import annotations

import errno
from typing import Any

import click

from geomill.app.cli.backup import backup
from geomill.app.cli.credentials import credential
from geomill.app.cli.doctor import doctor, fsck
from geomill.app.cli.drain import drain
from geomill.app.cli.jobs import jobs
from geomill.app.cli.processes import processes
from geomill.app.cli.serve import serve
from geomill.app.cli.tokens import token
from geomill.app.config import SettingsError
from geomill.app.identity.tokens import TokenError
from geomill.client import ServiceError, show

ADVICE = {  # by errno
    errno.EROFS: "; find out why its disk cannot be written (dmesg), and mount it anew",
    errno.ENOSPC: "; make room on its disk (geomill jobs gc, geomill jobs remove)",
    errno.EDQUOT: "; make room, or have the quota of its disk raised",
    errno.EIO: "; its disk is failing: look at dmesg, and save what can be read (geomill backup)",
}


class OneLine(click.Group):
    """Commands whose foreseen errors are one line without a traceback, with status 1."""

    def invoke(self, ctx: click.Context) -> Any:
        """Called by click."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise
        except SettingsError as error:
            usage = str(error).startswith("--")  # an option, not a variable or a file
            raise (click.UsageError if usage else click.ClickException)(show.clean(error)) from error
        except TokenError as error:
            raise click.ClickException(show.clean(error)) from error
        except ServiceError as error:
            raise click.ClickException(show.clean(error)) from error
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            advice = ADVICE.get(error.errno or 0, "")
            raise click.ClickException(show.clean(f"{where}{error.strerror or error}{advice}")) from error


@click.group(cls=OneLine, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="geomill", message="%(package)s %(version)s")
def main() -> None:
    """Geospatial processes, run as jobs: a server, and commands for this host or any OGC API - Processes server."""


for command in (serve, processes, jobs, token, credential, drain, backup, doctor, fsck):
    main.add_command(command)
