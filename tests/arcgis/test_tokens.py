"""Tokens as ArcGIS has them: who gets one, where it counts, how it ends; and what no page of another site does."""

from __future__ import annotations

import base64
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from arcgis.conftest import ADMIN, REST, Esri, Start, task, uuid_of
from flask.testing import FlaskClient
from identity.conftest import Make, bearer, job_of
from support.stores import create, succeed

from geomill.app.identity.roles import Role
from geomill.app.identity.tickets import Place, Tickets
from geomill.app.identity.tokens import Tokens
from geomill.app.server import Geomill
from geomill.jobstore import Status

GENERATE = "/arcgis/tokens/generateToken"
PAGE = "https://app.example/viewer"


@pytest.fixture
def ann(start: Start, make: Make) -> Esri:
    """A server that knows ann, and lets nobody else do anything."""
    esri = Esri(start(anonymous="none").test_client())
    esri.secret = make("ann")  # type: ignore[attr-defined]
    return esri


def given(esri: Esri, path: str = GENERATE, **form: str) -> dict[str, Any]:
    return esri.post(path, **{"username": "ann", "password": esri.secret, **form})  # type: ignore[attr-defined]


def code(answer: dict[str, Any]) -> int | None:
    return answer.get("code") or answer.get("error", {}).get("code")


def test_a_token_is_given_for_an_hour_and_counts(ann: Esri) -> None:
    found = given(ann, client="requestip")
    assert list(found) == ["token", "expires"]
    assert abs(found["expires"] / 1000 - time.time() - 3600) < 60
    assert code(ann.get(REST)) == 499
    assert ann.get(REST, token=found["token"])["services"]
    assert ann.post(REST, token=found["token"])["services"]
    for name in ("Authorization", "X-Esri-Authorization"):
        answer = ann.client.get(f"{REST}?f=json", headers={name: f"Bearer {found['token']}"})
        assert answer.json["services"]
    assert ann.client.get(f"{REST}?f=json", headers={"X-Esri-Authorization": f"Bearer {ann.secret}"}).json["services"]  # type: ignore[attr-defined]


def test_the_administrators_api_has_the_time_as_text(ann: Esri) -> None:
    found = given(ann, "/arcgis/admin/generateToken", expiration="5")
    assert isinstance(found["expires"], str)
    assert abs(int(found["expires"]) / 1000 - time.time() - 300) < 60


def test_a_server_with_tokens_says_so(ann: Esri) -> None:
    assert ann.get("/arcgis/rest/info")["authInfo"] == {
        "isTokenBasedSecurity": True,
        "tokenServicesUrl": "http://localhost/arcgis/tokens/generateToken",
        "shortLivedTokenValidity": 60,
    }


def test_without_a_token_the_administrators_api_says_how_to_get_one(ann: Esri) -> None:
    words = "Unauthorized access. Token not found. You can generate a token using the 'generateToken' operation."
    assert ann.get(f"{ADMIN}/echo.GPServer/jobs") == {"status": "error", "messages": [words], "code": 499}


@pytest.mark.parametrize(
    "form", [{"password": "gm_00000000_" + "x" * 43}, {"password": ""}, {"username": "ben"}, {"username": ""}]
)
def test_who_is_not_known_gets_none(ann: Esri, form: dict[str, str]) -> None:
    error = given(ann, **form)["error"]
    assert (error["code"], error["message"]) == (400, "Unable to generate token.")
    assert error["details"] == ["Invalid username or password."]


@pytest.mark.parametrize("form, words", [
    ({"client": "referer"}, "referer"), ({"client": "app"}, "client"), ({"client": "ip"}, "ip"),
    ({"client": "ip", "ip": "nonsense"}, "ip"), ({"client": "ip", "ip": "192.0.2.0/24"}, "ip"),
    ({"client": "referer", "referer": "x" * 600}, "referer"), ({"expiration": "0"}, "expiration"),
    ({"expiration": "soon"}, "expiration"),
])  # fmt: skip
def test_what_is_wrong_with_the_request_for_one_is_told(ann: Esri, form: dict[str, str], words: str) -> None:
    assert given(ann, **form)["error"]["details"][0].startswith(words)


def test_a_password_in_an_address_opens_nothing(ann: Esri) -> None:
    query = {"username": "ann", "password": ann.secret}  # type: ignore[attr-defined]
    assert code(ann.get(GENERATE, **query)) == 400
    assert "by POST" in ann.client.get(GENERATE, query_string=query).text
    answer = ann.client.post(GENERATE, query_string={"f": "json", **query}).json
    assert answer["error"]["message"] == "Unable to generate token."
    assert code(ann.get(REST, token=ann.secret)) == 498  # type: ignore[attr-defined]


def test_a_server_that_knows_nobody_wants_no_token(client: FlaskClient) -> None:
    error = Esri(client).post(GENERATE, username="ann", password="x")["error"]
    assert error["details"] == ["This server knows nobody: no token is needed."]
    assert Esri(client).get(REST, token="whatever")["services"]


def test_a_token_is_bound_to_a_page(ann: Esri) -> None:
    token = given(ann, client="referer", referer=PAGE)["token"]

    def asked(referer: str | None) -> int | None:
        headers = {"Referer": referer} if referer is not None else {}
        return code(ann.client.get(f"{REST}?f=json&token={token}", headers=headers).json)

    assert [asked(each) for each in (PAGE, f"{PAGE}/map?x=1", f"{PAGE}?a", f"{PAGE}#a")] == [None] * 4
    foreign = (
        None,
        "",
        "https://app.example/",
        f"{PAGE}2",
        "https://evil.example/viewer",
        f"https://evil.example/{PAGE}",
    )
    assert [asked(each) for each in foreign] == [498] * 6


def test_a_token_is_bound_to_an_address(ann: Esri) -> None:
    mine, theirs = given(ann, client="requestip")["token"], given(ann, client="ip", ip="192.0.2.9")["token"]
    assert ann.get(REST, token=mine)["services"]
    assert code(ann.get(REST, token=theirs)) == 498
    there = {"environ_base": {"REMOTE_ADDR": "192.0.2.9"}}
    assert code(ann.client.get(f"{REST}?f=json&token={theirs}", **there).json) is None  # type: ignore[arg-type]
    assert code(ann.client.get(f"{REST}?f=json&token={mine}", **there).json) == 498  # type: ignore[arg-type]


def test_an_address_is_the_same_however_it_is_written(ann: Esri) -> None:
    token = given(ann, client="ip", ip="2001:DB8:0::1")["token"]
    there = {"environ_base": {"REMOTE_ADDR": "2001:db8::1"}}
    assert code(ann.client.get(f"{REST}?f=json&token={token}", **there).json) is None  # type: ignore[arg-type]


def test_who_may_not_read_a_file_learns_it_by_the_status(ann: Esri, make: Make) -> None:
    assert isinstance(ann.client.application, Geomill)
    jobs = ann.client.application.jobs
    job_id = create(jobs, owner="ann")
    succeed(jobs, job_id)
    jobs.expire(job_id, "age")
    path = f"{task('echo')}/jobs/j{job_id.replace('-', '')}/files/a.tif"
    token = given(ann)["token"]
    others = {"headers": {"Accept": "text/html"}}
    found = [ann.client.get(f"{path}{shown}", **others) for shown in ("", "?token=gt_x", f"?token={token}")]  # type: ignore[arg-type]
    assert [answer.status_code for answer in found] == [401, 401, 410]
    assert [answer.json["error"]["code"] for answer in found] == [499, 498, 410]
    assert found[0].headers["WWW-Authenticate"].startswith("Bearer")
    anothers = ann.client.get(path, headers=bearer(make("ben")))
    assert (anothers.status_code, anothers.mimetype) == (404, "application/json")


def test_no_token_lasts_longer_than_a_session_or_what_it_is_made_of(start: Start, make: Make) -> None:
    esri = Esri(start(session_time=120.0).test_client())
    esri.secret = make("ann")  # type: ignore[attr-defined]
    assert given(esri, expiration="9999999999")["expires"] / 1000 <= time.time() + 120
    esri.secret = make("ben", expires=datetime.now(UTC) + timedelta(seconds=60))  # type: ignore[attr-defined]
    assert given(esri, username="ben")["expires"] / 1000 <= time.time() + 60


def test_a_token_that_is_over_or_forged_opens_nothing(ann: Esri, tokens: Tokens) -> None:
    app = ann.client.application
    assert isinstance(app, Geomill)
    (known,) = tokens.all()
    here = Place(address="127.0.0.1")
    good, over = (app.identity.tickets.give(known.id, time.time() + left, here) for left in (60, -1))
    of_another_home = Tickets(app.settings.home / "elsewhere").give(known.id, time.time() + 60, here)
    session = app.identity.sessions.begin(known.id)
    parts = good.split(".")
    later = ".".join([parts[0], str(int(parts[1]) + 1000), *parts[2:]])
    unbound = ".".join([*parts[:2], base64.urlsafe_b64encode(b"\n").decode().rstrip("="), parts[3]])
    wrong = (
        over,
        of_another_home,
        session,
        later,
        unbound,
        good[:-1],
        f"{good}A",
        "gt_",
        "x",
        "\u0000",
        "gt_" + "9" * 9999,
    )
    assert ann.get(REST, token=good)["services"]
    assert [code(ann.get(REST, token=each)) for each in wrong] == [498] * len(wrong)
    ann.client.set_cookie("geomill", good)
    assert code(ann.get(REST)) == 499  # it is no cookie
    assert ann.client.get("/processes", headers=bearer(good)).status_code == 401  # and none of the OGC API
    tokens.revoke("ann")
    assert code(ann.get(REST, token=good)) == 498


def test_a_token_has_the_role_and_the_jobs_of_the_one_that_it_is_made_of(ann: Esri, make: Make) -> None:
    token = given(ann)["token"]
    assert isinstance(ann.client.application, Geomill)
    job_id = ann.post(f"{task('echo')}/submitJob", token=token, echoInput="a")["jobId"]
    assert ann.client.application.jobs.job(uuid_of(job_id)).owner == "ann"
    theirs = f"j{job_of(ann.client, 'ben').replace('-', '')}"
    assert ann.get(f"{task('echo')}/jobs/{theirs}", token=token)["error"]["message"] == "No such job"
    assert code(ann.post(f"{ADMIN}/echo.GPServer/jobs/{job_id}/cancel", token=token)) == 403
    reader, admin = bearer(make("reader", Role.READER)), bearer(make("admin", Role.ADMIN))
    assert code(ann.post(f"{task('echo')}/submitJob", reader, echoInput="a")) == 403
    record = ann.client.get(f"{ADMIN}/echo.GPServer/jobs/{job_id}?f=json", headers=admin).json
    assert record["username"] == "ann"
    assert ann.post(f"{ADMIN}/echo.GPServer/jobs/{job_id}/cancel", admin) == {"status": "success"}


def test_what_changed_is_in_the_audit_log_and_no_secret(ann: Esri) -> None:
    token = given(ann)["token"]
    job_id = ann.get(f"{task('echo')}/submitJob", token=token, echoInput="a")["jobId"]
    ann.post(f"{task('echo')}/jobs/{job_id}", token=token)  # only reads
    ann.get(REST, token=f"{token}x")
    ann.post(f"{task('echo')}/submitJob", echoInput="a")
    assert isinstance(ann.client.application, Geomill)
    text = (ann.client.application.settings.home / "identity/audit.jsonl").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    assert [(line["operation"], line.get("caller"), line["status"]) for line in lines] == [
        ("generateToken", "ann", 200),
        ("submitGPJob", "ann", 200),
        ("getGPServices", None, 401),
        ("submitGPJob", None, 401),
    ]
    assert lines[1]["job"] == uuid_of(job_id) and lines[1]["process"] == "echo"
    assert token not in text and ann.secret not in text  # type: ignore[attr-defined]


CHANGES = ("submitJob", "execute", "jobs/{}/cancel")


@pytest.mark.parametrize("change", CHANGES)
def test_an_image_on_a_page_of_another_site_changes_nothing(client: FlaskClient, change: str) -> None:
    """The browser of who develops on this host, where everybody may everything."""
    esri = Esri(client)
    job_id = esri.submit("echo", echoInput="a")
    for query in ({}, {"token": "guessed"}, {"f": "html"}, {"f": "html", "token": "guessed"}):
        path = f"{task('echo')}/{change.format(job_id)}"
        answer = client.get(path, query_string={"f": "json", "echoInput": "a", **query})
        assert answer.status_code == 200 and ("form" in answer.text or "only with a token" in answer.text)
        assert client.head(path, query_string={"f": "json", "echoInput": "a", **query}).status_code == 200
    foreign = {"Sec-Fetch-Site": "cross-site"}
    assert esri.post(f"{task('echo')}/{change.format(job_id)}", foreign, echoInput="a")["error"]["code"] == 403
    assert isinstance(client.application, Geomill)
    assert [job_id] == [f"j{each.replace('-', '')}" for each in client.application.jobs.walk()]
    assert client.application.jobs.status(uuid_of(job_id)).status is Status.ACCEPTED


@pytest.mark.parametrize("change", CHANGES)
def test_a_session_changes_something_from_pages_of_ours_alone(ann: Esri, change: str) -> None:
    assert isinstance(ann.client.application, Geomill)
    identity = ann.client.application.identity
    (known,) = identity.tokens.all()
    job_id = ann.post(f"{task('echo')}/submitJob", bearer(ann.secret), echoInput="a")["jobId"]  # type: ignore[attr-defined]
    ann.client.set_cookie("geomill", identity.sessions.begin(known.id))
    path = f"{task('echo')}/{change.format(job_id)}"
    assert code(ann.get(path, echoInput="a")) == 400
    assert code(ann.post(path, echoInput="a")) == 403
    if change != "execute":  # nothing would come of that here
        assert ann.post(path, {"Sec-Fetch-Site": "same-origin"}, echoInput="a")["jobId"]


def test_basic_credentials_start_nothing_by_get(ann: Esri) -> None:
    """Browsers send them by themselves, for images, too."""
    shown = {"Authorization": "Basic " + base64.b64encode(f"ann:{ann.secret}".encode()).decode()}  # type: ignore[attr-defined]
    answer = ann.client.get(f"{task('echo')}/submitJob?f=json&echoInput=a", headers=shown).json
    assert "only with a token" in answer["error"]["details"][0]
    assert ann.post(f"{task('echo')}/submitJob", shown, echoInput="a")["jobId"]


def test_a_head_starts_nothing(ann: Esri) -> None:
    token = given(ann)["token"]
    ann.client.head(f"{task('echo')}/submitJob", query_string={"f": "json", "echoInput": "a", "token": token})
    assert isinstance(ann.client.application, Geomill)
    assert list(ann.client.application.jobs.walk()) == []
