"""A network for tools that ask for one, in which the host's own loopback is not to be reached: by slirp4netns."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

NAME_SERVER = "nameserver 10.0.2.3\n"  # slirp4netns, which asks the host's
# $1: a folder for two pipes, the rest: what to run. A command in the background has no stdin unless it is handed one.
_SCRIPT = """
exec 5<&0
folder=$1; shift
mkfifo "$folder/.made" "$folder/.ready"
unshare --user --map-current-user --net /bin/sh -c 'folder=$0
    echo made >"$folder/.made"; read ready <"$folder/.ready"; rm -f "$folder/.made" "$folder/.ready"; exec "$@"
' "$folder" "$@" <&5 5<&- &
tool=$!
trap 'kill "$tool"' TERM INT HUP
read made <"$folder/.made"
slirp4netns --configure --mtu=65520 --disable-host-loopback --ready-fd=3 "$tool" tap0 \
    3>"$folder/.ready" 5<&- >/dev/null 2>&1 &
network=$!
wait "$tool"
status=$?
kill "$network" 2>/dev/null
exit "$status"
"""


_known: set[int] = set()  # users for whom it works


def available(user: int) -> bool:
    """Whether this host has what it takes, for this user; asked again where it had not: it may have been too busy."""
    if user not in _known and all(map(shutil.which, ("slirp4netns", "unshare"))) and _works():
        _known.add(user)
    return user in _known


def _works() -> bool:
    with tempfile.TemporaryDirectory() as folder:
        probe = through(["grep", "-q", "tap0", "/proc/net/route"], Path(folder))
        try:
            return subprocess.run(probe, stdin=subprocess.DEVNULL, capture_output=True, timeout=10).returncode == 0
        except (OSError, subprocess.TimeoutExpired):
            return False


def through(argv: Sequence[str], folder: Path) -> list[str]:
    """What runs argv in a network of its own. folder: a private one, for as long as it takes."""
    return ["/bin/sh", "-c", _SCRIPT, "sh", str(folder), *argv]
