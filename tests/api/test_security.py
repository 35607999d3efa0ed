"""What a server without users lets through."""

import socket
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geomill.app import create_app
from geomill.app.config import Settings
from geomill.app.security import is_loopback

JOB = "/jobs/0191b8a0-0000-7000-8000-000000000000"


@pytest.mark.parametrize(
    "name, loopback",
    [
        ("localhost", True),
        ("LOCALHOST", True),
        ("a.localhost", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("example.org", False),
        ("127.0.0.1.example.org", False),
        ("localhost.example.org", False),
        ("", False),
    ],
)
def test_loopback_names_are_known(name: str, loopback: bool) -> None:
    assert is_loopback(name) is loopback


@pytest.mark.parametrize("host", ["localhost:8080", "127.0.0.1", "127.0.0.1:5000", "[::1]:8080"])
def test_a_loopback_server_answers_to_loopback_names(client: FlaskClient, host: str) -> None:
    assert client.get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", ["example.org", "127.0.0.1.example.org", "10.0.0.1:8080"])
def test_a_loopback_server_refuses_every_other_host_name(client: FlaskClient, host: str) -> None:
    answer = client.get("/", headers={"Host": host})
    assert answer.status_code == 421
    assert answer.json["type"].endswith("/problems/foreign-host")


@pytest.mark.parametrize("host", ["[::1", "bad host", "a/b", "[::1]x", "a:b", ".", "a..b", "..a", "a" * 64])
def test_a_malformed_host_is_refused(client: FlaskClient, host: str) -> None:
    answer = client.get("/", headers={"Host": host})
    assert answer.status_code == 400
    assert answer.json["type"] == "http://localhost/problems/bad-request"


def test_no_host_is_an_error_of_the_server(client: FlaskClient) -> None:
    @settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck), database=None, derandomize=True)
    @given(st.text(alphabet="aZ09.-_~:[]%@xn\x7f\xe9", max_size=80) | st.text(alphabet="xn-.a1", max_size=300))
    def ask(host: str) -> None:
        assert client.get("/conformance", headers={"Host": host}).status_code in (200, 400, 421)

    ask()


@pytest.mark.parametrize(
    "origin", ["https://example.org", "http://localhost:3000", "null", "http://localhost.example.org"]
)
def test_a_foreign_page_may_not_change_anything(client: FlaskClient, origin: str) -> None:
    answer = client.delete(JOB, headers={"Origin": origin})
    assert answer.status_code == 403
    assert answer.json["type"].endswith("/problems/foreign-origin")


def test_our_own_page_may_change_something(client: FlaskClient) -> None:
    assert client.delete(JOB, headers={"Origin": "http://localhost"}).status_code == 404


def test_a_page_below_the_public_url_may_change_something(settings: Settings) -> None:
    client = create_app(replace(settings, public_url="https://example.org/geo", anonymous="executor")).test_client()
    assert client.delete(JOB, headers={"Origin": "https://example.org"}).status_code == 404


@pytest.mark.parametrize("origin", [None, "https://example.org"])
def test_any_page_may_read(client: FlaskClient, origin: str | None) -> None:
    answer = client.get("/", headers={"Origin": origin} if origin else {})
    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (200, "*")
    exposed = answer.headers["Access-Control-Expose-Headers"]
    assert all(name in exposed for name in ("location", "link", "preference-applied", "etag"))


def test_a_problem_may_be_read_too(client: FlaskClient) -> None:
    assert client.get(JOB).headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize("method, allowed", [("GET", "*"), ("POST", None), ("DELETE", None)])
def test_a_preflight_allows_reading_only(client: FlaskClient, method: str, allowed: str | None) -> None:
    asked = {"Origin": "https://example.org", "Access-Control-Request-Method": method}
    answer = client.options(JOB, headers=asked)
    assert answer.status_code == 200
    assert answer.headers.get("Access-Control-Allow-Origin") == allowed


def test_options_names_the_methods(client: FlaskClient) -> None:
    assert set(client.options(JOB).headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "DELETE"}


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_server_open_to_a_network_changes_nothing(settings: Settings, method: str) -> None:
    client = create_app(replace(settings, host="0.0.0.0")).test_client()
    answer = client.open(JOB, method=method, headers={"Host": "example.org"})
    assert answer.status_code == 403
    assert "only reads" in answer.json["detail"]


@pytest.mark.parametrize("offered", [{"trust_proxy": True}, {"public_url": "https://example.org/geo"}])
def test_a_server_behind_a_proxy_is_open_to_a_network(settings: Settings, offered: dict[str, Any]) -> None:
    client = create_app(replace(settings, **offered)).test_client()
    answer = client.delete(JOB)
    assert answer.status_code == 403
    assert "only reads" in answer.json["detail"]


def test_a_public_url_of_this_host_offers_nothing(settings: Settings) -> None:
    client = create_app(replace(settings, public_url="http://localhost:8000/geo")).test_client()
    assert client.delete(JOB).status_code == 404


def test_a_server_answers_to_the_host_of_its_public_url(settings: Settings) -> None:
    client = create_app(replace(settings, public_url="https://example.org/geo")).test_client()
    hosts = ("example.org", "example.org:443", "localhost", "other.example.org")
    assert [client.get("/", headers={"Host": host}).status_code for host in hosts] == [200, 200, 200, 421]


def test_a_server_open_to_a_network_can_be_read_under_any_name(settings: Settings) -> None:
    client = create_app(replace(settings, host="0.0.0.0")).test_client()
    assert client.get("/", headers={"Host": "example.org"}).status_code == 200


@pytest.mark.parametrize("address, status", [("127.0.0.1", 404), ("127.0.0.2", 404)])
def test_the_address_that_a_request_came_to_counts(client: FlaskClient, address: str, status: int) -> None:
    with socket.create_server((address, 0)) as server:
        with socket.create_connection(server.getsockname()), server.accept()[0] as connection:
            answer = client.delete(JOB, environ_overrides={"gunicorn.socket": connection})
    assert answer.status_code == status


def test_nobody_guesses_a_media_type(client: FlaskClient) -> None:
    assert client.get("/").headers["X-Content-Type-Options"] == "nosniff"
