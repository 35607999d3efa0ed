"""The libraries that people call OGC API - Processes with, each in its own environment, against a real server."""

from __future__ import annotations

from typing import Any

import pytest
from support.clients import NAMES, Client

from geomill.app.errors import PART_1, PART_2

BOX = {"bbox": [6.5, 45.5, 8.5, 47.5], "crs": "http://www.opengis.net/def/crs/OGC/1.3/CRS84"}
EXECUTED = {"owslib": {"echoInput": "hi"}, "ogc": BOX, "unity": {"echoInput": "hi"}, "cuiman": {"echoInput": "hi"}}
ERRORS = {
    "bad input": (400, "/problems/bad-input"),
    "no such process": (404, PART_1 + "no-such-process"),
    "no such job": (404, PART_1 + "no-such-job"),
    "not ready": (404, PART_1 + "result-not-ready"),
}
DEPLOYMENT_ERRORS = {
    "deployed twice": (409, PART_2 + "duplicated-process"),
    "undeployed twice": (404, PART_1 + "no-such-process"),
    "replaced what is not there": (404, PART_1 + "no-such-process"),
    "undeployed what is shipped": (403, PART_2 + "immutable-process"),
}

TOLD = [(client, error) for client in NAMES for error in ERRORS if client != "owslib" or error in list(ERRORS)[:2]]

every = pytest.mark.parametrize("client", NAMES, indirect=True)
with_jobs = pytest.mark.parametrize("client", [name for name in NAMES if name != "owslib"], indirect=True)
owslib, ogc, unity, cuiman = (
    pytest.mark.parametrize("client", [name], indirect=True) for name in ("owslib", "ogc", "unity", "cuiman")
)


@every
def test_a_client_finds_what_there_is(client: Client) -> None:
    assert {"service-desc", "http://www.opengis.net/def/rel/ogc/1.0/processes"} <= set(client.seen["landing"])
    assert "http://www.opengis.net/spec/ogcapi-processes-1/1.0/conf/core" in client.seen["conformance"]
    assert {"buffer", "echo", "grow", "water-mask"} <= set(client.seen["processes"])
    assert client.seen.get("definition", "3.0.3") == "3.0.3"


@every
def test_the_address_of_a_server_may_have_a_prefix_and_end_in_a_slash(client: Client) -> None:
    assert client.seen["elsewhere"] == client.seen["processes"]


@every
def test_a_client_reads_descriptions(client: Client) -> None:
    assert client.seen["described"]["grow"] == ["box", "degrees"]


@pytest.mark.parametrize("client", ["cuiman", "ogc", "owslib"], indirect=True)
def test_a_client_reads_the_descriptions_of_all_shipped_processes(client: Client) -> None:
    assert set(client.seen["described"]) == set(client.seen["processes"])


@every
def test_a_client_executes_now(client: Client) -> None:
    assert client.seen["executed"] == EXECUTED[client.name]


@every
def test_a_client_executes_later(client: Client) -> None:
    assert set(client.seen["accepted"]) <= {"accepted", "running"}


@with_jobs
def test_a_client_follows_a_job(client: Client) -> None:
    assert (client.seen["ended"], client.seen["listed"]) == ("successful", True)


@with_jobs
def test_a_client_dismisses_a_running_job_and_removes_one_that_has_ended(client: Client) -> None:
    assert [client.seen[name] for name in ("dismissed", "after that", "removed")] == ["dismissed"] * 3


@pytest.mark.parametrize("client, error", TOLD, indirect=["client"])
def test_a_client_tells_what_is_wrong(client: Client, error: str) -> None:
    assert told(client, error) == ERRORS[error]


@unity
def test_a_client_deploys_replaces_and_undeploys(client: Client) -> None:
    if not client.package:
        pytest.skip("this host runs no packages")
    assert client.seen["deployed"] == [201, ["text"]]
    assert client.seen["replaced"] == [204, ["words"]]
    assert client.seen["undeployed"] == [204]
    assert {name: told(client, name) for name in DEPLOYMENT_ERRORS} == DEPLOYMENT_ERRORS


@ogc
def test_a_text_that_a_client_cannot_read_comes_as_a_link_where_the_request_says_so(client: Client) -> None:
    assert client.seen["a text by reference"]["href"].startswith(client.server)


@cuiman
def test_a_client_makes_a_request_of_a_description(client: Client) -> None:
    assert client.seen["executed by a template"] == BOX
    assert client.seen["template"]["numbersInput"] == []  # which the description does not allow


@cuiman
def test_a_client_asks_for_fewer_jobs(client: Client) -> None:
    assert client.seen["one job"] == 1


@cuiman
def test_one_output_that_is_a_text_comes_as_json_where_the_client_says_so(client: Client) -> None:
    assert client.seen["as JSON"] == "hi"


@owslib
def test_a_client_that_knows_no_jobs_finds_the_address_of_one(client: Client) -> None:
    assert client.seen["location"] is True


@owslib
def test_a_preference_that_a_client_goes_on_sending_does_no_harm(client: Client) -> None:
    assert client.seen["kept"] == "respond-async"
    assert client.seen["with a query"]  # asked for after that


@owslib
def test_the_address_of_a_server_may_have_a_query(client: Client) -> None:
    assert client.seen["with a query"] == client.seen["processes"]


def told(client: Client, error: str) -> tuple[Any, Any]:
    """Status and type of the problem that the client has told of, the type without the address of the server."""
    seen = client.seen[error]
    return seen["status"], (seen["type"] or "").removeprefix(client.server)
