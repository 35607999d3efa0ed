"""What is torn in a home is said, as a problem or a status, and mended by what the API offers; it is never a 500."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from support.packages import OGC, docker
from support.stores import bring_to

from geomill.app.server import Geomill
from geomill.jobstore import Status
from geomill.processes.deployed import TORN

HARM: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "half": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "a list": lambda path: path.write_text("[]"),
    "of nothing": lambda path: path.write_text('{"versions": []}'),
    "of numbers": lambda path: path.write_text('{"versions": [{"version": 1}]}'),
    "too deep": lambda path: path.write_text("[" * 100_000),
}


def deploy(client: FlaskClient, name: str) -> str:
    assert client.post("/processes", data=docker(name), content_type=OGC).status_code == 201
    return f"/processes/{name}"


def file_of(app: Geomill, name: str) -> Path:
    return app.settings.home / "default" / "processes" / f"{name}.json"


def package_of(app: Geomill, name: str) -> Path:
    return app.settings.home / "packages" / app.processes.deployed.versions(name)[-1].package


def waiting(client: FlaskClient) -> str:
    body, headers = {"inputs": {"echoInput": "x"}}, {"Prefer": "respond-async"}
    return f"/jobs/{client.post('/processes/echo/execution', json=body, headers=headers).json['jobID']}"


@pytest.fixture
def job(app: Geomill, client: FlaskClient) -> tuple[str, Path]:
    """A successful job: its path in the API, and its folder."""
    path = waiting(client)
    job_id = path.rpartition("/")[2]
    bring_to(app.jobs, job_id, Status.SUCCESSFUL)
    return path, app.jobs.folder(job_id)


@pytest.mark.parametrize("how", list(HARM))
def test_a_process_whose_record_is_torn_says_so_and_put_mends_it(app: Geomill, client: FlaskClient, how: str) -> None:
    path, other = deploy(client, "harmed"), deploy(client, "whole")
    file = file_of(app, "harmed")
    HARM[how](file)
    harmed = file.read_bytes()
    for reading in (path, f"{path}/versions", f"{path}/package"):
        answer = client.get(reading)
        assert (answer.status_code, answer.json["title"]) == (503, "Process corrupt")
        assert "PUT" in answer.json["detail"] and str(app.settings.home) not in answer.json["detail"]
    assert client.post(f"{path}/execution", json={"inputs": {}}).json["title"] == "Process corrupt"
    assert client.get(other).status_code == 200
    assert other.rpartition("/")[2] in [each["id"] for each in client.get("/processes").json["processes"]]
    assert client.post("/processes", data=docker("harmed"), content_type=OGC).status_code == 409
    assert client.put(path, data=docker("harmed"), content_type=OGC).status_code == 204
    assert client.get(path).status_code == 200
    assert file.with_name(file.name + TORN).read_bytes() == harmed, "what was torn is kept"


@pytest.mark.parametrize("how", list(HARM))
def test_a_process_whose_record_is_torn_can_be_undeployed(app: Geomill, client: FlaskClient, how: str) -> None:
    path = deploy(client, "harmed")
    HARM[how](file_of(app, "harmed"))
    assert client.delete(path).status_code == 204
    assert client.get(path).status_code == 404
    deploy(client, "harmed")


@pytest.mark.parametrize("gone", ["", "process.json", "received"])
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_a_process_whose_package_is_gone_says_so_and_can_be_mended(
    app: Geomill, client: FlaskClient, gone: str, method: str
) -> None:
    path = deploy(client, "harmed")
    package = package_of(app, "harmed")
    shutil.rmtree(package) if not gone else (package / gone).unlink()
    client = fresh(app)
    asked = f"{path}/package" if gone == "received" else path
    answer = client.get(asked)
    assert (answer.status_code, answer.json["title"]) == (503, "Process corrupt")
    assert str(app.settings.home).encode() not in answer.data
    assert client.open(path, method=method, data=docker("harmed"), content_type=OGC).status_code == 204
    assert client.get(asked).status_code == (200 if method == "PUT" else 404)


def fresh(app: Geomill) -> FlaskClient:
    """A client of another worker, who remembers nothing."""
    from geomill.app import create_app

    again = create_app(app.settings)
    again.test_client_class = app.test_client_class
    return again.test_client()


@pytest.mark.parametrize("name", ["status.json", "job.json", "request.json", "results.json"])
@pytest.mark.parametrize("how", ["empty", "half", "missing", "a list", "too deep"])
def test_no_view_of_a_torn_job_fails_and_delete_removes_it(
    app: Geomill, client: FlaskClient, job: tuple[str, Path], name: str, how: str
) -> None:
    (path, folder), other = job, waiting(client)
    content = (folder / name).read_bytes()
    (folder / name).unlink()
    if how != "missing":
        (folder / name).write_bytes(content)
        HARM[how](folder / name)
    views = ("", "/results", "/results/echo", "/files/x", "/logs", "/events", "/inputs", "/prov", "/ro-crate.zip")
    for view in views:
        answer = client.get(path + view)
        assert answer.status_code in (200, 400, 404, 503), (view, answer.data)
        assert answer.status_code != 503 or answer.json["type"].endswith("/problems/job-corrupt")
        assert str(app.settings.home).encode() not in answer.data
    assert client.get(path + "/results").status_code == 503
    status: dict[str, Any] = client.get(path).json
    assert status["status"] == ("failed" if name == "status.json" else "successful")
    assert status["jobID"] in [each["jobID"] for each in client.get("/jobs").json["jobs"]]
    assert client.post(path + "/retry").status_code == (503 if name in ("job.json", "request.json") else 201)
    assert client.get(other).status_code == 200
    assert client.delete(path).status_code == 200
    assert client.get(path).status_code == 404


def test_results_outlive_the_package_that_they_were_made_with(
    app: Geomill, client: FlaskClient, job: tuple[str, Path]
) -> None:
    shutil.rmtree(app.settings.home / "packages" / app.jobs.job(job[1].name).package)
    assert fresh(app).get(job[0] + "/results").json == {"echo": "hello"}
    assert client.get(job[0] + "/prov").json["title"] == "Process corrupt"


@pytest.mark.parametrize("how", [None, b"", b"fou"])
def test_a_file_that_is_not_what_was_published_is_not_served(
    app: Geomill, client: FlaskClient, job: tuple[str, Path], how: bytes | None
) -> None:
    path, folder = job
    (folder / "results.json").write_text('{"echo": {"file": "a.txt", "size": 4, "media_type": "text/plain"}}')
    (folder / "outputs").mkdir()
    (folder / "outputs" / "a.txt").write_bytes(b"four")
    assert client.get(path + "/files/a.txt").data == b"four"
    (folder / "outputs" / "a.txt").unlink()
    if how is not None:
        (folder / "outputs" / "a.txt").write_bytes(how)
    assert client.get(path + "/files/a.txt").json["title"] == "Job corrupt"
