"""geomill doctor and geomill fsck: what this host allows, and whether the home keeps its promises."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from geomill.app import host
from geomill.app.cli import options
from geomill.app.config import Settings, known
from geomill.app.host import Rows
from geomill.app.identity.audit import note
from geomill.client import show

if TYPE_CHECKING:
    from geomill.jobstore.fsck import Finding

ROUNDS = 20
NEEDS_YOU = "needs you"
# forks a warm template as the dispatcher does, and prints the mean time of a child that does nothing, in seconds
FORK = """
import os, sys, time
from geomill.app import immortal
from geomill.app.engine.templates import preload
preload(sys.argv[1])
immortal.make_all()
begin = time.perf_counter()
for _ in range(int(sys.argv[2])):
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
print((time.perf_counter() - begin) / int(sys.argv[2]))
"""

# what those of a row are called in JSON; the note of a setting: its origin; help: also what to do about a finding
CELLS = ("name", "value", "note", "help")


@click.command()
@options.home
@options.processes
@options.as_json
def doctor(as_json: bool, **given: Any) -> None:
    """Say what this host allows, which process files are broken, and where every setting comes from."""
    options.need_linux()
    settings = Settings.load(overrides=given)
    sections: list[tuple[str, Rows]] = [
        ("Isolation of jobs", host.isolation(settings, host.allows())),
        ("Isolation of deployed packages", host.sandboxes(settings, host.allows())),
        ("Callers", callers(settings)),
        ("Cost of a job", costs(settings)),
        ("Disk", disk(settings)),
        ("Maintenance", under_maintenance(settings.home)),
        ("Versions", host.versions()),
        ("Broken process files", broken(settings)),
        ("Credentials", credentials(settings)),
        ("Settings", of_settings(settings)),
    ]
    if as_json:
        found = {title: [dict(zip(CELLS, row, strict=False)) for row in rows] for title, rows in sections}
        click.echo(show.pretty(found))
        return
    for title, rows in sections:
        unnamed = title == "Broken process files" and not settings.processes
        nothing = "none, for no folder was named: --processes DIR" if unnamed else "none"
        lines = show.table(list(rows) or [(nothing,)]).splitlines()
        click.echo("\n".join([title, *(f"  {line}" for line in lines), ""]))


@click.command()
@options.home
@options.as_json
@click.option("--repair", is_flag=True, help="Mend what can be mended; no result is removed.")
def fsck(repair: bool, as_json: bool, **given: Any) -> None:
    """Check what lies in the home against what it promises; the status is 1 when something is wrong, and stays so."""
    options.need_linux()
    from geomill.app.engine.client import open_store
    from geomill.app.fsck import check_home

    settings = Settings.load(overrides=given)
    if not settings.home.exists():
        raise click.ClickException(f"{settings.home}: there is no home")
    rows = []
    for finding in check_home(open_store(settings)):
        state, outcome = attend(finding, repair=repair)
        rows.append({
            "path": str(finding.path), "what": finding.what or None, "promise": finding.promise,
            "found": finding.text, "state": state, "outcome": outcome,
        })  # fmt: skip
        if not as_json:
            click.echo(show.clean(f"{finding}; {outcome}"))
    done = sum(row["state"] != NEEDS_YOU for row in rows)
    if repair and rows:
        note(settings, "repair", message=f"{done} of {len(rows)} findings mended")
    click.echo(show.pretty({"findings": rows}) if as_json else summary(len(rows), done, repair=repair))
    if rows and not (repair and done == len(rows)):
        raise click.exceptions.Exit(1)


def attend(finding: Finding, *, repair: bool) -> tuple[str, str]:
    """What is to become of a finding, one of three words, and in a sentence."""
    if finding.mend is None:
        return NEEDS_YOU, finding.remedy
    if not repair:
        return "repairable", "--repair mends it"
    mended, outcome = mend(finding.mend)
    return "mended" if mended else NEEDS_YOU, outcome


def mend(work: Callable[[], str]) -> tuple[bool, str]:
    """Mend what was found: whether that was done, and what."""
    from geomill.jobstore import NoSuchJob, StoreBusy

    try:
        return True, work()
    except NoSuchJob:
        return True, "the job was removed meanwhile"
    except StoreBusy as error:
        return False, f"could not be mended: {error}"
    except OSError as error:
        return False, f"could not be mended: {error.strerror or error}"


def summary(found: int, done: int, *, repair: bool) -> str:
    """What it comes to. done: how many were mended, or can be."""
    if not found:
        return "Nothing is wrong."
    findings = "1 finding" if found == 1 else f"{found} findings"
    left = found - done
    needing = f"{left} {'needs' if left == 1 else 'need'} you"
    return f"{findings}, {done} mended, {needing}" if repair else f"{findings}, {done} for --repair, {needing}"


def callers(settings: Settings) -> Rows:
    """Whom the server knows, and what others may."""
    from geomill.app.identity.tokens import TokenError, Tokens
    from geomill.app.security import for_this_host

    tokens = Tokens(settings.home)
    try:
        tokens.check()
        good = [each for each in tokens.all() if not each.expired(datetime.now(UTC))]
        yield "tokens", str(len(good)), "that are good; geomill token ls lists them"
    except TokenError as error:
        yield "tokens", "none", str(error)
    yield "issuer", settings.oidc_issuer or "none", "whose tokens count, too"
    known = tokens.begun() or settings.oidc_issuer is not None
    open_here = for_this_host(settings) and not known
    yield "everybody else", "everything" if open_here else settings.anonymous, "what who shows no token may"


def costs(settings: Settings) -> Rows:
    """What starting and keeping a job takes."""
    from geomill.app.engine.templates import LIBRARIES as TEMPLATES

    for template in TEMPLATES:
        yield f"fork from template {template}", _fork_cost(template)
    yield "bring a file to disk (fsync)", _fsync_cost(_existing(settings.home))


def disk(settings: Settings) -> Rows:
    """What is free where jobs are kept."""
    from geomill.app.health import short_of_room
    from geomill.jobstore.admission import free

    place = _existing(settings.home)
    space, inodes = free(place)
    yield "free space", show.size(space), short_of_room(settings, space, sys.maxsize) or str(settings.home)
    counted = "without limit" if inodes == sys.maxsize else str(inodes)
    yield "free inodes", counted, short_of_room(settings, sys.maxsize, inodes)
    if os.statvfs(place).f_flag & os.ST_RDONLY:
        yield "written", "no", "it is read-only: nothing is accepted, and nothing changes"


def under_maintenance(home: Path) -> Rows:
    """Whether anything new is accepted."""
    from geomill.jobstore import maintenance

    if found := maintenance.read(home):
        yield f"since {found.since}", found.message or "nothing new is accepted; geomill drain --off ends that"


def broken(settings: Settings) -> Rows:
    """Process files that describe nothing, and why."""
    from geomill.app.server import open_registry

    for each in open_registry(settings).broken():
        yield str(each.path), each.reason


def credentials(settings: Settings) -> Rows:
    """How many credentials each tenant has, or why they cannot be used, and what its outputs are copied with."""
    from geomill.app import tenant_names
    from geomill.app.credentials import FILE, CredentialError, Credentials
    from geomill.app.engine import uploading

    for name in tenant_names.at_work(settings.home) if settings.home.exists() else ():
        try:
            if found := Credentials(settings.home / name / FILE).all():
                yield f"tenant {name}", str(len(found)), ", ".join(found)
            if settings.publish_to:
                yield f"outputs of {name}", "copied", f"with {uploading.credential(settings, name).name}"
        except CredentialError as error:
            yield f"tenant {name}", "none is used", str(error)


def of_settings(settings: Settings) -> Rows:
    """Every setting with its value and where that came from."""
    origins = settings.origins()
    for each in known():
        text = each.metadata["kind"].shown(getattr(settings, each.name))
        yield each.name, text or "none", origins[each.name], each.metadata["help"]


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
