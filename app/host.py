"""What this host allows and has, in rows of (name, value, note, what to do about it); the last ones may be left out."""

from __future__ import annotations

import os
import platform
import pwd
import re
from collections.abc import Iterator, Mapping

from geomill.app.config import Settings, SettingsError

Rows = Iterator[tuple[str, ...]]


def allows() -> dict[str, bool]:
    """What keeps jobs together and apart, tried in children: not for a process with threads."""
    from geomill.app.engine.isolation import namespaces_allowed, namespaces_have_limits, networks_allowed

    namespaces = namespaces_allowed()
    limited = namespaces and namespaces_have_limits()
    return {"namespaces": namespaces, "networks": networks_allowed(), "limits": limited, "root": os.geteuid() == 0}


def isolation(settings: Settings, allowed: Mapping[str, bool]) -> Rows:
    """Whom a job of a process file runs as, and what it has of its own. allowed: as `allows` finds it."""
    from geomill.app.sandbox.bubblewrap import NAMESPACES

    yield "user", *_user(settings)
    if allowed["namespaces"]:
        yield "own processes", "yes", "a job reaches its own processes alone; all of them end with it (PID namespace)"
    else:
        left = "what a job leaves behind is swept after it, and may get away if its supervisor is killed"
        yield "own processes", "no", left, f"{NAMESPACES}, for PID namespaces"
    if allowed["networks"]:
        yield "own network", "yes", "a job has no way out but the proxy of this server (network namespace)"
    else:
        kept = "a job is told of the proxy of this server, and not held back from going around it"
        yield "own network", "no", kept, f"{NAMESPACES}, for network namespaces"
    files = "a job may read and write whatever its user may; only its working directory is its own"
    yield "own file system", "no", files, "serve only process files that you trust; tools of packages have one"


def _user(settings: Settings) -> tuple[str, ...]:
    """Whom jobs run as, and what that means."""
    if settings.job_user and os.geteuid() == 0:
        return settings.job_user, "jobs run as this user (`job_user`), and the server as root"
    if os.geteuid() == 0:
        return (
            "root", "jobs run as root, like the server: they may do everything on this host",
            "set `job_user` to a user for them alone, or start the server as an ordinary user",
        )  # fmt: skip
    return _name(os.geteuid()), "jobs run as the user of the server: they can read and change what it can"


def _name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"user {user}"


def sandboxes(settings: Settings, allowed: Mapping[str, bool]) -> Rows:
    """What the tools of deployed packages run in, and what they have of their own."""
    from geomill.app.sandbox import NoIsolation, Sandbox, bubblewrap
    from geomill.app.sandbox.bubblewrap import NAMESPACES

    try:
        level = Sandbox(settings).level(None, network=False)
    except (NoIsolation, SettingsError) as error:
        yield "sandbox", "no", f"no tool runs: {error}"
        return
    if level.name == "none":
        why = bubblewrap.closed()
        remedy = NAMESPACES if why else "bubblewrap works on this host: take `isolation` out of the settings"
        yield "sandbox", "no", level.sentence, remedy
        return
    yield "sandbox", level.name, "tools run as nobody, without rights to gain"
    yield "own processes", "yes", "a tool sees itself alone; all of it ends with it"
    yield "own file system", "yes", "a tool sees the system and its job's files, and writes to its two folders alone"
    if allowed["networks"]:
        yield "own network", "yes", "a tool has none, or that of its job if its package asks for one: the proxy alone"
    else:
        yield "own network", "yes", "a tool has none, and does not run if its package asks for one", NAMESPACES
    if allowed["root"] and not settings.job_user:
        if allowed["limits"]:
            yield "limit on processes", "yes", "a fork bomb goes out"
        else:
            yield "limit on processes", "no", "nothing stops a fork bomb of root before Linux 6.14", "set `job_user`"


def versions() -> Rows:
    """What is installed: what the server needs, then the extras; the note names the extra that wants a library."""
    from importlib.metadata import PackageNotFoundError, version  # with a third of what a template would have

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
    from importlib.metadata import requires

    for each in requires("geomill") or ():
        name = re.match(r"[\w.-]+", each)
        extra = re.search(r"""extra == ['"](\w+)['"]""", each)
        if name and (extra is None or extra[1] != "test"):
            yield name[0], extra[1] if extra else ""
