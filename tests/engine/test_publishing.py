"""What a job gives becomes its results, if it is its own: judged and kept by descriptor, whoever swaps its name."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from geomill.app.engine import held
from geomill.app.engine.publishing import Unpublishable, publish


@pytest.fixture
def job(tmp_path: Path) -> Path:
    """The folder of a job with a working directory, and a secret beside it."""
    (tmp_path / "job" / "work" / "inner").mkdir(parents=True)
    (tmp_path / "secret").write_text("secret")
    return tmp_path / "job"


def give(job: Path, name: str) -> str:
    """Publish one file and give what is kept of it."""
    publish(job, {"result": {"file": name, "media_type": "text/plain"}}, durable=True)
    result = json.loads((job / "results.json").read_text())["result"]
    kept = job / "outputs" / result["file"]
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600 and kept.stat().st_size == result["size"]
    return kept.read_text()


@pytest.mark.parametrize("form", ["{work}/a.txt", "a.txt", "inner/../a.txt", "{work}/./a.txt"])
def test_a_file_of_the_working_directory_is_kept(job: Path, form: str) -> None:
    (job / "work" / "a.txt").write_text("hello")
    assert give(job, form.format(work=job / "work")) == "hello"


def test_a_job_may_know_its_directory_by_another_name(job: Path, tmp_path: Path) -> None:
    (tmp_path / "linked").symlink_to(job)
    (job / "work" / "a.txt").write_text("hello")
    assert give(tmp_path / "linked", str(job / "work" / "a.txt")) == "hello"


def test_one_file_may_be_two_outputs(job: Path) -> None:
    (job / "work" / "a.txt").write_text("hello")
    both = {name: {"file": "a.txt", "media_type": "text/plain"} for name in ("one", "two")}
    publish(job, both, durable=False)
    assert sorted(path.read_text() for path in (job / "outputs").iterdir()) == ["hello", "hello"]


HARM: dict[str, Callable[[Path], object]] = {
    "missing": lambda work: None,
    "link": lambda work: (work / "a.txt").symlink_to(work.parent.parent / "secret"),
    "folder": lambda work: (work / "a.txt").mkdir(),
    "pipe": lambda work: os.mkfifo(work / "a.txt"),
}


@pytest.mark.parametrize("kind", HARM)
def test_what_is_no_file_is_refused(job: Path, kind: str) -> None:
    HARM[kind](job / "work")
    with pytest.raises(Unpublishable):
        give(job, "a.txt")


@pytest.mark.parametrize("name", ["/etc/hostname", "../../secret", "link/secret", "inner/../../../secret", "a\0b", ""])
def test_nothing_leads_out_of_the_working_directory(job: Path, name: str) -> None:
    (job / "work" / "link").symlink_to(job.parent)
    with pytest.raises(Unpublishable):
        give(job, name)
    assert (job.parent / "secret").read_text() == "secret"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_somebody_else_is_refused(job: Path) -> None:
    (job / "work" / "a.txt").write_text("hello")
    os.chown(job / "work", 12345, 12345)
    os.chown(job / "work" / "a.txt", 54321, 54321)
    with pytest.raises(Unpublishable, match="belongs to somebody else"):
        give(job, "a.txt")


def test_a_name_that_is_swapped_after_it_was_judged_changes_nothing(job: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep = held.keep

    def swap_and_keep(descriptor: int, target: Path) -> str:
        (job / "work" / "inner").rename(job / "work" / "was")
        (job / "work" / "inner").symlink_to(job.parent)
        return keep(descriptor, target)

    (job / "work" / "inner" / "secret").write_text("harmless")
    monkeypatch.setattr(held, "keep", swap_and_keep)
    assert give(job, "inner/secret") == "harmless"


def test_a_file_of_another_mount_is_copied(job: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not os.path.isdir("/dev/shm") or os.stat("/dev/shm").st_dev == os.stat(tmp_path).st_dev:
        pytest.skip("there is no other file system here")
    source = Path("/dev/shm", f"geomill-test-{os.getpid()}")
    source.write_text("hello")
    descriptor = os.open(source, os.O_PATH)
    try:
        held.keep(descriptor, tmp_path / "kept")
    finally:
        os.close(descriptor)
        source.unlink()
    assert (tmp_path / "kept").read_text() == "hello"
