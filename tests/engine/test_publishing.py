"""What a job gives becomes its results, if it is its own: judged and kept by descriptor, whoever swaps its name."""

from __future__ import annotations

import json
import mmap
import os
import signal
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from geomill.app.engine import held
from geomill.app.engine.publishing import Unpublishable, publish
from geomill.app.engine.steps import StepRecord, events

ROOT = os.geteuid() == 0


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


def test_a_group_is_given_all_of_a_folder(job: Path) -> None:
    (job / "work" / "inner" / "a.txt").write_text("hello")
    given = {"result": {"folder": "inner", "media_type": "application/json"}}
    publish(job, given, durable=False, group=os.getgid())
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (job / "outputs").rglob("*")}
    assert modes == {"result": 0o750, "a.txt": 0o640}
    assert stat.S_IMODE((job / "outputs").stat().st_mode) == 0o750
    assert stat.S_IMODE((job / "results.json").stat().st_mode) == 0o640
    assert {path.stat().st_gid for path in (job / "outputs").rglob("*")} == {os.getgid()}


HARM: dict[str, Callable[[Path], object]] = {
    "missing": lambda work: None,
    "link": lambda work: (work / "a.txt").symlink_to(work.parent.parent / "secret"),
    "folder": lambda work: (work / "a.txt").mkdir(),
    "pipe": lambda work: os.mkfifo(work / "a.txt"),
    "socket": lambda work: os.mknod(work / "a.txt", stat.S_IFSOCK | 0o600),
    "link to itself": lambda work: (work / "a.txt").symlink_to("a.txt"),
    **({"device": lambda work: os.mknod(work / "a.txt", stat.S_IFCHR | 0o600, os.makedev(1, 5))} if ROOT else {}),
}


@pytest.mark.parametrize("kind", HARM)
def test_what_is_no_file_is_refused(job: Path, kind: str) -> None:
    HARM[kind](job / "work")
    with pytest.raises(Unpublishable):
        give(job, "a.txt")


@pytest.mark.parametrize("kind", [kind for kind in HARM if kind not in ("missing", "folder")])
def test_a_folder_with_what_is_no_file_is_refused(job: Path, kind: str) -> None:
    HARM[kind](job / "work" / "inner")
    with pytest.raises(Unpublishable):
        publish(job, {"result": {"folder": "inner", "media_type": "application/json"}}, durable=False)


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


@pytest.mark.skipif(not ROOT, reason="only root can give a file away")
def test_a_file_of_the_server_that_a_job_linked_is_refused_and_one_that_it_gave_is_not(job: Path) -> None:
    """Where the kernel lets anybody make hard links of anything: fs.protected_hardlinks = 0."""
    (job / "work" / "b.txt").write_text("hello")
    for path in (job / "work", job / "work/inner", job / "work/b.txt"):
        os.chown(path, 12345, 12345)
    (job.parent / "secret").chmod(0o600)
    for place in ("work", "work/inner"):
        os.link(job.parent / "secret", job / place / "a.txt")
    twice = {name: {"file": "b.txt", "media_type": "text/plain"} for name in ("one", "two")}
    publish(job, twice, durable=False)
    assert sorted(path.read_text() for path in (job / "outputs").iterdir()) == ["hello", "hello"]
    for given in ({"file": "a.txt", "media_type": "text/plain"}, {"folder": "inner", "media_type": "application/json"}):
        with pytest.raises(Unpublishable, match="belongs to somebody else"):
            publish(job, {"result": given}, durable=False)
    assert not list((job / "outputs").rglob("a.txt"))


def test_a_name_that_is_swapped_after_it_was_judged_changes_nothing(job: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep = held.keep

    def swap_and_keep(descriptor: int, target: Path) -> str:
        (job / "work" / "inner").rename(job / "work" / "was")
        (job / "work" / "inner").symlink_to(job.parent)
        return keep(descriptor, target)

    (job / "work" / "inner" / "secret").write_text("harmless")
    monkeypatch.setattr(held, "keep", swap_and_keep)
    assert give(job, "inner/secret") == "harmless"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can take a file away from a user")
@pytest.mark.parametrize("how", ["a descriptor", "a mapping"])
def test_what_is_published_is_changed_by_nobody_who_had_it_open(job: Path, how: str) -> None:
    """Another job of the same user opened it, or mapped it into memory, before."""
    (job / "work" / "a.txt").write_text("hello")
    with open(job / "work" / "a.txt", "r+b", buffering=0) as writer, mmap.mmap(writer.fileno(), 0) as mapped:
        if how == "a mapping":
            writer.close()
        assert give(job, "a.txt") == "hello"
        if how == "a mapping":
            mapped[:4] = b"evil"
        else:
            writer.write(b"evil")
        assert (job / "outputs" / "a.txt").read_text() == "hello"


def test_a_file_that_nobody_writes_is_not_copied(job: Path) -> None:
    (job / "work" / "a.txt").write_text("hello")
    inode = (job / "work" / "a.txt").stat().st_ino
    assert give(job, "a.txt") == "hello"
    assert (job / "outputs" / "a.txt").stat().st_ino == inode


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


@pytest.mark.parametrize("reads", [False, True])
def test_a_pipe_in_the_place_of_the_log_of_publishing_holds_up_nothing(job: Path, reads: bool) -> None:
    (job / "logs").mkdir()
    pipe = job / "logs" / "node_stage_out.log"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK) if reads else None
    (job / "work" / "a.txt").write_text("hello")
    steps = StepRecord(job)
    steps.note({"time": "2026-01-31T12:00:00.123Z", "event": "started", "step": "a"})
    signal.alarm(20)
    try:
        with steps.publishing():
            assert give(job, "a.txt") == "hello"
    finally:
        signal.alarm(0)
        if reader is not None:
            os.close(reader)
    assert [each["event"] for each in events(job)] == ["started", "started", "ended"]
