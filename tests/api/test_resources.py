"""Landing page, conformance, API definition, problem types."""

import re

import pytest
from flask.testing import FlaskClient
from openapi_spec_validator import OpenAPIV30SpecValidator
from support.markup import check_page, elements

from geomill.app.api.conformance import classes
from geomill.app.operations import of

OPENAPI = "application/vnd.oai.openapi+json;version=3.0"
OGC = "http://www.opengis.net/def/rel/ogc/1.0/"


@pytest.mark.parametrize(
    "rel",
    ["self", "alternate", "service-desc", "service-doc", OGC + "conformance", OGC + "processes", OGC + "job-list"],
)
def test_every_link_of_the_landing_page_leads_to_its_media_type(client: FlaskClient, rel: str) -> None:
    (link,) = (link for link in client.get("/").json["links"] if link["rel"] == rel)
    answer = client.get(link["href"], headers={"Accept": link["type"]})
    assert (answer.status_code, answer.content_type.replace("; charset=utf-8", "")) == (200, link["type"])


def test_conformance_lists_the_core_of_both_versions(client: FlaskClient) -> None:
    listed = client.get("/conformance").json["conformsTo"]
    assert listed == classes()
    for version in ("1.0", "2.0"):
        assert f"http://www.opengis.net/spec/ogcapi-processes-1/{version}/conf/core" in listed


@pytest.mark.parametrize(
    "accept, media_type",
    [
        (None, OPENAPI),
        ("*/*", OPENAPI),
        (OPENAPI, OPENAPI),
        ("application/vnd.oai.openapi+json", OPENAPI),
        ("application/json", "application/json"),
        ("application/json; charset=utf-8", "application/json"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html; charset=utf-8"),
        ("text/html, */*", OPENAPI),
        ("application/json;q=0.5, text/html;q=0.4", "application/json"),
    ],
)
def test_the_definition_comes_as_the_client_likes_it(client: FlaskClient, accept: str | None, media_type: str) -> None:
    answer = client.get("/api", headers={"Accept": accept} if accept else {})
    assert answer.content_type == media_type


def test_the_definition_is_valid_openapi(client: FlaskClient) -> None:
    assert [str(error) for error in OpenAPIV30SpecValidator(client.get("/api?f=json").json).iter_errors()] == []


@pytest.mark.parametrize("prefix", ["", "/ogc-api"])
def test_the_definition_says_where_it_is_served(client: FlaskClient, prefix: str) -> None:
    assert client.get(f"{prefix}/api").json["servers"] == [{"url": f"http://localhost{prefix}"}]


def test_the_definition_has_the_operations_of_the_standard(client: FlaskClient) -> None:
    paths = client.get("/api?f=json").json["paths"]
    named = {operation["operationId"] for methods in paths.values() for operation in methods.values()}
    assert named >= {
        "getLandingPage",
        "getConformanceClasses",
        "getProcesses",
        "getProcessDescription",
        "execute",
        "getJobs",
        "getStatus",
        "getResult",
        "dismiss",
    }


def test_the_page_of_the_definition_is_closed_and_names_every_operation(client: FlaskClient) -> None:
    page = client.get("/api", headers={"Accept": "text/html"})
    paths = client.get("/api?f=json").json["paths"]
    ids = {attributes.get("id") for _, attributes, _ in elements(page.text)}
    assert {operation["operationId"] for methods in paths.values() for operation in methods.values()} <= ids
    check_page(page)


def test_every_documented_path_is_served_and_no_other(client: FlaskClient) -> None:
    app = client.application
    rules = [(re.sub("<.*?>", "{}", rule.rule), of(app, rule.endpoint)) for rule in app.url_map.iter_rules()]
    documented = {re.sub(r"{\w+}", "{}", path) for path in client.get("/api?f=json").json["paths"]}
    assert {path for path, operation in rules if operation is None or operation.documented} == documented
    assert {"/login", "/logout", "/static/{}/{}"} <= {path for path, _ in rules}  # these are for browsers


@pytest.mark.parametrize("media_type", ["application/json", "text/html"])
def test_the_type_of_a_problem_is_a_page_with_a_sentence(client: FlaskClient, media_type: str) -> None:
    problem = client.get("/nowhere").json
    page = client.get(problem["type"], headers={"Accept": media_type})
    assert (page.status_code, page.mimetype) == (200, media_type)
    assert "Nothing is served at this address;" in page.text


def test_an_unknown_problem_is_not_found(client: FlaskClient) -> None:
    assert client.get("/problems/none").status_code == 404


@pytest.mark.parametrize("path", ["/", "/conformance", "/api", "/processes", "/jobs"])
def test_an_unchanged_body_is_not_sent_again(client: FlaskClient, path: str) -> None:
    etag = client.get(path).headers["ETag"]
    again = client.get(path, headers={"If-None-Match": etag})
    assert (again.status_code, again.data) == (304, b"")


@pytest.mark.parametrize("path", ["/", "/conformance", "/api", "/processes", "/jobs"])
def test_head_says_what_get_says(client: FlaskClient, path: str) -> None:
    get, head = client.get(path), client.head(path)
    assert (head.status_code, head.data) == (200, b"")
    assert head.headers["Content-Length"] == get.headers["Content-Length"]
    assert head.headers["Content-Type"] == get.headers["Content-Type"]
