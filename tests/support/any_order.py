"""A small model of the API for requests in any order: what each answer has to be, given those before."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis.stateful import RuleBasedStateMachine
from support.packages import as_json, tool
from support.waiting import until
from werkzeug.test import TestResponse

from geomill.app.server import Geomill
from geomill.jobstore.status import MOVES, Status

DECLARED_5XX = {"process-failed", "busy"}  # what these processes and this load can lead to
FINAL = {status.value for status in Status if status.final}


def reachable(status: Status) -> set[str]:
    """Where a job may have got to since it was seen in a state."""
    return {status.value}.union(*map(reachable, MOVES[status]))


@dataclass
class Job:
    """What the model knows of a job.

    seen: the last status; ends: how it may end by itself; value: of its output; flag: what it waits for.
    """

    id: str
    process: str
    package: str
    ends: str
    value: Any
    request: Any
    flag: Path | None = None
    seen: str = "accepted"
    created: str = ""
    dismissed: bool = False
    pinned: bool = False
    gone: bool = False
    key: str | None = None


@dataclass
class Model:
    """What ought to be there. versions: of each deployed process, the digests of its packages, oldest first."""

    jobs: list[Job] = field(default_factory=list)
    versions: dict[str, list[str]] = field(default_factory=dict)
    greetings: dict[str, str] = field(default_factory=dict)  # by digest


class Modelled(RuleBasedStateMachine):
    """Requests, and what is known after each."""

    app: Geomill
    folder: Path
    done: dict[str, int]
    numbers = itertools.count()

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()

    # ---- asking

    def ask(self, method: str, path: str, **more: Any) -> TestResponse:
        """One request by any of the addresses of the tenant: no answer is an error that nobody has declared."""
        reply = self.app.test_client().open(path, method=method, **more)
        self.done[f"{method} {reply.status_code}"] = self.done.get(f"{method} {reply.status_code}", 0) + 1
        if reply.status_code >= 500:
            assert reply.json["type"].rpartition("/")[2] in DECLARED_5XX, reply.json
        return reply

    def together(self, *calls: Callable[[], Any]) -> list[Any]:
        """Several requests at the same time."""
        with ThreadPoolExecutor(len(calls)) as pool:
            return [future.result() for future in [pool.submit(call) for call in calls]]

    def execute(self, process: str, inputs: Any, prefer: str | None, key: str | None = None) -> TestResponse:
        """An execution."""
        headers = {"Prefer": prefer, "Idempotency-Key": key}
        given = {name: value for name, value in headers.items() if value is not None}
        return self.ask("POST", f"/processes/{process}/execution", json={"inputs": inputs}, headers=given)

    def known(self, job_id: str) -> Job | None:
        """The job of the model with an id."""
        return next((job for job in self.model.jobs if job.id == job_id), None)

    def job_of(self, reply: TestResponse) -> str:
        """The id of the job that an execution was: of the 201, of a synchronous answer, of an error."""
        if reply.status_code == 201:
            return str(reply.json["jobID"])
        if reply.status_code >= 400:
            return str(reply.json["instance"].rpartition("/")[2])
        return reply.headers["Link"].partition(">")[0].rpartition("/")[2]

    # ---- executing

    def submitted(self, reply: TestResponse, job: Job) -> Job:
        """Take down a job that a request has just made."""
        assert reply.status_code in ({201, 200} if job.ends == "successful" else {201, 500}), reply.json
        job.id = self.job_of(reply)
        assert self.known(job.id) is None, "two requests without a key became one job"
        if reply.status_code == 201:
            assert reply.headers["Location"].endswith(f"/jobs/{job.id}")
            job.seen = reply.json["status"]
        else:
            job.seen = job.ends
            assert job.ends == "failed" or reply.json == job.value
        job.package = job.package or self.app.jobs.job(job.id).package
        assert self.app.jobs.job(job.id).package == job.package
        self.model.jobs.append(job)
        return job

    def plan(self, what: str, number: int) -> Job:
        """A job that is still to be asked for."""
        if what == "add":
            return Job("", "add", "", "successful", number + 1, {"a": number})
        if what == "fail":
            return Job("", "fail", "", "failed", None, {"how": "x" * number})
        if what == "hold":
            flag = self.folder / f"flag-{next(self.numbers)}"
            return Job("", "hold", "", "successful", 1, {"flag": str(flag)}, flag)
        package = self.model.versions[what][-1]
        return Job("", what, package, "successful", self.model.greetings[package], {"whom": f"n{number}"})

    def greeting(self, job: Job) -> str:
        """What a deployed tool prints."""
        return f"{job.value} {job.request['whom']}\n"

    def held(self) -> list[Job]:
        """The jobs that wait."""
        return [job for job in self.model.jobs if not job.gone and job.flag and not job.flag.exists()]

    # ---- one job

    def look(self, job: Job) -> None:
        """Where a job stands; one that was removed is not there."""
        reply = self.ask("GET", f"/jobs/{job.id}")
        if job.gone:
            assert (reply.status_code, kind(reply)) == (404, "no-such-job")
            return
        assert reply.status_code == 200, reply.json
        self.saw(job, reply.json)

    def saw(self, job: Job, document: Any) -> None:
        """Hold a status document against what is known."""
        status = document["status"]
        assert status in reachable(Status(job.seen)), f"{job.seen} became {status}"
        if status in FINAL:
            by_itself = {job.ends} if not job.flag or job.flag.exists() else set()
            assert status in by_itself | ({"dismissed"} if job.dismissed else set()), f"{job.process} is {status}"
        assert (document["processID"], document.get("pinned", False)) == (job.process, job.pinned)
        assert not job.created or document["created"] == job.created
        job.seen, job.created = status, document["created"]

    def deleted(self, job: Job, replies: list[TestResponse]) -> None:
        """Hold what DELETE answered against what is there now."""
        codes = sorted(reply.status_code for reply in replies)
        if job.gone:
            assert set(codes) == {404}
            return
        assert codes[0] in (200, 202) and set(codes) <= {200, 202, 404}, codes
        if codes[0] == 202:
            job.dismissed = True
            until(lambda: self.look(job) or job.seen in FINAL, 20)
            return
        assert all(reply.json["status"] == "dismissed" for reply in replies if reply.status_code == 200)
        if self.ask("GET", f"/jobs/{job.id}").status_code == 404:
            # the last one that was answered 200 removed it; those before at most dismissed it
            assert job.seen in FINAL or len(replies) > 1 or not job.flag or job.flag.exists()
            job.gone = True
            assert not self.app.jobs.folder(job.id).exists()
        else:
            assert job.seen not in FINAL, "it should have been removed"
            job.dismissed = True
            self.look(job)
            assert job.seen == "dismissed" and not self.app.jobs.has_supervisor(job.id)

    # ---- lists and processes

    def pages(self, path: str, query: dict[str, Any], member: str) -> list[Any]:
        """What all pages of a list have."""
        found: list[Any] = []
        reply = self.ask("GET", path, query_string=query)
        for _ in range(1000):
            assert reply.status_code == 200, reply.json
            assert len(reply.json[member]) <= query["limit"]
            found += reply.json[member]
            following = [link["href"] for link in reply.json["links"] if link["rel"] == "next"]
            if not following:
                return found
            reply = self.ask("GET", following[0].removeprefix("http://localhost"))
        raise AssertionError("the list has no end")

    def package(self, name: str, number: int) -> tuple[bytes, str]:
        """A package, and what its tool says."""
        says = f"{name} {number}:"
        return as_json(tool(name, baseCommand=["echo", says])), says

    def keeps(self, name: str, number: int) -> None:
        """Take down the latest package of a process."""
        digest = self.app.processes.deployed.versions(name)[-1].package
        self.model.versions.setdefault(name, []).append(digest)
        self.model.greetings[digest] = self.package(name, number)[1]


def kind(reply: TestResponse) -> str:
    """The name of a problem."""
    return str(reply.json["type"].rpartition("/")[2])
