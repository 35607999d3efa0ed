"""The forms in which packages come: media types, execution units, descriptions laid over."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from support.packages import CWL, OGC, as_json, as_yaml, docker, graph, ogc, tool
from werkzeug.test import TestResponse

SHARED = Path(__file__).parents[3] / "shared/standard/schemas/orig/ets/part2-docker-ogcapppkg.json"

YAML = as_yaml(tool())
OF_VALUE = {"value": tool(), "mediaType": "application/cwl+json"}


def post(client: FlaskClient, body: bytes, media_type: str | None = CWL, query: str = "") -> TestResponse:
    return client.post(f"/processes{query}", data=body, content_type=media_type)


def deployed(client: FlaskClient, body: bytes, media_type: str = CWL, query: str = "") -> dict[str, Any]:
    """The description of the process that a package becomes."""
    answer = post(client, body, media_type, query)
    assert answer.status_code == 201, answer.json
    description: dict[str, Any] = client.get(answer.headers["Location"]).json
    return description


def refused(client: FlaskClient, body: bytes, media_type: str = CWL, query: str = "") -> str:
    """Why a package is refused."""
    answer = post(client, body, media_type, query)
    assert answer.status_code == 400, answer.json
    assert not any(process["mutable"] for process in client.get("/processes").json["processes"])
    return str(answer.json["detail"])


# ---- media types


@pytest.mark.parametrize(
    "media_type, body",
    [
        (CWL, YAML),
        (CWL, as_json(tool())),
        ("application/cwl+yaml", YAML),
        ("application/cwl+yaml", as_json(tool())),
        ("application/cwl+json", as_json(tool())),
        ("application/yaml", YAML),
        ("application/x-yaml", YAML),
        ("text/yaml", YAML),
        ("application/cwl; charset=utf-8", YAML),
        ("Application/CWL+YAML;version=1.2", YAML),
        ("application/json", as_json(tool())),
        ("application/json", ogc(OF_VALUE)),
        (OGC, ogc(OF_VALUE)),
        ("APPLICATION/OGCAPPPKG+JSON; charset=UTF-8", ogc(OF_VALUE)),
        ("application/yaml", ogc(OF_VALUE)),
        ("application/cwl", ogc(OF_VALUE)),
    ],
)
def test_a_package_is_understood_under_every_media_type(client: FlaskClient, media_type: str, body: bytes) -> None:
    description = deployed(client, body, media_type)
    assert (description["id"], description["version"], description["mutable"]) == ("greet", "1.2.3", True)
    package = client.get("/processes/greet/package")
    assert (package.data, package.headers["Content-Type"]) == (body, media_type.partition(";")[0].lower())


@pytest.mark.parametrize("media_type", ["text/plain", "application/xml", "application/octet-stream", "junk", None])
def test_any_other_media_type_is_refused_before_anything_else(client: FlaskClient, media_type: str | None) -> None:
    for answer in (
        post(client, YAML, media_type),
        client.put("/processes/none", data=YAML, content_type=media_type),
        client.put("/processes/echo", data=b"", content_type=media_type),
    ):
        assert answer.status_code == 415
        assert answer.json["type"] == "http://www.opengis.net/def/exceptions/ogcapi-processes-2/1.0/unsupported-media-type"
        assert "application/ogcapppkg+json, application/cwl" in answer.json["detail"]


# ---- execution units

UNITS: dict[str, Any] = {
    "an object": OF_VALUE,
    "text": {"value": YAML.decode(), "mediaType": "application/cwl"},
    "text in JSON": {"value": as_json(tool()).decode(), "mediaType": "application/cwl+json"},
    "a value of no stated type": {"value": tool()},
    "an array": [OF_VALUE],
    "an array with an image first": [{"type": "docker", "image": "example.org/greet:1"}, OF_VALUE],
    "unit": {"unit": tool()},
    "an array of units": [{"unit": tool(), "type": "application/cwl"}],
    "the document itself": tool(),
    "with nulls": {"value": {**tool(), "hints": None}, "mediaType": None, "encoding": None, "href": None},
}


@pytest.mark.parametrize("unit", UNITS.values(), ids=UNITS)
def test_an_execution_unit_is_understood_in_every_form(client: FlaskClient, unit: Any) -> None:
    description = deployed(client, ogc(unit), OGC)
    assert (description["id"], list(description["inputs"])) == ("greet", ["whom"])


@pytest.mark.parametrize(
    "package, words",
    [
        (ogc({}), 'must have "href"'),
        (ogc([]), '"executionUnit" is empty'),
        (ogc(None), '"executionUnit" must be an object'),
        (ogc("app.cwl"), '"executionUnit" must be an object'),
        (ogc(["app.cwl"]), '"executionUnit" must be an object'),
        (ogc({"href": 3}), 'must have "href"'),
        (ogc({"type": "docker"}), 'with "image"'),
        (b"{}", 'has a member "executionUnit"'),
        (b"[]", 'has a member "executionUnit"'),
        (b'{"executionUnit": ', "The body"),
        (b"  ", "The body is empty"),
        (b"cwlVersion: v1.2", "The body"),
    ],
)
def test_what_is_no_package_is_refused_with_what_was_expected(client: FlaskClient, package: bytes, words: str) -> None:
    assert words in refused(client, package, OGC)


# ---- descriptions

SAID: dict[str, Any] = {
    "id": "salute",
    "title": "Salute",
    "description": "Salutes somebody.",
    "version": "7.0",
    "keywords": ["manners"],
    "metadata": [{"title": "Manual", "role": "documentation", "href": "https://example.org/manual"}],
    "jobControlOptions": ["sync-execute"],
    "inputs": {"whom": {"title": "Whom", "schema": {"type": "string", "maxLength": 40}}},
    "outputs": {"greeting": {"title": "What was said"}},
}


@pytest.mark.parametrize("wrapped", [True, False], ids=["with the wrapper", "without"])
def test_what_a_client_says_is_laid_over_what_the_document_says(client: FlaskClient, wrapped: bool) -> None:
    plain = deployed(client, YAML)
    description = deployed(client, ogc(OF_VALUE, {"process": SAID} if wrapped else SAID), OGC)
    for name in ("id", "title", "description", "version", "keywords", "metadata"):
        assert description[name] == SAID[name]
    assert description["jobControlOptions"] == ["sync-execute", "async-execute", "dismiss"]
    assert description["inputs"]["whom"] == {**plain["inputs"]["whom"], **SAID["inputs"]["whom"]}
    assert description["outputs"]["greeting"] == {**plain["outputs"]["greeting"], "title": "What was said"}
    assert client.get("/processes/salute").json == description
    listed = [process for process in client.get("/processes").json["processes"] if process["id"] == "salute"]
    assert [(process["title"], process["version"]) for process in listed] == [("Salute", "7.0")]


def test_nulls_say_nothing_at_any_depth(client: FlaskClient) -> None:
    nulls = {name: None for name in ("title", "description", "keywords", "inputs", "outputs", "links", "metadata")}
    deep = {**nulls, "id": "salute", "inputs": {"whom": {"title": None, "schema": {"type": "string", "format": None}}}}
    for number, description in enumerate(({**nulls, "id": "s0"}, {"process": {**nulls, "id": "s1"}}, deep)):
        found = deployed(client, ogc(OF_VALUE, description, deploymentProfile=None), OGC)
        assert (found["title"], list(found["inputs"])) == ("Greet", ["whom"]), number
        assert found["inputs"]["whom"]["schema"]["type"] == "string"
    assert deployed(client, ogc(OF_VALUE, {"process": None}), OGC)["id"] == "greet"


@pytest.mark.parametrize(
    "description, words",
    [
        ({"inputs": {"who": {"schema": {"type": "string"}}}}, '"processDescription.inputs.who" is no input'),
        ({"outputs": {"text": {}}}, '"processDescription.outputs.text" is no output'),
        ({"inputs": {"whom": "string"}}, '"processDescription.inputs.whom" must be an object'),
        ({"inputs": {"whom": {"schema": {"type": "text"}}}}, "is no JSON Schema"),
        ({"inputs": []}, '"processDescription.inputs" must be an object'),
        ({"title": 1}, '"processDescription.title" must be a string'),
        ({"keywords": "a, b"}, '"processDescription.keywords" must be an array'),
        ([], '"processDescription" must be an object'),
        ({"href": "https://example.org/description"}, "a link to one is not followed"),
    ],
)
def test_a_description_that_cannot_be_is_refused_by_the_name_of_its_member(
    client: FlaskClient, description: Any, words: str
) -> None:
    assert words in refused(client, ogc(OF_VALUE, description), OGC)


BAD_IDS = ["a/b", "", "..", ".hidden", "a b", "ä/ö", "x" * 201, "a\u0000b", "a?b", "a%2fb", "<script>"]


@pytest.mark.parametrize("process_id", BAD_IDS)
def test_an_id_that_cannot_stand_in_an_address_is_refused(client: FlaskClient, process_id: str) -> None:
    assert "id" in refused(client, ogc(OF_VALUE, {"id": process_id}), OGC)
    if process_id and "/" not in process_id:  # of an address, the last part is the name
        assert "id" in refused(client, as_json(tool(process_id)))


def test_a_document_without_an_id_is_called_as_asked(client: FlaskClient) -> None:
    anonymous = as_yaml(tool(id=None))
    assert "w=my-process" in refused(client, anonymous)
    assert deployed(client, anonymous, query="?w=welcome")["id"] == "welcome"
    assert deployed(client, ogc({"value": tool(id=None)}, {"id": "salute"}), OGC)["id"] == "salute"


# ---- bare images


@pytest.fixture
def image(client: FlaskClient) -> dict[str, Any]:
    return deployed(client, docker(), OGC)


def test_a_bare_image_is_described_as_the_client_says(client: FlaskClient, image: dict[str, Any]) -> None:
    assert (image["id"], image["version"], image["mutable"]) == ("bandmath", "4.1.0", True)
    assert image["additionalParameters"] == {"parameters": [{"name": "entry-point", "value": ["/opt/bandmath"]}]}
    assert image["inputs"]["images"]["maxOccurs"] == 1024
    pattern = {"name": "pattern", "value": ["-name value"]}
    assert image["inputs"]["images"]["additionalParameters"] == {"parameters": [pattern]}
    assert "bandmath" in [process["id"] for process in client.get("/processes").json["processes"]]
    assert client.get("/processes/bandmath/package").data == docker()


def test_a_bare_image_says_that_it_cannot_be_executed_here(client: FlaskClient, image: dict[str, Any]) -> None:
    answer = client.post("/processes/bandmath/execution", json={"inputs": {"images": "AA=="}})
    assert answer.status_code == 422
    assert answer.json["type"].endswith("/problems/not-executable")
    assert "docker image; this server runs CWL" in answer.json["detail"]
    assert client.get("/jobs").json["jobs"] == []


def test_a_bare_image_without_a_description_has_no_id(client: FlaskClient) -> None:
    assert '"processDescription" needs an "id"' in refused(client, ogc({"type": "docker", "image": "x"}), OGC)


@pytest.mark.skipif(not SHARED.exists(), reason="needs the package of the official test suite, which is not shipped")
def test_the_image_of_the_test_suite_is_deployed_replaced_and_undeployed(client: FlaskClient) -> None:
    package = SHARED.read_bytes()
    assert deployed(client, package, OGC)["id"] == json.loads(package)["processDescription"]["id"]
    assert post(client, package, OGC).status_code == 409
    assert client.put("/processes/BandMath", data=package, content_type=OGC).status_code == 204
    assert client.delete("/processes/BandMath").status_code == 204


# ---- text


def test_latin_1_is_understood_though_nobody_says_so(client: FlaskClient) -> None:
    title = "Grüße"
    body = as_yaml(tool(label=title)).decode().encode("latin-1")
    assert deployed(client, body)["title"] == title
    assert client.get("/processes/greet/package").data == body
    package = {"executionUnit": OF_VALUE, "processDescription": {"id": "two", "title": title}}
    said = json.dumps(package, ensure_ascii=False)
    assert deployed(client, said.encode("latin-1"), OGC)["title"] == title


@pytest.mark.parametrize("eaten", [b"", b" "])
def test_a_document_whose_line_breaks_were_eaten_says_how_to_send_it(client: FlaskClient, eaten: bytes) -> None:
    for body in (as_yaml(tool()), as_yaml(graph("main")), b"#!/usr/bin/env cwl-runner\n" + as_yaml(tool())):
        assert '--data-binary "@file"' in refused(client, body.replace(b"\n", eaten))


@pytest.mark.parametrize(
    "body, words",
    [
        (b"cwlVersion: v1.2\nclass: CommandLineTool\nid: [x\n", "line 4, column 1: This is not YAML"),
        (b"cwlVersion: v1.2\nclass: Workflow\nid: x\nid: y\n", "line 4, column 1"),
        (YAML.replace(b"type: string", b"type: sting"), "line "),
        (YAML.replace(b"  greeting", b"\tgreeting"), "line "),
        (b'{"cwlVersion": "v1.2",\n "class": ]', "line 2, column 11"),
        (YAML.replace(b"cwlVersion: v1.2", b"cwlVersion: 1"), "cwlVersion"),
        (YAML.replace(b"CommandLineTool", b"CommandTool"), "CommandTool"),
        (b"just words", "A CWL document is a mapping"),
    ],
)
def test_a_wrong_document_is_refused_with_line_and_column(client: FlaskClient, body: bytes, words: str) -> None:
    assert words in refused(client, body)
