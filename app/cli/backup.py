"""geomill backup: a copy of a home that is in use."""

from __future__ import annotations

import os
import sys
import tarfile
from pathlib import Path
from typing import Any, BinaryIO

import click

from geomill.app.cli import options
from geomill.app.config import Settings
from geomill.app.identity.audit import note
from geomill.client import show


@click.command()
@click.argument("target", metavar="TARGET")
@options.home
def backup(target: str, **given: Any) -> None:
    """Write all jobs, processes and packages to TARGET, a tar file, or to standard output (-).

    The server may be at work. To restore: unpack it into an empty folder, which becomes the home.
    """
    options.need_linux()
    settings = Settings.load(overrides=given)
    if not settings.home.exists():
        raise click.ClickException(f"{settings.home}: there is no home")
    if target == "-":
        click.echo(written(settings, sys.stdout.buffer, "standard output"), err=True)
        return
    path = Path(target).absolute()
    if path.exists():
        raise click.ClickException(f"{path}: is there already")
    if Path(os.path.realpath(path)).is_relative_to(settings.home):
        raise click.ClickException(f"{path}: is in the home; put it on another disk")
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            said = written(settings, file, str(path))
            file.flush()
            os.fsync(file.fileno())
            size = file.tell()
        unfinished.rename(path)
    except OSError as error:
        error.filename = error.filename or str(path)
        raise
    finally:
        unfinished.unlink(missing_ok=True)
    click.echo(f"{said}, {show.size(size)} in {path}")


def written(settings: Settings, file: BinaryIO, name: str) -> str:
    """Write a home to a file that need not be able to seek: what is in it. name: what the audit log calls the file."""
    from geomill.app.backup import Backup, Changing
    from geomill.app.engine.client import open_store

    try:
        with tarfile.open(fileobj=file, mode="w|", format=tarfile.PAX_FORMAT) as tar:
            made = Backup(open_store(settings), tar)
            made.write()
    except Changing as error:
        raise click.ClickException(str(error)) from error
    said = f"{made.jobs} jobs, {made.processes} deployed processes"
    note(settings, "backup", name=name, message=said)
    return said
