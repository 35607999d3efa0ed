"""What a web page of another site can have a browser send changes nothing: not here, where everybody may everything."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask.testing import FlaskClient
from support.stores import create

from geomill.app import create_app
from geomill.app.callbacks.signing import Signing
from geomill.app.config import Settings
from geomill.app.identity.roles import Role
from geomill.app.identity.tokens import Tokens
from geomill.app.server import Geomill

ECHO = json.dumps({"inputs": {"echoInput": "x"}}).encode()
PACKAGE = json.dumps({"cwlVersion": "v1.2", "class": "CommandLineTool", "id": "evil", "baseCommand": "true",
                      "inputs": [], "outputs": []}).encode()  # fmt: skip
PART = b'--a\r\nContent-Disposition: form-data; name="a"\r\n\r\n%s\r\n--a--\r\n'
BODIES = {  # media type of what a page can send without asking first -> what it can be made to look like
    "text/plain": lambda body: body,
    "text/plain;charset=UTF-8": lambda body: body + b"=",
    "application/x-www-form-urlencoded": lambda body: body,
    "multipart/form-data; boundary=a": lambda body: PART % body,
    "": lambda body: body,
    "application/json": lambda body: body,  # what it would have to ask for first
}  # fmt: skip
PAGES = {
    "of another site": {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
    "of another site, in an older browser": {"Origin": "https://evil.example"},
    "of another site, in one that tells no origin": {"Sec-Fetch-Site": "cross-site"},
    "of no origin": {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
    "of no origin, in an older browser": {"Origin": "null"},
    "in a sandbox, as the results of a job are": {"Origin": "null", "Sec-Fetch-Site": "same-origin"},
    "of another port": {"Origin": "http://localhost:3000", "Sec-Fetch-Site": "same-site"},
    "of a host below": {"Origin": "http://evil.localhost", "Sec-Fetch-Site": "same-site"},
    "of another scheme": {"Origin": "https://localhost", "Sec-Fetch-Site": "cross-site"},
    "of an extension": {"Origin": "chrome-extension://abc", "Sec-Fetch-Site": "none"},
    "of two origins": {"Origin": "http://localhost, https://evil.example"},
    "of an origin that is none": {"Origin": "http://localhost\u00a0.evil"},
    "of none": {"Origin": ""},
}
REBOUND = ("evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.evil.example", "169.254.169.254",
           "[::ffff:10.0.0.1]", "0x7f.1", "localhost@evil.example")  # fmt: skip
CHANGES = [
    ("POST", "/processes/echo/execution"), ("POST", "/ogc-api/processes/echo/execution"), ("POST", "/processes"),
    ("PUT", "/processes/echo"), ("DELETE", "/processes/echo"), ("DELETE", "/jobs/{job}"), ("POST", "/jobs/{job}/retry"),
    ("PUT", "/jobs/{job}/pin"), ("DELETE", "/jobs/{job}/pin"), ("POST", "/login"), ("POST", "/logout"),
    ("POST", "/new/ogc-api/processes"), ("POST", "/new/ogc-api/processes/echo/execution"),
]  # fmt: skip


@pytest.fixture(params=["nobody is known", "with a session"])
def browser(request: pytest.FixtureRequest, settings: Settings) -> Iterator[FlaskClient]:
    """A browser that may everything, where anybody may, or because somebody logged in with it."""
    if request.param == "with a session":
        token = Tokens(settings.home).create("ann", Role.ADMIN, None, None)
        client = create_app(settings).test_client()
        begun = client.post("/login", data={"token": token}, headers={"Origin": "http://localhost"})
        assert begun.status_code == 303
    else:
        client = create_app(settings).test_client()
    yield client


def state(app: Geomill, job_id: str) -> tuple[object, ...]:
    """All that a change could change."""
    home = app.settings.home
    found = {str(path.relative_to(home)) for path in home.rglob("*") if "packages" not in path.parts}
    return (found - {"identity/audit.jsonl", "identity"}, app.jobs.status(job_id), len(app.processes.list()))


def app_of(client: FlaskClient) -> Geomill:
    assert isinstance(client.application, Geomill)
    return client.application


@pytest.mark.parametrize("page", PAGES)
def test_no_page_of_another_site_changes_anything(browser: FlaskClient, page: str) -> None:
    app = app_of(browser)
    job_id = create(app.jobs, durable=False)
    before = state(app, job_id)
    for method, route in CHANGES:
        for media_type, made in BODIES.items():
            body = made(PACKAGE if route.endswith("processes") else ECHO)
            headers = {**PAGES[page], **({"Content-Type": media_type} if media_type else {})}
            answer = browser.open(route.format(job=job_id), method=method, data=body, headers=headers)
            assert answer.status_code == 403, (method, route, media_type)
            assert answer.json["type"].endswith("/problems/foreign-origin")
            assert "Access-Control-Allow-Origin" not in answer.headers and "Set-Cookie" not in answer.headers
    assert state(app, job_id) == before


@pytest.mark.parametrize("host", REBOUND)
def test_a_name_that_was_led_to_this_host_changes_and_reads_nothing(browser: FlaskClient, host: str) -> None:
    app = app_of(browser)
    job_id = create(app.jobs, durable=False)
    before = state(app, job_id)
    page = {"Host": host, "Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin"}
    for method, route in (*CHANGES, ("GET", "/jobs"), ("GET", f"/jobs/{job_id}"), ("GET", "/"), ("GET", "/login")):
        answer = browser.open(route.format(job=job_id), method=method, data=ECHO, headers=page)
        assert answer.status_code in (400, 421), (method, route)
        assert job_id not in answer.text
    assert state(app, job_id) == before


@pytest.mark.parametrize(
    "method, path", [("POST", "/processes/echo/execution"), ("DELETE", "/jobs/x"), ("PUT", "/processes/x")]
)
def test_a_page_that_asks_first_is_not_allowed(browser: FlaskClient, method: str, path: str) -> None:
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": method,
             "Access-Control-Request-Headers": "content-type, authorization"}  # fmt: skip
    answer = browser.options(path, headers=asked)
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert method not in answer.headers["Access-Control-Allow-Methods"]
    assert "Access-Control-Allow-Credentials" not in browser.get("/jobs", headers=asked).headers


def test_no_reading_changes_anything(browser: FlaskClient) -> None:
    """A page of another site can have anything read, and an image is read with the cookie of a session."""
    app = app_of(browser)
    job_id = create(app.jobs, durable=False)
    Signing(app.settings.home).secret("default", "")  # its key is made by who needs it first
    before = state(app, job_id)
    for rule in app.url_map.iter_rules():
        for method in (rule.methods or set()) & {"GET", "HEAD", "OPTIONS"}:
            path, known = rule.rule, {"<job_id>": job_id, "<process_id>": "echo", "<int:number>": "0"}
            for name, value in {**known, "<gp_job:job_id>": job_id, "<task>": "echo"}.items():
                path = path.replace(name, value)
            path = re.sub("<.*?>", "x", path)
            for sent in ("", "?_method=DELETE", "?method=DELETE"):
                override = {"X-HTTP-Method-Override": "DELETE", "X-Method-Override": "DELETE"}
                assert browser.open(path + sent, method=method, headers=override).status_code != 500
    assert state(app, job_id) == before


def test_the_changes_would_change_something(browser: FlaskClient) -> None:
    """As long as that is so, the tests above tell something."""
    page = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin", "Prefer": "respond-async"}
    app = app_of(browser)
    job_id = create(app.jobs, durable=False)
    before = state(app, job_id)
    assert browser.post("/processes/echo/execution", data=ECHO, headers=page).status_code == 201
    assert browser.delete(f"/jobs/{job_id}", headers=page).status_code == 200
    assert state(app, job_id) != before


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_server_with_a_public_name_is_as_closed(settings: Settings, site: str) -> None:
    client = create_app(replace(settings, public_url="https://geo.example/")).test_client()
    for headers in ({"Sec-Fetch-Site": site}, {"Origin": "https://evil.geo.example"}, {"Origin": "http://geo.example"}):
        answer = client.post("/processes/echo/execution", data=ECHO, headers={"Host": "geo.example", **headers})
        assert answer.status_code == 403
