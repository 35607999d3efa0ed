"""One dispatcher serves all tenants of a home: their jobs share what the host has, and outlive it alike."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace

import pytest
from support import leaks
from support.at_work import at_work
from support.mills import Mill, dispatching, serving
from support.waiting import until

from geomill.app import create_app
from geomill.app.config import Settings
from geomill.app.engine import reaper
from geomill.app.engine.client import open_store
from geomill.jobstore import Status
from geomill.jobstore.fsck import check
from geomill.jobstore.listing import repair_index

TENANTS = ("default", "acme", "zeta")


@pytest.fixture
def mills(settings: Settings) -> Iterator[dict[str, Mill]]:
    """A server as its tenants see it."""
    with serving(settings, max_running="2") as mill:
        yield {"default": mill, "acme": mill.of("acme"), "zeta": mill.of("zeta")}


def states(mills: dict[str, Mill], status: Status) -> list[str]:
    """The tenants of the jobs in this state."""
    return [
        name
        for name, mill in mills.items()
        for job_id in mill.store.walk()
        if mill.store.read_status(job_id).status is status
    ]


def test_jobs_of_all_tenants_are_started_by_one_dispatcher(mills: dict[str, Mill]) -> None:
    jobs = {name: [mill.submit("nap") for _ in range(3)] for name, mill in mills.items()}
    for name, mill in mills.items():
        assert {mill.ended(job_id).status for job_id in jobs[name]} == {Status.SUCCESSFUL}
        assert {job["jobID"] for job in mill.call("GET", "/jobs").json()["jobs"]} == set(jobs[name])
        assert until(lambda: check(mill.store) == [])  # noqa: B023
    assert len({mill.dispatcher() for mill in mills.values()}) == 1


def test_tenants_share_what_may_run_and_take_turns(mills: dict[str, Mill]) -> None:
    acme, zeta, default = mills["acme"], mills["zeta"], mills["default"]
    holding = [acme.submit("hold"), acme.submit("hold")]
    for job_id in holding:
        acme.message(job_id, "holding")
    waiting = [acme.submit("hold"), acme.submit("hold"), acme.submit("hold")]
    acme.waits(waiting[2], 3)
    zeta.waits(of_zeta := zeta.submit("hold"), 2)
    default.waits(of_default := default.submit("hold"), 3)
    for job_id, place in zip(waiting, (1, 4, 5), strict=True):
        acme.waits(job_id, place)
    for job_id in holding:
        assert acme.call("DELETE", f"/jobs/{job_id}").status == 200
    zeta.message(of_zeta, "holding")
    acme.message(waiting[0], "holding")
    assert default.store.read_status(of_default).status is Status.ACCEPTED
    assert sorted(states(mills, Status.RUNNING)) == ["acme", "zeta"]
    for mill, job_id in ((zeta, of_zeta), (default, of_default), *((acme, each) for each in reversed(waiting))):
        assert mill.call("DELETE", f"/jobs/{job_id}").status == 200


def test_nothing_is_left_of_a_dismissed_job_of_a_tenant(mills: dict[str, Mill]) -> None:
    acme = mills["acme"]
    job_id = acme.submit("hostile")
    acme.message(job_id, "ready")
    assert mills["zeta"].call("GET", "/jobs").status == 404  # nobody has made it
    assert mills["default"].call("DELETE", f"/jobs/{job_id}").status == 404
    assert len(at_work(job_id)) > 4
    reply = acme.call("DELETE", f"/jobs/{job_id}")
    assert (reply.status, reply.json()["status"], at_work(job_id)) == (200, "dismissed", [])


def test_a_synchronous_job_of_a_tenant_is_waited_for(mills: dict[str, Mill]) -> None:
    reply = mills["acme"].call("POST", "/processes/nap/execution", {"inputs": {"seconds": 0.1}})
    assert (reply.status, reply.data) == (200, b"1")


def test_the_next_dispatcher_takes_over_the_jobs_of_all_tenants(mills: dict[str, Mill]) -> None:
    running = {name: mills[name].submit("nap", seconds=2) for name in ("acme", "zeta")}
    for name, job_id in running.items():
        until(lambda: mills[name].store.read_status(job_id).status is Status.RUNNING)  # noqa: B023
    waiting = {name: mill.submit("nap") for name, mill in mills.items()}
    leaks.kill(mills["default"].dispatcher() or 0)
    for name, job_id in (*running.items(), *waiting.items()):
        assert mills[name].ended(job_id).status is Status.SUCCESSFUL
    for mill in mills.values():
        assert until(lambda: check(mill.store) == [])  # noqa: B023


def test_a_job_of_a_tenant_that_lost_its_supervisor_has_failed(mills: dict[str, Mill]) -> None:
    acme = mills["acme"]
    job_id = acme.submit("hostile")
    acme.message(job_id, "ready")
    leaks.kill(acme.store.read_status(job_id).pid or 0)
    assert (acme.ended(job_id).status, acme.ended(job_id).cause) == (Status.FAILED, "lost")
    until(lambda: not at_work(job_id) and not (acme.store.folder(job_id) / "work").exists())


def test_an_index_of_a_tenant_that_was_lost_is_made_anew_and_its_jobs_start(settings: Settings) -> None:
    app = create_app(settings)
    path = "/acme/ogc-api/processes/nap/execution"
    reply = app.test_client().post(path, json={}, headers={"Prefer": "respond-async"})
    assert reply.json
    for path in settings.runtime_dir.glob("acme.*"):
        path.unlink()
    with dispatching(settings):
        store = open_store(settings, "acme")
        until(lambda: store.read_status(reply.json["jobID"]).status is Status.SUCCESSFUL)
        assert until(lambda: check(store) == [])


@pytest.mark.parametrize("name", TENANTS)
def test_a_job_that_nobody_was_told_of_is_found_whoever_has_it(settings: Settings, name: str) -> None:
    app = create_app(replace(settings, tenants=("acme", "zeta")))
    tenant = app.tenants.get(name)
    repair_index(tenant.jobs)
    tenant.jobs = tenant.jobs.unindexed()  # its worker was killed as soon as it had accepted the job
    path = f"/{name}/ogc-api/processes/nap/execution"
    reply = app.test_client().post(path, json={}, headers={"Prefer": "respond-async"})
    assert reply.json
    with dispatching(settings):
        store = open_store(settings, name)
        until(lambda: store.read_status(reply.json["jobID"]).status is Status.SUCCESSFUL)


@pytest.mark.parametrize("tenant", ["nobody", "../acme", "packages", 5, None, []])
def test_a_message_of_no_tenant_does_not_harm_the_dispatcher(settings: Settings, tenant: object) -> None:
    with dispatching(settings) as pid:
        engine = create_app(settings).engine
        job = "0191b8a0-0000-7000-8000-000000000000"
        assert engine.ask({"op": "start", "tenant": tenant, "job": job, "wait": True}, 5.0) is None
        assert (engine.ask({"op": "hello"}, 5.0) or {})["pid"] == pid
        assert not (settings.home / "nobody").exists()


def test_a_tenant_that_is_removed_harms_no_other(settings: Settings) -> None:
    with serving(settings) as mill:
        acme = mill.of("acme")
        acme.ended(acme.submit("nap"))
        before = mill.dispatcher()
        mark = settings.runtime_dir / "default.reconciled"
        shutil.rmtree(settings.home / "acme")
        seen = mark.stat().st_mtime_ns
        until(lambda: mark.stat().st_mtime_ns > seen)  # the dispatcher has looked again
        assert mill.ended(mill.submit("nap")).status is Status.SUCCESSFUL
        assert mill.dispatcher() == before


def test_the_supervisor_of_a_tenants_job_is_a_spare(mills: dict[str, Mill]) -> None:
    """No job waits for a fork because it is not of the default tenant."""
    acme = mills["acme"]
    until(lambda: spares(acme))
    (waiting,) = spares(acme)
    job_id = acme.submit("hold")
    acme.message(job_id, "holding")
    info = acme.store.read_status(job_id)
    assert (info.pid, info.start_time) == (waiting, reaper.start_time(waiting))
    assert acme.call("DELETE", f"/jobs/{job_id}").status == 200


def spares(mill: Mill) -> list[int]:
    """The children of the template without libraries, whose own child waits for a job."""
    return [spare for spare in leaks.children(mill.template()) if len(leaks.children(spare)) == 1]
