"""A home is of one format and of one host at a time; what is not ours is refused in a sentence."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from support.stores import create, open_store

from geomill.jobstore import Filters, home
from geomill.jobstore.home import FORMAT, HomeGone, UnusableHome, beat, claim, leave, read

BOOT = "of this host"


def marked(place: Path, **members: object) -> Path:
    """A home with this mark, written this moment."""
    (place / home.MARK).write_text(json.dumps(members))
    return place


OTHER = {"format": FORMAT, "host": "another", "boot": "of another", "name": "mill-2"}


def test_a_home_without_a_mark_gets_ours_and_is_written_no_more(tmp_path: Path) -> None:
    claim(tmp_path, BOOT)
    before = (tmp_path / home.MARK).stat()
    claim(tmp_path, BOOT)
    after = (tmp_path / home.MARK).stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert (read(tmp_path).format, read(tmp_path).boot) == (FORMAT, BOOT)


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnusableHome, match=f"format {FORMAT + 1}, of a newer version; this one knows {FORMAT}"):
        claim(marked(tmp_path, format=FORMAT + 1), BOOT)


def test_an_older_format_is_brought_forward_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(home, "FORMAT", FORMAT + 1)
    monkeypatch.setitem(home.MIGRATIONS, FORMAT, lambda place: (place / "moved").touch(exist_ok=False))
    for _ in range(2):
        claim(tmp_path, BOOT)
    assert (tmp_path / "moved").exists()
    assert read(tmp_path).format == FORMAT + 1


@pytest.mark.parametrize("content", ["", "{", "[]", "7", '{"format": "1"}', '{"host": 1}'])
def test_a_torn_mark_is_refused_with_what_to_do(tmp_path: Path, content: str) -> None:
    (tmp_path / home.MARK).write_text(content)
    with pytest.raises(UnusableHome, match="is torn; remove it"):
        claim(tmp_path, BOOT)


def test_a_home_that_another_host_serves_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnusableHome, match="is served by the host mill-2: try again in"):
        claim(marked(tmp_path, **OTHER), BOOT)
    assert read(tmp_path).host == "another"


@pytest.mark.parametrize("seconds", [home.SILENT + 1, -home.SILENT - 1, None])
def test_a_home_whose_host_is_silent_or_has_left_is_taken(tmp_path: Path, seconds: float | None) -> None:
    marked(tmp_path, **OTHER)
    if seconds is None:
        leave(tmp_path)
    else:
        os.utime(tmp_path / home.MARK, (time.time() - seconds,) * 2)
    claim(tmp_path, BOOT)
    assert read(tmp_path).boot == BOOT
    assert os.listdir(tmp_path) == [home.MARK]


def test_a_container_of_the_same_host_joins(tmp_path: Path) -> None:
    claim(marked(tmp_path, **{**OTHER, "boot": BOOT}), BOOT)


def test_who_has_lost_a_home_hears_of_it(tmp_path: Path) -> None:
    claim(tmp_path, BOOT)
    os.utime(tmp_path / home.MARK, (0, 0))
    assert beat(tmp_path, BOOT)
    assert time.time() - (tmp_path / home.MARK).stat().st_mtime < 60
    marked(tmp_path, **OTHER)
    os.utime(tmp_path / home.MARK, (0, 0))
    assert not beat(tmp_path, BOOT)


def test_what_is_not_there_with_its_home_is_not_lost(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    job_id = create(store)
    assert [info.job_id for info in store.list(Filters(), 9).jobs] == [job_id]
    (tmp_path / "home").rename(tmp_path / "elsewhere")
    for empty in (False, True):
        if empty:
            (tmp_path / "home").mkdir()  # where its disk was mounted
        assert not store.is_gone(job_id)
        for ask in (store.status, store.job, store.request, store.log, store.results):
            with pytest.raises(HomeGone):
                ask(job_id)
        with pytest.raises(OSError):
            store.list(Filters(), 9)
    (tmp_path / "home").rmdir()
    (tmp_path / "elsewhere").rename(tmp_path / "home")
    assert [info.job_id for info in store.list(Filters(), 9).jobs] == [job_id]
