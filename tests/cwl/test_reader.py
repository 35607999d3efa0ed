"""The warm process that reads documents, each in a child of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support import leaks
from support.packages import as_yaml, tool
from support.waiting import until

from geomill.app.cwl.reader import Reader
from geomill.app.engine import reaper

GREET = as_yaml(tool())
READ = b'"id": "greet"'


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """One that several tests use."""
    reader = Reader()
    assert READ in read(reader, tmp_path_factory.mktemp("first"))
    leaks.share(reader.pid or 0)
    yield reader
    reader.stop()


def read(reader: Reader, folder: Path, limit: float = 30.0) -> bytes:
    return reader.read(GREET, [None, None], limit, folder)


def test_one_process_reads_all_documents_and_leaves_nothing_of_them(reader: Reader, tmp_path: Path) -> None:
    pid = reader.pid
    with ThreadPoolExecutor(3) as pool:  # as the threads of a worker would
        assert all(READ in printed for printed in pool.map(lambda _: read(reader, tmp_path), range(6)))
    assert pid and (reader.pid, list(tmp_path.iterdir())) == (pid, [])
    until(lambda: leaks.children(pid) == [])  # the last has answered, and ends


def test_a_document_that_takes_too_long_ends_alone(reader: Reader, tmp_path: Path) -> None:
    pid = reader.pid
    assert b"was still loading after 0 s" in read(reader, tmp_path, limit=0.0)
    assert READ in read(reader, tmp_path)
    assert reader.pid == pid


@pytest.mark.thorough
def test_a_process_that_was_killed_is_replaced(reader: Reader, tmp_path: Path) -> None:
    killed = reader.pid
    assert killed
    leaks.kill(killed)
    assert READ in read(reader, tmp_path)
    assert reader.pid not in (None, killed)
    leaks.share(reader.pid or 0)


@pytest.mark.thorough
def test_a_process_that_nobody_asks_leaves(tmp_path: Path) -> None:
    reader = Reader(idle=0.1)
    assert READ in read(reader, tmp_path)
    pid = reader.pid or 0
    until(lambda: not leaks.running_name(pid))
    reader.stop()


def test_a_process_leaves_with_the_one_that_asks(tmp_path: Path) -> None:
    code = (
        "import os, pathlib, signal, sys\n"
        "from geomill.app.cwl.reader import Reader\n"
        "reader = Reader()\n"
        f"reader.read({GREET!r}, [None, None], 30.0, pathlib.Path({str(tmp_path)!r}))\n"
        "print(reader.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    pid = int(done.stdout)
    until(lambda: not leaks.running_name(pid))
    assert reaper.parent(pid) in (None, os.getpid())
