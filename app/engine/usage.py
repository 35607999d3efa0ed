"""What processes use up, counted over a whole tree of them: the kernel's limits hold for each process alone."""

from __future__ import annotations

import errno
import os
import re
import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from geomill.app.engine import reaper
from geomill.jobstore import alive, files

_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")
_SHM = "/dev/shm"
_OWN_SHM = re.compile(rb" /dev/shm [^\n]* - tmpfs ")  # in mountinfo: nobody answers for it but the kernel
_ROLLUP = re.compile(rb"^(Pss_Anon|Pss_Shmem|SwapPss): +(\d+) kB", re.MULTILINE)


@dataclass(frozen=True)
class Usage:
    """cpu: seconds of processor time; memory: bytes; tasks: processes and threads; unlinked: bytes, as in `of`.

    root: whose descendants they are; seen: what the kernel said of each, by pid.
    """

    cpu: float = 0.0
    memory: int = 0
    tasks: int = 0
    unlinked: int = 0
    root: int = 0
    seen: Mapping[int, list[str]] = field(default_factory=dict)

    def is_still_so(self) -> bool:
        """Whether none of the processes has done anything since, as far as the kernel's counters tell.

        Whoever takes memory has page faults counted, and who computes, or writes much, processor time. Not who starts
        another (posix_spawn), nor who takes room on the disk without writing (fallocate).
        """
        same = set(reaper.descendants(self.root)) == self.seen.keys()
        return same and all(alive.stat(pid) == before for pid, before in self.seen.items())


def of(root: int, enough: int, device: int | None = None) -> Usage:
    """What the processes below one use, and have used as far as somebody waited for their end.

    Memory is what no file gives back: anonymous pages, and shared memory, be it mapped or lie in a /dev/shm of their
    own or behind a descriptor. Up to `enough` bytes it is only estimated, and too high: pages shared with others count
    in full. device: of a file system, on which files without a name are counted, that are still open.
    """
    pids = reaper.descendants(root)
    cpu, resident, tasks, seen = 0.0, 0, 0, {}
    for pid in pids:
        if found := alive.stat(pid):
            seen[pid] = found
            cpu += sum(map(int, found[11:15])) / _TICKS
            tasks += int(found[17])
            resident += max(0, int(found[21])) * _PAGE
    nameless = _nameless(pids)
    unlinked = nameless.pop(device, 0) if device is not None else 0
    shared = sum(nameless.values()) + sum(_filled(pids).values())
    memory = resident + shared
    if memory > enough:
        memory = _exact(pids, shared)
    return Usage(cpu, memory, tasks, unlinked, root, seen)


def out_of_memory() -> int:
    """How many processes of this host the kernel has ended for want of memory; 0 where it does not say."""
    with suppress(OSError, IndexError):
        return int(files.read("/proc/vmstat").partition(b"\noom_kill ")[2].split(maxsplit=1)[0])
    return 0


def _exact(pids: Sequence[int], shared: int) -> int:
    """Of pages that several processes share each has its part."""
    own, mapped = 0, 0
    for pid in pids:
        with suppress(OSError), open(f"/proc/{pid}/smaps_rollup", "rb") as file:
            found = {name: int(size) * 1024 for name, size in _ROLLUP.findall(file.read())}
            own += found.get(b"Pss_Anon", 0) + found.get(b"SwapPss", 0)
            mapped += found.get(b"Pss_Shmem", 0)
    return own + max(mapped, shared)


def _filled(pids: Sequence[int]) -> dict[int, int]:
    """By device: the bytes in each /dev/shm that they have and we have not."""
    found: dict[int, int] = {}
    with suppress(OSError):
        found[os.stat(_SHM).st_dev] = 0
    for pid in pids:
        place = f"/proc/{pid}/root{_SHM}"
        with suppress(OSError):
            if (device := os.stat(place).st_dev) not in found and _OWN_SHM.search(_mounts(pid)):
                disk = os.statvfs(place)
                found[device] = (disk.f_blocks - disk.f_bfree) * disk.f_frsize
    return found


def _mounts(pid: int) -> bytes:
    with open(f"/proc/{pid}/mountinfo", "rb") as file:
        return file.read()


def _nameless(pids: Sequence[int]) -> dict[int, int]:
    """By device: the bytes of files that have no name any more, or never had one, and are open."""
    seen: set[tuple[int, int]] = set()
    found: dict[int, int] = {}
    for pid in pids:
        with suppress(OSError), os.scandir(f"/proc/{pid}/fd") as descriptors:
            for entry in descriptors:
                with suppress(OSError):
                    if os.readlink(entry.path).endswith(" (deleted)"):
                        file = os.stat(entry.path)
                        if stat.S_ISREG(file.st_mode) and (file.st_dev, file.st_ino) not in seen:
                            seen.add((file.st_dev, file.st_ino))
                            found[file.st_dev] = found.get(file.st_dev, 0) + file.st_blocks * 512
    return found


class Scratch:
    """How much lies in a folder. It is looked at piece by piece: there may be a million files, and somebody waits."""

    def __init__(self, folder: Path) -> None:
        """folder: which others write to meanwhile."""
        self.folder = folder
        self._walk = self._entries()
        self._size = self._count = 0
        self.size = self.count = 0  # bytes on the disk and files, as far as was seen
        self.fathomable = True  # no folder in it is too deep to be looked into

    def look(self, seconds: float) -> bool:
        """Look on, for so long at most; whether everything was seen once more."""
        until = time.monotonic() + seconds
        for number, (size, count) in enumerate(self._walk):
            self._size, self._count = self._size + size, self._count + count
            if number % 256 == 255 and time.monotonic() >= until:
                self.size, self.count = max(self.size, self._size), max(self.count, self._count)
                return False
        self.size, self.count = self._size, self._count
        self._size = self._count = 0
        self._walk = self._entries()
        return True

    def _entries(self) -> Iterator[tuple[int, int]]:
        """(bytes, 1) of everything in it; a file with several names is one."""
        seen: set[int] = set()
        folders = [os.fspath(self.folder)]
        while folders:
            path = folders.pop()
            try:
                here = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            except OSError as error:
                self.fathomable &= error.errno != errno.ENAMETOOLONG
                continue
            try:
                with os.scandir(here) as entries:
                    for entry in entries:
                        with suppress(OSError):
                            found = entry.stat(follow_symlinks=False)
                            if stat.S_ISDIR(found.st_mode):
                                folders.append(f"{path}/{entry.name}")
                            elif found.st_nlink > 1:
                                if found.st_ino in seen:
                                    continue
                                seen.add(found.st_ino)
                            yield found.st_blocks * 512, 1
            except OSError:
                pass
            finally:
                os.close(here)
