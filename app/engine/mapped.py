"""What a process has mapped of files, and lets go."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_MAPPING = re.compile(r"(\w+)-(\w+) r-.p \w+ \S+ \d+ +/.*\n((?:[A-Z]\w+:.*\n)+)")
_CHANGED = re.compile(r"^(?:Anonymous|Swap): +[1-9]", re.MULTILINE)
_MADV_DONTNEED = 4
_LIBC = ctypes.CDLL(None)


def let_go() -> None:
    """Let go of the pages of libraries that were read while these were loaded, for a process that only forks.

    A fork does not hand them on, and whoever needs one finds it in the page cache. A page that the loader has changed
    is no page of the file any more, and stays.
    """
    with suppress(FileNotFoundError):  # a kernel may be built without it
        for start, length in _read_only():
            _LIBC.madvise(ctypes.c_void_p(start), ctypes.c_size_t(length), _MADV_DONTNEED)


def _read_only() -> Iterator[tuple[int, int]]:
    """(address, bytes) of each part of a file that is as it is on disk."""
    for start, end, told in _MAPPING.findall(Path("/proc/self/smaps").read_text()):
        if not _CHANGED.search(told):
            yield int(start, 16), int(end, 16) - int(start, 16)
