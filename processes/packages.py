"""The contents of process files, each kept once under its digest, and what describing them gave."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict, cast

from geomill.processes.describe import is_scarce
from geomill.processes.records import CorruptProcess

HERE = Path(__file__).parent
# what an interpreter needs to import, describe and call processes
LIBRARY = ("__init__.py", "hints.py", "values.py", "description.py", "describe.py", "call.py")
CODE = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in LIBRARY)).hexdigest()
PASSABLE = 0o711  # jobs of another user find their library in there, and list nothing on the way
SPARE = 10.0  # seconds beyond the limit for starting, ending and sweeping
MOST = 16 * 2**20  # bytes of a description that are read
UNWRITABLE = {errno.EROFS, errno.ENOSPC, errno.EDQUOT}
KEPT_VARIABLES = {"HOME", "LANG", "LD_LIBRARY_PATH", "LOGNAME", "PATH", "PYTHONPATH", "TMPDIR", "TZ", "USER"}
KEPT_PREFIXES = ("GDAL_", "LC_", "PROJ_")
_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


class Record(TypedDict, total=False):
    """What describing a file gave: its processes, or an error."""

    processes: list[dict[str, Any]]
    error: str
    missing: bool  # a library or an interpreter was: it may be there later
    late: bool  # time or memory ran out, which may be the host's fault
    scarce: int  # the host had too little of something, which is no fault of the file: how often in a row
    when: float
    siblings: int  # of the newest file in the folder, its time: a neighbour that was at fault may be mended


class Packages:
    """A folder of contents: `<digest>/package.py`, beside it a record for each interpreter and path it was read at."""

    def __init__(self, root: Path, limit: float) -> None:
        """root: the folder, made when needed; limit: seconds that describing a file may take."""
        self.root, self.limit = root, limit
        self._aside: dict[Path, Record] = {}  # by where they would be: what cannot be written now

    def path(self, digest: str) -> Path:
        """Where the content with a digest is kept."""
        return self.root / digest / "package.py"

    def keep(self, content: bytes) -> str:
        """Keep a content and give its digest; durable when this returns. Raises OSError."""
        digest = hashlib.sha256(content).hexdigest()
        path = self.path(digest)
        if not path.exists() or path.read_bytes() != content:
            self.root.mkdir(mode=PASSABLE, exist_ok=True)  # and not what is above it: that was there, and may come back
            path.parent.mkdir(mode=0o700, exist_ok=True)
            replace(path, content, durable=True)
        return digest

    def recall(self, digest: str, interpreter: str | None, path: Path) -> Record | None:
        """What describing a content gave before, if it was."""
        place = self._record(digest, interpreter, path)
        try:
            record = json.loads(place.read_bytes())
        except (FileNotFoundError, ValueError):
            return self._recall_aside(place)
        return cast(Record, record) if isinstance(record, dict) else None

    def _recall_aside(self, place: Path) -> Record | None:
        """What is known and not written; it is, once that can be done again."""
        record = self._aside.get(place)
        if record is not None:
            with contextlib.suppress(OSError):
                replace(place, json.dumps(record).encode(), durable=False)
                self._aside.pop(place, None)
        return record

    def describe(self, digest: str, interpreter: str | None, path: Path, siblings: int, older: float) -> Record:
        """Describe a content as the file at `path`; whoever else does it at the same time is waited for.

        older: the time of the record that is no longer good enough, or 0.
        """
        from filelock import FileLock, Timeout  # its hook is called at every fork, and jobs need none

        try:
            with FileLock(self.root / f".lock-{digest[:2]}", timeout=2 * (self.limit + SPARE), mode=0o600):
                known = self.recall(digest, interpreter, path)
                if known is not None and known.get("when", 0) > older:
                    return known
                record = self._describe(digest, interpreter, path)
                record["when"], record["siblings"] = time.time(), siblings
                if not record.get("scarce"):  # nothing that was learnt
                    replace(self._record(digest, interpreter, path), json.dumps(record).encode(), durable=False)
                return record
        except (OSError, ValueError, Timeout) as error:  # the middle one: a null in a path
            if is_unwritable(error):
                return self._describe_aside(digest, interpreter, path, siblings)
            return undescribed(error, siblings)

    def _describe_aside(self, digest: str, interpreter: str | None, path: Path, siblings: int) -> Record:
        """The same, where nothing can be written beside the contents."""
        try:
            with tempfile.TemporaryDirectory(prefix="geomill-") as folder:
                elsewhere = Packages(Path(folder), self.limit)
                if elsewhere.keep(path.read_bytes()) != digest:
                    raise OSError("it has changed meanwhile")
                record = elsewhere._describe(digest, interpreter, path)
        except OSError as error:
            record = undescribed(error, siblings)
        record["when"], record["siblings"] = time.time(), siblings
        self._aside[self._record(digest, interpreter, path)] = record
        return record

    def library(self) -> Path:
        """A folder for the PYTHONPATH of a foreign interpreter: `geomill.processes` as authors use it, nothing else."""
        tree = self.root / f".library-{CODE[:16]}"
        if not tree.exists():
            made = Path(tempfile.mkdtemp(prefix=".new-", dir=self.root))
            (made / "geomill" / "processes").mkdir(parents=True)
            for name in LIBRARY:
                shutil.copyfile(HERE / name, made / "geomill" / "processes" / name)
            for each in (made, *made.rglob("*")):  # whatever the umask: jobs read it as another user
                each.chmod(0o755 if each.is_dir() else 0o644)
            try:
                made.rename(tree)
            except OSError:  # somebody else made it
                shutil.rmtree(made)
        return tree

    def _record(self, digest: str, interpreter: str | None, path: Path) -> Path:
        return self.root / digest / self.record_name(interpreter, path)

    @staticmethod
    def record_name(interpreter: str | None, path: Path) -> str:
        """The name, beside a content, of the file that says what it is when it is read at `path`."""
        key = hashlib.sha256("\0".join((CODE, interpreter or "", str(path))).encode()).hexdigest()[:16]
        return f"{key}.json"

    def _describe(self, digest: str, interpreter: str | None, path: Path) -> Record:
        """Run describe.py in a child of its own, and read the last line it prints."""
        environment = kept_environment() | threads(1)  # what is only described computes nothing
        script = HERE / "describe.py"
        if interpreter:
            environment["PYTHONPATH"] = str(self.library())
            script = self.library() / "geomill" / "processes" / "describe.py"
        command = [interpreter or sys.executable, str(script), str(self.path(digest)), str(path)]
        return _last(*isolated(command, self.limit, environment, self.root))


def threads(count: int) -> dict[str, str]:
    """The variables that say how many threads BLAS and OpenMP begin with; without them, one for each processor."""
    return dict.fromkeys(_THREADS, str(count))


def undescribed(error: Exception, siblings: int) -> Record:
    """The record of a file that nobody came to describe."""
    problem = f"could not be described: {getattr(error, 'strerror', None) or error}"
    return Record(error=problem, missing=True, scarce=int(is_scarce(error)), when=time.time(), siblings=siblings)


def is_unwritable(error: Exception) -> bool:
    """Whether a disk takes nothing now."""
    return isinstance(error, OSError) and error.errno in UNWRITABLE


def kept_environment() -> dict[str, str]:
    """What of the server's environment a child that describes may see."""
    return {n: v for n, v in os.environ.items() if n in KEPT_VARIABLES or n.startswith(KEPT_PREFIXES)}


def isolated(command: list[str], limit: float, environment: Mapping[str, str], root: Path) -> tuple[bytes, bool]:
    """What a command prints, in a child of which nothing is left; in a last line of JSON, how it ended badly.

    And whether that child was able to look after it. limit: seconds; root: a folder where it may be written down.
    """
    command = [sys.executable, "-I", "-S", str(HERE / "describe.py"), "--isolated", str(limit), *command]
    with tempfile.TemporaryFile(dir=root) as answer:  # a file: what a pipe holds open may never end
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=answer,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env=environment,
            start_new_session=True,
        )
        try:
            child.wait(limit + SPARE)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        answer.seek(0)
        return answer.read(MOST), child.returncode == 0


def described(root: Path, package: str, record: str, entry: str) -> dict[str, Any]:
    """The description that a process had when a job was accepted, from what is kept for good.

    root: the folder of packages; package: a digest; record: a name as in Process.described; entry: the function.
    """
    description: dict[str, Any] = recorded(root, package, record, entry)["description"]
    return description


def recorded(root: Path, package: str, record: str, entry: str) -> dict[str, Any]:
    """All that is kept of a process, the description among it. Takes the same. Raises CorruptProcess."""
    try:
        processes: list[dict[str, Any]] = json.loads((root / package / record).read_bytes())["processes"]
        found = next(each for each in processes if each["function"] == entry)
        found["description"]["inputs"], found["description"]["outputs"]
        return found
    except FileNotFoundError:
        raise CorruptProcess(entry, f"{record} of its package {package} is missing") from None
    except (ValueError, LookupError, TypeError, StopIteration, RecursionError) as error:
        raise CorruptProcess(entry, f"{record} of its package {package} is torn") from error


def _last(printed: bytes, sound: bool) -> Record:
    """The record in the last line that a describer printed. sound: it was looked after, however it ended."""
    with contextlib.suppress(ValueError, IndexError):
        record = json.loads(printed.splitlines()[-1])
        if isinstance(record, dict) and ("processes" in record or "error" in record):
            return cast(Record, record)
    if not sound:  # it could not begin what it was begun for
        return Record(error="could not be described: the host has too few processes or too little memory", scarce=1)
    return Record(error="ended with exit code 0 while being loaded")


def replace(path: Path, content: bytes, durable: bool) -> None:
    """Write a file whole or not at all, readable for its owner alone."""
    descriptor, name = tempfile.mkstemp(prefix=".new-", dir=path.parent)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.rename(name, path)
    except BaseException:
        os.unlink(name)
        raise
    if durable:
        for folder in (path.parent, path.parent.parent):
            sync(folder)


def sync(folder: Path) -> None:
    """Bring the names in a folder to disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
