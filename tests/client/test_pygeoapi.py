"""The client on pygeoapi, where there is one: named by the variable PYGEOAPI, or found on PATH."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3
from support import leaks
from support.waiting import until

from geomill.client import Client, JobFailed, ServiceError, StillRunning

COMMAND = os.environ.get("PYGEOAPI") or shutil.which("pygeoapi")
pytestmark = pytest.mark.skipif(not COMMAND, reason="there is no pygeoapi, on PATH or named by the variable PYGEOAPI")
PROCESSES = {"hello-world": "HelloWorld", "shapely-functions": "ShapelyFunctions", "echo": "Echo"}
WEB = "http://example.org"
SERVE = "from pygeoapi.flask_app import APP; APP.run('127.0.0.1', {port})"


def configuration(port: int, folder: Path) -> dict[str, object]:
    """Of a server with the processes that come with it, and jobs in a file."""
    words = {"title": {"en": "t"}, "description": {"en": "d"}, "keywords": {"en": ["k"]}, "keywords_type": "theme"}
    return {
        "server": {
            "bind": {"host": "127.0.0.1", "port": port}, "url": f"http://127.0.0.1:{port}", "encoding": "utf-8",
            "mimetype": "application/json; charset=UTF-8", "languages": ["en-US"],
            "limits": {"default_items": 20, "max_items": 50}, "map": {"url": WEB, "attribution": "none"},
            "manager": {"name": "TinyDB", "connection": str(folder / "jobs.db"), "output_dir": str(folder)},
        },
        "logging": {"level": "ERROR"},
        "metadata": {
            "identification": {**words, "terms_of_service": WEB, "url": WEB}, "license": {"name": "l", "url": WEB},
            "provider": {"name": "p", "url": WEB}, "contact": {"name": "c"},
        },
        "resources": {name: {"type": "process", "processor": {"name": kind}} for name, kind in PROCESSES.items()},
    }  # fmt: skip


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of pygeoapi: its address."""
    assert COMMAND
    folder = tmp_path_factory.mktemp("pygeoapi")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (folder / "config.yml").write_text(json.dumps(configuration(port, folder)))  # all JSON is YAML
    files = {"PYGEOAPI_CONFIG": str(folder / "config.yml"), "PYGEOAPI_OPENAPI": str(folder / "openapi.yml")}
    environment = {**os.environ, **files}
    generate = [COMMAND, "openapi", "generate", files["PYGEOAPI_CONFIG"], "--output-file", files["PYGEOAPI_OPENAPI"]]
    subprocess.run(generate, env=environment, check=True, capture_output=True, timeout=60)
    python = Path(COMMAND).read_text().splitlines()[0].removeprefix("#!")
    with open(folder / "log", "wb") as log:
        command = [python, "-c", SERVE.format(port=port)]
        server = subprocess.Popen(command, env=environment, cwd=folder, stdout=log, stderr=log)
    leaks.share(server.pid)
    url = f"http://127.0.0.1:{port}"
    try:
        until(lambda: answers(url) or server.poll() is not None)
        yield url
    finally:
        server.terminate()
        server.wait(30)


def answers(url: str) -> bool:
    """Whether somebody listens."""
    try:
        return urllib3.request("GET", f"{url}/processes", retries=False).status == 200
    except urllib3.exceptions.HTTPError:
        return False


def test_a_job_of_pygeoapi_goes_from_its_start_to_its_end(others: str, tmp_path: Path) -> None:
    server = Client(others)
    assert {process.id for process in server.processes()} == set(PROCESSES)
    assert "name        string, required" in repr(server.process("hello-world").description())
    job = server.execute("hello-world", name="Ada")
    assert job.results() == {"echo": "Hello Ada!"}
    assert (job.status, job.progress) == ("successful", 100)
    assert [path.read_text() for path in job.save(tmp_path)] == ["Hello Ada!"]
    assert job.id in {each.id for each in server.jobs(process="hello-world")}
    job.remove()
    with pytest.raises(ServiceError) as gone:
        server.job(str(job.id))
    assert gone.value.status == 404


def test_a_failure_of_pygeoapi_has_its_reason(others: str) -> None:
    with pytest.raises(JobFailed, match="Cannot process without a name"):
        Client(others).execute("hello-world", message="hi").wait()


def test_a_job_of_pygeoapi_is_dismissed(others: str) -> None:
    job = Client(others).execute("echo", echoInput="Echo", pause=5.5)
    with pytest.raises(StillRunning):
        job.wait(0.1)
    assert job.dismiss().status == "dismissed"
