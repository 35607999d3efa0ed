"""Every documented status of every operation, provoked for real. A new one without a row here fails."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient
from support.packages import CWL, OGC, as_yaml, docker, tool
from support.stores import bring_to
from werkzeug.test import TestResponse

from geomill.app import create_app, openapi
from geomill.app.identity.roles import Role
from geomill.app.identity.tokens import Tokens
from geomill.app.server import Geomill
from geomill.jobstore import Status, maintenance

ADD: dict[str, Any] = {"inputs": {"a": 1}}
PAGE: dict[str, Any] = {"inputs": {"text": "0123456789"}}
PREFER = {"Prefer": "respond-async"}
RESULTS = {
    "getResult": "/results",
    "getOutput": "/results/result",
    "getOutputValue": "/results/result/0",
    "getFile": "/files/page.html",
}
READS = {
    "getLandingPage": "/",
    "getConformanceClasses": "/conformance",
    "getAPI": "/api",
    "getProcesses": "/processes",
    "getProcessDescription": "/processes/echo",
    "getJobs": "/jobs",
    "getStatus": "{page}",
    **{operation: "{page}" + path for operation, path in RESULTS.items()},
    "getLog": "{page}/logs",
    "getEvents": "{page}/events",
    "getStepLog": "{logged}/logs/step.log",
    "getPackage": "{deployed}/package",
    "getVersions": "{deployed}/versions",
    "getCallbacks": "{page}/callbacks",
    "getCallbackSecret": "/callback-secret",
    "getJobInputs": "{page}/inputs",
    "getJobProvenance": "{page}/prov",
    "getROCrate": "{page}/ro-crate.zip",
    "getProblemType": "/problems/bad-input",
    "getUpload": "{uploaded}",
    "getServerState": "/admin",
    "getHealth": "/healthz",
    "getReadiness": "/readyz",
    "getMetrics": "/metrics",
}
OPERATIONS = {
    **{operation: ("GET", path) for operation, path in READS.items()},
    "execute": ("POST", "/processes/add/execution"),
    "dismiss": ("DELETE", "{page}"),
    "retry": ("POST", "{page}/retry"),
    "upload": ("POST", "/uploads"),
    "removeUpload": ("DELETE", "{uploaded}"),
    "deploy": ("POST", "/processes"),
    "replace": ("PUT", "{deployed}"),
    "undeploy": ("DELETE", "{deployed}"),
    "pin": ("PUT", "{page}/pin"),
    "unpin": ("DELETE", "{page}/pin"),
}
USUAL = {  # others: 200
    **{"upload": 201, "deploy": 201, "retry": 201},
    **{"removeUpload": 204, "replace": 204, "undeploy": 204},
}
WATCHED = ("getHealth", "getReadiness", "getMetrics")
FOR_EVERYBODY = ("getProblemType", "getHealth", "getReadiness")  # whatever he shows
WITHOUT_CHOICE = ("getFile", "getPackage", "getUpload", *WATCHED)  # there is one thing, whatever the client accepts
NUMBERS = count()
NONE = "/jobs/0191b8a0-0000-7000-8000-000000000000"
NO_UPLOAD = f"/uploads/{'0' * 40}"


@dataclass(frozen=True)
class Place:
    """Where a request is provoked. working: jobs run there; idle: they never start, and its home may be harmed."""

    working: Geomill
    idle: Geomill
    folder: Path

    @property
    def worker(self) -> FlaskClient:
        return self.working.test_client()

    def client(self, **changed: Any) -> FlaskClient:
        """A client of the idle home under other settings."""
        app = create_app(replace(self.idle.settings, **changed))
        app.test_client_class = self.idle.test_client_class
        return app.test_client()

    def execute(self, process: str, body: dict[str, Any], **headers: str) -> TestResponse:
        return self.worker.post(f"/processes/{process}/execution", json=body, headers=headers)

    def ended(self, process: str, body: dict[str, Any]) -> str:
        """The path of a job that has ended."""
        accepted = self.execute(process, body, **PREFER).json
        assert self.working.engine.run(accepted["jobID"], 20).status.final
        return f"/jobs/{accepted['jobID']}"

    def lost(self) -> str:
        """The path of a job whose supervisor is gone."""
        job_id = self.waiting().rpartition("/")[2]
        bring_to(self.idle.jobs, job_id, Status.RUNNING)  # and nobody holds its lock
        return f"/jobs/{job_id}"

    def waiting(self) -> str:
        """The path of a job that nothing starts."""
        body = {"inputs": {"echoInput": "x"}}
        accepted = self.idle.test_client().post("/processes/echo/execution", json=body, headers=PREFER)
        return f"/jobs/{accepted.json['jobID']}"

    def logged(self) -> str:
        """The path of a job with a log of a step, which jobs write themselves."""
        path = self.ended("add", ADD)
        logs = self.working.jobs.folder(path.rpartition("/")[2]) / "logs"
        logs.mkdir(exist_ok=True)
        (logs / "step.log").write_text("0123456789")
        return path

    def deployed(self, client: FlaskClient | None = None) -> str:
        """The path of a deployed process."""
        package = docker(f"image-{next(NUMBERS)}")
        answer = (client or self.worker).post("/processes", data=package, content_type=OGC)
        return f"/processes/{answer.json['id']}"

    def spoiled(self) -> str:
        """The path of a deployed process whose file lost its end."""
        path = self.deployed(self.idle.test_client())
        file = self.idle.settings.home / "default/processes" / f"{path.rpartition('/')[2]}.json"
        file.write_text('{"id"')
        return path

    def uploaded(self, client: FlaskClient | None = None) -> str:
        """The path of a file that was sent."""
        answer = (client or self.worker).post("/uploads?name=a.txt", data=b"0123456789")
        return urlsplit(answer.json["href"]).path

    def request(self, operation: str, client: FlaskClient | None = None, **headers: str) -> TestResponse:
        """The plain request of an operation. headers: written with an underscore."""
        method, path = OPERATIONS[operation]
        places = {"page": lambda: self.ended("page", PAGE), "logged": self.logged, "deployed": self.deployed}
        places["uploaded"] = self.uploaded
        path = re.sub(r"\{(\w+)\}", lambda part: places[part[1]](), path)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        body: dict[str, Any] = {"json": ADD} if operation == "execute" else {}
        if operation in ("deploy", "replace"):
            body = {"data": docker(f"image-{next(NUMBERS)}"), "content_type": OGC}
        return (client or self.worker).open(path, method=method, headers=named, **body)


Way = Callable[[Place], TestResponse]
Row = TypeVar("Row", bound=Way)
WAYS: dict[tuple[str, int], Way] = {}


def way(status: int, *operations: str) -> Callable[[Row], Row]:
    """Says what a function provokes."""

    def note(function: Row) -> Row:
        WAYS.update({(operation, status): function for operation in operations})
        return function

    return note


# ---- what all operations have in common


def as_asked(operation: str, place: Place) -> TestResponse:
    return place.request(operation)


def known_already(operation: str, place: Place) -> TestResponse:
    return place.request(operation, If_None_Match="*")


def wrong_method(operation: str, place: Place) -> TestResponse:
    """No operation at all; it is documented with those that its path does have."""
    path = OPERATIONS[operation][1].format(page=NONE, logged=NONE, deployed="/processes/none", uploaded=NO_UPLOAD)
    return place.worker.patch(path)


def nothing_acceptable(operation: str, place: Place) -> TestResponse:
    return place.request(operation, Accept="image/png")


def foreign_host(operation: str, place: Place) -> TestResponse:
    return place.request(operation, Host="example.org")


def malformed_host(operation: str, place: Place) -> TestResponse:
    return place.request(operation, Host="bad host")


def shown(operation: str, place: Place, tenant: str | None, end: str = "") -> TestResponse:
    """A request with a token for a tenant, to a job or process that is not there. end: what makes it another token."""
    token = Tokens(place.idle.settings.home).create("ann", Role.EXECUTOR, tenant, None)
    method, path = OPERATIONS[operation]
    path = path.format(page=NONE, logged=NONE, deployed="/processes/none", uploaded=NO_UPLOAD)
    client = create_app(replace(place.idle.settings, anonymous="none")).test_client()  # who is not known may nothing
    return client.open(path, method=method, headers={"Authorization": f"Bearer {token}{end}"})


for each in OPERATIONS:
    if each not in FOR_EVERYBODY:
        WAYS[each, 401] = partial(shown, each, tenant=None, end="x")
        WAYS[each, 403] = partial(shown, each, tenant="acme")
    WAYS[each, USUAL.get(each, 200)] = partial(as_asked, each)
    WAYS[each, 400] = partial(malformed_host, each)
    WAYS[each, 405] = partial(wrong_method, each)
    if each not in WITHOUT_CHOICE:
        WAYS[each, 406] = partial(nothing_acceptable, each)
    WAYS[each, 421] = partial(foreign_host, each)
for each in READS:
    if each not in ("getLog", "getStepLog", "getROCrate", "getServerState", "getCallbackSecret", *WATCHED):
        WAYS[each, 304] = partial(known_already, each)


# ---- executions


@way(201, "execute")
def asynchronous(place: Place) -> TestResponse:
    return place.execute("add", ADD, **PREFER)


@way(204, "execute")
def by_reference(place: Place) -> TestResponse:
    return place.execute("add", {**ADD, "outputs": {"result": {"transmissionMode": "reference"}}})


@way(400, "execute")
def bad_input(place: Place) -> TestResponse:
    return place.execute("add", {"inputs": {"a": "one"}})


@way(403, "execute")
def page_of_another_site(place: Place) -> TestResponse:
    return place.request("execute", Origin="https://example.org")


@way(404, "execute")
def no_such_process(place: Place) -> TestResponse:
    return place.execute("none", ADD)


@way(413, "execute")
def body_too_large(place: Place) -> TestResponse:
    return place.client(max_body=100).post("/processes/echo/execution", data=b" " * 101)


@way(415, "execute")
def packed_body(place: Place) -> TestResponse:
    return place.execute("add", ADD, **{"Content-Encoding": "gzip"})


@way(422, "execute")
def key_of_another_request(place: Place) -> TestResponse:
    for number in (1, 2):
        answer = place.execute("add", {"inputs": {"a": number}}, **{"Idempotency-Key": str(place.folder)})
    return answer


@way(500, "execute")
def process_failed(place: Place) -> TestResponse:
    return place.execute("fail", {"inputs": {"how": "error"}})


@way(429, "execute")
def too_many_of_one_caller(place: Place) -> TestResponse:
    place.waiting()
    body = {"inputs": {"echoInput": "x"}}
    return place.client(max_queued_per_caller=1).post("/processes/echo/execution", json=body, headers=PREFER)


@way(503, "execute")
def queue_full(place: Place) -> TestResponse:
    place.waiting()
    body = {"inputs": {"echoInput": "x"}}
    return place.client(max_queued=1).post("/processes/echo/execution", json=body, headers=PREFER)


@way(504, "execute")
def time_limit(place: Place) -> TestResponse:
    return place.execute("endless", {})


@way(507, "execute")
def disk_nearly_full(place: Place) -> TestResponse:
    body = {"inputs": {"echoInput": "x"}}
    return place.client(min_free_bytes=2**62).post("/processes/echo/execution", json=body)


# ---- uploads


@way(206, "getUpload")
def part_of_an_upload(place: Place) -> TestResponse:
    return place.request("getUpload", Range="bytes=0-1")


@way(400, "upload")
def form_without_a_file(place: Place) -> TestResponse:
    return place.worker.post("/uploads", data={"a": "1"}, content_type="multipart/form-data")


@way(404, "getUpload")
def no_such_upload(place: Place) -> TestResponse:
    return place.worker.get(NO_UPLOAD)


@way(404, "removeUpload")
def removal_of_no_upload(place: Place) -> TestResponse:
    return place.worker.delete(NO_UPLOAD)


@way(413, "upload")
def upload_too_large(place: Place) -> TestResponse:
    return place.client(max_upload=100).post("/uploads", data=b" " * 101)


@way(415, "upload")
def packed_upload(place: Place) -> TestResponse:
    return place.request("upload", Content_Encoding="gzip")


@way(416, "getUpload")
def upload_beyond_its_end(place: Place) -> TestResponse:
    return place.request("getUpload", Range="bytes=99-")


@way(429, "upload")
def too_many_uploads(place: Place) -> TestResponse:
    for _ in range(2):
        answer = place.client(max_uploads_per_caller=1).post("/uploads", data=b"x")
    return answer


@way(503, "upload")
def upload_under_maintenance(place: Place) -> TestResponse:
    maintenance.begin(place.idle.settings.home, "")
    try:
        return place.idle.test_client().post("/uploads", data=b"x")
    finally:
        maintenance.end(place.idle.settings.home)


@way(507, "upload")
def no_room_for_an_upload(place: Place) -> TestResponse:
    return place.client(min_free_bytes=2**62).post("/uploads", data=b"x")


# ---- processes and jobs


@way(400, "getProcesses")
def no_processes_asked_for(place: Place) -> TestResponse:
    return place.worker.get("/processes?limit=0")


@way(400, "getJobs")
def unknown_status(place: Place) -> TestResponse:
    return place.worker.get("/jobs?status=lost")


@way(404, "getProcessDescription")
def description_of_nothing(place: Place) -> TestResponse:
    return place.worker.get("/processes/none")


@way(404, "getStatus")
def no_such_job(place: Place) -> TestResponse:
    return place.worker.get(NONE)


@way(404, "getProblemType")
def no_such_problem(place: Place) -> TestResponse:
    return place.worker.get("/problems/none")


def home_that_is_gone(method: str, path: str, place: Place) -> TestResponse:
    """The home is where its disk was mounted, and the disk is not."""
    client, home = place.idle.test_client(), place.idle.settings.home
    waiting, deployed = place.waiting(), place.deployed(client)
    home.rename(home.with_name("unmounted"))
    home.mkdir()
    try:
        path = path.format(job=waiting, deployed=deployed)
        return client.open(path, method=method, data=docker(), content_type=OGC)
    finally:
        shutil.rmtree(home)  # the audit log goes on
        home.with_name("unmounted").rename(home)


GONE = {
    "getJobs": ("GET", "/jobs"),
    "getStatus": ("GET", "{job}"),
    "getLog": ("GET", "{job}/logs"),
    "getEvents": ("GET", "{job}/events"),
    "getStepLog": ("GET", "{job}/logs/step.log"),
    "undeploy": ("DELETE", "{deployed}"),
    "getUpload": ("GET", NO_UPLOAD),
    "removeUpload": ("DELETE", NO_UPLOAD),
}
for each, asked in GONE.items():
    WAYS[each, 503] = partial(home_that_is_gone, *asked)


# ---- dismissals


@way(202, "dismiss")
def supervisor_that_stands_still(place: Place) -> TestResponse:
    body = {"inputs": {"flag": str(place.folder / "none")}}
    job_id = place.execute("wait", body, Prefer="wait=1").json["jobID"]
    dispatcher = place.working.engine.ask({"op": "hello"}, 5) or {}
    pids = [int(place.working.jobs.status(job_id).pid or 0), int(dispatcher["pid"])]
    for pid in pids:  # and the one that would end it by force
        os.kill(pid, signal.SIGSTOP)
    try:
        return place.worker.delete(f"/jobs/{job_id}")
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
        assert place.working.engine.run(job_id, 20).status is Status.DISMISSED


@way(403, "dismiss")
def dismissal_by_another_site(place: Place) -> TestResponse:
    return place.request("dismiss", Origin="https://example.org")


@way(404, "dismiss")
def dismissal_of_nothing(place: Place) -> TestResponse:
    return place.worker.delete(NONE)


@way(412, "dismiss")
def status_of_another_time(place: Place) -> TestResponse:
    return place.request("dismiss", If_Match='"of-another-time"')


@way(503, "dismiss")
def dismissal_of_a_job_that_somebody_writes(place: Place) -> TestResponse:
    path = place.waiting()
    with open(place.idle.jobs.locks.path(path[-2:]), "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return place.idle.test_client().delete(path)


# ---- deployment


@way(200, "deploy")
def dry_run(place: Place) -> TestResponse:
    return place.worker.post("/processes?dryRun=true", data=docker(), content_type=OGC)


@way(200, "replace")
def dry_run_of_a_replacement(place: Place) -> TestResponse:
    return place.worker.put(f"{place.deployed()}?dryRun=true", data=docker(), content_type=OGC)


@way(409, "deploy")
def process_that_is_there(place: Place) -> TestResponse:
    package = docker(place.deployed().rpartition("/")[2])
    return place.worker.post("/processes", data=package, content_type=OGC)


def no_package(operation: str, place: Place) -> TestResponse:
    method, path = OPERATIONS[operation]
    return place.worker.open(path.format(deployed=place.deployed()), method=method, data=b"{}", content_type=OGC)


def process_of_the_server(operation: str, place: Place) -> TestResponse:
    method, path = OPERATIONS[operation]
    package = docker("echo")
    return place.worker.open(path.format(deployed="/processes/echo"), method=method, data=package, content_type=OGC)


def process_that_is_not_there(operation: str, place: Place) -> TestResponse:
    method, path = OPERATIONS[operation]
    return place.worker.open(path.format(deployed="/processes/none"), method=method, data=docker(), content_type=OGC)


def process_that_was_spoiled(operation: str, place: Place) -> TestResponse:
    path = {"getProcessDescription": "{deployed}"}.get(operation, OPERATIONS[operation][1])
    return place.idle.test_client().get(path.format(deployed=place.spoiled()))


def package_too_large(operation: str, place: Place) -> TestResponse:
    method, path = OPERATIONS[operation]
    path = path.format(deployed=place.deployed(place.idle.test_client()))
    return place.client(max_body=100).open(path, method=method, data=docker(), content_type=OGC)


def package_of_another_kind(operation: str, place: Place) -> TestResponse:
    method, path = OPERATIONS[operation]
    path = path.format(deployed="/processes/none", uploaded=NO_UPLOAD)
    return place.worker.open(path, method=method, data="x", content_type="text/plain")


def package_of_another_time(operation: str, place: Place) -> TestResponse:
    method, path = OPERATIONS[operation]
    package = as_yaml(tool(cwlVersion="v1.3.0-dev1"))
    return place.worker.open(path.format(deployed=place.deployed()), method=method, data=package, content_type=CWL)


def package_on_a_disk_nearly_full(operation: str, place: Place) -> TestResponse:
    path = "/processes" if operation == "deploy" else place.deployed(place.idle.test_client())
    method = OPERATIONS[operation][0]
    return place.client(min_free_bytes=2**62).open(path, method=method, data=docker(), content_type=OGC)


def package_during_maintenance(operation: str, place: Place) -> TestResponse:
    path = "/processes" if operation == "deploy" else place.deployed(place.idle.test_client())
    maintenance.begin(place.idle.settings.home, "Back at noon.")
    try:
        return place.client().open(path, method=OPERATIONS[operation][0], data=docker(), content_type=OGC)
    finally:
        maintenance.end(place.idle.settings.home)


for each in ("deploy", "replace"):
    WAYS[each, 503] = partial(package_during_maintenance, each)
    WAYS[each, 507] = partial(package_on_a_disk_nearly_full, each)
    WAYS[each, 400] = partial(no_package, each)
    WAYS[each, 413] = partial(package_too_large, each)
    WAYS[each, 415] = partial(package_of_another_kind, each)
    WAYS[each, 422] = partial(package_of_another_time, each)
for each in ("replace", "undeploy", "getPackage", "getVersions"):
    WAYS[each, 403] = partial(process_of_the_server, each)
    WAYS[each, 404] = partial(process_that_is_not_there, each)
for each in ("getProcessDescription", "getPackage", "getVersions"):
    WAYS[each, 503] = partial(process_that_was_spoiled, each)
WAYS["deploy", 403] = partial(process_of_the_server, "deploy")


# ---- retries


@way(403, "retry")
def retry_by_another_site(place: Place) -> TestResponse:
    return place.request("retry", Origin="https://example.org")


@way(404, "retry")
def retry_of_nothing(place: Place) -> TestResponse:
    return place.worker.post(f"{NONE}/retry")


@way(409, "retry")
def retry_of_what_has_not_ended(place: Place) -> TestResponse:
    return place.idle.test_client().post(place.waiting() + "/retry")


@way(429, "retry")
def retry_of_who_has_too_many(place: Place) -> TestResponse:
    path = place.lost()
    place.waiting()
    return place.client(max_queued_per_caller=1).post(path + "/retry")


@way(503, "retry")
def retry_with_a_full_queue(place: Place) -> TestResponse:
    path = place.lost()
    place.waiting()
    return place.client(max_queued=1).post(path + "/retry")


@way(507, "retry")
def retry_on_a_disk_nearly_full(place: Place) -> TestResponse:
    return place.client(min_free_bytes=2**62).post(place.lost() + "/retry")


# ---- steps


@way(204, "getEvents")
def nothing_new_of_a_job_that_ended(place: Place) -> TestResponse:
    path, stream = f"{place.ended('add', ADD)}/events", {"Accept": "text/event-stream"}
    told = place.worker.get(path, headers=stream).text.rpartition("id: ")[2].strip()
    return place.worker.get(path, headers={**stream, "Last-Event-ID": told})


@way(404, "getEvents")
def events_of_nothing(place: Place) -> TestResponse:
    return place.worker.get(f"{NONE}/events")


@way(404, "getStepLog")
def log_of_no_step(place: Place) -> TestResponse:
    return place.worker.get(place.logged() + "/logs/other.log")


@way(206, "getStepLog")
def part_of_a_log(place: Place) -> TestResponse:
    return place.request("getStepLog", Range="bytes=0-1")


@way(416, "getStepLog")
def log_beyond_its_end(place: Place) -> TestResponse:
    return place.request("getStepLog", Range="bytes=99-")


# ---- logs and results


@way(400, "getLog")
def offset_before_the_begin(place: Place) -> TestResponse:
    return place.worker.get(place.ended("add", ADD) + "/logs?offset=-1")


@way(404, "getLog")
def log_of_nothing(place: Place) -> TestResponse:
    return place.worker.get(f"{NONE}/logs")


@way(204, "getResult")
def results_by_reference(place: Place) -> TestResponse:
    body = {**ADD, "outputs": {"result": {"transmissionMode": "reference"}}}
    return place.worker.get(place.ended("add", body) + "/results")


@way(400, "getResult")
def result_of_another_name(place: Place) -> TestResponse:
    return place.worker.get(place.ended("add", ADD) + "/results?outputs=none")


@way(400, "getOutput")
def output_of_another_name(place: Place) -> TestResponse:
    return place.worker.get(place.ended("add", ADD) + "/results/none")


@way(400, "getOutputValue")
def value_of_another_name(place: Place) -> TestResponse:
    return place.worker.get(place.ended("add", ADD) + "/results/none/0")


def raw_file(operation: str, place: Place, **headers: str) -> TestResponse:
    return place.worker.get(place.ended("page", {**PAGE, "response": "raw"}) + RESULTS[operation], headers=headers)


def failed(operation: str, process: str, body: dict[str, Any], place: Place) -> TestResponse:
    return place.worker.get(place.ended(process, body) + RESULTS[operation])


def of_a_lost_job(operation: str, place: Place) -> TestResponse:
    return place.idle.test_client().get(place.lost() + RESULTS[operation])


def of_no_job(operation: str, place: Place) -> TestResponse:
    return place.worker.get(NONE + RESULTS[operation])


for each in RESULTS:
    WAYS[each, 206] = partial(raw_file, each, Range="bytes=0-1")
    WAYS[each, 404] = partial(of_no_job, each)
    WAYS[each, 416] = partial(raw_file, each, Range="bytes=99-")
    WAYS[each, 500] = partial(failed, each, "fail", {"inputs": {"how": "error"}})
    WAYS[each, 503] = partial(of_a_lost_job, each)
    WAYS[each, 504] = partial(failed, each, "endless", {})


# ---- what has expired, and what never does


def of_an_expired_job(operation: str, place: Place) -> TestResponse:
    method, path = OPERATIONS[operation]
    page = place.ended("page", PAGE)
    assert place.working.jobs.expire(page.rpartition("/")[2], "age").expired
    return place.worker.open(path.format(page=page, logged=page), method=method)


def pin_of_nothing(operation: str, place: Place) -> TestResponse:
    return place.worker.open(f"{NONE}/pin", method=OPERATIONS[operation][0])


def pin_by_another_site(operation: str, place: Place) -> TestResponse:
    return place.request(operation, Origin="https://example.org")


def pin_of_a_job_that_somebody_writes(operation: str, place: Place) -> TestResponse:
    path = place.waiting()
    with open(place.idle.jobs.locks.path(path[-2:]), "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return place.idle.test_client().open(f"{path}/pin", method=OPERATIONS[operation][0])


EXPIRING = (*RESULTS, "getLog", "getEvents", "getStepLog", "retry")
OF_REQUESTS = {
    **{"getJobInputs": "/inputs", "getJobProvenance": "/prov", "getROCrate": "/ro-crate.zip"},
    "getCallbacks": "/callbacks",
}
for each in (*EXPIRING, *OF_REQUESTS, "pin", "unpin"):
    WAYS[each, 410] = partial(of_an_expired_job, each)
for each in ("pin", "unpin"):
    WAYS[each, 403] = partial(pin_by_another_site, each)
    WAYS[each, 404] = partial(pin_of_nothing, each)
    WAYS[each, 503] = partial(pin_of_a_job_that_somebody_writes, each)


# ---- who watches it


def watched_at_a_tenant(path: str, place: Place) -> TestResponse:
    return place.client(tenants=("acme",)).get(f"/acme/ogc-api{path}")


for each in WATCHED:
    WAYS[each, 404] = partial(watched_at_a_tenant, READS[each])


@way(503, "getReadiness")
def without_a_dispatcher(place: Place) -> TestResponse:
    return place.idle.test_client().get("/readyz")


# ---- provenance


def provenance_of_nothing(path: str, place: Place) -> TestResponse:
    return place.worker.get(NONE + path)


def provenance_of_a_torn_request(path: str, place: Place) -> TestResponse:
    job = place.waiting()
    (place.idle.jobs.folder(job.rpartition("/")[2]) / "request.json").write_text("{")
    return place.idle.test_client().get(job + path)


for each, path in OF_REQUESTS.items():
    WAYS[each, 404] = partial(provenance_of_nothing, path)
    WAYS[each, 503] = partial(provenance_of_a_torn_request, path)


# ---- the tests

# Documented for whatever nobody has thought of: nothing that was thought of comes to that.
UNHEARD_OF = {
    (each, 500)
    for each in (
        *("getLandingPage", "getConformanceClasses", "getAPI", "getProcesses", "getProcessDescription"),
        *("getProblemType", "getLog", "getStatus", "getJobs", "dismiss", "retry", "pin", "unpin", "getEvents"),
        *("getStepLog", "deploy", "replace", "undeploy", "upload", "getUpload", "removeUpload", "getServerState"),
        *("getPackage", "getVersions", "getCallbackSecret", *OF_REQUESTS, *WATCHED),
    )
}


@pytest.fixture
def place(working: Geomill, app: Geomill, tmp_path: Path) -> Iterator[Place]:
    yield Place(working, app, tmp_path)


def documented(app: Geomill) -> set[tuple[str, int]]:
    paths = openapi.document(app, "http://localhost")["paths"]
    operations = [each for methods in paths.values() for each in methods.values()]
    return {(each["operationId"], int(status)) for each in operations for status in each["responses"]}


def test_every_documented_status_has_a_way_to_it_and_no_other(app: Geomill) -> None:
    assert set(WAYS) | UNHEARD_OF == documented(app)
    assert not set(WAYS) & UNHEARD_OF


@pytest.mark.parametrize("operation, status", WAYS)
def test_a_documented_status_is_answered(place: Place, operation: str, status: int) -> None:
    answer = WAYS[operation, status](place)
    assert answer.status_code == status
    if status >= 400 and (operation, status) != ("getReadiness", 503):  # no error, but what was asked for
        assert answer.json["status"] == status and answer.json["type"]
