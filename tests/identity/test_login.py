"""Sessions of browsers: how one begins and ends, and what no page of another site can do with it."""

from __future__ import annotations

import re
from html import escape
from http.cookies import SimpleCookie

import pytest
from flask.testing import FlaskClient
from identity.conftest import HELLO, Make, Start, bearer, job_of
from support.markup import anchors, check_page

from geomill.app.config import Settings
from geomill.app.identity.roles import Role
from geomill.app.identity.sessions import Sessions
from geomill.app.identity.tokens import Tokens

ECHO = "/processes/echo/execution"
OURS = {"Origin": "http://localhost"}


def log_in(client: FlaskClient, token: str, **form: str) -> SimpleCookie:
    answer = client.post("/login", data={"token": token, **form}, headers=OURS)
    assert answer.status_code == 303, answer.get_data(as_text=True)
    return SimpleCookie(answer.headers["Set-Cookie"])


def logged_in(start: Start, token: str) -> FlaskClient:
    """A browser with a session."""
    client = start().test_client()
    log_in(client, token)
    return client


def test_a_page_asks_for_a_token(make: Make, client: FlaskClient) -> None:
    make("ann")
    answer = client.get("/login", headers={"Accept": "text/html"})
    check_page(answer)
    assert answer.status_code == 200 and 'name="token"' in answer.text
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_server_that_knows_nobody_says_so(client: FlaskClient) -> None:
    assert "knows nobody yet" in client.get("/login").text


def test_a_session_is_who_its_token_is(make: Make, start: Start) -> None:
    client = logged_in(start, make("ann"))
    answer = client.post(ECHO, json=HELLO, headers={**OURS, "Prefer": "respond-async"})
    assert answer.status_code == 201
    assert [job["jobID"] for job in client.get("/jobs").json["jobs"]] == [answer.json["jobID"]]
    assert "You are ann, with the role executor" in client.get("/login").text


def test_a_session_is_kept_from_scripts_and_other_sites(make: Make, client: FlaskClient) -> None:
    (cookie,) = log_in(client, make("ann")).values()
    assert cookie.key == "geomill" and cookie["httponly"] and cookie["samesite"] == "Lax" and cookie["path"] == "/"
    assert not cookie["domain"] and int(cookie["max-age"]) == 43200


def test_a_session_behind_https_stays_there(make: Make, start: Start) -> None:
    app, token = start(public_url="https://example.org/geo"), make("ann")
    client = app.test_client()
    answer = client.post("/login", data={"token": token}, headers={"Origin": "https://example.org"})
    (cookie,) = SimpleCookie(answer.headers["Set-Cookie"]).values()
    assert cookie.key == "__Host-geomill" and cookie["secure"] and cookie["path"] == "/" and not cookie["domain"]
    assert answer.location == "https://example.org/geo/"
    assert "You are ann" in client.get("/login").text
    plain = {"Cookie": f"geomill={cookie.value}"}  # which any neighbour of this host may have set
    assert 'name="token"' in app.test_client(use_cookies=False).get("/login", headers=plain).text


def test_a_cookie_holds_no_token(make: Make, client: FlaskClient) -> None:
    token = make("ann")
    (cookie,) = log_in(client, token).values()
    assert token.split("_", 2)[2] not in cookie.value


@pytest.mark.parametrize("token", ["", "x", "gm_00000000_" + "A" * 43, "'\"><script>alert(1)</script>"])
def test_what_is_no_token_begins_no_session(make: Make, client: FlaskClient, token: str) -> None:
    make("ann")
    answer = client.post("/login", data={"token": token, "next": '"><script>'}, headers=OURS)
    assert (answer.status_code, answer.headers.get("Set-Cookie")) == (401, None)
    assert "unknown, revoked or expired" in answer.text
    check_page(answer)


@pytest.mark.parametrize(
    "wanted, location",
    [
        ("/jobs?limit=1", "/jobs?limit=1"),
        ("/acme/ogc-api/", "/acme/ogc-api/"),
        *(
            (elsewhere, "http://localhost/")
            for elsewhere in (
                *("", "//evil.example", "/\\evil.example", "\\\\evil.example", "https://evil.example", "evil.example"),
                *("/\t/evil.example", "/\n/evil.example", " //evil.example", "javascript:alert(1)"),
                *("/a\r\nSet-Cookie: a=b", "/%0d%0a\r\n"),
                *("/\u2028/evil.example", "///evil.example", "/a\\..\\b", "http:evil.example", "/é"),
            )
        ),
    ],
)
def test_a_login_leads_to_where_one_wanted_and_never_elsewhere(
    make: Make, client: FlaskClient, wanted: str, location: str
) -> None:
    token = make("ann")
    answer = client.post("/login", data={"token": token, "next": wanted}, headers=OURS)
    assert (answer.status_code, answer.location) == (303, location)
    page = client.get("/login", query_string={"next": wanted}, headers={"Cookie": ""}).text
    assert "evil" not in page


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "null"},
        {"Origin": "https://evil.example"},
        {"Origin": "http://localhost:81"},
        {"Origin": "http://localhost.evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "http://localhost", "Sec-Fetch-Site": "cross-site"},
        {"Referer": "http://localhost/"},
    ],
)
@pytest.mark.parametrize("change", ["execute", "dismiss", "login", "logout"])
def test_a_change_with_a_session_comes_from_a_page_of_ours(
    make: Make, start: Start, headers: dict[str, str], change: str
) -> None:
    client = logged_in(start, make("ann"))
    job_id = job_of(client, "ann")
    path = {"execute": ECHO, "dismiss": f"/jobs/{job_id}"}.get(change, f"/{change}")
    method = "DELETE" if change == "dismiss" else "POST"
    answer = client.open(path, method=method, headers={"Prefer": "respond-async", **headers}, data=b'{"inputs": {}}')
    assert answer.status_code == 403
    assert answer.json["type"].endswith("/problems/foreign-origin")
    assert client.get(f"/jobs/{job_id}").json["status"] == "accepted"


@pytest.mark.parametrize("headers", [OURS, {"Sec-Fetch-Site": "same-origin"}])
def test_a_page_of_ours_may_change_things(make: Make, start: Start, headers: dict[str, str]) -> None:
    client = logged_in(start, make("ann"))
    assert client.delete(f"/jobs/{job_of(client, 'ann')}", headers=headers).status_code == 200


def test_a_token_shown_with_a_session_is_what_counts(make: Make, start: Start) -> None:
    client, other = logged_in(start, make("ann")), make("ben", Role.READER)
    assert client.post(ECHO, json=HELLO, headers={**OURS, **bearer(other)}).status_code == 403
    assert client.get("/jobs", headers=bearer("nobody's")).status_code == 401


def test_logging_out_ends_the_session(make: Make, start: Start) -> None:
    client = logged_in(start, make("ann"))
    answer = client.post("/logout", headers=OURS)
    assert answer.status_code == 303 and SimpleCookie(answer.headers["Set-Cookie"])["geomill"]["max-age"] == "0"
    assert client.delete(f"/jobs/{job_of(client, 'ann')}", headers=OURS).status_code == 401


def test_a_session_that_was_copied_ends_with_it_in_every_worker(make: Make, start: Start, settings: Settings) -> None:
    token, client, worker = make("ann"), start().test_client(), start().test_client(use_cookies=False)
    other = {"Cookie": f"geomill={log_in(start().test_client(), token)['geomill'].value}"}
    copied = {"Cookie": f"geomill={log_in(client, token)['geomill'].value}"}
    job_id = job_of(client, "ann")
    assert [worker.get(f"/jobs/{job_id}", headers=each).status_code for each in (copied, other)] == [200, 200]
    client.post("/logout", headers=OURS)
    assert [worker.get(f"/jobs/{job_id}", headers=each).status_code for each in (copied, other)] == [404, 200]
    restarted = start().test_client(use_cookies=False)
    assert restarted.get(f"/jobs/{job_id}", headers=copied).status_code == 404
    assert worker.post("/logout", headers={**OURS, **copied}).status_code == 303
    (mark,) = (settings.home / "identity/ended").iterdir()
    assert (mark.stat().st_mode & 0o777, mark.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_what_was_ended_is_kept_until_it_would_have_been_over(make: Make, settings: Settings) -> None:
    token_id, sessions = make("ann").split("_")[1], Sessions(settings.home, 60)
    for _ in range(3):
        sessions.end(sessions.begin(token_id))
    kept = sorted(sessions.ended.iterdir())
    over = [each.rename(each.with_name(f"1000{number}-{each.name[11:]}")) for number, each in enumerate(kept[:2])]
    sessions.end("nobody's")
    sessions.end(Sessions(settings.home, -1).begin(token_id))
    assert set(sessions.ended.iterdir()) == {*over, kept[2]}
    sessions.end(last := sessions.begin(token_id))
    assert len(list(sessions.ended.iterdir())) == 2 and kept[2].exists()
    assert sessions.token(last) is None


def test_where_it_cannot_be_seen_whether_a_session_was_ended_nobody_has_one(make: Make, settings: Settings) -> None:
    sessions = Sessions(settings.home, 60)
    cookie = sessions.begin(make("ann").split("_")[1])
    sessions.ended.write_bytes(b"")  # no folder
    with pytest.raises(NotADirectoryError):
        sessions.token(cookie)


HTML = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}


@pytest.mark.parametrize(
    "path, following",
    [
        ("/jobs", "/jobs"),
        ("/ogc-api/jobs?limit=1&status=failed", "/ogc-api/jobs?limit=1&status=failed"),
        ("/jobs/gr%C3%BCn%20%22%3E%3Cscript%3E", "/jobs/gr%C3%BCn%20%22%3E%3Cscript%3E"),
        ("/processes/x?a=%22%3E%3Cscript%3E%0D%0A", "/processes/x?a=%22%3E%3Cscript%3E%0D%0A"),
    ],
)
def test_a_browser_that_may_not_see_a_page_is_shown_the_way_to_log_in(
    make: Make, start: Start, path: str, following: str
) -> None:
    make("ann")
    client = start(anonymous="none").test_client()
    page = client.get(path, headers=HTML)
    assert (page.status_code, page.mimetype) == (401, "text/html")
    check_page(page)
    assert page.headers["WWW-Authenticate"].startswith("Bearer") and "Accept" in page.vary
    (link,) = {each for each in anchors(page.text) if "/login" in each}
    form = client.get(link.removeprefix("http://localhost"))
    assert form.status_code == 200 and f'name="next" value="{escape(following)}"' in form.text
    assert client.head(path, headers=HTML).mimetype == "text/html"


def test_the_way_to_log_in_keeps_the_prefix_of_a_proxy(make: Make, start: Start) -> None:
    make("ann")
    client = start(anonymous="none", public_url="https://example.org/geo").test_client()
    page = client.get("/jobs?limit=1", headers=HTML).text
    assert 'href="https://example.org/geo/login?next=/geo/jobs?limit%3D1"' in page


@pytest.mark.parametrize("accept", [None, "*/*", "application/json", "application/json, text/html", "image/png"])
def test_a_program_that_may_not_is_told_in_json(make: Make, start: Start, accept: str | None) -> None:
    make("ann")
    client = start(anonymous="none").test_client()
    headers = {"Accept": accept} if accept else {}
    for answer in (client.get("/jobs", headers=headers), client.get("/jobs?f=json", headers={**headers, **HTML})):
        assert (answer.status_code, answer.mimetype) == (401, "application/json")
    answer = client.post(ECHO, json=HELLO, headers={**headers, **OURS})
    assert (answer.status_code, answer.mimetype) == (401, "application/json")


def test_nobody_is_logged_out_by_a_link(make: Make, start: Start) -> None:
    assert logged_in(start, make("ann")).get("/logout").status_code == 405


def test_a_session_ends_with_its_token(make: Make, start: Start, tokens: Tokens) -> None:
    client = logged_in(start, make("ann"))
    job_id = job_of(client, "ann")
    assert client.get(f"/jobs/{job_id}").status_code == 200
    tokens.revoke("ann")
    make("ann")  # of the same name, and another
    assert client.get(f"/jobs/{job_id}").status_code == 404


def test_a_session_lasts_over_workers_and_restarts_and_not_for_ever(make: Make, settings: Settings) -> None:
    token_id = make("ann").split("_")[1]
    cookie = Sessions(settings.home, 60).begin(token_id)
    assert Sessions(settings.home, 60).token(cookie) == token_id
    assert Sessions(settings.home, 60).token(Sessions(settings.home, -1).begin(token_id)) is None


def test_a_session_that_was_not_signed_here_is_none(make: Make, start: Start, settings: Settings) -> None:
    client = start().test_client(use_cookies=False)
    token_id, other_id = make("ann").split("_")[1], make("root", Role.ADMIN).split("_")[1]
    sessions = Sessions(settings.home, 60)
    cookie = sessions.begin(token_id)
    content, _, signature = cookie.rpartition(".")
    later = re.sub(r"\d{9,}", "99999999999", content)
    forged = (f"{other_id}{cookie[8:]}", f"{later}.{signature}", f"{content}.{'A' * 43}", content, "", "a.b.c", "é" * 9)
    for each in forged:
        assert sessions.token(each) is None
        assert 'name="token"' in client.get("/login", headers={"Cookie": f"geomill={each}"}).text
    assert "You are ann" in client.get("/login", headers={"Cookie": f"geomill={cookie}"}).text
    assert (settings.home / "identity/session.key").stat().st_mode & 0o777 == 0o600


def test_a_key_that_is_none_signs_nothing(make: Make, client: FlaskClient, settings: Settings) -> None:
    """An empty key would be one that everybody knows."""
    make("ann")
    (settings.home / "identity/session.key").write_bytes(b"")
    with pytest.raises(OSError, match="is no key"):
        Sessions(settings.home, 60).begin("00000000")


def test_a_form_that_is_too_large_is_refused(make: Make, start: Start) -> None:
    make("ann")
    client = start(max_body=1000).test_client()
    assert client.post("/login", data={"token": "x" * 1001}, headers=OURS).status_code == 413
