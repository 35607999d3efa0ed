"""What a tool may use up, set by a shell where it runs: processes are counted in each user namespace anew."""

from __future__ import annotations

import resource
from collections.abc import Sequence

# sh has no common name for the number of processes: -u in some, -p in others; sizes are in blocks of 512 and 1024
_SCRIPT = "ulimit -c 0; ulimit -f {blocks}; {memory}ulimit -u {processes} 2>/dev/null || ulimit -p {processes}\n"


def limited(argv: Sequence[str], processes: int, largest_file: int, memory: int) -> list[str]:
    """A command that runs argv within limits. largest_file, memory: bytes, of each file and each process; 0: no limit.

    Memory is what a process can write to (RLIMIT_DATA): address space that is only reserved costs nothing, and
    programs that manage their own memory reserve a lot.
    """
    script = _SCRIPT.format(
        blocks=_below(resource.RLIMIT_FSIZE, largest_file, 512),
        memory=f"ulimit -d {_below(resource.RLIMIT_DATA, memory, 1024)}; " if memory else "",
        processes=_below(resource.RLIMIT_NPROC, processes, 1),
    )
    return ["/bin/sh", "-c", script + '(exec "$@"); exit $?', "sh", *argv]


def _below(kind: int, number: int, unit: int) -> int:
    """In units; no more than this process may have itself."""
    _, hard = resource.getrlimit(kind)
    return (number if hard == resource.RLIM_INFINITY else min(number, hard)) // unit
