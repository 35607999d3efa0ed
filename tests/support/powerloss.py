"""A disk that loses its power: what a real process did to it, by its system calls, and what may be left of that.

`record` runs a process under strace. `Disk` replays the calls and says, for a cut after any of them, what a file system
may hold after it: what was brought to disk (fsync) for certain, and of the rest whatever a seed chooses.

- fsync of a file keeps its bytes; what was written since may be there, missing, cut short or full of zeros.
- fsync of a folder keeps the names in it.
- fsync of either keeps its own name, and those of the folders above: POSIX leaves that open; ext4, XFS and btrfs do it.
- a rename happens or does not. Of other changes to names any may be lost and any may come early; in an ordered disk,
  one that has a journal of names, none survives without all those before it.
"""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NAMES = "openat,open,creat,link,linkat,symlink,symlinkat,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,rmdir"
BYTES = "write,pwrite64,ftruncate,fsync,fdatasync"
UNKNOWN = "writev,pwritev,pwritev2,sendfile,copy_file_range,truncate,fallocate,sync,syncfs,sync_file_range"
_LINE = re.compile(r"^\d+ +(\w+)\((.*)\) += (-?\d+)")
_PATH = re.compile(r"^(?:\d+|AT_FDCWD)<((?:\\x..)*)(?:\(deleted\))?>$")
MARK = "mark"  # the file, outside of the disk, that the process writes to what it has promised

Change = list[tuple[int, str, int | None]]  # folder, name, what is there from now on


@dataclass(frozen=True)
class Op:
    """One step. changes: of names; inode, content: a file's bytes from now on; synced: an inode; mark: a promise."""

    changes: Change = field(default_factory=list)
    inode: int = 0
    content: bytes = b""
    synced: int = 0
    mark: Any = None


def record(script: Path, root: Path, folder: Path, *arguments: str) -> Disk:
    """What a Python script did to the files below root. folder: for the trace; the script gets root and the mark."""
    trace, mark = folder / "trace", folder / MARK
    options = ["-f", "-y", "-xx", "-s", "10000000", "-e", f"trace={NAMES},{BYTES},{UNKNOWN}", "-o", str(trace)]
    command = [sys.executable, "-P", str(script), str(root), str(mark), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    subprocess.run(["strace", *options, *command], check=True, env=environment, timeout=120)
    disk = Disk(str(root), str(mark))
    for line in trace.read_text().splitlines():
        disk.replay(line)
    return disk


class Disk:
    """The files below a root as a process leaves them, call by call."""

    def __init__(self, root: str, mark: str) -> None:
        self.root, self.mark = root, mark
        self.ops: list[Op] = []
        self.folders, self.links = {1}, dict[int, str]()
        self._names: dict[tuple[int, str], int] = {}
        self._bytes: dict[int, bytes] = {}
        self._opened: dict[str, int] = {}  # descriptor -> inode, for links made by descriptor
        self._last = 1

    # ---- replaying

    def replay(self, line: str) -> None:
        """Take in one line of strace."""
        found = _LINE.match(line)
        assert found or "unfinished" not in line, f"two processes at a time are not understood: {line}"
        if not found or int(found[3]) < 0:
            return
        name, arguments, result = found[1], found[2].split(", "), found[3]
        if name in UNKNOWN.split(","):
            assert not self._is_ours(arguments), f"not understood: {line}"
        elif name in BYTES.split(","):
            self._on_bytes(name, arguments)
        else:
            self._on_names(name, arguments, result)

    def _on_bytes(self, name: str, arguments: list[str]) -> None:
        path = _path(arguments[0])
        if path == self.mark:
            self.ops.append(Op(mark=json.loads(_text(arguments[1]))))
            return
        inode = self._find(path)
        if inode is None or inode in self.folders and "sync" not in name:
            return
        if "sync" in name:
            self.ops.append(Op(synced=inode))
        elif name == "write":
            self._becomes(inode, self._bytes.get(inode, b"") + _text(arguments[1]))
        else:
            assert name == "ftruncate"
            self._becomes(inode, self._bytes.get(inode, b"")[: int(arguments[1])])

    def _on_names(self, name: str, arguments: list[str], result: str) -> None:
        paths = list(_paths(name, arguments))
        if name in ("openat", "open", "creat"):
            self._on_open(paths[0], arguments, result)
        elif name in ("mkdir", "mkdirat"):
            self._add(paths[0], folder=True)
        elif name in ("symlink", "symlinkat"):
            self._add(paths[0], link=_text(arguments[0]).decode())
        elif name in ("unlink", "unlinkat", "rmdir"):
            self._change((paths[0], None))
        elif name in ("link", "linkat"):
            by_descriptor = re.fullmatch(r"/proc/self/fd/(\d+)", paths[0])
            source = self._opened.get(by_descriptor[1]) if by_descriptor else self._find(paths[0])
            self._change((paths[1], source))
        elif (source := self._find(paths[0])) is not None:
            self._change((paths[0], None), (paths[1], source))

    def _on_open(self, path: str, arguments: list[str], result: str) -> None:
        inode, how = self._find(path), " ".join(arguments)  # of open or openat, with paths in escapes
        if inode is None and "O_CREAT" in how:
            inode = self._add(path)
        elif inode is not None and "O_TRUNC" in how and self._bytes.get(inode):
            self._becomes(inode, b"")
        if inode is not None:
            self._opened[result] = inode

    def _add(self, path: str, *, folder: bool = False, link: str | None = None) -> int | None:
        if not self._place(path):
            return None
        self._last += 1
        if folder:
            self.folders.add(self._last)
        elif link is not None:
            self.links[self._last] = link
        self._change((path, self._last))
        return self._last

    def _change(self, *changes: tuple[str, int | None]) -> None:
        made: Change = []
        for path, inode in changes:
            if place := self._place(path):
                made.append((*place, inode))
                if inode is None:
                    self._names.pop(place, None)
                else:
                    self._names[place] = inode
        if made:
            self.ops.append(Op(changes=made))

    def _becomes(self, inode: int, content: bytes) -> None:
        self._bytes[inode] = content
        self.ops.append(Op(inode=inode, content=content))

    def _place(self, path: str) -> tuple[int, str] | None:
        """The folder of a path, and its name there; None for what is not on the disk."""
        above, _, name = path.rpartition("/")
        folder = self._find(above)
        return (folder, name) if folder is not None and path != self.root else None

    def _find(self, path: str) -> int | None:
        if path == self.root:
            return 1
        place = self._place(path) if path.startswith(f"{self.root}/") else None
        return self._names.get(place) if place else None

    def _is_ours(self, arguments: list[str]) -> bool:
        return any(_path(each).startswith(self.root) for each in arguments if _PATH.match(each))

    # ---- after the cut

    def promises(self, cut: int) -> list[Any]:
        """What the process had promised before its cut."""
        return [op.mark for op in self.ops[:cut] if op.mark]

    def left(self, cut: int, target: Path, chance: random.Random, *, ordered: bool, kept: float) -> None:
        """Make what is left in a new folder. kept: the part of what was not brought to disk that is there."""
        sure, content = self._sure(cut)
        survives = self._ordered(cut, sure, chance, kept) if ordered else None
        names: dict[int, dict[str, int]] = {}
        for number, op in enumerate(self.ops[:cut]):
            if number in sure or (number <= survives if survives is not None else chance.random() < kept):
                for folder, name, inode in op.changes:
                    if inode is None:
                        names.setdefault(folder, {}).pop(name, None)
                    else:
                        names.setdefault(folder, {})[name] = inode
        latest = {op.inode: op.content for op in self.ops[:cut] if op.inode}
        made: dict[int, Path] = {}

        def bytes_of(inode: int) -> bytes:
            return _some(content.get(inode), latest.get(inode, b""), chance, kept)

        self._make(1, target, names, made, bytes_of)

    def _sure(self, cut: int) -> tuple[set[int], dict[int, bytes]]:
        """The steps whose names are on disk, and the bytes that are."""
        sure: set[int] = set()
        content: dict[int, bytes] = {}
        latest: dict[int, bytes] = {}
        in_folder: dict[int, set[int]] = {}
        naming: dict[int, set[int]] = {}
        above: dict[int, set[int]] = {}
        for number, op in enumerate(self.ops[:cut]):
            for folder, _, inode in op.changes:
                in_folder.setdefault(folder, set()).add(number)
                if inode is not None:
                    naming.setdefault(inode, set()).add(number)
                    above.setdefault(inode, set()).add(folder)
            if op.inode:
                latest[op.inode] = op.content
            if op.synced:
                content[op.synced] = latest.get(op.synced, b"")
                sure |= in_folder.get(op.synced, set())
                todo, seen = [op.synced], set[int]()
                while todo:
                    inode = todo.pop()
                    seen.add(inode)
                    sure |= naming.get(inode, set())
                    todo += above.get(inode, set()) - seen
        return sure, content

    def _ordered(self, cut: int, sure: set[int], chance: random.Random, kept: float) -> int:
        """The last step that survives on a disk with a journal."""
        least = max(sure, default=-1)
        return chance.choice([least, chance.randint(least, cut), cut]) if 0 < kept < 1 else cut if kept else least

    def _make(self, inode: int, path: Path, names: Any, made: dict[int, Path], bytes_of: Any) -> None:
        path.mkdir(mode=0o711)
        for name, inner in names.get(inode, {}).items():
            if inner in self.folders:
                if inner not in made:
                    made[inner] = path / name
                    self._make(inner, path / name, names, made, bytes_of)
            elif inner in self.links:
                os.symlink(self.links[inner], path / name)
            elif inner in made:
                os.link(made[inner], path / name)
            else:
                made[inner] = path / name
                (path / name).write_bytes(bytes_of(inner))


def _some(sure: bytes | None, latest: bytes, chance: random.Random, kept: float) -> bytes:
    """What is left of a file. sure: what of it was brought to disk."""
    begun = sure or b""
    if latest == begun or kept >= 1 and chance.random() < 0.5:
        return latest
    rest = latest[len(begun) :] if latest.startswith(begun) else latest
    begun = begun if latest.startswith(begun) else b""
    return chance.choice([latest, begun, begun + bytes(len(rest)), begun + rest[: len(rest) // 2]])


def _text(argument: str) -> bytes:
    return bytes.fromhex(argument.strip('"').replace("\\x", ""))


def _path(argument: str) -> str:
    """Where a descriptor leads, as strace says it."""
    found = _PATH.match(argument)
    return os.fsdecode(bytes.fromhex(found[1].replace("\\x", ""))) if found else ""


def _paths(name: str, arguments: list[str]) -> Iterator[str]:
    """The paths that a call names, each from the folder that comes before it."""
    folder = ""
    texts = arguments[1:] if name.startswith("symlink") else arguments
    for argument in texts:
        if _PATH.match(argument):
            folder = _path(argument)
        elif argument.startswith('"'):
            yield os.path.normpath(os.path.join(folder or "/", os.fsdecode(_text(argument))))
