"""What Linux offers to keep a job together: namespaces, subreapers, death signals. By ctypes, without a library.

A process in a PID namespace cannot outlive its namespace's first process. So a job's supervisor is that process:
whatever ends it ends the job, and nothing the job forks, however it hides, gets away.
"""

from __future__ import annotations

import ctypes
import fcntl
import functools
import os
import platform
import pwd
import re
import resource
import signal
import socket
import struct
from collections.abc import Iterable
from contextlib import suppress

_libraries: set[int] = set()
_LIBC = ctypes.CDLL(None, use_errno=True)
_M_MMAP_THRESHOLD = -3
_LIBC_WITH_GIL = ctypes.PyDLL(None, use_errno=True)
LEAST_PROCESSES = 400  # the kernel's own least is 301
_SYS_CLONE = 56 if platform.machine() == "x86_64" else 220  # 220: aarch64 and riscv64
_PR_SET_PDEATHSIG, _PR_SET_NAME, _PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 1, 15, 36, 38
_SYS_KEYCTL = 250 if platform.machine() == "x86_64" else 219
_KEYCTL_JOIN_SESSION_KEYRING = 1
_CLONE_NEWNS, _CLONE_NEWUSER, _CLONE_NEWPID, _CLONE_NEWNET = 0x20000, 0x10000000, 0x20000000, 0x40000000
_SIOCSIFFLAGS, _IFF_UP = 0x8914, 1
_MS_NOSUID_NODEV, _MS_NOSUID_NODEV_NOEXEC, _MS_REC, _MS_SLAVE = 0x6, 0xE, 0x4000, 0x80000


def die_with_parent() -> None:
    """Ask for SIGKILL when the thread that forked this process ends. Lost at setuid: ask again after it."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def gain_no_rights() -> None:
    """No program that is executed from here on gains rights by its file: no set-user-ID, no capabilities."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def become(user: str) -> None:
    """Drop from root to this user for good, with no group but his own; `die_with_parent` is to be asked for again."""
    entry = pwd.getpwnam(user)
    gain_no_rights()
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)


def adopt_orphans() -> None:
    """Become the parent of every descendant that loses its own (a subreaper)."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def set_name(name: str) -> None:
    """What `ps` and `top` show for this process; 15 bytes."""
    _LIBC.prctl(_PR_SET_NAME, name.encode()[:15], 0, 0, 0)


def fork_into_namespace() -> tuple[int, bool]:
    """Fork. The child gets 0, and is process 1 of a PID namespace of its own where this host allows one.

    Gives (pid, whether there is a namespace). Root, or anybody by a user namespace that maps the user to himself.
    The caller must have no threads. One system call does both, so that the caller stays where it is: unshare() would
    put all its later children into the first one's namespace.
    """
    uid, gid = os.getuid(), os.getgid()
    pid = _clone(_CLONE_NEWPID)
    if pid < 0:
        pid = _clone(_CLONE_NEWPID | _CLONE_NEWUSER)
        if pid == 0:
            for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
                with open(f"/proc/self/{name}", "w") as file:
                    file.write(text)
    return (os.fork(), False) if pid < 0 else (pid, True)


def give_back(size: int) -> None:
    """Let a piece of memory of so many bytes, or more, go back to the host as soon as this process has done with it.

    Else the C library would keep the next ones, once it has seen one, and their neighbours with them.
    """
    _LIBC.mallopt(_M_MMAP_THRESHOLD, size)


def mount_own() -> None:
    """Show this process its own namespace in /proc, and an empty /dev/shm, which goes when the namespace goes.

    Where that is not allowed (/proc is masked in containers) the old ones stay. What the host unmounts goes here too:
    a disk would be in use for as long as a job, or a process that waits for one, lives.
    """
    if _unshare(_CLONE_NEWNS) and _LIBC.mount(b"none", b"/", None, _MS_REC | _MS_SLAVE, None) == 0:
        _LIBC.mount(b"proc", b"/proc", b"proc", _MS_NOSUID_NODEV_NOEXEC, None)
        _LIBC.mount(b"tmpfs", b"/dev/shm", b"tmpfs", _MS_NOSUID_NODEV, None)


def leave_network() -> bool:
    """Leave the host's network for one of its own, with a loopback interface and nothing else; False: not allowed."""
    if not _unshare(_CLONE_NEWNET):
        return False
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", _IFF_UP))
        return True
    return False


def leave_keyring() -> None:
    """Get a session keyring of its own: the keys of whoever started the server are not for jobs."""
    _LIBC.syscall(_SYS_KEYCTL, _KEYCTL_JOIN_SESSION_KEYRING, None)


def limit_namespace(processes: int) -> None:
    """Let this PID namespace hold no more processes and threads: root's are bound by no limit on a user."""
    if os.geteuid() == 0 and namespaces_have_limits():
        with suppress(OSError), open("/proc/sys/kernel/pid_max", "w") as file:  # read-only in many containers
            file.write(str(max(processes, LEAST_PROCESSES)))


def namespaces_have_limits() -> bool:
    """Whether pid_max is a PID namespace's own, since Linux 6.14; earlier it was the host's, which is left alone."""
    return tuple(map(int, re.findall(r"\d+", platform.release())[:2])) >= (6, 14)


def descriptors() -> set[int]:
    """The descriptors that this process has open."""
    return {number for number in map(int, os.listdir("/proc/self/fd")) if _is_open(number)}


def keep_for_libraries(opened: set[int]) -> None:
    """Never close these: a library that was loaded uses them, and would mistake for its own what took their numbers."""
    _libraries.update(opened)


def close_all_but(keep: Iterable[int]) -> None:
    """Close every descriptor that was not asked for."""
    start = 0
    for descriptor in sorted({*keep, *_libraries}):
        if descriptor > start:  # an empty range would close everything
            os.closerange(start, descriptor)
        start = descriptor + 1
    os.closerange(start, resource.getrlimit(resource.RLIMIT_NOFILE)[1])


def take_descriptors() -> int:
    """Let this process, and those that it starts, open as many files as it may: their number."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


def expose_to_oom_killer() -> None:
    """Let the kernel end this process before the server when memory runs out."""
    with open("/proc/self/oom_score_adj", "wb", buffering=0) as file:
        file.write(b"500")


@functools.cache
def namespaces_allowed() -> bool:
    """Whether jobs get a PID namespace on this host; tried in a child."""
    pid, contained = fork_into_namespace()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return contained


@functools.cache
def networks_allowed() -> bool:
    """Whether jobs get a network of their own on this host; tried in a child."""
    pid = os.fork()
    if pid == 0:  # root, or anybody in a user namespace, as a supervisor is in one
        os._exit(0 if leave_network() or (_unshare(_CLONE_NEWUSER) and leave_network()) else 1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:  # it was the listing's own
        return False
    return True


def _clone(flags: int) -> int:
    """fork() with namespaces; -1 when they are not allowed. What os.fork() does around the call is done here."""
    ctypes.pythonapi.PyOS_BeforeFork()
    pid = int(_LIBC_WITH_GIL.syscall(_SYS_CLONE, flags | signal.SIGCHLD, 0, 0, 0, 0))
    if pid == 0:
        ctypes.pythonapi.PyOS_AfterFork_Child()
    else:
        ctypes.pythonapi.PyOS_AfterFork_Parent()
    return pid


def _unshare(flags: int) -> bool:
    return bool(_LIBC.unshare(flags) == 0)


def _prctl(option: int, value: int) -> None:
    if _LIBC.prctl(option, value, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")
