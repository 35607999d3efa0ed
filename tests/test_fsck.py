"""`geomill fsck` over a whole home: jobs, deployed processes and packages; with --repair it mends what it can."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.packages import OGC, docker
from support.stores import begin
from support.variants import first

from geomill.app import create_app
from geomill.app.cli import main
from geomill.app.config import Settings
from geomill.app.identity.roles import Role
from geomill.app.identity.tokens import Tokens
from geomill.jobstore import JobStore, Status
from geomill.jobstore.files import write_bytes


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A home with a job, a process that was deployed, one that was dropped in, and a tenant."""
    settings = Settings(home=tmp_path / "home", runtime_dir=tmp_path / "run")
    client = create_app(settings).test_client()
    body = {"inputs": {"echoInput": "x"}}
    for root in ("", "/acme/ogc-api"):
        assert client.post(f"{root}/processes", data=docker("deployed"), content_type=OGC).status_code == 201
        answer = client.post(f"{root}/processes/echo/execution", json=body, headers={"Prefer": "respond-async"})
        assert answer.status_code == 201
        assert client.post(f"{root}/uploads", data=b"x").status_code == 201
    assert client.get("/jobs").status_code == 200
    assert client.get("/acme/ogc-api/jobs").status_code == 200
    return settings


def fsck(settings: Settings, *options: str) -> tuple[int, str]:
    """The status and what was printed."""
    given = {"GEOMILL_HOME": str(settings.home), "GEOMILL_RUNTIME_DIR": str(settings.runtime_dir)}
    done = CliRunner().invoke(main, ["fsck", *options], env=given)
    return done.exit_code, done.output


def record(home: Path) -> Path:
    return home / "default" / "processes" / "deployed.json"


def package(home: Path, file: str) -> Path:
    return min((home / "packages").glob(f"*/{file}")).parent


def upload(home: Path) -> Path:
    return next(home.glob("acme/uploads/[0-9a-f]*"))


def end_holding(home: Path) -> None:
    """What a crash between the last word of a job and what comes then leaves."""
    (status,) = home.glob("acme/jobs/*/*/status.json")
    job_id = status.parent.name
    store = JobStore(home, home.with_name("run"), "acme")
    store.move(job_id, Status.FAILED, cause="lost", message="x")
    (status.with_name("given")).mkdir()


def abandon(path: Path) -> None:
    path.mkdir()
    os.utime(path, (0, 0))


HARM: dict[str, tuple[Callable[[Path], object], bool]] = {  # whether it can be mended
    "torn record": (lambda home: write_bytes(record(home), b"{", durable=False), False),
    "torn package": (lambda home: (package(home, "received") / "received").write_bytes(b""), False),
    "no package": (lambda home: shutil.rmtree(package(home, "received")), False),
    "torn file": (lambda home: (package(home, "package.py") / "package.py").write_bytes(b""), False),
    "torn description": (lambda home: next(package(home, "package.py").glob("*.json")).write_bytes(b""), True),
    "left of a package": (lambda home: abandon(home / "packages" / ".new-x"), True),
    "left of a record": (lambda home: abandon(home / "default" / "processes" / ".new-x"), True),
    "a stranger": (lambda home: (home / "packages" / "x").touch(), False),
    "left of an upload": (lambda home: abandon(upload(home).with_name(".new-" + "0" * 40)), True),
    "a torn upload": (lambda home: (upload(home) / "upload.json").write_text("{"), True),
    "an upload cut short": (lambda home: (upload(home) / "file").write_bytes(b""), True),
    "held by a job that ended": (end_holding, True),
    "a job": (lambda home: next(home.glob("acme/jobs/*/*/status.json")).unlink(), True),
}


def test_a_sound_home_has_no_findings(settings: Settings) -> None:
    assert fsck(settings) == (0, "Nothing is wrong.\n")
    assert fsck(settings, "--repair") == (0, "Nothing is wrong.\n")


@pytest.mark.parametrize("kind", first(HARM, 3))
def test_what_is_wrong_in_a_home_is_said_and_mended_where_that_can_be(settings: Settings, kind: str) -> None:
    harm, can_be_mended = HARM[kind]
    harm(settings.home)
    status, said = fsck(settings)
    assert status == 1
    assert said.endswith(" 0 need you\n") == can_be_mended
    assert ("; --repair mends it\n" in said) == can_be_mended
    status, mended = fsck(settings, "--repair")
    assert status == (0 if can_be_mended else 1)
    assert mended.endswith(" 0 need you\n") == can_be_mended
    assert fsck(settings)[0] == (0 if can_be_mended else 1)


def test_a_line_says_which_job_what_is_wrong_and_what_to_do_and_the_last_one_how_much_there_is(
    settings: Settings,
) -> None:
    store = create_app(settings).jobs.of("acme")
    (job_id,) = store.walk()
    begin(store, job_id)
    results = {"a": {"file": "blob.bin", "size": 4}}
    write_bytes(store.folder(job_id) / "results.json", json.dumps(results).encode(), durable=False)
    store.move(job_id, Status.SUCCESSFUL)
    (store.folder(job_id) / "work").mkdir()
    write_bytes(record(settings.home), b"{", durable=False)
    job = f"job {job_id} (acme, echo)"
    output = store.folder(job_id) / "outputs" / "blob.bin"
    first = f"{job}: its scratch is still there, and it is successful"
    second = f"{job}: output blob.bin is missing; restore {output} from a backup, or remove the job (DELETE)"
    process = f"restore {record(settings.home)} from a backup, or replace the process (PUT), or undeploy it (DELETE)"
    told = fsck(settings)[1].splitlines()
    assert told[:2] == [f"{first}; --repair mends it", second]
    assert told[2].startswith("process deployed (default): ") and told[2].endswith(f"; {process}")
    assert told[3:] == ["3 findings, 1 for --repair, 2 need you"]
    status, document = fsck(settings, "--json")
    rows = json.loads(document)["findings"]
    assert [status, *(each["state"] for each in rows)] == [1, "repairable", "needs you", "needs you"]
    assert [f"{each['what'] or each['path']}: {each['found']}; {each['outcome']}" for each in rows] == told[:3]
    assert rows[2]["path"] == str(record(settings.home)) and rows[2]["promise"].startswith("A process that was ")
    told = fsck(settings, "--repair")[1].splitlines()
    assert told[:2] == [f"{first}; removed, but for what would spare a retry its time", second]
    assert told[3:] == ["3 findings, 1 mended, 2 need you"]


SMALL_FILES = {
    "identity/tokens.json": "is no list of tokens; the server lets nobody in with one; restore the file from a backup",
    "identity/session.key": "is no key of 32 bytes; remove it: people log in again",
    "default/credentials.json": "none of its credentials is used: ",
    "acme/credentials.json": "none of its credentials is used: ",
    "retention.json": "is torn; remove it",
    "maintenance": "is torn; geomill drain",
}


@pytest.mark.parametrize("name", first(SMALL_FILES, 2))
def test_a_small_file_that_is_torn_is_found_and_left_to_people(settings: Settings, name: str) -> None:
    path = settings.home / name
    path.parent.mkdir(exist_ok=True)
    write_bytes(path, b'{"half', durable=False)
    for options in ((), ("--repair",)):
        status, said = fsck(settings, *options)
        assert (status, said.startswith(f"{path}: {SMALL_FILES[name]}")) == (1, True), said
        assert said.endswith("1 needs you\n")
    assert path.read_bytes() == b'{"half'


def test_a_list_of_tokens_that_was_lost_is_found(settings: Settings) -> None:
    Tokens(settings.home).create("ann", Role.ADMIN, None, None)
    assert fsck(settings)[0] == 0
    Tokens(settings.home).path.unlink()
    assert "is missing, and there were tokens; " in fsck(settings)[1]


def test_a_file_that_was_dropped_in_and_torn_is_kept_anew_when_it_is_looked_at(settings: Settings) -> None:
    for path in settings.home.glob("packages/*/package.py"):
        path.write_bytes(b"")
    create_app(settings).processes.list()
    assert fsck(settings)[0] == 0


def test_a_home_that_is_not_there_is_an_error_of_one_line(tmp_path: Path) -> None:
    status, said = fsck(Settings(home=tmp_path / "none", runtime_dir=tmp_path / "run"))
    assert (status, said) == (1, f"Error: {tmp_path / 'none'}: there is no home\n")
