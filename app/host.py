"""What this host allows and has, in rows of (name, value, note)."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, requires, version

from geomill.app.config import Settings, SettingsError

Rows = Iterator[tuple[str, ...]]


def allows() -> dict[str, bool]:
    """What keeps jobs together and apart, tried in children: not for a process with threads."""
    from geomill.app.engine.isolation import namespaces_allowed, namespaces_have_limits, networks_allowed

    namespaces = namespaces_allowed()
    limited = namespaces and namespaces_have_limits()
    return {"namespaces": namespaces, "networks": networks_allowed(), "limits": limited, "root": os.geteuid() == 0}


def isolation(allowed: Mapping[str, bool]) -> Rows:
    """What keeps jobs together and apart. allowed: as `allows` finds it."""
    yes = allowed["namespaces"]
    end = "a job's processes end with its supervisor, whatever happens" if yes else "stray processes are swept after it"
    yield "PID namespace", _word(yes), end
    alone = allowed["networks"]
    out = "a job has no way out but its proxy" if alone else "jobs are told of their proxy, and not held back"
    yield "network namespace", _word(alone), out
    root = allowed["root"]
    yield "root", _word(root), "jobs can run as another user (job_user)" if root else "jobs run as the same user"


def sandboxes(settings: Settings, allowed: Mapping[str, bool]) -> Rows:
    """What keeps the tools of deployed packages apart."""
    from geomill.app.sandbox import NoIsolation, Sandbox, bubblewrap

    why = bubblewrap.closed()
    yield "bubblewrap", _word(not why), why or "tools see the system and their job's files"
    if allowed["root"]:
        limited = allowed["limits"]
        bomb = "a fork bomb goes out" if limited else "nothing stops a fork bomb of root: set job_user"
        yield "limit on processes of root", _word(limited), bomb
    try:
        sandbox = Sandbox(settings)
        for network_wanted in (False, True):
            level = sandbox.level(None, network_wanted)
            yield "with a network" if network_wanted else "without a network", level.name, level.sentence
    except (NoIsolation, SettingsError) as error:
        yield "tools", "no", str(error)


def versions() -> Rows:
    """What is installed: what the server needs, then the extras; the note names the extra that wants a library."""
    yield "python", platform.python_version()
    yield "linux", platform.release()
    yield "geomill", version("geomill")
    for library, extra in _libraries():
        try:
            yield library, version(library), *([f"of geomill[{extra}]"] if extra else [])
        except PackageNotFoundError:
            yield library, "not installed", *([f"of geomill[{extra}]"] if extra else [])


def _libraries() -> Iterator[tuple[str, str]]:
    """(library, extra), "" for what the server cannot do without."""
    for each in requires("geomill") or ():
        name = re.match(r"[\w.-]+", each)
        extra = re.search(r"""extra == ['"](\w+)['"]""", each)
        if name and (extra is None or extra[1] != "test"):
            yield name[0], extra[1] if extra else ""


def _word(yes: bool) -> str:
    return "yes" if yes else "no"
