"""Whether a process is still there, by pid and start time: a pid alone may be a stranger's by now."""

from __future__ import annotations

from pathlib import Path

from . import files

_EXITING = 0x4  # among the flags of a process


def stat(pid: int) -> list[str] | None:
    """What the kernel says of a process, from its state on; None when it is gone. Source: proc_pid_stat(5)."""
    try:
        return files.read(f"/proc/{pid}/stat").decode(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None


def start_time(pid: int) -> int | None:
    """When a process began, in clock ticks since boot; None when it is gone. With the pid it names it beyond doubt."""
    found = stat(pid)
    return int(found[19]) if found else None


def is_alive(pid: int | None, began: int | None) -> bool:
    """Whether exactly this process has not ended. One that is process 1 of a namespace ends after all in there."""
    return _living(pid, began) is not None


def is_ending(pid: int | None, began: int | None) -> bool:
    """Whether exactly this process was killed, or leaves, and has not ended. Source: PF_EXITING in linux/sched.h."""
    found = _living(pid, began)
    return found is not None and bool(int(found[6]) & _EXITING)


def _living(pid: int | None, began: int | None) -> list[str] | None:
    """What the kernel says of exactly this process, if it has not ended."""
    found = stat(pid) if pid is not None else None
    return found if found is not None and found[0] not in "ZX" and int(found[19]) == began else None


def boot_id() -> str:
    """Names this boot of this host: pids and start times of another one mean nothing."""
    global _boot_id
    if _boot_id is None:
        _boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return _boot_id


_boot_id: str | None = None
