"""Whatever is asked in whatever order, the API does what a small model of it does.

--sequences 100 tries longer, and other orders each time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from api.conftest import CheckedClient  # type: ignore[import-not-found]
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, initialize, multiple, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run
from support.any_order import FINAL, Job, Model, Modelled, kind, reachable
from support.mills import dispatching
from support.packages import CWL
from support.waiting import until

from geomill.app import create_app, openapi
from geomill.app.config import Settings
from geomill.app.sandbox import bubblewrap
from geomill.app.server import Geomill
from geomill.jobstore.status import Status

pytestmark = pytest.mark.skipif(bubblewrap.closed() is not None, reason="nothing here keeps tools apart")

PROCESSES = '''
import time
from pathlib import Path
from geomill.processes import process

@process
def add(a: int, b: int = 1) -> int:
    """Add."""
    return a + b

@process
def fail(how: str) -> int:
    """Fail."""
    raise ValueError(how)

@process
def hold(flag: str) -> int:
    """Wait for a file."""
    while not Path(flag).exists():
        time.sleep(0.01)
    return 1
'''
OWN = {"add", "fail", "hold", "echo", "buffer", "water-mask"}
DEPLOYED = ("greet", "wave")
PREFER = ("respond-async", "wait=0", "wait=5", None)
MOST_HELD = 3
WHICH = st.integers(0, 2)


class AnyOrder(Modelled):
    """Requests in any order. What time decides changes nothing about what is drawn next."""

    jobs = Bundle("jobs")

    @initialize(target=jobs)
    def begin(self) -> Any:
        """There is something to deal with from the beginning."""
        self.deploy("greet", 0, 1)
        return multiple(self.submit_deployed("greet", 0, None), self.submit_one_that_waits("respond-async"))

    # ---- executing

    @rule(target=jobs, what=st.sampled_from(["add", "fail"]), number=WHICH, prefer=st.sampled_from(PREFER))
    def submit(self, what: str, number: int, prefer: str | None) -> Job:
        job = self.plan(what, number)
        return self.submitted(self.execute(job.process, job.request, prefer), job)

    @precondition(lambda self: len(self.held()) < MOST_HELD)
    @rule(target=jobs, prefer=st.sampled_from(["respond-async", "wait=0"]))
    def submit_one_that_waits(self, prefer: str) -> Job:
        job = self.plan("hold", 0)
        return self.submitted(self.execute("hold", job.request, prefer), job)

    @rule(target=jobs, what=st.sampled_from(DEPLOYED), number=WHICH, prefer=st.sampled_from(PREFER))
    def submit_deployed(self, what: str, number: int, prefer: str | None) -> Any:
        if what not in self.model.versions:
            reply = self.execute(what, {}, prefer)
            assert (reply.status_code, kind(reply)) == (404, "no-such-process")
            return multiple()
        job = self.plan(what, number)
        return self.submitted(self.execute(what, job.request, prefer), job)

    @rule(
        target=jobs, key=st.sampled_from("kl"), number=WHICH, prefer=st.sampled_from(PREFER), at_once=st.integers(1, 3)
    )
    def submit_with_key(self, key: str, number: int, prefer: str | None, at_once: int) -> Job:
        """However often and however it is sent: one job as long as that is there."""
        before = next((job for job in self.model.jobs if job.key == key and not job.gone), None)
        job = self.plan("add", number)
        replies = self.together(*[lambda: self.execute("add", job.request, prefer, key)] * at_once)
        if before is None:
            ids = {self.job_of(reply) for reply in replies}
            assert len(ids) == 1, f"one key, several jobs: {ids}"
            job.key = key
            return self.submitted(replies[0], job)
        for reply in replies:
            if before.request != job.request:
                assert (reply.status_code, kind(reply)) == (422, "idempotency-conflict")
            else:
                assert reply.status_code in ((201, 404) if before.dismissed else (200, 201)), reply.json
                assert self.job_of(reply) == before.id
        return before

    @rule(target=jobs, old=jobs)
    def retry(self, old: Job) -> Job:
        self.poll(old)
        reply = self.ask("POST", f"/jobs/{old.id}/retry")
        if old.gone:
            assert (reply.status_code, kind(reply)) == (404, "no-such-job")
            return old
        if reply.status_code == 409:  # it may have ended since it was asked for
            assert old.seen not in FINAL
            return old
        assert reply.status_code == 201, reply.json
        if old.seen not in FINAL:
            self.poll(old)
            assert old.seen in FINAL, "a job that goes on was retried"
        made = Job("", old.process, old.package, old.ends, old.value, old.request, old.flag)
        return self.submitted(reply, made)

    @rule(job=jobs)
    def let_go(self, job: Job) -> None:
        """A job that waits goes on."""
        if job.flag:
            job.flag.touch()

    # ---- one job

    @rule(job=jobs)
    def poll(self, job: Job) -> None:
        self.look(job)

    @rule(job=jobs)
    def see_to_the_end(self, job: Job) -> None:
        """A job that nothing holds comes to its end, with the results of the package it was asked of."""
        if job.gone or (job.flag and not job.flag.exists()):
            return
        until(lambda: self.poll(job) or job.seen in FINAL, 30)
        reply = self.ask("GET", f"/jobs/{job.id}/results")
        if job.seen == "dismissed":
            assert (reply.status_code, kind(reply)) == (404, "result-not-available")
        elif job.seen == "failed":
            assert (reply.status_code, kind(reply)) == (500, "process-failed")
        elif job.process in DEPLOYED:
            assert self.ask("GET", f"/jobs/{job.id}/results/greeting").text == self.greeting(job)
            self.done["greetings"] = self.done.get("greetings", 0) + 1
        else:
            assert list(reply.json.values()) == [job.value]

    @rule(job=jobs)
    def look_everywhere(self, job: Job) -> None:
        """A job that was removed is nowhere; another tenant's is nowhere, either."""
        for path, methods in openapi.paths(self.app).items():
            for method in methods if "{jobID}" in path else ():
                there = path.replace("{jobID}", job.id).replace("{outputID}", "x").replace("{N}", "0")
                there = there.replace("{path}", "x").replace("{name}", "x")
                if job.gone:
                    reply = self.ask(method.upper(), there)
                    assert (reply.status_code, kind(reply)) == (404, "no-such-job"), there
                reply = self.ask(method.upper(), f"/zeta/ogc-api{there}")
                assert (reply.status_code, kind(reply)) == (404, "no-such-job"), there

    @rule(job=jobs, match=st.sampled_from([None, None, None, "*", "current", '"of-another-time"']))
    def delete(self, job: Job, match: str | None) -> None:
        etag = match
        if match == "current":
            etag = self.ask("GET", f"/jobs/{job.id}").headers.get("ETag", "*")
        reply = self.ask("DELETE", f"/jobs/{job.id}", headers={"If-Match": etag} if etag else {})
        if reply.status_code == 412:
            assert match not in (None, "*") and not job.gone
            assert match != "current" or self.ask("GET", f"/jobs/{job.id}").headers["ETag"] != etag
            return
        assert job.gone or match != '"of-another-time"'
        self.deleted(job, [reply])

    @rule(job=jobs, at_once=st.integers(2, 3))
    def delete_at_once(self, job: Job, at_once: int) -> None:
        self.deleted(job, self.together(*[lambda: self.ask("DELETE", f"/jobs/{job.id}")] * at_once))

    @precondition(lambda self: self.held())
    @rule()
    def delete_one_that_is_ending(self) -> None:
        """Who comes first has the word: it is dismissed and listed, or finished and removed."""
        job = self.held()[0]
        assert job.flag
        self.deleted(job, self.together(lambda: self.ask("DELETE", f"/jobs/{job.id}"), job.flag.touch)[:1])

    @rule(job=jobs, method=st.sampled_from(["PUT", "DELETE"]))
    def pin(self, job: Job, method: str) -> None:
        reply = self.ask(method, f"/jobs/{job.id}/pin")
        if job.gone:
            assert (reply.status_code, kind(reply)) == (404, "no-such-job")
            return
        assert reply.status_code == 200, reply.json
        job.pinned = method == "PUT"
        self.saw(job, reply.json)

    # ---- lists

    @rule(data=st.data(), limit=st.sampled_from([1, 2, 5, 100]), prefix=st.sampled_from(["", "/ogc-api"]))
    def list_jobs(self, data: st.DataObject, limit: int, prefix: str) -> None:
        """Page by page, whatever is filtered: each job that fits once, newest first, and no other."""
        processes = data.draw(st.lists(st.sampled_from(["add", "fail", "hold", *DEPLOYED]), unique=True, max_size=2))
        statuses = data.draw(st.lists(st.sampled_from([status.value for status in Status]), unique=True, max_size=2))
        there = [job for job in self.model.jobs if not job.gone and (not processes or job.process in processes)]
        query = {"processID": ",".join(processes), "status": ",".join(statuses), "limit": limit}
        seen = [job.created for job in there if job.created]
        number = data.draw(st.integers(0, 9), label="since")  # whatever is there: that may depend on time
        since = seen[number % len(seen)] if seen and number else None
        if since:
            query["datetime"] = f"{since}/.."
            for job in there:
                self.poll(job)  # when each was created
            there = [job for job in there if job.created >= since]
        listed = self.pages(f"{prefix}/jobs", {name: value for name, value in query.items() if value}, "jobs")
        ids = [each["id"] for each in listed]
        assert len(set(ids)) == len(ids), "a job is listed twice"
        assert [each["created"] for each in listed] == sorted((each["created"] for each in listed), reverse=True)
        wanted = {job.id for job in there if not statuses or (job.seen in FINAL and job.seen in statuses)}
        allowed = {job.id for job in there if not statuses or reachable(Status(job.seen)) & set(statuses)}
        assert wanted <= set(ids) <= allowed, "the list is not that of the model"
        for each in listed:
            assert not statuses or each["status"] in statuses
            job = self.known(each["id"])
            assert job
            self.saw(job, each)

    @rule(limit=st.sampled_from([1, 3, 100]))
    def list_processes(self, limit: int) -> None:
        listed = [each["id"] for each in self.pages("/processes", {"limit": limit}, "processes")]
        mine = sorted(self.model.versions)
        assert listed[: len(mine)] == mine, "the deployed ones come first"
        assert set(listed[len(mine) :]) == OWN and len(listed) == len(mine) + len(OWN)

    # ---- processes
    @rule(name=st.sampled_from([*DEPLOYED, *DEPLOYED, "add"]), number=WHICH, at_once=st.integers(1, 2))
    def deploy(self, name: str, number: int, at_once: int) -> None:
        content = self.package(name, number)[0]
        headers = {"Content-Type": CWL}
        replies = self.together(*[lambda: self.ask("POST", "/processes", data=content, headers=headers)] * at_once)
        codes = sorted(reply.status_code for reply in replies)
        if name == "add":
            assert set(codes) == {403}
        elif name in self.model.versions:
            assert set(codes) == {409}
        else:
            assert codes == [201, 409][:at_once], "not exactly one deployed it"
            self.keeps(name, number)

    @rule(name=st.sampled_from([*DEPLOYED, *DEPLOYED, "add"]), number=WHICH)
    def replace(self, name: str, number: int) -> None:
        headers = {"Content-Type": CWL}
        reply = self.ask("PUT", f"/processes/{name}", data=self.package(name, number)[0], headers=headers)
        if name in self.model.versions:
            assert reply.status_code == 204, reply.json
            self.keeps(name, number)
        else:
            assert reply.status_code == (403 if name == "add" else 404)

    @precondition(lambda self: self.model.versions)
    @rule(target=jobs, number=WHICH, data=st.data())
    def replace_while_somebody_executes(self, number: int, data: st.DataObject) -> Job:
        """The job has one package or the other, and its results are of the same."""
        name = data.draw(st.sampled_from(sorted(self.model.versions)))
        job = self.plan(name, 0)
        reply, _ = self.together(
            lambda: self.execute(name, job.request, "respond-async"), lambda: self.replace(name, number)
        )
        job.package = self.app.jobs.job(self.job_of(reply)).package
        assert job.package in self.model.versions[name][-2:]
        job.value = self.model.greetings[job.package]
        return self.submitted(reply, job)

    @rule(name=st.sampled_from([*DEPLOYED, *DEPLOYED, "add"]))
    def undeploy(self, name: str) -> None:
        reply = self.ask("DELETE", f"/processes/{name}")
        assert reply.status_code == (403 if name == "add" else 204 if name in self.model.versions else 404)
        self.model.versions.pop(name, None)

    @rule(name=st.sampled_from(DEPLOYED))
    def look_at_a_process(self, name: str) -> None:
        replies = {path: self.ask("GET", f"/processes/{name}{path}") for path in ("", "/versions", "/package")}
        if name not in self.model.versions:
            assert {(reply.status_code, kind(reply)) for reply in replies.values()} == {(404, "no-such-process")}
            return
        digests = [each["package"] for each in replies["/versions"].json["versions"]]
        assert digests == self.model.versions[name]
        says = self.model.greetings[digests[-1]]
        assert json.loads(replies["/package"].data)["baseCommand"] == ["echo", says]

    # ---- the end

    def teardown(self) -> None:
        """All come to their end, all can be removed, and nothing is left."""
        try:
            for job in self.model.jobs:
                self.let_go(job)
                self.see_to_the_end(job)
                while self.ask("DELETE", f"/jobs/{job.id}").status_code != 404:
                    pass
            for name in list(self.model.versions):
                self.undeploy(name)
            store = self.app.jobs
            assert list(store.walk()) == [] and self.pages("/jobs", {"limit": 100}, "jobs") == []
            assert list(store.keys.folder.iterdir()) == [], "a key is left without its job"
        finally:
            self.model = Model()


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, packages: Path) -> Iterator[Geomill]:
    """An application whose jobs run, many at the same time."""
    folder, home = tmp_path_factory.mktemp("processes"), tmp_path_factory.mktemp("home")
    (folder / "tried.py").write_text(PROCESSES)
    (home / "packages").symlink_to(packages)
    made = Settings(
        home=home, runtime_dir=tmp_path_factory.mktemp("run"), processes=(folder,), tenants=("zeta",), max_running=8
    )
    app = create_app(made)
    app.test_client_class = CheckedClient
    with dispatching(made, shared=True):
        yield app


@pytest.mark.thorough
def test_the_api_does_what_its_model_does(app: Geomill, tmp_path: Path, pytestconfig: pytest.Config) -> None:
    longer: int = pytestconfig.getoption("--sequences")
    done: dict[str, int] = {}
    machine = type("Machine", (AnyOrder,), {"app": app, "folder": tmp_path, "done": done})
    run(
        machine,
        settings=settings(
            max_examples=longer or 4,
            stateful_step_count=60 if longer else 35,
            derandomize=not longer,
            database=None,
            deadline=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
    print(dict(sorted(done.items())))
    assert {"POST 201", "DELETE 200", "DELETE 404", "GET 404", "PUT 200", "greetings"} <= set(done)
