"""Problems: their status, type and media type."""

import pytest
from flask.testing import FlaskClient

from geomill.app import errors
from geomill.app.errors import PART_1
from geomill.app.server import Geomill

JOB = "/jobs/0191b8a0-0000-7000-8000-000000000000"
OGC = "http://www.opengis.net/def/exceptions/ogcapi-processes-1/1.0/"


@pytest.mark.parametrize(
    "method, path, status, kind",
    [
        ("GET", "/processes/none", 404, OGC + "no-such-process"),
        ("POST", "/processes/none/execution", 404, OGC + "no-such-process"),
        ("GET", JOB, 404, OGC + "no-such-job"),
        ("DELETE", JOB, 404, OGC + "no-such-job"),
        ("GET", JOB + "/results", 404, OGC + "no-such-job"),
        ("GET", JOB + "/results/x", 404, OGC + "no-such-job"),
        ("GET", JOB + "/results/x/0", 404, OGC + "no-such-job"),
        ("GET", JOB + "/logs", 404, OGC + "no-such-job"),
        ("GET", "/jobs/no-uuid", 404, OGC + "no-such-job"),
        ("GET", "/jobs/..%2F..", 404, "http://localhost/problems/not-found"),
        ("GET", "/nowhere", 404, "http://localhost/problems/not-found"),
        ("GET", "/jobs?status=lost", 400, OGC + "invalid-query-parameter-value"),
        ("PUT", "/jobs", 405, "http://localhost/problems/method-not-allowed"),
        ("GET", "/processes/none/execution", 405, "http://localhost/problems/method-not-allowed"),
    ],
)
def test_each_problem_has_its_type(client: FlaskClient, method: str, path: str, status: int, kind: str) -> None:
    answer = client.open(path, method=method)
    assert (answer.status_code, answer.json["status"], answer.json["type"]) == (status, status, kind)
    assert answer.json["title"] and answer.json["detail"]


@pytest.mark.parametrize(
    "accept, media_type",
    [
        (None, "application/json"),
        ("*/*", "application/json"),
        ("text/html", "text/html; charset=utf-8"),
        ("text/html, */*;q=0.1", "text/html; charset=utf-8"),
        ("text/html, */*", "application/json"),
        ("image/png", "application/json"),
        ("application/json", "application/json"),
        ("application/problem+json", "application/problem+json"),
        ("application/json, application/problem+json;q=0.9", "application/problem+json"),
    ],
)
def test_a_problem_is_json_unless_the_client_would_rather_have_another_type(
    client: FlaskClient, accept: str | None, media_type: str
) -> None:
    assert client.get("/nowhere", headers={"Accept": accept} if accept else {}).content_type == media_type


def test_a_wrong_method_is_told_the_right_ones(client: FlaskClient) -> None:
    assert set(client.post("/jobs").headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}


@pytest.mark.parametrize("path", ["/conformance", "/processes", "/processes/none", "/jobs", JOB])
@pytest.mark.parametrize("accept", ["image/png", "application/json;q=0"])
def test_what_nobody_offers_is_not_acceptable(client: FlaskClient, path: str, accept: str) -> None:
    answer = client.get(path, headers={"Accept": accept})
    assert (answer.status_code, answer.json["type"]) == (406, "http://localhost/problems/not-acceptable")


@pytest.mark.parametrize("path, status", [("/jobs", 200), (JOB, 404), ("/processes/none", 404), ("/nowhere", 404)])
def test_who_names_problem_documents_alone_gets_what_there_is(client: FlaskClient, path: str, status: int) -> None:
    answer = client.get(path, headers={"Accept": "application/problem+json"})
    media_type = "application/json" if status == 200 else "application/problem+json"
    assert (answer.status_code, answer.content_type) == (status, media_type)


@pytest.mark.parametrize(
    "method, path, detail",
    [
        ("GET", "/nowhere", "Nothing is served at this address; the landing page links what is."),
        ("PUT", "/jobs", "/jobs has no PUT, but GET and HEAD and OPTIONS."),
        ("GET", "/processes/ecco", "There is no process 'ecco'. Did you mean 'echo'?"),
        ("GET", "/jobs/nope", "There is no job 'nope'; it may have been removed."),
    ],
)
def test_what_is_not_there_is_said_in_a_sentence(client: FlaskClient, method: str, path: str, detail: str) -> None:
    assert client.open(path, method=method).json["detail"] == detail


@pytest.mark.parametrize("accept", ["*/*", "application/*", "application/json", "text/html, */*", "", "junk"])
def test_json_is_what_everybody_else_gets(client: FlaskClient, accept: str) -> None:
    assert client.get("/conformance", headers={"Accept": accept}).content_type == "application/json"


def test_the_query_may_say_json_over_the_accept_header(client: FlaskClient) -> None:
    assert client.get("/?f=json", headers={"Accept": "text/html"}).content_type == "application/json"


@pytest.mark.parametrize("path", ["/?f=yaml", "/jobs?f=ttl", "/processes/echo?f=", "/api?f=zip"])
def test_a_format_that_is_not_there_is_an_error_that_names_those_that_are(client: FlaskClient, path: str) -> None:
    said = client.get(path, headers={"Accept": "application/json"})
    assert (said.status_code, said.json["type"]) == (400, f"{PART_1}invalid-query-parameter-value")
    assert said.json["detail"] == f"f: {path.partition('=')[2]!r} is not one of json, html"
    page = client.get(path, headers={"Accept": "text/html"})
    assert (page.status_code, page.mimetype) == (400, "text/html") and "is not one of json, html" in page.text


def test_an_unexpected_error_keeps_its_text_to_itself(app: Geomill, caplog: pytest.LogCaptureFixture) -> None:
    @app.get("/broken")
    def broken() -> str:
        raise RuntimeError("the secret")

    answer = app.test_client().get("/broken")
    assert (answer.status_code, answer.json["type"]) == (500, "http://localhost/problems/server-error")
    assert "secret" not in answer.text
    assert "the secret" in caplog.text


def test_no_problem_but_those_of_the_design_is_a_server_error() -> None:
    assert {problem.status for problem in errors.everything() if problem.status >= 500} == {500, 503, 504, 507}


def test_every_problem_without_an_ogc_type_has_a_page_of_one_sentence() -> None:
    for problem in errors.everything():
        assert problem.type.startswith("http://www.opengis.net/") != problem.text.endswith(".")
