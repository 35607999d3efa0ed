"""What nothing needs any more goes: packages, images; and `geomill jobs gc` tells and does it, server or not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from support.mills import COMMAND, environ, serving
from support.stores import bring_to, create, succeed

from geomill.app import retention
from geomill.app.config import Settings
from geomill.app.engine.client import open_store
from geomill.jobstore import JobStore, Status, files
from geomill.jobstore.records import dump, now
from geomill.processes.deployed import MOST_VERSIONS, Deployed, Version
from geomill.processes.unused import GRACE

DAY = 86400.0


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", runtime_dir=tmp_path / "run", keep_disk=0.0)


@pytest.fixture
def store(settings: Settings) -> JobStore:
    return open_store(settings)


@pytest.fixture
def deployed(settings: Settings, store: JobStore) -> Deployed:
    return Deployed(settings.home / "default/processes", settings.home / "packages")


def keep(deployed: Deployed, content: bytes, image: str | None = None) -> Version:
    """A version of a process, whose package is kept."""
    needs = {"images": [{"reference": image}]} if image else {}
    process = {"function": "main", "description": {"inputs": {}, "outputs": {}}, "needs": needs}
    package = deployed.keep(content, b"cwlVersion: v1.2", {"media_type": "application/cwl", "processes": [process]})
    return Version("1", package, "main", "cwl", "2026-01-01T00:00:00Z")


def rest(*folders: Path, seconds: float = GRACE + 60) -> None:
    """Let time pass over folders."""
    for folder in folders:
        os.utime(folder, (time.time() - seconds,) * 2, follow_symlinks=False)


def went(store: JobStore, settings: Settings) -> list[str]:
    return [each.name for each in retention.collect([store], settings) if each.what in ("package", "image")]


def test_a_package_of_an_undeployed_process_goes_a_day_later(
    store: JobStore, settings: Settings, deployed: Deployed
) -> None:
    version = keep(deployed, b"one")
    folder = deployed.packages / version.package
    deployed.deploy("one", version)
    rest(folder)
    assert went(store, settings) == []
    deployed.undeploy("one")
    assert went(store, settings) == []  # a request may have found it this moment
    rest(folder)
    assert went(store, settings) == [version.package] and not folder.exists()
    assert went(store, settings) == []


def test_a_version_that_was_replaced_stays(store: JobStore, settings: Settings, deployed: Deployed) -> None:
    before, after = keep(deployed, b"one"), keep(deployed, b"two")
    deployed.deploy("one", before)
    deployed.replace("one", after)
    rest(*(deployed.packages / each.package for each in (before, after)))
    assert went(store, settings) == []


def test_versions_do_not_become_more_for_ever(store: JobStore, settings: Settings, deployed: Deployed) -> None:
    first, other = keep(deployed, b"one"), keep(deployed, b"two")
    deployed.deploy("one", first)
    for _ in range(MOST_VERSIONS):
        deployed.replace("one", other)
    assert deployed.versions("one") == [other] * MOST_VERSIONS
    rest(deployed.packages / first.package, deployed.packages / other.package)
    assert went(store, settings) == [first.package]


def test_a_package_that_is_deployed_again_stays(store: JobStore, settings: Settings, deployed: Deployed) -> None:
    version = keep(deployed, b"one")
    rest(deployed.packages / version.package)
    assert keep(deployed, b"one") == version  # its record is written after that
    assert went(store, settings) == []


@pytest.mark.parametrize("status", [Status.ACCEPTED, Status.RUNNING, Status.FAILED, Status.SUCCESSFUL])
def test_a_package_that_a_job_ran_stays_until_a_day_after_that_expired(
    store: JobStore, settings: Settings, deployed: Deployed, status: Status
) -> None:
    version = keep(deployed, b"one")
    job_id = create(store, package=version.package)
    bring_to(store, job_id, status)
    rest(deployed.packages / version.package)
    assert went(store, settings) == []
    if not status.final:
        return
    info = store.expire(job_id, "age")
    assert went(store, settings) == []
    earlier = replace(info, expired=now() - timedelta(seconds=GRACE + 60))
    files.write_json(store.folder(job_id) / "status.json", dump(earlier), durable=False)
    assert went(store, settings) == [version.package]


def test_nothing_goes_while_nobody_can_tell_what_is_needed(
    store: JobStore, settings: Settings, deployed: Deployed
) -> None:
    unneeded, other = keep(deployed, b"one"), keep(deployed, b"two")
    deployed.deploy("torn", other)
    (deployed.folder / "torn.json").write_text("{")
    rest(*(deployed.packages / each.package for each in (unneeded, other)))
    assert went(store, settings) == []
    deployed.undeploy("torn")
    assert set(went(store, settings)) == {unneeded.package, other.package}


def test_the_processes_of_other_tenants_count(store: JobStore, settings: Settings, deployed: Deployed) -> None:
    version = keep(deployed, b"one")
    other = open_store(settings, "acme")
    Deployed(settings.home / "acme/processes", deployed.packages).deploy("one", version)
    rest(deployed.packages / version.package)
    assert [each.name for each in retention.collect([store, other], settings)] == []


def test_what_was_unpacked_of_an_image_goes_when_no_package_names_it(
    store: JobStore, settings: Settings, deployed: Deployed
) -> None:
    version = keep(deployed, b"one", image="org/used:1")
    deployed.deploy("one", version)
    images = settings.home / "images"
    for number, reference in (("aaaa", "org%2Fused%3A1"), ("bbbb", "org%2Fother%3A1")):
        (images / number / "rootfs").mkdir(parents=True)
        (images / "by-name").mkdir(exist_ok=True)
        (images / "by-name" / reference).symlink_to(f"../{number}")
        rest(images / number)
    (images / "cccc").mkdir()  # of this moment
    assert went(store, settings) == ["bbbb"]
    assert sorted(os.listdir(images / "by-name")) == ["org%2Fother%3A1", "org%2Fused%3A1"]
    assert (images / "aaaa").is_dir() and (images / "cccc").is_dir()


# ---- the command


def gc(settings: Settings, *options: str, **more: str) -> subprocess.CompletedProcess[str]:
    given = {"home": str(settings.home), "runtime_dir": str(settings.runtime_dir), "keep_disk": "never", **more}
    command = [*COMMAND, "jobs", "gc", *options]
    return subprocess.run(command, env=environ(given), capture_output=True, text=True, timeout=60, cwd=sys.prefix)


def old_job(store: JobStore) -> str:
    """A job that ended forty days ago."""
    job_id = create(store)
    info = replace(succeed(store, job_id), finished=now() - timedelta(days=40))
    files.write_json(store.folder(job_id) / "status.json", dump(info), durable=False)
    store.index.put(info)
    mark: dict[str, Any] = {"time": time.time(), "ran": time.clock_gettime(time.CLOCK_BOOTTIME)}
    mark["boot"] = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    files.write_json(store.home / "retention.json", mark, durable=False)
    return job_id


def test_the_command_tells_what_would_go_and_then_removes_it(settings: Settings, store: JobStore) -> None:
    job_id = old_job(store)
    told = gc(settings, "--dry-run")
    assert told.returncode == 0 and f"job {job_id}" in told.stdout and "1 jobs" in told.stdout, told
    assert not store.read_status(job_id).expired and store.results(job_id)
    (done,) = json.loads(gc(settings, "--json").stdout)
    assert (done["what"], done["name"]) == ("job", job_id) and done["size"] > 0
    assert store.read_status(job_id).expired
    assert json.loads(gc(settings, "--json").stdout) == []


def test_the_command_works_beside_a_server(settings: Settings, store: JobStore) -> None:
    with serving(settings, keep="400 d", keep_disk="never") as mill:  # who would not do it
        job_id = old_job(store)
        assert gc(settings, keep="30 d").returncode == 0
        assert mill.call("GET", f"/jobs/{job_id}/results").status == 410


def test_one_at_a_time_removes_what_is_due(settings: Settings, store: JobStore) -> None:
    with store.locks.retention(0):
        done = gc(settings)
        assert done.returncode == 1 and "at it already" in done.stderr
        assert gc(settings, "--dry-run").returncode == 0


def test_jobs_are_pinned_by_the_command(settings: Settings, store: JobStore) -> None:
    job_id = old_job(store)
    given = environ({"home": str(settings.home), "runtime_dir": str(settings.runtime_dir)})

    def jobs(*words: str) -> str:
        done = subprocess.run([*COMMAND, "jobs", *words], env=given, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert jobs("pin", job_id) == f"{job_id} pinned\n"
    assert "pinned" in jobs("show", job_id)
    assert json.loads(gc(settings, "--json").stdout) == []
    assert "expires" in jobs("unpin", job_id)
    assert [each["name"] for each in json.loads(gc(settings, "--json").stdout)] == [job_id]
