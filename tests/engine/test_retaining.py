"""The dispatcher of a real server lets jobs expire by itself, and does next to nothing while none is due."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from support.mills import Mill, dispatching, serving
from support.stores import create, succeed
from support.waiting import holds, until

from geomill.app.config import Settings
from geomill.app.engine.client import open_store
from geomill.jobstore import files
from geomill.jobstore.records import dump, now
from geomill.jobstore.status import AGE, DISK


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "home").mkdir()
    return Settings(home=tmp_path / "home", runtime_dir=tmp_path / "run", max_running=2)


def echo(mill: Mill) -> str:
    job_id = mill.submit("echo", echoInput="hi")
    assert mill.ended(job_id).status == "successful"
    return job_id


def test_a_job_expires_by_itself_and_a_pinned_one_does_not(settings: Settings) -> None:
    with serving(settings, keep="4 s", keep_disk="never") as mill:
        pinned, other = echo(mill), echo(mill)
        assert mill.call("PUT", f"/jobs/{pinned}/pin").status == 200
        until(lambda: mill.status(other).get("expired"), 30)
        assert mill.call("GET", f"/jobs/{other}/results").status == 410
        assert until(lambda: sorted(os.listdir(mill.store.folder(other))) == ["job.json", "status.json"])
        assert mill.call("GET", f"/jobs/{pinned}/results").status == 200
        assert mill.call("DELETE", f"/jobs/{pinned}/pin").status == 200
        until(lambda: mill.status(pinned).get("expired"), 30)


@pytest.mark.thorough
def test_the_status_of_a_job_goes_by_itself_in_the_end(settings: Settings) -> None:
    with serving(settings, keep="1 s", keep_status="2 s", keep_disk="never") as mill:
        job_id = echo(mill)
        until(lambda: mill.call("GET", f"/jobs/{job_id}").status == 404, 30)
        assert mill.call("GET", "/jobs").json()["jobs"] == []


@pytest.mark.thorough
def test_a_job_expires_whatever_became_of_the_dispatcher(settings: Settings) -> None:
    with serving(settings, keep="4 s", keep_disk="never") as mill:
        job_id = echo(mill)
        pid = mill.dispatcher()
        assert pid
        os.kill(pid, 9)
        until(lambda: mill.status(job_id).get("expired"), 30)


@pytest.fixture
def small_disk(settings: Settings) -> Iterator[Settings]:
    """A home on a disk of 64 MiB."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a disk")
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(settings.home)]
    done = subprocess.run(mount, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no disk can be mounted here: {done.stderr}")
    yield settings
    subprocess.run(["umount", "--lazy", str(settings.home)], check=True)


def test_a_disk_that_fills_up_is_given_room_soon(small_disk: Settings) -> None:
    with serving(small_disk, min_free_bytes="1 MB") as mill:
        jobs = [echo(mill) for _ in range(4)]
        store = mill.store
        for number, job_id in enumerate(jobs):  # and two hours pass
            info = store.read_status(job_id)
            earlier = replace(info, finished=now() - timedelta(hours=2, seconds=-number))
            files.write_json(store.folder(job_id) / "status.json", dump(earlier), durable=False)
            store.index.put(replace(earlier, updated=now()))
            (store.folder(job_id) / "outputs").mkdir(exist_ok=True)
            (store.folder(job_id) / "outputs" / "large").write_bytes(b"x" * 14_000_000)
        until(lambda: mill.status(jobs[0]).get("expired"), 20)
        until(lambda: mill.call("GET", f"/jobs/{jobs[0]}/results").json()["detail"].count("disk was nearly full"))
        assert store.read_status(jobs[0]).expired_for == DISK
        assert not mill.status(jobs[3]).get("expired")
        assert mill.call("POST", "/processes/echo/execution", {"inputs": {"echoInput": "x"}}).status == 200


@pytest.mark.thorough
def test_nothing_is_begun_while_nothing_is_due(settings: Settings) -> None:
    """After its first look a dispatcher forks no chore for an hour."""
    store = open_store(settings)
    job_id = create(store)
    succeed(store, job_id)
    with dispatching(settings) as pid:
        until((settings.home / "retention.json").exists)
        mark = (settings.home / "retention.json").stat().st_mtime_ns
        children = Path(f"/proc/{pid}/task/{pid}/children")
        begin = time.monotonic()
        assert holds(lambda: time.monotonic() - begin > 5 and children.exists(), 20)
        assert (settings.home / "retention.json").stat().st_mtime_ns == mark
        assert store.expire(job_id, AGE).expired
