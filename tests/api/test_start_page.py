"""The start page and the state of the server: what is said of processes, jobs, the dispatcher, the disk."""

from __future__ import annotations

import fcntl
import getpass
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest
from api.conftest import CheckedClient
from flask.testing import FlaskClient
from support.markup import anchors, check_page
from support.stores import bring_to, create
from support.waiting import until

from geomill.app import create_app, host
from geomill.app.config import Settings
from geomill.app.engine.runtime import ELECTION, SOCKET
from geomill.app.identity.roles import Role
from geomill.app.identity.tokens import Tokens
from geomill.app.server import Geomill
from geomill.jobstore import Status, maintenance

Finished = Callable[[str, Any], str]
HTML = {"Accept": "text/html"}


def page(client: FlaskClient, path: str = "/", **headers: str) -> str:
    answer = client.get(path, headers={**HTML, **headers})
    assert answer.status_code == 200
    check_page(answer)
    return answer.text


def bearer(settings: Settings, role: Role, tenant: str | None = None) -> dict[str, str]:
    token = Tokens(settings.home).create(f"{role}-{tenant}", role, tenant, None)
    return {"Authorization": f"Bearer {token}"}


def test_an_empty_server_says_what_to_do_first(client: FlaskClient) -> None:
    text = page(client)
    assert "No job yet" in text and "curl -X POST http://localhost/processes/echo/execution" in text
    assert "http://localhost/processes/echo" in anchors(text)
    assert "http://localhost/deploy" in anchors(text)


def test_the_start_page_shows_what_runs_and_what_ended(app: Geomill, client: FlaskClient) -> None:
    ended, running, waiting = (create(app.jobs, durable=False) for _ in range(3))
    bring_to(app.jobs, ended, Status.SUCCESSFUL)
    bring_to(app.jobs, running, Status.RUNNING)
    text = page(client)
    assert {f"http://localhost/jobs/{job_id}" for job_id in (ended, running, waiting)} <= anchors(text)


def test_the_start_page_shows_nobody_the_jobs_of_others(settings: Settings) -> None:
    ann, ben = bearer(settings, Role.EXECUTOR), bearer(settings, Role.READER)
    app = create_app(settings)
    job_id = create(app.jobs, durable=False, owner="executor-None")
    client = app.test_client()
    assert job_id in page(client, **ann) and "0 running, 1 waiting" in page(client, **ann)
    for other in (ben, {}):
        text = page(client, **other)
        assert job_id not in text and "0 running, 0 waiting" in text
        assert "http://localhost/deploy" not in anchors(text) and "http://localhost/admin" not in anchors(text)


def test_maintenance_is_the_first_thing_to_be_said(client: FlaskClient, settings: Settings) -> None:
    maintenance.begin(settings.home, "<b>A new disk</b>; back at noon.")
    for path in ("/", "/admin"):
        text = page(client, path)
        assert "Under maintenance since" in text and "&lt;b&gt;A new disk" in text and "Ready" not in text


@pytest.fixture(params=["absent", "silent", "closed"])
def without(request: pytest.FixtureRequest, settings: Settings) -> Iterator[str]:
    """No dispatcher; one that holds its lock and listens, but says nothing; one that holds its lock alone."""
    with ExitStack() as stack:
        settings.prepare_runtime_dir()
        if request.param != "absent":
            lock = os.open(settings.runtime_dir / ELECTION, os.O_RDWR | os.O_CREAT)
            stack.callback(os.close, lock)
            fcntl.flock(lock, fcntl.LOCK_EX)
        if request.param == "silent":
            listener = stack.enter_context(socket.socket(socket.AF_UNIX))
            listener.bind(str(settings.runtime_dir / SOCKET))
            listener.listen()
        yield "absent" if request.param == "absent" else "silent"


def test_a_dispatcher_that_does_not_answer_is_told_from_none(client: FlaskClient, app: Geomill, without: str) -> None:
    create(app.jobs, durable=False)
    found = client.get("/admin").json
    assert found["dispatcher"]["state"] == without and len(found["troubles"]) == 1
    assert [(each["processID"], each["count"]) for each in found["accepted"]] == [("echo", 1)]
    assert "isolation" not in found and found["limits"][-1].get("used") is None
    told = {"absent": "No dispatcher is there", "silent": "The dispatcher does not answer"}[without]
    assert told in page(client, "/admin") and told in page(client)


def test_a_disk_that_is_nearly_full_is_told(settings: Settings) -> None:
    app = create_app(replace(settings, min_free_bytes=10**18))
    assert "nearly full" in page(app.test_client()) and "nearly full" in page(app.test_client(), "/admin")


def test_what_a_server_does_is_said_by_itself(worker: FlaskClient, working: Geomill, finished: Finished) -> None:
    finished("fail", {"inputs": {"how": "exit"}})
    of = ("fail", "exit")
    until(lambda: of in [(each["processID"], each["cause"]) for each in worker.get("/admin").json["failures"]])
    found = worker.get("/admin").json
    assert found["troubles"] == [] and found["dispatcher"]["state"] == "answers" and found["dispatcher"]["pid"]
    assert [each["name"] for each in found["isolation"]] == ["user", "own processes", "own network", "own file system"]
    user = found["isolation"][0]
    assert (user["value"], "`job_user`" in user.get("help", "")) == (getpass.getuser(), user["value"] == "root")
    assert found["isolationOfTools"][0]["name"] == "sandbox"
    rows = [*host.isolation(working.settings, host.allows()), *host.sandboxes(working.settings, host.allows())]
    told = [*found["isolation"], *found["isolationOfTools"]]
    assert [tuple(each.values()) for each in told] == rows, "the doctor says something else"
    shown = page(worker, "/admin")
    assert "`" not in shown.partition("<h2 id=\"isolation\">")[2].partition("</section>")[0]
    assert {each["name"] for each in found["versions"]} >= {"geomill", "python", "cwltool"}
    (failed,) = (each for each in found["failures"] if (each["processID"], each["cause"]) == of)
    assert failed["count"] >= 1 and failed["href"] == "http://localhost/jobs?status=failed&processID=fail"
    jobs = worker.get(failed["href"]).json["jobs"]
    assert failed["jobID"] in {job["jobID"] for job in jobs} and "Ready" in page(worker)
    assert failed["href"] in {each.replace("&amp;", "&") for each in anchors(page(worker, "/admin"))}


def test_an_admin_of_one_tenant_sees_that_one(settings: Settings) -> None:
    app = create_app(replace(settings, tenants=("acme", "zeta")))
    app.test_client_class = CheckedClient
    for name in ("default", "acme", "zeta"):
        create(app.tenants.get(name).jobs, durable=False, owner="ann")
    client, of_one, of_all = app.test_client(), bearer(settings, Role.ADMIN, "acme"), bearer(settings, Role.ADMIN)
    found = client.get("/acme/ogc-api/admin", headers=of_one).json
    assert found["tenants"] == ["acme"] and [each["tenant"] for each in found["accepted"]] == ["acme"]
    assert not {"disk", "limits", "isolation", "versions", "broken"} & set(found)
    assert "log" not in found["dispatcher"]
    whole = client.get("/acme/ogc-api/admin", headers=of_all).json
    assert {each["tenant"]: each["href"].partition("?")[0] for each in whole["accepted"]} == {
        "default": "http://localhost/jobs",
        "acme": "http://localhost/acme/ogc-api/jobs",
        "zeta": "http://localhost/zeta/ogc-api/jobs",
    }
    assert (whole["limits"][2], whole["limits"][3]["used"]) == (
        {"name": "max_queued", "limit": settings.max_queued, "used": 3}, 1,
    )  # fmt: skip
    page(client, "/acme/ogc-api/admin", **of_one)
    for role in (Role.DEPLOYER, Role.READER):
        assert client.get("/admin", headers=bearer(settings, role)).status_code == 403
