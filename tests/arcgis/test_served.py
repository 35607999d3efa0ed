"""A real server of two workers: any of them knows what another gave; and Esri's own client, where there is one."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3
from arcgis.conftest import HERE, task, uuid_of
from support.mills import Mill, serving

from geomill.app.config import Settings
from geomill.app.identity.roles import Role
from geomill.app.identity.tokens import Tokens
from geomill.jobstore import Status

CLIENT = os.environ.get(
    "ARCGIS_PYTHON"
)  # an interpreter that has the ArcGIS API for Python, which is not free software
SCRIPT = """
import sys
from arcgis.auth import EsriGenTokenAuth, EsriSession
from arcgis.features import Feature, FeatureSet
from arcgis.geoprocessing import import_toolbox
at, secret = sys.argv[1:]
given = {"token_url": f"{at}/tokens/generateToken", "referer": "http", "username": "ann", "password": secret}
session = EsriSession(auth=EsriGenTokenAuth(session=EsriSession(), **given))
echo = import_toolbox(f"{at}/rest/services/echo/GPServer", gis=session)
assert echo.echo(echo_input="hello", gis=session) == "hello"
point = Feature(geometry={"x": 8, "y": 47, "spatialReference": {"wkid": 4326}}, attributes={"name": "Zug"})
same = import_toolbox(f"{at}/rest/services/same/GPServer", gis=session)
(feature,) = same.same(features=FeatureSet([point]), gis=session).features
assert feature.attributes["name"] == "Zug" and feature.geometry["x"] == 8, feature
print("done")
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mill]:
    root = tmp_path_factory.mktemp("served")
    settings = Settings(home=root / "home", runtime_dir=root / "run", processes=(HERE / "processes",))
    with serving(settings, "--workers", "2", shared=True) as mill:
        yield mill


@pytest.fixture(scope="module")
def secret(served: Mill) -> str:
    return Tokens(served.settings.home).create("ann", Role.ADMIN, None, None)


def post(mill: Mill, path: str, **form: str) -> Any:
    """The answer, on a connection of its own: of this worker or that."""
    with urllib3.PoolManager(retries=False, timeout=60) as pool:
        answer = pool.request("POST", mill.url + path, fields={"f": "json", **form}, encode_multipart=False)
    assert answer.status == 200
    return answer.json()


def test_what_one_worker_gave_any_other_knows(served: Mill, secret: str) -> None:
    token = post(served, "/arcgis/tokens/generateToken", username="ann", password=secret)["token"]
    for _ in range(5):
        job_id = post(served, f"{task('endless')}/submitJob", token=token)["jobId"]
        path = f"/arcgis/admin/services/endless.GPServer/jobs/{job_id}"
        assert post(served, path, token=token)["username"] == "ann"
        served.message(uuid_of(job_id), "halfway")
        assert post(served, f"{path}/cancel", token=token) == {"status": "success"}
        assert served.store.status(uuid_of(job_id)).status is Status.DISMISSED
        assert not served.store.has_supervisor(uuid_of(job_id))
        assert post(served, f"{path}/delete", token=token) == {"status": "success"}
    assert post(served, "/arcgis/rest/services", token=f"{token}x")["error"]["code"] == 498


@pytest.mark.skipif(CLIENT is None, reason="ARCGIS_PYTHON names no interpreter with the ArcGIS API for Python")
def test_the_client_of_esri_runs_tasks(served: Mill, secret: str, tmp_path: Path) -> None:
    command = [str(CLIENT), "-W", "ignore", "-c", SCRIPT, f"{served.url}/arcgis", secret]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=tmp_path, check=False)
    assert done.stdout.endswith("done\n"), json.dumps(done.stderr[-3000:])
