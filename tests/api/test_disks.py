"""A home whose disk is read-only, or gone, is said to be so; what can be read is, and all is well when it is back."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from support.mills import COMMAND, environ
from support.packages import OGC, docker
from support.stores import bring_to

from geomill.app.config import Settings
from geomill.app.server import Geomill
from geomill.jobstore import Status, home

BODY = {"inputs": {"echoInput": "x"}}
ASYNC = {"Prefer": "respond-async"}
IN_A_MOUNT = ("unshare", "--user", "--map-root-user", "--mount")
# mounts a disk for the home, and says what is answered while it can be written, cannot, and can again
READ_ONLY = """
import json, subprocess, sys
from pathlib import Path
from geomill.app import create_app
from geomill.app.config import Settings
place = Path(sys.argv[1])
home = place / "home"
home.mkdir()
subprocess.run(["mount", "-t", "tmpfs", "none", home], check=True)
app = create_app(Settings(home=home, runtime_dir=place / "run"))
client = app.test_client()
def submit():
    body, headers = {"inputs": {"echoInput": "x"}}, {"Prefer": "respond-async"}
    return client.post("/processes/echo/execution", json=body, headers=headers)
job = submit().json["jobID"]
said = []
for commands in ([["mount", "--bind", home, home], ["mount", "-o", "remount,bind,ro", home]], [["umount", home]]):
    for command in commands:
        subprocess.run(command, check=True)
    answers = {"execute": submit(), "status": client.get(f"/jobs/{job}"), "list": client.get("/jobs"),
               "processes": client.get("/processes"), "dismiss": client.delete(f"/jobs/{job}")}
    said.append({name: [each.status_code, each.json.get("title")] for name, each in answers.items()})
print(json.dumps(said))
"""


def may_mount() -> bool:
    done = subprocess.run([*IN_A_MOUNT, "true"], capture_output=True, check=False)
    return done.returncode == 0


@pytest.mark.skipif(not may_mount(), reason="this host allows no mounts of one's own")
def test_a_home_that_is_read_only_is_read_and_heals(tmp_path: Path) -> None:
    done = subprocess.run(
        [*IN_A_MOUNT, sys.executable, "-P", "-c", READ_ONLY, str(tmp_path)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    before, after = json.loads(done.stdout.splitlines()[-1])
    reads = ("status", "list", "processes")
    assert {name: before[name][0] for name in reads} == dict.fromkeys(reads, 200)
    assert before["execute"] == before["dismiss"] == [503, "Home unavailable"]
    assert [after[name][0] for name in (*reads, "execute", "dismiss")] == [200, 200, 200, 201, 200]


@pytest.mark.parametrize("mounted", [True, False])
def test_a_home_that_is_gone_is_no_lost_job_and_heals(app: Geomill, client: FlaskClient, mounted: bool) -> None:
    job = client.post("/processes/echo/execution", json=BODY, headers=ASYNC).json["jobID"]
    assert client.post("/processes", data=docker("mine"), content_type=OGC).status_code == 201
    place = app.settings.home
    place.rename(place.with_name("gone"))
    if mounted:
        place.mkdir()
    asked: list[tuple[str, str, Any]] = [
        *(("GET", path, None) for path in ("/jobs", f"/jobs/{job}", f"/jobs/{job}/results", "/processes/mine")),
        *(("DELETE", path, None) for path in (f"/jobs/{job}", "/processes/mine")),
        ("POST", "/processes/echo/execution", BODY),
    ]
    for method, path, body in asked:
        answer = client.open(path, method=method, json=body)
        assert (answer.status_code, answer.json["title"]) == (503, "Home unavailable"), (method, path)
        assert answer.headers["Retry-After"] and str(place) not in answer.text
    assert client.get("/").status_code == client.get("/processes").status_code == 200
    assert not mounted or not (place / "default").exists(), "nothing is begun where the disk was"
    for path in sorted(place.rglob("*"), reverse=True) if mounted else ():
        path.unlink() if path.is_file() else path.rmdir()
    if mounted:
        place.rmdir()
    place.with_name("gone").rename(place)
    assert [each["jobID"] for each in client.get("/jobs").json["jobs"]] == [job]
    assert client.get("/processes/mine").status_code == 200
    bring_to(app.jobs, job, Status.SUCCESSFUL)
    assert client.delete(f"/jobs/{job}").status_code == 200


@pytest.mark.parametrize(
    "mark, words",
    [
        ({"format": home.FORMAT + 1}, "of a newer version"),
        ({"format": home.FORMAT, "host": "another", "boot": "b", "name": "mill-2"}, "is served by the host mill-2"),
        ("{", "is torn"),
    ],
)
def test_serve_stops_with_a_sentence_for_a_home_that_is_not_ours(tmp_path: Path, mark: object, words: str) -> None:
    place = tmp_path / "home"
    place.mkdir()
    (place / home.MARK).write_text(mark if isinstance(mark, str) else json.dumps(mark))
    said = serve(Settings(home=place, runtime_dir=tmp_path / "run"))
    assert words in said and said.startswith("Error: home: ") and said.count("\n") == 1


def test_serve_stops_with_a_sentence_where_no_home_can_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = serve(Settings(home=tmp_path / "file" / "home", runtime_dir=tmp_path / "run"))
    assert said.startswith("Error: ") and said.count("\n") == 1


def serve(settings: Settings) -> str:
    """What `geomill serve` complains about."""
    given = {"home": str(settings.home), "runtime_dir": str(settings.runtime_dir), "port": "0"}
    command = [*COMMAND, "serve"]
    done = subprocess.run(command, env=environ(given), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1, done.stdout
    return done.stderr
