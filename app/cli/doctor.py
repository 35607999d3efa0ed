"""geomill doctor and geomill fsck: what this host allows, and whether the home keeps its promises."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import click

from geomill.app.cli import options, show
from geomill.app.config import Settings, SettingsError, known

LIBRARIES = ("flask", "gunicorn", "jsonschema-rs", "numpy", "rasterio", "shapely", "pyproj", "scikit-image")
ROUNDS = 20
# forks a warm template as the dispatcher does, and prints the mean time of a child that does nothing, in seconds
FORK = """
import gc, os, sys, time
from geomill.app.engine.templates import preload
preload(sys.argv[1])
gc.collect()
gc.freeze()
begin = time.perf_counter()
for _ in range(int(sys.argv[2])):
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
print((time.perf_counter() - begin) / int(sys.argv[2]))
"""

Rows = Iterator[tuple[str, ...]]


@click.command()
@options.home
@options.processes
def doctor(**given: Any) -> None:
    """Say what this host allows, which process files are broken, and where every setting comes from."""
    options.need_linux()
    settings = Settings.load(overrides=given)
    for title, rows in (
        ("Isolation of jobs", isolation()),
        ("Isolation of deployed packages", sandboxes(settings)),
        ("Cost of a job", costs(settings)),
        ("Disk", disk(settings.home)),
        ("Versions", versions()),
        ("Broken process files", broken(settings)),
        ("Settings", of_settings(settings)),
    ):
        lines = show.table(list(rows) or [("none",)]).splitlines()
        click.echo("\n".join([title, *(f"  {line}" for line in lines), ""]))


@click.command()
@options.home
def fsck(**given: Any) -> None:
    """Check what lies in the home against what it promises; the status is 1 when something is wrong."""
    options.need_linux()
    from geomill.app import tenant_names
    from geomill.app.engine.client import open_store
    from geomill.jobstore.fsck import check

    settings = Settings.load(overrides=given)
    if not settings.home.exists():
        raise click.ClickException(f"{settings.home}: there is no home")
    default = open_store(settings)
    findings = [finding for name in tenant_names.at_work(settings.home) for finding in check(default.of(name))]
    for finding in findings:
        click.echo(f"{finding.path}: promise {finding.promise}: {finding.text}")
    if findings:
        raise click.exceptions.Exit(1)
    click.echo("Nothing is wrong.")


def isolation() -> Rows:
    """What keeps jobs together and apart."""
    from geomill.app.engine.isolation import namespaces_allowed

    yes = namespaces_allowed()
    end = "a job's processes end with its supervisor, whatever happens" if yes else "stray processes are swept after it"
    yield "PID namespace", _word(yes), end
    root = "jobs can run as another user (job_user)" if os.geteuid() == 0 else "jobs run as the same user"
    yield "root", _word(os.geteuid() == 0), root


def sandboxes(settings: Settings) -> Rows:
    """What keeps the tools of deployed packages apart."""
    from geomill.app.engine.isolation import namespaces_allowed, namespaces_have_limits
    from geomill.app.sandbox import NoIsolation, Sandbox, bubblewrap, network

    why = bubblewrap.closed()
    yield "bubblewrap", _word(not why), why or "tools see the system and their job's files"
    alone = network.available(os.geteuid())
    loopback = "a network does not lead to this host's loopback" if alone else "a network leads to loopback too"
    yield "slirp4netns", _word(alone), loopback
    if os.geteuid() == 0:
        limited = namespaces_allowed() and namespaces_have_limits()
        bomb = "a fork bomb goes out" if limited else "nothing stops a fork bomb of root: set job_user"
        yield "limit on processes of root", _word(limited), bomb
    try:
        sandbox = Sandbox(settings)
        for network_wanted in (False, True):
            level = sandbox.level(None, network_wanted)
            yield "with a network" if network_wanted else "without a network", level.name, level.sentence
    except (NoIsolation, SettingsError) as error:
        yield "tools", "no", str(error)


def costs(settings: Settings) -> Rows:
    """What starting and keeping a job takes."""
    from geomill.app.engine.templates import LIBRARIES as TEMPLATES

    for template in TEMPLATES:
        yield f"fork from template {template}", _fork_cost(template)
    yield "bring a file to disk (fsync)", _fsync_cost(_existing(settings.home))


def disk(home: Path) -> Rows:
    """What is free where jobs are kept."""
    found = os.statvfs(_existing(home))
    yield "free space", show.size(found.f_bavail * found.f_frsize), str(home)
    yield "free inodes", str(found.f_favail) if found.f_files else "without limit", ""


def versions() -> Rows:
    """What is installed."""
    yield "python", platform.python_version()
    yield "linux", platform.release()
    for library in ("geomill", *LIBRARIES):
        try:
            yield library, version(library)
        except PackageNotFoundError:
            yield library, "not installed"


def broken(settings: Settings) -> Rows:
    """Process files that describe nothing, and why."""
    from geomill.app.server import open_registry

    if not settings.processes:
        yield ("none, for no folder was named: --processes DIR",)
    for each in open_registry(settings).broken():
        yield str(each.path), each.reason


def of_settings(settings: Settings) -> Rows:
    """Every setting with its value and where that came from."""
    origins = settings.origins()
    for each in known():
        value = getattr(settings, each.name)
        text = ", ".join(map(str, value)) if isinstance(value, tuple) else "" if value is None else str(value)
        yield each.name, f"{text} {each.metadata['unit']}".strip() or "none", origins[each.name], each.metadata["help"]


def _word(yes: bool) -> str:
    return "yes" if yes else "no"


def _fork_cost(template: str) -> str:
    command = [sys.executable, "-P", "-c", FORK, template, str(ROUNDS)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    return f"{float(done.stdout) * 1000:.1f} ms" if done.returncode == 0 else "cannot be measured"


def _fsync_cost(folder: Path) -> str:
    path = folder / f".geomill-doctor-{os.getpid()}"
    try:
        with open(path, "wb") as file:
            begin = time.perf_counter()
            for _ in range(ROUNDS):
                file.write(b"x" * 512)
                file.flush()
                os.fsync(file.fileno())
            return f"{(time.perf_counter() - begin) / ROUNDS * 1000:.2f} ms"
    except OSError as error:
        return f"cannot be measured: {error.strerror}"
    finally:
        path.unlink(missing_ok=True)


def _existing(path: Path) -> Path:
    """The path, or what there is of it."""
    return path if path.exists() or path == path.parent else _existing(path.parent)
