"""A home on a disk that cannot be written: what is known is shown, and what cannot be done says so, and why."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from support.stores import begin, create, succeed
from support.waiting import until

from geomill.app import create_app
from geomill.app.cli import main
from geomill.app.cli.doctor import disk as disk_of
from geomill.app.config import Settings
from geomill.app.engine.client import open_store
from geomill.jobstore import Status, folders

ADVICE = "Read-only file system; find out why its disk cannot be written (dmesg), and mount it anew\n"
FULL = "No space left on device; make room on its disk (geomill jobs gc, geomill jobs remove)\n"
TOKEN = "token create --name ann --role admin"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m,nr_inodes=1000", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.fixture
def settings(disk: Path, tmp_path: Path) -> Settings:
    return Settings(home=disk / "home", runtime_dir=tmp_path / "run", min_free_bytes=0, min_free_inodes=0)


def close(disk: Path, how: str) -> Callable[[], object]:
    """Let a disk be read-only, or full; gives what opens it again."""
    if how == "read-only":
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        return lambda: subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
    ballast = disk / "ballast"
    ballast.mkdir()
    with pytest.raises(OSError, match="No space"), (ballast / "all").open("wb", 0) as file:
        while True:
            file.write(bytes(4096))
    with pytest.raises(OSError, match="No space"):
        for number in count():
            (ballast / str(number)).touch()
    return lambda: shutil.rmtree(ballast)


def run(settings: Settings, *arguments: str) -> Result:
    given = {"GEOMILL_HOME": str(settings.home), "GEOMILL_RUNTIME_DIR": str(settings.runtime_dir)}
    given |= {"GEOMILL_MIN_FREE_BYTES": "0", "GEOMILL_MIN_FREE_INODES": "0"}
    return CliRunner().invoke(main, arguments, env=given)


@pytest.mark.parametrize("how", ["read-only", "full"])
def test_processes_that_cannot_be_written_down_are_there_all_the_same(settings: Settings, disk: Path, how: str) -> None:
    open_store(settings)
    reopen = close(disk, how)
    client = create_app(settings).test_client()
    assert client.get("/processes/buffer").status_code == 200
    shipped = {"echo", "buffer", "water-mask"}
    until(lambda: shipped <= {each["id"] for each in client.get("/processes").json["processes"]})
    refused = client.post("/processes/echo/execution", json={"inputs": {"echoInput": "x"}})
    assert refused.status_code in (503, 507)
    reopen()
    assert client.get("/processes/buffer").status_code == 200
    kept = client.application.processes.get("buffer")  # type: ignore[attr-defined]
    assert (settings.home / "packages" / kept.package / kept.described).exists()


def test_a_job_without_its_supervisor_is_failed_though_that_cannot_be_written(settings: Settings, disk: Path) -> None:
    store = open_store(settings)
    job_id = create(store)
    begin(store, job_id)
    reopen = close(disk, "read-only")
    client = create_app(settings).test_client()
    answers = [client.get(f"/jobs/{job_id}") for _ in range(2)]
    assert [(each.json["status"], each.json["message"]) for each in answers] == [
        ("failed", "the job's supervisor was lost")
    ] * 2
    assert answers[0].headers["ETag"] == answers[1].headers["ETag"]
    assert [each["status"] for each in client.get("/jobs").json["jobs"]] == ["failed"]
    reopen()
    assert store.status(job_id).cause == "lost"
    assert folders.read_status(store.folder(job_id)).status is Status.FAILED


@pytest.mark.parametrize("harm", ["lost", "scratch", "half made"])
def test_a_repair_that_could_not_be_done_is_none(settings: Settings, disk: Path, harm: str) -> None:
    store = open_store(settings)
    job_id = create(store)
    if harm == "lost":
        begin(store, job_id)
    else:
        succeed(store, job_id)
        left = store.folder(job_id) / "work" if harm == "scratch" else store.folder(job_id).parent / ".old-x"
        left.mkdir()
        os.utime(left, (0, 0))
    reopen = close(disk, "read-only")
    for _ in range(2):
        done = run(settings, "fsck", "--repair")
        first, last = done.stdout.splitlines()
        assert first.endswith("; could not be mended: Read-only file system")
        assert (done.exit_code, last) == (1, "1 finding, 0 mended, 1 needs you")
    reopen()
    assert run(settings, "fsck", "--repair").exit_code == 0


@pytest.mark.parametrize("how", ["read-only", "full"])
def test_a_home_that_cannot_be_written_is_saved_all_the_same(
    settings: Settings, disk: Path, tmp_path: Path, how: str
) -> None:
    store = open_store(settings)
    done, runs = create(store), create(store)
    succeed(store, done)
    begin(store, runs)
    close(disk, how)
    saved = run(settings, "backup", str(tmp_path / "b.tar"))
    assert saved.stdout.startswith("2 jobs, 0 deployed processes, "), saved.output
    (tmp_path / "restored").mkdir()
    subprocess.run(["tar", "-xpf", tmp_path / "b.tar", "-C", tmp_path / "restored"], check=True)
    copy = open_store(replace(settings, home=tmp_path / "restored", runtime_dir=tmp_path / "another"))
    assert copy.read_status(done) == store.read_status(done)
    assert copy.status(runs).cause == "lost"


@pytest.mark.parametrize(
    "how, command",
    [
        *(("read-only", command) for command in ("serve --port 0", "serve --check")),
        *((how, command) for how in ("read-only", "full") for command in ("drain", TOKEN)),
    ],
)
def test_a_command_that_cannot_write_says_where_and_what_to_do(
    settings: Settings, disk: Path, how: str, command: str
) -> None:
    open_store(settings)
    close(disk, how)
    done = run(settings, *command.split())
    assert done.exit_code == 1
    assert done.output.startswith(f"Error: {settings.home}/"), done.output
    assert done.output.endswith(ADVICE if how == "read-only" else FULL), done.output


def test_the_doctor_says_that_a_disk_is_read_only_or_too_full(settings: Settings, disk: Path) -> None:
    open_store(settings)
    space, *_ = disk_of(replace(settings, min_free_bytes=10**9))
    assert space[2] == "below min_free_bytes: no job is accepted"
    assert not [row for row in disk_of(settings) if row[0] == "written"]
    close(disk, "read-only")
    assert [row[1] for row in disk_of(settings) if row[0] == "written"] == ["no"]
