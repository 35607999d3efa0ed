"""The audit log: who did what, who was refused, and what cannot be done to it."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from identity.conftest import ASYNC, HELLO, Make, Start, bearer, job_of
from support.forks import race
from support.packages import OGC, docker

from geomill.app.config import Settings
from geomill.app.identity.audit import LONGEST, STRANGERS, Audit, line
from geomill.app.identity.roles import Role

ECHO = "/processes/echo/execution"
OURS = {"Origin": "http://localhost"}


@pytest.fixture
def lines(settings: Settings) -> Callable[[], list[dict[str, Any]]]:
    """What is in the log."""

    def read() -> list[dict[str, Any]]:
        path = settings.home / "identity/audit.jsonl"
        return [json.loads(each) for each in path.read_text().splitlines()] if path.exists() else []

    return read


Lines = Callable[[], list[dict[str, Any]]]


def test_a_change_is_noted_with_who_what_when_and_how_it_ended(make: Make, client: FlaskClient, lines: Lines) -> None:
    token = make("ann")
    job_id = client.post(ECHO, json=HELLO, headers={**ASYNC, **bearer(token)}).json["jobID"]
    client.delete(f"/jobs/{job_id}", headers=bearer(token))
    executed, dismissed = lines()
    assert executed.pop("time") <= dismissed.pop("time")
    common = {
        "caller": "ann", "by": "token", "token": token[3:11], "address": "127.0.0.1", "tenant": "default", "job": job_id
    }  # fmt: skip
    assert executed == {**common, "operation": "execute", "method": "POST", "process": "echo", "status": 201}
    assert dismissed == {**common, "operation": "dismiss", "method": "DELETE", "status": 200}


def test_a_deployment_is_noted_with_its_process(make: Make, client: FlaskClient, lines: Lines) -> None:
    token = make("dora", Role.DEPLOYER)
    assert client.post("/processes", data=docker("image-9"), content_type=OGC, headers=bearer(token)).status_code == 201
    client.delete("/processes/image-9", headers=bearer(token))
    assert [(each["operation"], each["process"], each["status"]) for each in lines()] == [
        ("deploy", "image-9", 201),
        ("undeploy", "image-9", 204),
    ]


def test_reading_is_not_noted(make: Make, client: FlaskClient, lines: Lines) -> None:
    token = make("ann")
    for headers in ({}, bearer(token)):
        for path in ("/", "/jobs", "/processes/none"):
            client.get(path, headers=headers)
    assert lines() == []


def test_a_refusal_is_noted(make: Make, client: FlaskClient, lines: Lines) -> None:
    reader = make("rita", Role.READER)
    client.get("/jobs", headers=bearer("nobody's"))
    client.post(ECHO, json=HELLO)
    client.post(ECHO, json=HELLO, headers=bearer(reader))
    client.post("/login", data={"token": "x"}, headers=OURS)
    client.post(ECHO, json=HELLO, headers={"Origin": "https://evil.example"})
    told = [(each.get("caller", ""), each["operation"], each["status"]) for each in lines()]
    assert told == [
        ("", "getJobs", 401), ("", "execute", 401), ("rita", "execute", 403), ("", "login", 401), ("", "execute", 403)
    ]  # fmt: skip


def test_a_login_is_noted(make: Make, client: FlaskClient, lines: Lines) -> None:
    client.post("/login", data={"token": make("ann")}, headers=OURS)
    assert [(each["caller"], each["operation"], each["status"]) for each in lines()] == [("ann", "login", 303)]


def test_no_secret_is_noted(make: Make, client: FlaskClient, settings: Settings) -> None:
    token = make("ann")
    client.post(f"{ECHO}?access_token=hush-hush", json=HELLO, headers={**ASYNC, **bearer(token)})
    client.post(ECHO, json=HELLO, headers=bearer(token + "x"))
    client.post("/login", data={"token": token}, headers=OURS)
    (cookie,) = client._cookies.values()
    client.delete(f"/jobs/{job_of(client, 'ann')}", headers=OURS)
    text = (settings.home / "identity/audit.jsonl").read_text()
    assert len(text.splitlines()) == 4
    for secret in (token.split("_", 2)[2], "hush-hush", cookie.value, cookie.value.rpartition(".")[2]):
        assert secret not in text


EVIL = ["%7f%c2%9b", "%0A%7B%22status%22:200%7D", "%0D%0Ax", "%E2%80%A8x", "%00", '"%7D', "%1b[31m", "%FF"]


@pytest.mark.parametrize("evil", EVIL)
def test_nothing_that_is_sent_begins_a_line(make: Make, client: FlaskClient, settings: Settings, evil: str) -> None:
    token = make("ann", Role.ADMIN)
    client.delete(f"/processes/{evil}", headers=bearer(token))
    client.delete(f"/{evil}/ogc-api/processes/x", headers=bearer(token))
    content = (settings.home / "identity/audit.jsonl").read_bytes()
    assert content.count(b"\n") == 2 and content.isascii() and all(byte == 10 or 32 <= byte < 127 for byte in content)
    assert all(json.loads(each)["caller"] == "ann" for each in content.splitlines())


@pytest.mark.parametrize("letter", ["a", "\n", "é", "\U0001f600", '"'])
def test_a_line_has_an_end(letter: str) -> None:
    members = {name: letter * 100_000 for name in ("caller", "tenant", "process", "job", "address")}
    text = line({**members, "status": 200})
    assert len(text) <= LONGEST and text.endswith(b"}\n") and text.count(b"\n") == 1
    assert json.loads(text)["status"] == 200


def test_the_log_is_for_the_server_alone(make: Make, client: FlaskClient, settings: Settings) -> None:
    client.delete("/processes/none", headers=bearer(make("ann", Role.ADMIN)))
    path = settings.home / "identity/audit.jsonl"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("made_anew", [False, True])
def test_a_log_that_was_moved_away_is_begun_anew(tmp_path: Path, made_anew: bool) -> None:
    audit = Audit(tmp_path / "audit.jsonl")
    audit.write(operation="one")
    audit.path.rename(tmp_path / "audit.jsonl.1")
    if made_anew:  # as logrotate does when it is told to
        audit.path.touch()
    audit.write(operation="two")
    audit.write(operation="three")
    assert ["one"] == told(tmp_path / "audit.jsonl.1")
    assert ["two", "three"] == told(audit.path)


def test_a_log_may_be_cut_short_under_way(tmp_path: Path) -> None:
    audit = Audit(tmp_path / "audit.jsonl")
    audit.write(operation="one")
    os.truncate(audit.path, 0)
    audit.write(operation="two")
    assert told(audit.path) == ["two"]


def test_many_write_and_no_line_is_torn(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"

    def write() -> None:
        audit = Audit(path)
        for _ in range(200):
            audit.write(operation="x" * 190)

    race(*[write] * 4)
    assert told(path) == ["x" * 190] * 800


@pytest.mark.parametrize("place", ["/proc/none/audit.jsonl", "/dev/full", "/"])
def test_a_log_that_cannot_be_written_fails_no_request(
    make: Make, start: Start, place: str, caplog: pytest.LogCaptureFixture
) -> None:
    client, token = start(audit=Path(place)).test_client(), make("ann")
    for _ in range(2):
        assert client.post(ECHO, json=HELLO, headers={**ASYNC, **bearer(token)}).status_code == 201
    (record,) = caplog.records
    assert record.message.startswith(f"{place}: the audit log cannot be written")


def test_a_pipe_that_nobody_reads_holds_nobody_up(make: Make, start: Start, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    client, token = start(audit=tmp_path / "pipe").test_client(), make("ann")
    assert client.post(ECHO, json=HELLO, headers={**ASYNC, **bearer(token)}).status_code == 201


def test_a_line_after_one_that_a_full_disk_cut_begins_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    audit, plain = Audit(tmp_path / "audit.jsonl"), os.write
    monkeypatch.setattr(os, "write", lambda file, content: plain(file, content[:9]))
    audit.write(operation="one")
    monkeypatch.setattr(os, "write", plain)
    audit.write(operation="two")
    first, second = audit.path.read_text().splitlines()
    assert len(first) == 9 and json.loads(second)["operation"] == "two"


def test_strangers_do_not_fill_the_disk(make: Make, client: FlaskClient, lines: Lines) -> None:
    token = make("ann")
    for _ in range(STRANGERS + 20):
        client.get("/jobs", headers=bearer("nobody's"))
    client.delete("/jobs/none", headers=bearer(token))
    found = lines()
    assert STRANGERS < len(found) < STRANGERS + 20
    assert found[-1]["operation"] == "dismiss" and found[-1]["left_out"] > 0


def test_a_proxy_tells_the_address_of_who_asks(make: Make, start: Start, lines: Lines) -> None:
    client, token = start(trust_proxy=True).test_client(), make("ann")
    client.post(ECHO, json=HELLO, headers={**ASYNC, **bearer(token), "X-Forwarded-For": "192.0.2.9"})
    assert lines()[0]["address"] == "192.0.2.9"


def told(path: Path) -> list[str]:
    return [json.loads(each)["operation"] for each in path.read_text().splitlines()]


def test_the_log_may_be_elsewhere(make: Make, settings: Settings, start: Start, tmp_path: Path) -> None:
    assert replace(settings, audit=tmp_path / "a").audit == tmp_path / "a"
    client = start(audit=tmp_path / "logs" / "changes.jsonl").test_client()
    client.delete("/processes/none", headers=bearer(make("ann", Role.ADMIN)))
    assert told(tmp_path / "logs" / "changes.jsonl") == ["undeploy"]
