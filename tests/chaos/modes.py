"""As whom a server runs under chaos, and on what kind of host."""

from __future__ import annotations

import os
import sys
from typing import Any

from chaos.server import NOBODY

# On a host that allows no PID namespace: in a user namespace with all users in it, where there can be no further ones.
WITHOUT_NAMESPACES = (sys.executable, "-c", """
import ctypes, os, sys
ready, told = os.pipe(), os.pipe()
me = os.getpid()
if os.fork() == 0:
    os.read(ready[0], 1)
    for kind in ("uid", "gid"):
        with open(f"/proc/{me}/{kind}_map", "w") as file:
            file.write("0 0 65536" if os.geteuid() == 0 else f"0 {os.getuid()} 1")
    os.write(told[1], b".")
    os._exit(0)
if ctypes.CDLL(None).unshare(0x10000000):  # CLONE_NEWUSER
    sys.exit("this host allows no user namespace")
os.write(ready[1], b".")
os.read(told[0], 1)
os.wait()
for kind in ("pid", "user"):
    with open(f"/proc/sys/user/max_{kind}_namespaces", "w") as file:
        file.write("0")
os.execvp(sys.argv[1], sys.argv[1:])
""")  # fmt: skip

AS_ROOT, AS_USER, AS_THIS = "as root, jobs as nobody", "as an ordinary user", "as this user"
BARE = ", without namespaces"
MODES: dict[str, dict[str, Any]] = {
    AS_ROOT: {"user": None, "job_user": "nobody"},
    AS_USER: {"user": NOBODY},
    AS_THIS: {"user": None},
    AS_ROOT + BARE: {"user": None, "job_user": "nobody", "prefix": WITHOUT_NAMESPACES},
    AS_USER + BARE: {"user": NOBODY, "prefix": WITHOUT_NAMESPACES},
    AS_THIS + BARE: {"user": None, "prefix": WITHOUT_NAMESPACES},
}


def possible() -> list[str]:
    """The modes that this user can run: root is everybody."""
    return [mode for mode in MODES if mode.startswith(AS_THIS) != (os.geteuid() == 0)]
