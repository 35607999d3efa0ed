"""Deployment while the server is at work: many workers, races, restarts, and jobs that keep what they were given."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import urllib3
from support.mills import Mill, serving
from support.packages import CWL, as_yaml, tool
from support.waiting import until

from geomill.app.config import Settings
from geomill.app.sandbox import bubblewrap
from geomill.jobstore import Status

WAIT = "touch ready; while [ ! -e go ]; do sleep 0.02; done; echo "

needs_sandbox = pytest.mark.skipif(bool(bubblewrap.closed()), reason=f"needs a sandbox: {bubblewrap.closed()}")


def send(mill: Mill, method: str, path: str, body: bytes = b"") -> urllib3.BaseHTTPResponse:
    """A request on a connection of its own."""
    with urllib3.PoolManager(retries=False, timeout=60) as pool:
        return pool.request(method, mill.url + path, body=body, headers={"Content-Type": CWL})


def deploy(mill: Mill, document: dict[str, Any]) -> None:
    answer = send(mill, "POST", "/processes", as_yaml(document))
    assert answer.status == 201, answer.data


def waiting(says: str) -> dict[str, Any]:
    """A workflow of two steps, each of which waits for a file called `go` and then says something."""
    step = tool("wait", baseCommand=["sh", "-c", WAIT + says], inputs={"after": "Any?"}, stdout="said.txt")
    root = {name: step.pop(name) for name in ("cwlVersion", "$namespaces", "s:softwareVersion")}
    workflow = {
        "class": "Workflow",
        "id": "main",
        "inputs": {},
        "outputs": {name: {"type": "File", "outputSource": f"{name}/greeting"} for name in ("first", "second")},
        "steps": {
            "first": {"run": "#wait", "in": {}, "out": ["greeting"]},
            "second": {"run": "#wait", "in": {"after": "first/greeting"}, "out": ["greeting"]},
        },
    }
    return {**root, "$graph": [workflow, step]}


def ready(mill: Mill, job_id: str) -> Path:
    """Where a step waits to be told to go on."""
    folder = mill.store.folder(job_id) / "work" / "out"
    found = until(lambda: [path for path in folder.glob("*/ready") if not (path.parent / "go").exists()], 30)
    return Path(found[0].parent)


def said(mill: Mill, job_id: str) -> list[bytes]:
    """What the two steps of a job that has ended have said."""
    status = mill.ended(job_id, 60)
    assert status.status is Status.SUCCESSFUL, status
    return [mill.call("GET", f"/jobs/{job_id}/results/{name}").data.strip() for name in ("first", "second")]


@pytest.fixture(scope="module")
def mill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mill]:
    """A server with four workers."""
    root = tmp_path_factory.mktemp("mill")
    settings = Settings(home=root / "home", runtime_dir=root / "run")
    with serving(settings, shared=True, workers="4", max_running="1") as mill:
        yield mill


@pytest.fixture(autouse=True)
def _clean(mill: Mill) -> Iterator[None]:
    """No test leaves a process to the next."""
    yield
    for process in mill.call("GET", "/processes").json()["processes"]:
        if process["mutable"]:
            assert send(mill, "DELETE", f"/processes/{process['id']}").status == 204


def test_every_worker_knows_a_process_as_soon_as_it_is_deployed(mill: Mill) -> None:
    deploy(mill, tool())
    assert {mill.call("GET", "/processes/greet").status for _ in range(100)} == {200}


@pytest.mark.thorough
def test_every_worker_knows_what_a_process_was_replaced_by(mill: Mill) -> None:
    deploy(mill, tool())
    for version in ("2", "3", "4"):
        assert send(mill, "PUT", "/processes/greet", as_yaml(tool(**{"s:softwareVersion": version}))).status == 204
        assert {mill.call("GET", "/processes/greet").json()["version"] for _ in range(40)} == {version}
    assert send(mill, "DELETE", "/processes/greet").status == 204
    assert {mill.call("GET", "/processes/greet").status for _ in range(40)} == {404}


def test_of_those_who_deploy_an_id_at_once_one_succeeds(mill: Mill) -> None:
    bodies = [as_yaml(tool(label=f"Greet {number}")) for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda body: send(mill, "POST", "/processes", body), bodies))
    assert Counter(answer.status for answer in answers) == {201: 1, 409: 3}
    (winner,) = (answer for answer in answers if answer.status == 201)
    assert mill.call("GET", "/processes/greet").json()["title"] == winner.json()["title"]
    for answer in answers:
        assert answer.headers["Location"] == f"{mill.url}/processes/greet"


@pytest.mark.thorough
def test_of_those_who_replace_a_process_at_once_each_is_a_version(mill: Mill) -> None:
    deploy(mill, tool())
    bodies = [as_yaml(tool(label=f"Greet {number}")) for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda body: send(mill, "PUT", "/processes/greet", body), bodies))
    versions = mill.call("GET", "/processes/greet/versions").json()["versions"]
    assert [answer.status for answer in answers] == [204] * 4 and len({each["package"] for each in versions}) == 5


@needs_sandbox
def test_what_is_deployed_runs(mill: Mill) -> None:
    deploy(mill, tool())
    job_id = mill.submit("greet", whom="you")
    assert mill.ended(job_id, 60).status is Status.SUCCESSFUL
    assert mill.call("GET", f"/jobs/{job_id}/results/greeting").data == b"Hello you\n"


@needs_sandbox
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_a_running_job_keeps_the_package_it_was_submitted_with(mill: Mill, method: str) -> None:
    deploy(mill, waiting("old"))
    running = mill.submit("main")
    first = ready(mill, running)
    later = mill.submit("main")  # and waits, as there is room for one
    assert mill.status(later)["status"] == "accepted"
    assert send(mill, method, "/processes/main", as_yaml(waiting("new"))).status == 204
    (first / "go").touch()
    (ready(mill, running) / "go").touch()
    assert said(mill, running) == [b"old", b"old"]
    for _ in range(2):
        (ready(mill, later) / "go").touch()
    assert said(mill, later) == [b"old", b"old"]
    if method == "PUT":
        newest = mill.submit("main")
        for _ in range(2):
            (ready(mill, newest) / "go").touch()
        assert said(mill, newest) == [b"new", b"new"]
    shown = mill.status(running)
    assert (shown["processID"], shown["status"]) == ("main", "successful")


@needs_sandbox
def test_a_job_goes_on_and_a_process_stays_when_the_server_is_restarted(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", runtime_dir=tmp_path / "run")
    with serving(settings) as mill:
        deploy(mill, waiting("here"))
        job_id = mill.submit("main")
        first = ready(mill, job_id)
        before = mill.call("GET", "/processes/main").json()
    with serving(settings) as mill:
        after = mill.call("GET", "/processes/main").json()
        (first / "go").touch()
        (ready(mill, job_id) / "go").touch()
        assert said(mill, job_id) == [b"here", b"here"]
    assert {**after, "links": None} == {**before, "links": None}


@pytest.mark.thorough
def test_a_home_of_another_server_has_its_own_processes(mill: Mill, tmp_path: Path) -> None:
    deploy(mill, tool())
    other = replace(mill.settings, home=tmp_path / "home", runtime_dir=tmp_path / "run")
    with serving(other) as second:
        assert second.call("GET", "/processes/greet").status == 404
        assert json.loads(send(second, "POST", "/processes", as_yaml(tool())).data)["id"] == "greet"
