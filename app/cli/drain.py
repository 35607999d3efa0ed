"""geomill drain: take nothing new, for maintenance, and wait until nothing runs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from geomill.app.cli import options
from geomill.app.config import Settings
from geomill.app.identity.audit import note
from geomill.app.setting_kinds import SECONDS
from geomill.client import show

LOOK_EVERY = 0.2  # seconds


@click.command()
@options.home
@click.option("--message", metavar="TEXT", help="What clients are told; said once, it stays until --off.")
@click.option("--wait", is_flag=True, help="Wait until no job runs.")
@click.option("--timeout", metavar="TIME", help='Longest wait, as "10 min"; status 1 when jobs still run then.')
@click.option("--off", is_flag=True, help="Accept and start jobs again.")
def drain(message: str | None, wait: bool, timeout: str | None, off: bool, **given: Any) -> None:
    """Accept no executions and no deployments, and start no waiting job, until --off; running jobs go on."""
    options.need_linux()
    from geomill.app.engine.client import open_store
    from geomill.jobstore import maintenance

    seconds = _seconds(timeout)
    if off and (message is not None or wait or timeout):
        raise click.UsageError("--off ends it: nothing else can be said with it")
    settings = Settings.load(overrides=given)
    open_store(settings)  # which says what is wrong with the home
    if off:
        ended = maintenance.end(settings.home)
        if ended:
            note(settings, "endDrain")
        click.echo("Jobs are accepted and started again." if ended else "Jobs were accepted already.")
        return
    begun = maintenance.read(settings.home)
    now = maintenance.begin(settings.home, None if message is None else show.clean(message))
    if now != begun:
        note(settings, "drain", message=now.message)
    click.echo(f"No job is accepted or started in {settings.home}, until `geomill drain --off`.")
    left = _running(settings)
    if wait:
        deadline = time.monotonic() + seconds
        while left and time.monotonic() < deadline:
            time.sleep(LOOK_EVERY)
            left = _running(settings)
    click.echo("No job runs." if not left else f"{left} {'job runs' if left == 1 else 'jobs run'}.")
    if wait and left:
        raise click.exceptions.Exit(1)


def _seconds(timeout: str | None) -> float:
    if timeout is None:
        return float("inf")
    try:
        return float(SECONDS.parse(timeout, Path()))
    except (ValueError, KeyError):
        raise click.UsageError(f"--timeout: expected {SECONDS.expected}, found {timeout!r}") from None


def _running(settings: Settings) -> int:
    """How many jobs run: by the dispatcher, which knows of those that only begin, else by the store."""
    from geomill.app import tenant_names
    from geomill.app.engine.client import Engine, open_store
    from geomill.jobstore import Filters, Status

    default = open_store(settings)
    answer = Engine(settings, default).ask({"op": "hello"}, 2.0)
    if answer:
        return int(answer["running"])
    filters = Filters(statuses=(Status.RUNNING,))
    return sum(len(default.of(name).list(filters, 10_000).jobs) for name in tenant_names.at_work(settings.home))
