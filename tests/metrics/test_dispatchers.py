"""What dispatchers did, whoever of them did it."""

from __future__ import annotations

import os
import signal
from functools import partial
from pathlib import Path

import pytest

from geomill.app.engine import reaper, record
from geomill.app.engine.children import Children


def test_what_each_did_is_told_together(tmp_path: Path) -> None:
    assert record.read(tmp_path) == {}
    for what, times in ((record.STARTS, 1), (record.SWEPT, 3), (record.SWEPT, 0), (record.STARTS, 1)):
        record.note(tmp_path, what, times)
    assert record.read(tmp_path) == {record.STARTS: 2, record.SWEPT: 3}


@pytest.mark.parametrize("torn", ["", "{", "[]", '{"starts": "many"}', '{"starts": [1]}'])
def test_counts_that_are_torn_begin_again(tmp_path: Path, torn: str) -> None:
    (tmp_path / record.FILE).write_text(torn)
    record.note(tmp_path, record.STARTS)
    assert record.read(tmp_path) == {record.STARTS: 1}


def test_each_orphan_that_is_swept_is_counted(tmp_path: Path) -> None:
    known = set(reaper.children(os.getpid()))
    children = Children(lambda: known, lambda: None, partial(record.note, tmp_path, record.SWEPT))
    for _ in range(2):
        if os.fork() == 0:
            signal.pause()
    assert children.sweep() and children.sweep()
    assert record.read(tmp_path) == {record.SWEPT: 2}
