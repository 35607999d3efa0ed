"""Options that several commands have."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from geomill.app.cli.service import Service

home = click.option("--home", metavar="DIR", help="Where jobs are kept.")
processes = click.option(
    "--processes", metavar="DIR", multiple=True, help="A folder with process files; may be repeated."
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
output = click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Save every output to a file in DIR.",
)
server = click.option(
    "--server", envvar="GEOMILL_SERVER", metavar="URL", help="Ask the OGC API - Processes server at URL instead."
)


def service(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command, as its first argument, the service that its options name."""

    @server
    @home
    @processes
    @functools.wraps(command)
    def with_service(server: str | None, home: str | None, processes: tuple[str, ...], **options: Any) -> None:
        context = click.get_current_context()
        if server and (home or processes):
            if context.get_parameter_source("server") is ParameterSource.COMMANDLINE:
                raise click.UsageError("--server names another directory than --home or --processes: give one of them")
            server = None
        command(_remote(server) if server else _local(home, processes), **options)

    return with_service


def need_linux() -> None:
    """Stop a command that works on this host, where this host cannot do it."""
    if not sys.platform.startswith("linux"):
        raise click.ClickException(
            "Jobs run on Linux (WSL2, too), by its namespaces and file locks; elsewhere name a --server."
        )


def _remote(url: str) -> Service:
    from geomill.app.cli.remote import Remote

    return Remote(url)


def _local(home: str | None, processes: tuple[str, ...]) -> Service:
    need_linux()
    from geomill.app.cli.local import Local
    from geomill.app.config import Settings

    # whatever address a server listens on, these commands come from this host
    return Local(Settings.load(overrides={"home": home, "processes": processes, "host": "127.0.0.1"}))
