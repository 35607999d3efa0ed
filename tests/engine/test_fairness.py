"""What one caller may have of a server, and that a thousand jobs of his are no wall before another's one."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from support import leaks
from support.mills import Mill, serving
from support.stores import new_job
from support.waiting import until

from geomill.app.config import Settings
from geomill.jobstore import JobStore, Status
from geomill.jobstore.fsck import check
from geomill.processes.folders import Folder
from geomill.processes.registry import Registry

PROCESSES = '''
import time
from geomill.processes import process

@process
def nap(seconds: float = 0.01) -> int:
    """Sleep, and be done."""
    time.sleep(seconds)
    return 1

@process
def doze(seconds: float = 8.0) -> int:
    """The same, for longer."""
    return nap(seconds)

@process(memory="1 TB")
def sprawl(seconds: float = 0.05) -> int:
    """Need the whole host, and sleep."""
    return nap(seconds)
'''
REQUEST = b'{"inputs": {}}'


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "processes").mkdir()
    (tmp_path / "processes/calm.py").write_text(PROCESSES)
    return Settings(home=tmp_path / "home", runtime_dir=tmp_path / "run", processes=(tmp_path / "processes",))


class Caller:
    """Somebody who has logged in, as the store sees him."""

    def __init__(self, mill: Mill, owner: str) -> None:
        registry = Registry([Folder(path) for path in mill.settings.processes], mill.settings.home / "packages")
        self.mill, self.owner, self.store, self.known = mill, owner, mill.store, registry

    def submit(self, process_id: str) -> str:
        """Have a job accepted, and tell nobody: the dispatcher looks for itself."""
        process = self.known.get(process_id)
        job = new_job(
            REQUEST, owner=self.owner, process_id=process.id, package=process.package, described=process.described,
            path=str(process.path), entry=process.function,
        )  # fmt: skip
        return self.store.create(job, REQUEST, durable=False).job_id


def waiting(store: JobStore) -> int:
    return len(store.index.ids(Status.ACCEPTED))


@pytest.fixture
def mill(settings: Settings) -> Iterator[Mill]:
    with serving(settings, max_running="1", max_queued_per_caller="1000", tenants="acme") as mill:
        yield mill


@pytest.mark.parametrize("process", ["nap", "sprawl"])
@pytest.mark.thorough
def test_a_thousand_jobs_of_one_caller_hold_up_another_by_little(mill: Mill, process: str) -> None:
    ann, bob = Caller(mill, "ann"), Caller(mill, "bob")
    for _ in range(1000):
        ann.submit(process)
    until(lambda: waiting(mill.store) < 1000, 20)  # the dispatcher has found them
    before = waiting(mill.store)
    job_id = bob.submit("nap")
    mill.engine.start(job_id)
    assert mill.ended(job_id).status is Status.SUCCESSFUL
    assert before - waiting(mill.store) <= 20 and waiting(mill.store) > 800


@pytest.mark.thorough
def test_a_thousand_jobs_of_one_tenant_hold_up_another_by_little(mill: Mill) -> None:
    callers = [Caller(mill, f"caller {number}") for number in range(20)]
    for number in range(1000):
        callers[number % 20].submit("nap")
    until(lambda: waiting(mill.store) < 1000, 20)
    acme = mill.of("acme")
    before = waiting(mill.store)
    assert acme.ended(acme.submit("nap")).status is Status.SUCCESSFUL
    assert before - waiting(mill.store) <= 20 and waiting(mill.store) > 800


def test_a_caller_who_has_too_many_waiting_is_told_when_to_come_again(settings: Settings) -> None:
    with serving(settings, max_running="1", max_queued_per_caller="3", tenants="acme") as mill:
        jobs = [mill.submit("nap", seconds=30)]
        until(lambda: mill.store.status(jobs[0]).status is Status.RUNNING)
        jobs += [mill.submit("nap") for _ in range(3)]
        refused = mill.call("POST", "/processes/nap/execution", {}, Prefer="respond-async")
        assert (refused.status, refused.json()["type"]) == (429, f"{mill.url}/problems/too-many-jobs")
        assert int(refused.headers["Retry-After"]) > 0
        assert mill.of("acme").submit("nap")  # of somebody else
        assert mill.call("DELETE", f"/jobs/{jobs[-1]}").status == 200
        assert mill.submit("nap")
        assert mill.call("DELETE", f"/jobs/{jobs[0]}").status == 200


@pytest.mark.thorough
def test_one_caller_runs_no_more_than_his_share(settings: Settings) -> None:
    with serving(settings, max_running="3", max_running_per_caller="1") as mill:
        ann, bob = Caller(mill, "ann"), Caller(mill, "bob")
        for jobs in [[caller.submit("nap") for _ in range(30)] for caller in (ann, bob)]:
            ended = sorted((mill.ended(job_id) for job_id in jobs), key=lambda info: info.started or info.created)
            assert {info.status for info in ended} == {Status.SUCCESSFUL}
            assert all(one.finished <= other.started for one, other in pairwise(ended))  # type: ignore[operator]


def listed(mill: Mill, status: Status) -> list[str]:
    return [job_id for job_id, _ in mill.store.index.ids(status)]


@contextmanager
def stalled(mill: Mill) -> Iterator[str]:
    """The template does nothing meanwhile; a job of Ann's that it was asked to begin."""
    template = mill.template()
    until(lambda: leaks.children(template))  # its spare
    os.kill(template, signal.SIGSTOP)
    try:
        job_id = Caller(mill, "ann").submit("doze")
        until(lambda: job_id in listed(mill, Status.RUNNING))
        yield job_id
    finally:
        os.kill(template, signal.SIGCONT)


@pytest.mark.thorough
def test_a_job_that_a_slow_template_begins_after_all_is_known_to_run(settings: Settings) -> None:
    with serving(settings, max_running="1") as mill:
        with stalled(mill) as late:
            other = Caller(mill, "bob").submit("doze")
            until(lambda: other in listed(mill, Status.RUNNING), 40.0)  # the first one was to wait again
            assert listed(mill, Status.ACCEPTED) == [late]
        until(lambda: mill.store.read_status(late).status is Status.RUNNING)
        until(lambda: set(listed(mill, Status.RUNNING)) == {late, other}, 4.0)
        assert mill.store.index.waiting("ann") == (0, 0)
        assert [mill.ended(each).status for each in (late, other)] == [Status.SUCCESSFUL] * 2
        until(lambda: check(mill.store) == [])


@pytest.mark.thorough
def test_a_job_that_is_gone_before_it_begins_is_not_listed(settings: Settings) -> None:
    with serving(settings, max_running="1") as mill:
        with stalled(mill) as gone:
            shutil.rmtree(mill.store.folder(gone))
            until(lambda: gone not in listed(mill, Status.RUNNING), 40.0)
        assert listed(mill, Status.ACCEPTED) == [] and mill.store.index.waiting("ann") == (0, 0)
