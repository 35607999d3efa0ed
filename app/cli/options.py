"""Options that several commands have."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

if TYPE_CHECKING:
    from geomill.client.service import Service

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

token = click.option(
    "--token",
    envvar="GEOMILL_TOKEN",
    metavar="TOKEN",
    help="Show the server this token; others on this host see it in a command, and not in GEOMILL_TOKEN.",
)

tenant = click.option("--tenant", metavar="NAME", help="Whose processes and jobs.  [default: default]")


def service(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command, as its first argument, the service that its options name."""

    @server
    @token
    @home
    @processes
    @tenant
    @functools.wraps(command)
    def with_service(
        server: str | None,
        token: str | None,
        home: str | None,
        processes: tuple[str, ...],
        tenant: str | None,
        **options: Any,
    ) -> None:
        context = click.get_current_context()
        if server and (home or processes):
            if context.get_parameter_source("server") is ParameterSource.COMMANDLINE:
                raise click.UsageError("--server names another directory than --home or --processes: give one of them")
            server = None
        command(_remote(server, token, tenant) if server else _local(home, processes, tenant), **options)

    return with_service


def need_linux() -> None:
    """Stop a command that works on this host, where this host cannot do it."""
    if not sys.platform.startswith("linux"):
        raise click.ClickException(
            "Jobs run on Linux (WSL2, too), by its namespaces and file locks; elsewhere name a --server."
        )


def _remote(url: str, token: str | None, tenant: str | None) -> Service:
    from geomill.app.addresses import of_tenant
    from geomill.client.remote import Remote
    from geomill.client.reply import landing_page

    if tenant is not None:
        try:
            url = of_tenant(landing_page(url), tenant)
        except ValueError as error:
            raise click.UsageError(f"--tenant: {error}") from None
    return Remote(url, token)


def _local(home: str | None, processes: tuple[str, ...], tenant: str | None) -> Service:
    need_linux()
    from geomill.app import tenant_names
    from geomill.app.cli.local import Local
    from geomill.app.config import Settings

    # whatever address a server listens on, these commands come from this host
    settings = Settings.load(overrides={"home": home, "processes": processes, "host": "127.0.0.1"})
    if tenant is not None and not tenant_names.exists(settings.home, tenant, settings.tenants):
        raise click.ClickException(f"There is no tenant {tenant!r}.")
    return Local(settings, tenant or tenant_names.DEFAULT)
