"""An application whose jobs run, and which is asked as ArcGIS asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from api.conftest import CheckedClient, app, client, packages, settings
from flask.testing import FlaskClient
from identity.conftest import Start, make, start, tokens
from support.mills import dispatching
from support.waiting import until

from geomill.app import create_app
from geomill.app.config import Settings
from geomill.app.server import Geomill

__all__ = ["Start", "app", "client", "make", "packages", "settings", "start", "tokens"]  # fixtures of other tests

HERE = Path(__file__).parent
REST, ADMIN = "/arcgis/rest/services", "/arcgis/admin/services"
Json = dict[str, Any]


class Esri:
    """Asks an application, and gets JSON; whatever comes of it the status is 200."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client

    def get(self, path: str, **query: Any) -> Json:
        return self._read(self.client.get(path, query_string={"f": "json", **query}))

    def post(self, path: str, headers: dict[str, str] | None = None, **form: Any) -> Json:
        return self._read(self.client.post(path, data={"f": "json", **form}, headers=headers or {}))

    def submit(self, process: str, **form: Any) -> str:
        answer = self.post(f"{task(process)}/submitJob", **form)
        assert set(answer) == {"jobId", "jobStatus"}, answer
        return str(answer["jobId"])

    def _read(self, response: Any) -> Json:
        assert response.status_code == 200
        assert response.mimetype == "application/json", response.text[:2000]
        found: Json = response.json
        return found


def task(process: str) -> str:
    return f"{REST}/{process}/GPServer/{process.replace('-', '_')}"


def uuid_of(esri_id: str) -> str:
    bare = esri_id.removeprefix("j")
    return "-".join((bare[:8], bare[8:12], bare[12:16], bare[16:20], bare[20:]))


@pytest.fixture(scope="session")
def working(tmp_path_factory: pytest.TempPathFactory, packages: Path) -> Iterator[Geomill]:
    home = tmp_path_factory.mktemp("home")
    (home / "packages").symlink_to(packages)
    settings = Settings(home=home, runtime_dir=tmp_path_factory.mktemp("run"), processes=(HERE / "processes",))
    app = create_app(settings)
    app.test_client_class = CheckedClient
    until(lambda: "kinds" in {each.id for each in app.processes.list()})  # described, which takes a moment
    with dispatching(settings, shared=True):
        yield app


@pytest.fixture
def esri(working: Geomill) -> Esri:
    return Esri(working.test_client())


@pytest.fixture
def ended(esri: Esri, working: Geomill) -> Callable[..., str]:
    """Submit a job, wait for its end, and give its id."""

    def run(process: str, **form: Any) -> str:
        job_id = esri.submit(process, **form)
        assert working.engine.run(uuid_of(job_id), 60).status.final
        return job_id

    return run
