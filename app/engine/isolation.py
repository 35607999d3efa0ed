"""What Linux offers to keep a job together: namespaces, subreapers, death signals. By ctypes, without a library.

A process in a PID namespace cannot outlive its namespace's first process; that is the only way of ending a job that
leaves nothing behind even when its supervisor is SIGKILLed.
"""

from __future__ import annotations

import ctypes
import functools
import os
import resource
import signal
from collections.abc import Iterable

_LIBC = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG, _PR_SET_NAME, _PR_SET_CHILD_SUBREAPER = 1, 15, 36
_CLONE_NEWNS, _CLONE_NEWUSER, _CLONE_NEWPID = 0x20000, 0x10000000, 0x20000000
_MS_NOSUID_NODEV_NOEXEC, _MS_REC, _MS_PRIVATE = 0xE, 0x4000, 0x40000


def die_with_parent() -> None:
    """Ask for SIGKILL when the thread that forked this process ends. Lost at setuid: ask again after it."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def adopt_orphans() -> None:
    """Become the parent of every descendant that loses its own (a subreaper)."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def set_name(name: str) -> None:
    """What `ps` and `top` show for this process; 15 bytes."""
    _LIBC.prctl(_PR_SET_NAME, ctypes.create_string_buffer(name.encode()[:15]), 0, 0, 0)


def enter_namespace() -> bool:
    """Put the children to come into a PID namespace of their own; False when this host forbids it.

    Root, or anybody by a user namespace that maps the user to himself. The caller stays outside; its next child is
    process 1 in there. No thread may be running, and none can be started any more.
    """
    if _unshare(_CLONE_NEWPID | _CLONE_NEWNS):
        return True
    uid, gid = os.getuid(), os.getgid()
    if not _unshare(_CLONE_NEWPID | _CLONE_NEWNS | _CLONE_NEWUSER):
        return False
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)
    return True


def mount_proc() -> None:
    """Show the namespace's own processes in its /proc; where that is masked (in containers) the old one stays."""
    if _LIBC.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None) == 0:
        _LIBC.mount(b"proc", b"/proc", b"proc", _MS_NOSUID_NODEV_NOEXEC, None)


def close_all_but(keep: Iterable[int]) -> None:
    """Close every descriptor that was not asked for."""
    start = 0
    for descriptor in sorted(set(keep)):
        if descriptor > start:  # an empty range would close everything
            os.closerange(start, descriptor)
        start = descriptor + 1
    os.closerange(start, resource.getrlimit(resource.RLIMIT_NOFILE)[1])


def expose_to_oom_killer() -> None:
    """Let the kernel end this process before the server when memory runs out."""
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write("500")


@functools.cache
def namespaces_allowed() -> bool:
    """Whether jobs get a PID namespace on this host; tried in a child."""
    pid = os.fork()
    if pid == 0:
        os._exit(0 if enter_namespace() else 1)
    return os.waitpid(pid, 0)[1] == 0


def _unshare(flags: int) -> bool:
    return bool(_LIBC.unshare(flags) == 0)


def _prctl(option: int, value: int) -> None:
    if _LIBC.prctl(option, value, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")
