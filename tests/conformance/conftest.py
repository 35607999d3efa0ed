"""A place where nothing can leave the machine, and where every attempt to is written down."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from support import networks

# Every Python process of a server imports this before anything else; what they fork inherits the hook.
SITECUSTOMIZE = """
import errno, ipaddress, json, os, sys

def local(host):
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

def hook(event, args):
    if event in ("socket.connect", "socket.sendto"):
        if not isinstance(args[1], tuple):
            return  # a Unix socket
        host = args[1][0]
    elif event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        host = args[0]
    else:
        return
    host = os.fsdecode(host or "")
    with open("/proc/self/comm") as file:
        name = file.read().strip()
    with open({path!r}, "a") as file:
        file.write(json.dumps([name, event, host]) + "\\n")
    if not local(host):
        raise OSError(errno.ENETUNREACH, "nothing leaves a test")

sys.addaudithook(hook)
"""


@dataclass(frozen=True)
class Attempt:
    """A name that was looked up, or an address that was connected to. name: of the process that did."""

    name: str
    event: str
    host: str

    @property
    def address(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
        """The host, when it is an address."""
        try:
            return ipaddress.ip_address(self.host)
        except ValueError:
            return None


@dataclass(frozen=True)
class Records:
    """Where the processes of a server write down whom they call. folder: for their PYTHONPATH."""

    folder: Path

    @property
    def file(self) -> Path:
        return self.folder / "attempts"

    def attempts(self) -> list[Attempt]:
        return [Attempt(*json.loads(line)) for line in self.file.read_text().splitlines()]


@pytest.fixture(scope="module")
def offline() -> Iterator[bool]:
    """A network with a loopback interface and no other, for this thread and what it starts; False: only root has one.

    What Python does is stopped by the hook in any case; what a library does in C only by this.
    """
    with networks.alone() as found:
        yield found


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Records]:
    """Every server that is started now writes down whom it calls, and calls nobody."""
    found = Records(tmp_path_factory.mktemp("records"))
    found.file.touch()
    found.file.chmod(0o666)
    (found.folder / "sitecustomize.py").write_text(SITECUSTOMIZE.replace("{path!r}", repr(str(found.file))))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(found.folder))
        yield found
