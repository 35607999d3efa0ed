"""What a page costs does not grow with the jobs that are stored: files that are opened and statements, not seconds."""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from support.mills import furnish
from support.stores import bring_to, create
from support.variants import thorough

from geomill.app import create_app
from geomill.app.config import Settings
from geomill.app.server import Geomill
from geomill.jobstore import Status
from geomill.jobstore.recalled import Recalled

SHOWN, FEW, MANY = 20, 80, 200  # a third of the jobs failed
BROWSER = {"Accept": "text/html"}


class Costs:
    """What happens while somebody counts: Python tells of every file and connection that it opens, at any depth."""

    def __init__(self) -> None:
        self.folder: Path | None = None
        self.connections: list[sqlite3.Connection] = []
        self.files, self.statements = 0, 0
        sys.addaudithook(self._heard)  # there for good; silent unless there is a folder

    @contextmanager
    def counted(self, folder: Path) -> Iterator[None]:
        """Count the files below a folder that are opened, and statements of the connections that were there before."""
        for connection in self.connections:
            with suppress(sqlite3.ProgrammingError):  # it was closed
                connection.set_trace_callback(self._stated)
        self.folder, self.files, self.statements = folder, 0, 0
        yield
        self.folder = None

    def _heard(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "sqlite3.connect/handle":
            self.connections.append(arguments[0])
        elif (
            self.folder
            and event in ("open", "os.scandir", "os.listdir")
            and isinstance(arguments[0], (str, os.PathLike))
        ):
            self.files += Path(arguments[0]).is_relative_to(self.folder)

    def _stated(self, statement: str) -> None:
        self.statements += 1


@pytest.fixture(scope="module")
def costs() -> Costs:
    return Costs()


@pytest.fixture
def app(tmp_path: Path, costs: Costs) -> Geomill:
    """Before it opens anything, somebody listens."""
    furnish(tmp_path / "home")
    return create_app(Settings(home=tmp_path / "home", runtime_dir=tmp_path / "run"))


def fill(app: Geomill, count: int) -> str:
    """Jobs of every end: the id of the last."""
    store = app.tenants.default.jobs
    for number in range(count):
        job_id = create(store, durable=False, age=count - number)
        bring_to(store, job_id, (Status.SUCCESSFUL, Status.FAILED, Status.DISMISSED)[number % 3])
    return job_id


def cost(costs: Costs, client: FlaskClient, home: Path, path: str) -> tuple[int, int]:
    """Files and statements of the second visit, to a server that recalls no job."""
    for _ in range(2):
        client.application.tenants.default.jobs.recalled = Recalled()  # type: ignore[attr-defined]
        with costs.counted(home):
            answer = client.get(path, headers=BROWSER)
        assert (answer.status_code, answer.mimetype) == (200, "text/html"), answer.text
    return costs.files, costs.statements


@pytest.mark.parametrize(
    "path, files, statements",
    [
        ("/", 12, 12),
        (f"/jobs?limit={SHOWN}", SHOWN + 5, 5),
        thorough(f"/jobs?limit={SHOWN}&status=failed", SHOWN + 5, 5),
        ("/jobs/{job}", 20, 5),
        thorough("/admin", 4, 5),
    ],
)
def test_a_page_costs_the_same_however_many_jobs_there_are(
    app: Geomill, costs: Costs, path: str, files: int, statements: int
) -> None:
    client, home = app.test_client(), app.settings.home
    few = cost(costs, client, home, path.format(job=fill(app, FEW)))
    many = cost(costs, client, home, path.format(job=fill(app, MANY)))
    assert many[0] <= few[0] and many[1] <= few[1]
    assert few[0] <= files and few[1] <= statements
