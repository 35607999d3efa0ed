"""POST, PUT and DELETE of processes, their packages and their versions. OGC 20-044, Part 2"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from support.packages import CWL, OGC, as_json, as_yaml, graph, ogc, tool
from support.web import Page, pages
from werkzeug.test import TestResponse

from geomill.app import create_app
from geomill.app.config import Settings
from geomill.app.server import Geomill

PROBLEMS = "http://www.opengis.net/def/exceptions/ogcapi-processes-2/1.0/"
YAML = as_yaml(tool())
NEWER = as_yaml(tool(**{"s:softwareVersion": "2.0.0", "label": "Greet better"}))


def post(client: FlaskClient, body: bytes = YAML, query: str = "", media_type: str = CWL) -> TestResponse:
    return client.post(f"/processes{query}", data=body, content_type=media_type)


def put(client: FlaskClient, body: bytes = NEWER, query: str = "", name: str = "greet") -> TestResponse:
    return client.put(f"/processes/{name}{query}", data=body, content_type=CWL)


def mutable(client: FlaskClient) -> list[str]:
    """The ids of the deployed processes."""
    return [process["id"] for process in client.get("/processes").json["processes"] if process["mutable"]]


@pytest.fixture
def greet(client: FlaskClient) -> FlaskClient:
    """A client of a server with one deployed process."""
    assert post(client).status_code == 201
    return client


# ---- deploy


def test_a_deployed_process_is_named_summarized_listed_described_and_given_back(client: FlaskClient) -> None:
    answer = post(client)
    assert (answer.status_code, answer.headers.getlist("Location")) == (201, ["http://localhost/processes/greet"])
    summary = answer.json
    assert (summary["id"], summary["title"], summary["description"]) == ("greet", "Greet", "Greets somebody.")
    assert (summary["version"], summary["mutable"]) == ("1.2.3", True)
    assert (summary["jobControlOptions"], summary["outputTransmission"]) == (
        ["async-execute", "dismiss"],
        ["value", "reference"],
    )
    assert "inputs" not in summary
    listed = client.get("/processes").json["processes"]
    assert listed[0] == summary  # the deployed ones first
    described = client.get("/processes/greet").json
    assert summary.items() <= described.items()
    links = {link["rel"]: link for link in described["links"]}
    assert links["http://www.opengis.net/def/rel/ogc/1.0/execute"]["href"].endswith("/processes/greet/execution")
    package = client.get(links["describedby"]["href"])
    assert (package.data, package.headers["Content-Type"]) == (YAML, CWL)


def test_the_definition_of_the_api_tells_how_to_deploy(client: FlaskClient) -> None:
    paths = client.get("/api").json["paths"]
    for operation in (paths["/processes"]["post"], paths["/processes/{processID}"]["put"]):
        assert {OGC, CWL, "application/cwl+yaml", "application/cwl+json"} <= set(operation["requestBody"]["content"])
        assert {"w", "dryRun"} <= {each["name"] for each in operation["parameters"]}
    assert {"201", "400", "403", "409", "415", "422"} <= set(paths["/processes"]["post"]["responses"])
    assert {"204", "403", "404", "415"} <= set(paths["/processes/{processID}"]["put"]["responses"])
    assert {"204", "403", "404"} <= set(paths["/processes/{processID}"]["delete"]["responses"])


@pytest.mark.parametrize("slash", ["", "/", "//"])
def test_a_slash_at_the_end_is_no_matter(client: FlaskClient, slash: str) -> None:
    assert client.post(f"/processes{slash}?w=greet", data=YAML, content_type=CWL).status_code == 201


def test_a_process_that_is_there_is_not_deployed_again(greet: FlaskClient) -> None:
    again = post(greet, NEWER)
    assert (again.status_code, again.json["type"]) == (409, PROBLEMS + "duplicated-process")
    assert again.headers.getlist("Location") == ["http://localhost/processes/greet"]
    assert greet.get("/processes/greet").json["version"] == "1.2.3"


def test_what_is_refused_leaves_nothing_behind(greet: FlaskClient, settings: Settings) -> None:
    before = sorted((settings.home / "packages").iterdir())
    post(greet, NEWER)
    post(greet, b"nonsense")
    post(greet, NEWER, "?dryRun=true")
    put(greet, b"nonsense")
    assert sorted((settings.home / "packages").iterdir()) == before


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_a_process_of_the_server_stays_as_it_is(client: FlaskClient, method: str) -> None:
    path = "/processes" if method == "POST" else "/processes/echo"
    answer = client.open(path, method=method, data=as_yaml(tool("echo")), content_type=CWL)
    assert (answer.status_code, answer.json["type"]) == (403, PROBLEMS + "immutable-process")
    assert answer.headers["Location"] == "http://localhost/processes/echo"
    assert "mutable" in client.get("/processes/echo").json and mutable(client) == []


@pytest.mark.parametrize("path", ["/processes/echo/package", "/processes/echo/versions"])
def test_a_process_of_the_server_has_no_package(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.json["type"]) == (403, PROBLEMS + "immutable-process")


@pytest.mark.parametrize(
    "method, path",
    [("PUT", ""), ("DELETE", ""), ("GET", "/package"), ("GET", "/versions"), ("GET", "/package?package=0")],
)
@pytest.mark.parametrize("name", ["none", "..", "%00", "%2e%2e", "x" * 300])
def test_a_process_that_is_not_there_cannot_be_changed(client: FlaskClient, method: str, path: str, name: str) -> None:
    answer = client.open(f"/processes/{name}{path}", method=method, data=YAML, content_type=CWL)
    assert answer.status_code == 404
    if name == "none":
        assert answer.json["type"].endswith("ogcapi-processes-1/1.0/no-such-process")


# ---- which process of a document

SEVERAL = as_yaml(graph("water-bodies", "other_one"))


@pytest.mark.parametrize(
    "w, process",
    [
        ("water-bodies", "water-bodies"),
        ("water_bodies", "water-bodies"),
        ("other-one", "other_one"),
        ("%23other_one", "other_one"),
        ("greet", "greet"),
        (None, "water-bodies"),
    ],
)
def test_w_names_a_process_of_the_document(client: FlaskClient, w: str | None, process: str) -> None:
    answer = post(client, SEVERAL, "" if w is None else f"?w={w}")
    assert (answer.status_code, answer.json["id"]) == (201, process)


def test_without_w_the_workflow_is_found_that_is_no_step(client: FlaskClient) -> None:
    assert post(client, as_yaml(graph("main"))).json["id"] == "main"
    document = graph("inner")
    outer = {**document["$graph"][0], "id": "outer"}
    outer["requirements"] = {"SubworkflowFeatureRequirement": {}}
    outer["steps"] = {"step": {**outer["steps"]["step"], "run": "#inner"}}
    document["$graph"].append(outer)
    assert post(client, as_json(document)).json["id"] == "outer"


@pytest.mark.parametrize("body", [SEVERAL, YAML], ids=["graph", "one process"])
@pytest.mark.parametrize("w", ["absent", "water%20bodies", "%00", "/etc/passwd"])
def test_a_w_that_is_not_in_the_document_is_told_what_is(client: FlaskClient, body: bytes, w: str) -> None:
    answer = post(client, body, f"?w={w}")
    assert (answer.status_code, answer.json["type"]) == (400, PROBLEMS + "workflow-not-found")
    for name in ("water-bodies", "other_one", "greet") if body is SEVERAL else ("greet",):
        assert name in answer.json["detail"]


def test_w_chooses_when_a_process_is_replaced_too(greet: FlaskClient) -> None:
    assert put(greet, SEVERAL, "?w=other_one").status_code == 204
    assert greet.get("/processes/greet").json["title"] != "Greet"
    assert put(greet, SEVERAL).status_code == 204  # the one of its own name
    assert greet.get("/processes/greet").json["title"] == "Greet"


# ---- replace, undeploy, versions


def test_a_replaced_process_is_the_new_one_at_once(greet: FlaskClient) -> None:
    etag = greet.get("/processes/greet").headers["ETag"]
    answer = put(greet)
    assert (answer.status_code, answer.data, "Content-Type" in answer.headers) == (204, b"", False)
    described = greet.get("/processes/greet", headers={"If-None-Match": etag})
    assert (described.json["id"], described.json["version"], described.json["title"]) == (
        "greet", "2.0.0", "Greet better",
    )  # fmt: skip
    assert greet.get("/processes/greet/package").data == NEWER


def test_the_id_stays_whatever_the_new_document_is_called(greet: FlaskClient) -> None:
    assert put(greet, as_yaml(tool("salute"))).status_code == 204
    assert (greet.get("/processes/greet").json["id"], mutable(greet)) == ("greet", ["greet"])
    assert greet.get("/processes/salute").status_code == 404


def test_the_versions_of_a_process_keep_their_packages(greet: FlaskClient) -> None:
    assert put(greet).status_code == 204
    document = greet.get("/processes/greet/versions").json
    first, second = document["versions"]
    assert [(each["version"], each["current"]) for each in (first, second)] == [("1.2.3", False), ("2.0.0", True)]
    assert first["deployed"] <= second["deployed"] and first["package"] != second["package"]
    assert [greet.get(each["links"][0]["href"]).data for each in (first, second)] == [YAML, NEWER]
    history = {link["rel"]: link["href"] for link in greet.get("/processes/greet").json["links"]}["version-history"]
    assert history.endswith("/processes/greet/versions")
    assert greet.get("/processes/greet/package?package=0123").status_code == 404


def test_an_undeployed_process_is_gone_and_its_id_free(greet: FlaskClient) -> None:
    answer = greet.delete("/processes/greet")
    assert (answer.status_code, answer.data) == (204, b"")
    for path in ("", "/package", "/versions"):
        assert greet.get(f"/processes/greet{path}").status_code == 404
    assert mutable(greet) == [] and greet.delete("/processes/greet").status_code == 404
    assert post(greet, NEWER).status_code == 201
    assert len(greet.get("/processes/greet/versions").json["versions"]) == 1


def test_a_page_of_processes_counts_the_deployed_ones_and_begins_with_them(greet: FlaskClient) -> None:
    everything = greet.get("/processes?limit=10000").json
    assert everything["numberTotal"] == len(everything["processes"])
    assert all(isinstance(process["mutable"], bool) for process in everything["processes"])
    page = greet.get("/processes?limit=1").json
    assert ([each["id"] for each in page["processes"]], page["numberTotal"]) == (["greet"], everything["numberTotal"])
    following = next(link["href"] for link in page["links"] if link["rel"] == "next")
    assert greet.get(following).json["processes"][0]["mutable"] is False


# ---- by reference


@pytest.fixture
def web(settings: Settings) -> Iterator[tuple[FlaskClient, str]]:
    """A client of a server that may fetch from a loopback address, and that address."""
    text = {"Content-Type": "text/plain"}
    given: dict[str, Page] = {
        "/app.cwl": (200, text, YAML),
        "/moved.cwl": (302, {"Location": "/app.cwl"}, b""),
        "/endless.cwl": (302, {"Location": "/endless.cwl"}, b""),
        "/inward.cwl": (302, {"Location": "http://10.0.0.1/app.cwl"}, b""),
        "/nonsense.cwl": (200, text, b"<html></html>"),
        "/large.cwl": (200, text, b"#" * (1 << 20) + b"\n" + YAML),
        "/broken.cwl": (200, {"Content-Length": "9999"}, YAML),
    }
    with pages(given) as url:
        app = create_app(replace(settings, allow=(url.removeprefix("http://"),)))
        app.test_client_class = Geomill.test_client_class or FlaskClient
        yield app.test_client(), url


def by_reference(client: FlaskClient, href: str) -> TestResponse:
    package = ogc({"href": href, "type": "application/cwl"})
    return client.post("/processes", data=package, content_type=OGC)


@pytest.mark.parametrize("path", ["/app.cwl", "/moved.cwl"])
def test_a_document_is_fetched_and_the_package_given_back_as_it_came(web: tuple[FlaskClient, str], path: str) -> None:
    client, url = web
    assert by_reference(client, url + path).json["id"] == "greet"
    package = client.get("/processes/greet/package")
    assert (package.json["executionUnit"]["href"], package.headers["Content-Type"]) == (url + path, OGC)


@pytest.mark.parametrize(
    "path, words",
    [
        ("/none.cwl", "answered 404"),
        ("/endless.cwl", "more than 5 redirects"),
        ("/inward.cwl", "10.0.0.1 is not a public address"),
        ("/nonsense.cwl", "A CWL document is a mapping"),
        ("/large.cwl", "larger than 1048576 bytes"),
        ("/broken.cwl", "broke off"),
    ],
)
def test_a_document_that_cannot_be_had_is_refused_with_the_reason(
    web: tuple[FlaskClient, str], path: str, words: str
) -> None:
    client, url = web
    answer = by_reference(client, url + path)
    assert (answer.status_code, mutable(client)) == (400, [])
    assert words in answer.json["detail"]


@pytest.mark.parametrize(
    "href", ["http://127.0.0.1/x.cwl", "http://192.168.0.1/x.cwl", "http://[::1]/", "file:///etc/passwd", "ftp://x/y"]
)
def test_a_document_of_a_private_place_is_not_fetched(client: FlaskClient, href: str) -> None:
    answer = by_reference(client, href)
    assert answer.status_code == 400
    assert answer.json["detail"].startswith('"executionUnit.href" cannot be fetched: ')


# ---- dry runs


@pytest.mark.parametrize("query", ["?dryRun=true", "?dryRun=1", "?w=greet&dryRun=true"])
def test_a_dry_run_deploys_nothing_and_says_what_would_be(client: FlaskClient, query: str) -> None:
    answer = post(client, YAML, query)
    assert (answer.status_code, "Location" in answer.headers) == (200, False)
    assert mutable(client) == [] and client.get("/processes/greet").status_code == 404
    told = answer.json
    post(client)
    assert {**told["process"], "links": None} == {**client.get("/processes/greet").json, "links": None}
    assert told["execute"] == {"inputs": {"whom": "world"}}
    assert told["isolation"]["description"]


def test_a_dry_run_gives_a_body_that_is_accepted(client: FlaskClient) -> None:
    kinds = {"text": "string", "count": "int", "ratio": "double?", "which": {"type": "enum", "symbols": ["a", "b"]},
             "files": "File[]", "switch": "boolean"}  # fmt: skip
    body = as_yaml(tool(inputs={name: {"type": kind} for name, kind in kinds.items()}))
    execute = post(client, body, "?dryRun=true").json["execute"]
    assert set(execute["inputs"]) == {*kinds} - {"ratio"}
    assert post(client, body).status_code == 201
    accepted = client.post("/processes/greet/execution", json=execute, headers={"Prefer": "respond-async"})
    assert accepted.status_code == 201, accepted.json


def test_a_dry_run_warns_of_what_a_package_lacks(client: FlaskClient) -> None:
    network = {"NetworkAccess": {"networkAccess": True}}
    poor = tool(label=None, doc=None, requirements=network, **{"s:softwareVersion": None})
    warnings = "\n".join(post(client, as_yaml(poor), "?dryRun=true").json["warnings"])
    for words in ("s:softwareVersion", "No container image", "NetworkAccess", "label"):
        assert words in warnings
    image = {"DockerRequirement": {"dockerPull": "example.org/greet:latest"}}
    told = post(client, as_yaml(tool(hints=image)), "?dryRun=true").json
    assert "may change: name a version or a digest" in "\n".join(told["warnings"])
    assert "example.org/greet:latest is neither mapped nor on this host" in "\n".join(told["warnings"])


def test_a_dry_run_of_a_replacement_replaces_nothing(greet: FlaskClient) -> None:
    told = put(greet, query="?dryRun=true")
    assert (told.status_code, told.json["process"]["version"]) == (200, "2.0.0")
    assert greet.get("/processes/greet").json["version"] == "1.2.3"
    assert len(greet.get("/processes/greet/versions").json["versions"]) == 1


def test_a_dry_run_of_what_is_there_already_says_so(greet: FlaskClient) -> None:
    assert post(greet, NEWER, "?dryRun=true").status_code == 409


@pytest.mark.parametrize("query", ["?dryRun=perhaps", "?dryRun="])
def test_a_dry_run_is_one_or_is_none(client: FlaskClient, query: str) -> None:
    answer = post(client, YAML, query)
    assert answer.status_code == 400 and "dryRun" in answer.json["detail"] and mutable(client) == []


# ---- what a server cannot run


@pytest.mark.parametrize(
    "document, words",
    [
        (tool(**{"class": "Operation", "baseCommand": None, "outputs": {}}), "Operation"),
        (tool(cwlVersion="v1.3.0-dev1"), "v1.0, v1.1 and v1.2"),
    ],
)
def test_a_package_that_this_server_cannot_run_is_422(client: FlaskClient, document: Any, words: str) -> None:
    answer = post(client, as_json(document))
    assert (answer.status_code, mutable(client)) == (422, [])
    assert words in answer.json["detail"]


def test_what_a_document_refers_to_is_not_looked_for(client: FlaskClient) -> None:
    for reference in ("file:///etc/hostname", "http://127.0.0.1:9/x.cwl", "other.cwl"):
        document = graph("main")
        document["$graph"][0]["steps"]["step"]["run"] = reference
        answer = post(client, as_yaml(document))
        assert answer.status_code == 400 and reference.rpartition("/")[2] in answer.json["detail"]


# ---- where it is kept


def test_a_tenant_does_not_see_what_another_has_deployed(client: FlaskClient) -> None:
    answer = client.post("/acme/ogc-api/processes", data=YAML, content_type=CWL)
    assert answer.headers["Location"] == "http://localhost/acme/ogc-api/processes/greet"
    client.post("/zeta/ogc-api/processes", data=NEWER, content_type=CWL)
    assert client.get("/processes/greet").status_code == 404 and mutable(client) == []
    versions = [client.get(f"/{name}/ogc-api/processes/greet").json["version"] for name in ("acme", "zeta")]
    assert versions == ["1.2.3", "2.0.0"]
    assert client.delete("/acme/ogc-api/processes/greet").status_code == 204
    assert client.get("/zeta/ogc-api/processes/greet").status_code == 200


def test_it_survives_a_restart(greet: FlaskClient, settings: Settings) -> None:
    shown = greet.get("/processes/greet").json
    again = create_app(settings).test_client()
    assert again.get("/processes/greet").json == shown
    assert again.get("/processes/greet/package").data == YAML


ORDERED = """
cwlVersion: v1.2
class: Workflow
id: ordered
inputs:
  zeta: string
  alpha: {type: {type: record, fields: {south: double, east: double, also: double}}}
  mid: string
outputs:
  whole: {type: string, outputSource: second/out}
  part: {type: string, outputSource: first/out}
steps:
  second: {run: &tool {class: ExpressionTool, inputs: {text: string}, outputs: {out: string}, expression: "$(inputs)"},
           in: {text: zeta}, out: [out]}
  first: {run: *tool, in: {text: mid}, out: [out]}
"""


def test_what_a_document_says_keeps_its_order(client: FlaskClient, app: Geomill) -> None:
    assert post(client, ORDERED.encode()).status_code == 201
    described = client.get("/processes/ordered").json
    assert list(described["inputs"]) == ["zeta", "alpha", "mid"]
    assert list(described["inputs"]["alpha"]["schema"]["properties"]) == ["south", "east", "also"]
    assert list(described["outputs"]) == ["whole", "part"]
    workflow = app.processes.deployed.workflow("ordered")
    assert workflow and [step["name"] for step in workflow["steps"]] == ["second", "first"]


def test_a_package_lies_once_in_the_home_by_its_digest(greet: FlaskClient, settings: Settings) -> None:
    (version,) = greet.get("/processes/greet/versions").json["versions"]
    folder: Path = settings.home / "packages" / version["package"]
    assert sha256((folder / "received").read_bytes()).digest() == sha256(YAML).digest()
    assert folder.stat().st_mode & 0o077 == 0


def test_a_server_without_cwltool_says_what_to_install(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("geomill.app.cwl.validate.find_spec", lambda name: None)
    answer = post(client)
    assert answer.status_code == 422 and "geomill[cwl]" in answer.json["detail"]
