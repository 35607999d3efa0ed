"""Folders of contents that nothing needs any more, and their removal: deployed packages, images.

Nothing goes within GRACE of when it was last kept, deployed or undeployed, each of which renews the time of the folder.
So a deployment that has kept its package and not yet written its record, and a request that has found a process which
is being undeployed, have a day to come to an end. It goes under the lock that it is kept under.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from geomill.processes.deployed import RECEIVED, Deployed, keeping
from geomill.processes.records import CorruptProcess, NoSuchProcess

GRACE = 86400.0  # seconds


class Unknown(Exception):
    """Nobody can tell what is needed, for a record is torn: nothing is to be removed."""


def packages(folder: Path) -> Iterator[Path]:
    """The packages that were deployed and rest.

    Contents of dropped-in files are not among them: a server remembers which of those it has kept.
    """
    return (each for each in resting(folder) if (each / RECEIVED).exists())


def resting(folder: Path) -> Iterator[Path]:
    """What is in a folder, whole, and was not kept, deployed or undeployed lately."""
    try:
        names = sorted(os.listdir(folder))
    except FileNotFoundError:
        return iter(())
    return (folder / name for name in names if not name.startswith(".") and rests(folder / name))


def rests(path: Path) -> bool:
    """Whether nobody has come to it lately."""
    try:
        return time.time() - path.lstat().st_mtime > GRACE
    except FileNotFoundError:
        return False


def of_processes(tenants: list[Deployed]) -> set[str]:
    """The packages that the processes of tenants are and were. Raises Unknown."""
    found = set()
    for deployed in tenants:
        for process_id in deployed.ids():
            try:
                found |= {version.package for version in deployed.versions(process_id)}
            except NoSuchProcess:
                continue
            except CorruptProcess as error:
                raise Unknown(str(error)) from error
    return found


def remove(folder: Path) -> bool:
    """Remove a folder of contents, unless somebody came to it; whether it went."""
    gone = folder.with_name(f".old-{folder.name}")
    with keeping(folder.parent):
        if not rests(folder):
            return False
        with suppress(FileNotFoundError):
            shutil.rmtree(gone)  # somebody was killed there
        folder.rename(gone)
    shutil.rmtree(gone)
    return True
