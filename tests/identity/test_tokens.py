"""Tokens: what is kept of them, and for how long they are good."""

from __future__ import annotations

import base64
import json
import os
import re
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from identity.conftest import HELLO, Make, Start, bearer
from support.forks import race

from geomill.app.config import Settings
from geomill.app.identity.roles import Role
from geomill.app.identity.tokens import TokenError, Tokens

ECHO = "/processes/echo/execution"
EXECUTION = {"json": HELLO, "headers": {"Prefer": "respond-async"}}


def basic(name: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


def submit(client: FlaskClient, headers: dict[str, str]) -> int:
    answer = client.post(ECHO, json=HELLO, headers={"Prefer": "respond-async", **headers})
    return int(answer.status_code)


def test_a_token_can_be_recognised(make: Make) -> None:
    assert re.fullmatch(r"gm_[0-9a-f]{8}_[A-Za-z0-9_-]{43}", make("ann"))


def test_nothing_is_kept_that_would_open_anything(make: Make, settings: Settings) -> None:
    secret = make("ann").split("_", 2)[2]
    for path in settings.home.rglob("*"):
        assert not path.is_file() or secret.encode() not in path.read_bytes()


def test_what_is_kept_is_for_the_server_alone(make: Make, tokens: Tokens) -> None:
    os.umask(os.umask(0))
    make("ann")
    assert stat.S_IMODE(tokens.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(tokens.path.parent.stat().st_mode) == 0o700


def test_a_name_is_given_once(make: Make, tokens: Tokens) -> None:
    make("ann")
    with pytest.raises(TokenError, match="there is a token 'ann' already"):
        make("ann")
    tokens.revoke("ann")
    make("ann")


@pytest.mark.parametrize("name", ["", " ann", "oidc:ann", "an\nn", "-ann", "a" * 65, "änn", "a/b", 'a"b'])
def test_a_name_that_is_none_is_refused(make: Make, name: str) -> None:
    with pytest.raises(TokenError, match="--name: expected at most 64"):
        make(name)


def test_tokens_that_are_made_at_once_are_all_kept(settings: Settings) -> None:
    names = [f"t{number}" for number in range(8)]
    race(*(lambda name=name: Tokens(settings.home).create(name, Role.READER, None, None) for name in names))
    assert sorted(each.name for each in Tokens(settings.home).all()) == names


@pytest.mark.parametrize("way", [bearer, lambda token: basic("", token), lambda token: basic("anybody", token)])
def test_a_token_opens_what_its_role_may(make: Make, client: FlaskClient, way: Callable[[str], dict[str, str]]) -> None:
    assert submit(client, way(make("ann"))) == 201


def test_a_new_token_counts_at_once_in_a_server_that_knew_nobody(make: Make, client: FlaskClient) -> None:
    assert submit(client, {}) == 201
    make("ann")
    assert submit(client, {}) == 401


def test_a_revoked_token_is_good_for_nothing_at_once_in_every_worker(make: Make, start: Start, tokens: Tokens) -> None:
    token, workers = make("ann"), [start().test_client() for _ in range(3)]
    assert [submit(worker, bearer(token)) for worker in workers] == [201, 201, 201]
    tokens.revoke("ann")
    assert [submit(worker, bearer(token)) for worker in workers] == [401, 401, 401]


def test_a_server_that_knew_somebody_never_opens_again(make: Make, start: Start, tokens: Tokens) -> None:
    client = start().test_client()
    make("ann")
    assert submit(client, {}) == 401
    tokens.revoke("ann")
    assert [submit(client, {}), submit(start().test_client(), {})] == [401, 401]
    tokens.path.unlink()  # by somebody, or with the disk it lay on
    assert [submit(client, {}), submit(start().test_client(), {})] == [401, 401]


def test_a_token_expires(make: Make, client: FlaskClient) -> None:
    now = datetime.now(UTC)
    old, new = (make(name, expires=now + timedelta(seconds=left)) for name, left in (("old", -1), ("new", 60)))
    assert [submit(client, bearer(old)), submit(client, bearer(new))] == [401, 201]


GARBAGE = [
    "",
    "Bearer",
    "Bearer ",
    "Bearer x",
    "Bearer gm_",
    "Bearer gm_00000000_" + "A" * 43,
    "Basic",
    "Basic !!!",
    "Basic " + base64.b64encode(b"\xff\xfe").decode(),
    "Basic " + base64.b64encode(b"without a colon").decode(),
    "Digest username=x",
    "Bearer " + "A" * 8000,
    "Bearer eyJhbGciOiJub25lIn0.e30.",
]


@pytest.mark.parametrize("header", GARBAGE)
@pytest.mark.parametrize("path", ["/", "/processes", "/jobs", "/jobs/0191b8a0-0000-7000-8000-000000000000"])
def test_what_is_no_token_is_refused_wherever_it_is_shown(
    make: Make, client: FlaskClient, header: str, path: str
) -> None:
    make("ann")
    answer = client.get(path, headers={"Authorization": header})
    assert (answer.status_code, answer.json["type"]) == (401, "http://localhost/problems/unauthenticated")
    assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="geomill", error="invalid_token"')


def test_each_part_of_a_token_counts(make: Make, client: FlaskClient) -> None:
    token, other = make("ann"), make("ben")
    swapped = f"{token[:12]}{other[12:]}"
    changed = token[:-1] + ("A" if token[-1] != "A" else "B")
    for wrong in (swapped, changed, token[:-1], f"{token}A", token.upper(), token[3:]):
        assert submit(client, bearer(wrong)) == 401
    assert submit(client, bearer(token)) == 201


def test_a_token_in_an_address_or_a_body_is_none(make: Make, client: FlaskClient) -> None:
    token = make("ann")
    assert client.post(f"{ECHO}?access_token={token}", json=HELLO).status_code == 401
    assert client.post(ECHO, json={**HELLO, "access_token": token}).status_code == 401


@pytest.mark.parametrize("header", [*GARBAGE, basic("proxy", "password")["Authorization"]])
def test_a_server_that_knows_nobody_leaves_credentials_to_the_proxy_in_front(client: FlaskClient, header: str) -> None:
    assert submit(client, {"Authorization": header}) == 201


SPOILED = ["", "{", "[]", '{"tokens": 1}', '{"tokens": [{}]}', '{"tokens": [{"role": "king"}]}']


@pytest.mark.parametrize("content", SPOILED)
def test_a_spoiled_list_of_tokens_lets_nobody_in(make: Make, client: FlaskClient, tokens: Tokens, content: str) -> None:
    token = make("ann")
    tokens.path.write_text(content)
    assert [submit(client, bearer(token)), submit(client, {})] == [401, 401]
    with pytest.raises(TokenError, match="is no list of tokens"):
        make("ben")
    assert tokens.path.read_text() == content


def test_a_list_of_tokens_that_cannot_be_read_lets_nobody_in(make: Make, client: FlaskClient, tokens: Tokens) -> None:
    token = make("ann")
    tokens.path.unlink()
    tokens.path.symlink_to(tokens.path)  # a loop: for root, too
    assert [submit(client, bearer(token)), submit(client, {})] == [401, 401]


def test_a_request_costs_one_look_at_the_tokens_and_none_without_credentials(
    make: Make, client: FlaskClient, monkeypatch: pytest.MonkeyPatch, tokens: Tokens
) -> None:
    token = make("ann")
    assert submit(client, bearer(token)) == 201
    looks: list[Path] = []
    plain = os.stat

    def counted(path: Path, *args: object, **named: object) -> os.stat_result:
        looks.extend([path] if path == tokens.path else [])
        return plain(path, *args, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "stat", counted)
    assert client.get("/").status_code == 200
    assert looks == []
    assert client.get("/", headers=bearer(token)).status_code == 200
    assert looks == [tokens.path]


def test_a_later_version_may_add_members(make: Make, client: FlaskClient, tokens: Tokens) -> None:
    token = make("ann")
    content = json.loads(tokens.path.read_text())
    content["tokens"][0]["note"] = "of a later version"
    tokens.path.write_text(json.dumps({**content, "version": 2}))
    assert submit(client, bearer(token)) == 201


@pytest.mark.parametrize("lost", [False, True])
def test_the_log_says_once_that_no_token_is_known(
    make: Make, client: FlaskClient, tokens: Tokens, caplog: pytest.LogCaptureFixture, lost: bool
) -> None:
    token = make("ann")
    content = tokens.path.read_bytes()
    assert submit(client, bearer(token)) == 201
    if lost:
        tokens.path.unlink()
    else:
        tokens.path.write_bytes(b'{"half')
    assert [submit(client, bearer(token)) for _ in range(3)] == [401] * 3
    (record,) = caplog.records
    assert record.getMessage().startswith(f"no token is known: {tokens.path} is ")
    tokens.path.write_bytes(content)
    assert submit(client, bearer(token)) == 201
    tokens.path.unlink()
    assert submit(client, bearer(token)) == 401
    assert len(caplog.records) == 2


def test_the_log_says_once_that_the_credentials_of_a_tenant_cannot_be_used(
    settings: Settings, client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    path = settings.home / "default" / "credentials.json"
    path.write_bytes(b'{"half')
    path.chmod(0o600)
    assert submit(client, {}) == 201 and not caplog.records  # which names no address
    elsewhere = {"inputs": {"echoInput": {"href": "http://127.0.0.1:9/"}}}
    assert [client.post(ECHO, json=elsewhere).status_code for _ in range(3)] == [400] * 3
    (record,) = caplog.records
    assert record.getMessage().startswith(f"no credential of the tenant default is used: {path}: ")
    path.write_bytes(b"{}")
    assert client.post(ECHO, json=elsewhere).status_code == 400
    assert len(caplog.records) == 1
