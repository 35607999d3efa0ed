"""Whether a new job is let in: by what is left on the disk, and by how many wait already."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from . import maintenance
from .index import Index
from .status import QueueFull, StoreFull, TooManyJobs


def free(home: Path) -> tuple[int, int]:
    """Bytes and inodes left on a home's disk; a file system that counts no inodes has enough of them."""
    disk = os.statvfs(home)
    return disk.f_bavail * disk.f_frsize, disk.f_favail if disk.f_files else sys.maxsize


@dataclass(frozen=True)
class Admission:
    """When a new job is refused. max_queued: jobs waiting; min_free: bytes and inodes left on the home's disk.

    max_queued_of_one: jobs of one owner waiting.
    """

    max_queued: int = 10_000
    min_free_bytes: int = 0
    min_free_inodes: int = 0
    max_queued_of_one: int = 10_000

    def check_room(self, home: Path, size: int = 0) -> None:
        """Raise UnderMaintenance, or StoreFull where too little is left on the home's disk to begin anything.

        size: bytes that are going to be written, where that is known.
        """
        maintenance.check(home)
        space, inodes = free(home)
        if space - size < self.min_free_bytes:
            raise StoreFull(f"less than {self.min_free_bytes} bytes are free where jobs are kept")
        if inodes < self.min_free_inodes:
            raise StoreFull(f"fewer than {self.min_free_inodes} inodes are free where jobs are kept")

    def check_queue(self, index: Index, owner: str) -> None:
        """Raise QueueFull, or TooManyJobs where it is the owner's own that wait."""
        waiting, of_owner = index.waiting(owner)
        if waiting >= self.max_queued:
            raise QueueFull(self.max_queued)
        if of_owner >= self.max_queued_of_one:
            raise TooManyJobs(self.max_queued_of_one)
