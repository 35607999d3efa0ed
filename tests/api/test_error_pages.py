"""An error as a person sees it: what happened, whose turn it is, what to try."""

from __future__ import annotations

import re
from dataclasses import replace
from urllib.parse import unquote, urlsplit

import pytest
from flask.testing import FlaskClient
from support.markup import anchors, check_page
from support.stores import bring_to, create
from werkzeug.test import TestResponse

from geomill.app import create_app
from geomill.app.config import Settings
from geomill.app.identity.roles import Role
from geomill.app.identity.tokens import Tokens
from geomill.app.pages import causes, turns
from geomill.app.server import Geomill
from geomill.jobstore import Status, maintenance

HTML = {"Accept": "text/html"}
ECHO = "/processes/echo/execution"
HELLO = {"inputs": {"echoInput": "hello"}}


def shown(client: FlaskClient, path: str, method: str = "GET", **more: object) -> TestResponse:
    headers = {**HTML, "Origin": "http://localhost", "Prefer": "respond-async"}
    answer = client.open(path, method=method, headers=headers, **more)
    check_page(answer)
    return answer


@pytest.mark.parametrize(
    "method, path, status, words, link",
    [
        ("GET", "/nowhere", 404, "Nothing is served at this address", "/api"),
        ("GET", "/jobs/none", 404, "There is no job", "/jobs"),
        ("GET", "/processes/ecco", 404, "Did you mean", "/processes"),
        ("GET", "/jobs?limit=none", 400, "The page without its query", "/jobs"),
        ("PATCH", "/jobs", 405, "Your turn", "/api"),
        ("PUT", ECHO, 405, "Your turn", "/api"),
        ("POST", ECHO, 400, "go back in your browser", "/"),
    ],
)
def test_a_page_says_where_to_go_from_an_error(
    client: FlaskClient, method: str, path: str, status: int, words: str, link: str
) -> None:
    answer = shown(client, path, method)
    assert answer.status_code == status and words in answer.text
    assert f"http://localhost{link}" in anchors(answer.text)


@pytest.mark.parametrize(
    "path, page",
    [
        (ECHO, "/processes/echo"),
        ("/processes/echo/form?a=b", "/processes/echo"),
        ("/processes/echo/request", "/processes/echo"),
        ("/jobs/changes", "/jobs"),
        ("/jobs/none/dismissal", "/jobs/none"),
        ("/jobs/none/retry", "/jobs/none"),
        ("/ogc-api/processes/echo/execution", "/ogc-api/processes/echo"),
        ("/deploy/review", "/deploy"),
        ("/processes/a%3F/replacement/review", "/processes/a%3F/replacement"),
        ("/logout", "/"),
    ],
)
def test_what_only_takes_posts_leads_a_browser_to_its_page(settings: Settings, path: str, page: str) -> None:
    client = create_app(settings).test_client()  # what is for browsers is not in the definition
    for method in ("GET", "HEAD"):
        answer = client.open(path, method=method, headers=HTML)
        assert (answer.status_code, urlsplit(answer.headers["Location"]).path) == (303, page)
    assert client.get(path, headers={"Accept": "application/json"}).status_code in (404, 405)


def test_who_logs_in_after_a_refused_post_comes_to_a_page(settings: Settings) -> None:
    Tokens(settings.home).create("ann", Role.EXECUTOR, None, None)
    client = create_app(replace(settings, anonymous="reader")).test_client()
    answer = shown(client, ECHO, "POST", json=HELLO)
    assert answer.status_code == 401 and "go back in your browser" in answer.text
    assert any(unquote(each).endswith("/login?next=/processes/echo") for each in anchors(answer.text))


def test_what_comes_back_by_itself_says_when(settings: Settings, client: FlaskClient) -> None:
    few = create_app(replace(settings, max_queued_per_caller=1, max_body=100)).test_client()
    create(few.application.jobs, durable=False)  # type: ignore[attr-defined]
    answer = shown(few, ECHO, "POST", json=HELLO)
    seconds = int(answer.headers["Retry-After"])
    assert answer.status_code == 429 and f"try again in about {seconds} s" in answer.text
    assert "What you did is not wrong." in answer.text and "Try again" not in answer.text
    assert shown(few, ECHO, "POST", data=b"x" * 101).status_code == 413
    maintenance.begin(settings.home, "A new disk; back at noon.")
    answer = shown(client, ECHO, "POST", json=HELLO)
    assert answer.status_code == 503 and "A new disk; back at noon." in answer.text
    assert "The server&#39;s turn" in answer.text and "Try again in 1 minute, or tell" in answer.text


def test_a_page_says_nothing_twice(client: FlaskClient, app: Geomill) -> None:
    """Not in other words either: those that a stutter was made of before are there once at most."""
    failed, running, gone = (create(app.jobs, durable=False) for _ in range(3))
    bring_to(app.jobs, failed, Status.FAILED)
    bring_to(app.jobs, gone, Status.FAILED)
    app.jobs.expire(gone, "age")
    of_jobs = (f"{failed}/results", f"{running}/results", f"{gone}/results", f"{running}/logs/none.log", "none")
    for path in ("/nowhere", "/processes/none", "/problems/none", "/jobs?limit=none", *map("/jobs/{}".format, of_jobs)):
        text = shown(client, path).text
        main = text[text.index("<main") : text.index("</main>")]
        said = [each.strip() for each in re.split(r"[.;:]\s|<[^>]*>", main) if len(each.split()) > 2]
        assert len(set(said)) == len(said), (path, said)
        for word in ("removed", "not found", "no such", "try again", "its status", "wait", "the log"):
            assert main.lower().count(word) <= 1, (path, word, main)


def test_a_turn_is_about_its_error() -> None:
    """What failed of a limit needs less of it, what is not ready needs time: nobody is to change what he sent."""
    assert turns.of(500, "out-of-memory").what == causes.CAUSES["out-of-memory"].turn
    assert turns.of(404, "result-not-ready") == ("Nobody's turn", "The page of the job shows how far it is.")
    assert "Try again in a few seconds, or tell" in turns.of(503, "busy", 5).what
    assert turns.of(400, "bad-input").what == turns.of(422).what == "Change what is named here, and send it again."


def test_who_may_not_is_told_who_he_is_and_how_to_be_another(settings: Settings) -> None:
    token = Tokens(settings.home).create("ann", Role.READER, None, None)
    client = create_app(replace(settings, anonymous="none")).test_client()
    strange = shown(client, "/jobs?limit=1")
    assert strange.status_code == 401 and "Log in" in strange.text and "ann (reader)" not in strange.text
    client.post("/login", data={"token": token}, headers={"Origin": "http://localhost"})
    answer = shown(client, "/deploy")
    assert answer.status_code == 403 and "Log in as somebody else" in answer.text
    for path in ("/deploy", "/nowhere", "/login", "/problems/bad-input"):
        assert "ann (reader)" in shown(client, path).text or path == "/login"
        assert "http://localhost/admin" not in anchors(shown(client, path).text)


@pytest.mark.parametrize(
    "referrer, following",
    [
        ("http://localhost/processes/echo?from=x", "/processes/echo?from%3Dx"),
        ("http://localhost/deploy/review", "/deploy/review"),
        ("https://evil.example/deploy", "/processes/echo"),
        ("", "/processes/echo"),
    ],
)
def test_who_was_logged_out_meanwhile_comes_back_to_his_form(settings: Settings, referrer: str, following: str) -> None:
    Tokens(settings.home).create("ann", Role.EXECUTOR, None, None)
    client = create_app(replace(settings, anonymous="none")).test_client()
    answer = client.post(ECHO, json=HELLO, headers={**HTML, "Origin": "http://localhost", "Referer": referrer})
    assert answer.status_code == 401 and {f"http://localhost/login?next={following}"} == {
        each for each in anchors(answer.text) if "/login" in each
    }
