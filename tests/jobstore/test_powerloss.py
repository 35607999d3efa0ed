"""What was promised is there after the power failed, at whatever system call, and whatever the disk made of it.

`pytest tests/jobstore/test_powerloss.py --cuts 40` tries all ways and forty seeds at each call; otherwise one each;
without `--thorough` at every eighth call.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import store_work
from support.powerloss import Disk, record
from support.stores import REQUEST, create

import geomill.jobstore.alive as alive_module
from geomill.app.fsck import check_home
from geomill.jobstore import Filters, JobCorrupt, JobStore, NoSuchJob, Status, StatusInfo
from geomill.processes.deployed import Deployed, is_whole
from geomill.processes.records import NoSuchProcess

pytestmark = pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
PARTS = (0.5, 0.0, 1.0)  # of what was not brought to disk, that is there all the same


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Disk:
    """All that a process did in a home, which had other promises to keep before it."""
    folder = tmp_path_factory.mktemp("recorded")
    (folder / "home").mkdir()
    return record(Path(store_work.__file__), folder / "home", folder)


@pytest.fixture(autouse=True)
def _another_boot(monkeypatch: pytest.MonkeyPatch) -> None:
    """The host was started again."""
    monkeypatch.setattr(alive_module, "_boot_id", "of another time")


def test_what_was_recorded_is_what_was_done(disk: Disk, tmp_path: Path) -> None:
    disk.left(len(disk.ops), tmp_path / "home", random.Random(0), ordered=True, kept=1.0)
    assert len(disk.ops) > 250
    assert {op.mark["is"] for op in disk.ops if op.mark} >= {"accepted", "successful", "deployed", "removed"}
    there = {path.relative_to(tmp_path / "home") for path in (tmp_path / "home").rglob("*")}
    home = Path(disk.root)
    assert there == {path.relative_to(home) for path in home.rglob("*")}


@pytest.mark.parametrize("ordered", [True, False])
def test_what_was_promised_is_there_after_any_cut(
    disk: Disk, in_memory: Path, ordered: bool, request: pytest.FixtureRequest
) -> None:
    some = slice(None) if request.config.getoption("--thorough") else slice(int(ordered), None, 8)
    for cut in range(len(disk.ops) + 1)[some]:
        for kept, seed in ways(cut, request.config.getoption("--cuts")):
            place, run = in_memory / f"{cut}-{seed}", in_memory / "run"
            disk.left(cut, place, random.Random(f"{cut} {seed}"), ordered=ordered, kept=kept)
            try:
                check(place, run, disk.promises(cut))
            except Exception as error:
                raise AssertionError(f"cut {cut}, seed {seed}: {error}; before it {disk.promises(cut)[-3:]}") from error
            shutil.rmtree(place)
            shutil.rmtree(run)


@pytest.fixture
def in_memory() -> Iterator[Path]:
    """A folder where fsync costs nothing."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as place:
        yield Path(place)


def ways(cut: int, seeds: int) -> list[tuple[float, int]]:
    """(the part that is kept, seed) of what is tried at a cut."""
    if seeds == 0:
        return [(PARTS[cut % len(PARTS)], 0)]
    return [(0.0, 0), (1.0, 0), *((0.5, seed) for seed in range(seeds))]


def check(home: Path, run: Path, promises: list[dict[str, Any]]) -> None:
    """Every promise, before the home is repaired and after."""
    store = JobStore(home, run)
    jobs, processes = told(promises, "job"), told(promises, "process")
    for mended in (False, True):
        for job_id, states in jobs.items():
            keeps(store, job_id, states)
        for process_id, states in processes.items():
            is_deployed(Deployed(home / "default" / "processes", home / "packages"), process_id, states)
        keys_lead_to_their_jobs(store)
        listed = {info.job_id for info in store.list(Filters(), 1000).jobs}
        assert {job_id for job_id, states in jobs.items() if promised(states) and "removing" not in states} <= listed
        for info in store.list(Filters(), 1000).jobs:
            has_results(store, info, "accepted" in jobs.get(info.job_id, {}) or mended)
        if not mended:
            for finding in check_home(store):
                if finding.mend:
                    finding.mend()
    left = [finding for finding in check_home(store) if finding.mend]
    assert not left, left
    work = store_work.Work(home, run / "unheard")
    for job_id in (*store.walk(), create(store)):  # what waited starts again, whatever is left of its first begin
        if store.read_status(job_id).status is Status.ACCEPTED:
            work.run(job_id, store_work.FILES)
            has_results(store, store.read_status(job_id), promised=True)
    work.close()


def told(promises: list[dict[str, Any]], about: str) -> dict[str, dict[str, Any]]:
    """What was said of each job or process: {what: the rest}."""
    found: dict[str, dict[str, Any]] = {}
    for promise in promises:
        if about in promise:
            found.setdefault(promise[about], {})[promise["is"]] = promise
    return found


def promised(states: dict[str, Any]) -> bool:
    return "accepted" in states


def keeps(store: JobStore, job_id: str, states: dict[str, Any]) -> None:
    """One job."""
    try:
        info = store.status(job_id)
    except NoSuchJob:
        assert "removing" in states or not promised(states), f"job {job_id} is lost"
        return
    assert "removed" not in states, f"job {job_id} has come back"
    if not promised(states):
        return
    if root := states["accepted"]["root"]:
        assert store.callbacks.root(job_id) == root, f"nobody would be told of job {job_id}"
    assert store.request(job_id) == REQUEST
    assert store.job(job_id).job_id == job_id
    for state in ("successful", "failed", "dismissed"):
        if state in states:
            assert info.status == state and info.cause in (None, "exception"), info
    if "begun" not in states:
        assert info.status is Status.ACCEPTED, info


def has_results(store: JobStore, info: StatusInfo, promised: bool) -> None:
    if info.status is Status.SUCCESSFUL:
        try:
            store.results(info.job_id)
        except JobCorrupt:
            assert not promised
            return
        for result in (each for found in store.results(info.job_id).values() for each in found.files()):
            content = store.output(info.job_id, str(result.file)).read_bytes()
            assert content == store_work.FILES[Path(str(result.file)).name], f"job {info.job_id}: {result.file} is torn"


def is_deployed(deployed: Deployed, process_id: str, states: dict[str, Any]) -> None:
    try:
        process = deployed.get(process_id)
    except NoSuchProcess:
        assert "undeploying" in states or "deployed" not in states, f"process {process_id} is lost"
        return
    assert "undeployed" not in states, f"process {process_id} has come back"
    assert process.version >= states["deployed"]["version"]
    assert all(is_whole(deployed.packages / version.package) for version in deployed.versions(process_id))


def keys_lead_to_their_jobs(store: JobStore) -> None:
    for path in store.keys.folder.iterdir():
        if job_id := store.keys.job_of(path.name):
            job = store.job(job_id)
            assert hashlib.sha256(f"{job.owner}\0{job.key}".encode()).hexdigest() == path.name
