"""Prefixes, slashes, public addresses and proxies."""

from dataclasses import replace

import pytest
from flask.testing import FlaskClient

from geomill.app import create_app
from geomill.app.addresses import tidy
from geomill.app.config import Settings


@pytest.mark.parametrize(
    "path, kept",
    [("/", ""), ("", ""), ("/processes/", "/processes"), ("//processes", "/processes"), ("/jobs//x//", "/jobs/x")],
)
def test_stray_slashes_do_not_count(path: str, kept: str) -> None:
    assert tidy(path) == kept


@pytest.mark.parametrize(
    "path", ["/processes", "/processes/", "/processes//", "/ogc-api/processes", "/ogc-api//processes/"]
)
def test_stray_slashes_are_answered_without_a_redirect(client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code == 200


@pytest.mark.parametrize("prefix", ["", "/ogc-api"])
@pytest.mark.parametrize("path", ["/", "/processes", "/jobs", "/processes/buffer"])
def test_links_keep_the_prefix_that_the_client_used(client: FlaskClient, prefix: str, path: str) -> None:
    hrefs = [link["href"] for link in client.get(prefix + path).json["links"] if link["rel"] != "profile"]
    assert hrefs
    assert all(href.startswith(f"http://localhost{prefix}/") for href in hrefs)
    assert "ogc-api" in str(hrefs) or not prefix


def test_a_public_url_is_what_links_start_with(settings: Settings) -> None:
    app = create_app(replace(settings, public_url="https://example.org/geo"))
    for host in ("127.0.0.1:8080", "example.org"):
        links = app.test_client().get("/ogc-api/jobs", headers={"Host": host}).json["links"]
        assert links[0]["href"] == "https://example.org/geo/ogc-api/jobs"


FORWARDED = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "example.org", "X-Forwarded-Prefix": "/geo"}


@pytest.mark.parametrize("trusted, begin", [(True, "https://example.org/geo/"), (False, "http://localhost/")])
def test_a_proxy_is_believed_only_when_trusted(settings: Settings, trusted: bool, begin: str) -> None:
    app = create_app(replace(settings, trust_proxy=trusted))
    links = app.test_client().get("/", headers=FORWARDED).json["links"]
    assert all(link["href"].startswith(begin) for link in links)
