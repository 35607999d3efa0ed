"""The JSON Schemas of a deployed process are somebody else's: they lead nowhere, and cost little."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from flask.testing import FlaskClient
from support.packages import OGC, docker, ogc, tool
from support.web import pages

JSON_TEXT = b'{"type": "string"}'
SCHEMAS: dict[str, Any] = {
    "itself": {"$ref": "HERE"},
    "items": {"items": [{}], "additionalItems": {"$ref": "HERE"}},
    "members": {"additionalProperties": {"$ref": "HERE"}, "patternProperties": {"a": {"$ref": "HERE"}}},
    "dependencies": {"dependencies": {"a": {"$ref": "HERE"}}},
    "a dialect": {"dependencies": {"a": {"$schema": "HERE", "id": "HERE", "$id": "HERE"}}},
    "conditions": {"if": {"$ref": "HERE"}, "then": {"$ref": "HERE"}, "else": {"$ref": "HERE"}},
    "later drafts": {
        name: {"$ref": "HERE"} for name in ("contains", "propertyNames", "unevaluatedItems", "unevaluatedProperties")
    },
    "parts": {
        "prefixItems": [{"$ref": "HERE"}],
        "dependentSchemas": {"a": {"$ref": "HERE"}},
        "$defs": {"a": {"$ref": "HERE"}},
    },
    "dynamic": {"$dynamicRef": "HERE", "$recursiveRef": "HERE"},
    "combinations": {kind: [{"$ref": "HERE"}, {"not": {"$ref": "HERE"}}] for kind in ("allOf", "anyOf", "oneOf")},
}


def described(schema: Any) -> bytes:
    """A package of a tool whose input has this schema."""
    return ogc({"value": tool()}, {"id": "greet", "inputs": {"whom": {"schema": schema}}})


def send(client: FlaskClient, package: bytes) -> Any:
    return client.post("/processes", data=package, headers={"Content-Type": OGC})


@pytest.mark.parametrize("where", SCHEMAS)
def test_a_reference_in_a_schema_is_not_followed(client: FlaskClient, where: str) -> None:
    heard: list[Any] = []
    with pages({"/x": (200, {"Content-Type": "application/json"}, JSON_TEXT)}, heard) as web:
        schema = json.loads(json.dumps(SCHEMAS[where]).replace("HERE", f"{web}/x"))
        inputs = {"whom": {"schema": schema}}
        image = json.loads(docker("image"))
        image["processDescription"]["inputs"] = image["processDescription"]["outputs"] = inputs
        for package in (described(schema), json.dumps(image).encode()):
            assert send(client, package).status_code == 201
        body = {"inputs": {"whom": {"a": [1, 2]}}}
        sent = client.post("/processes/greet/execution", json=body, headers={"Prefer": "respond-async"})
        assert sent.status_code in (201, 400)
    assert heard == []


def test_a_reference_to_a_file_of_the_host_tells_nothing_of_it(client: FlaskClient) -> None:
    answers = []
    for path in ("/etc/passwd", "/etc/none", "/proc/self/environ"):
        schema = {"items": [{}], "additionalItems": {"$ref": f"file://{path}"}}
        answers.append(send(client, described(schema)).status_code)
        client.delete("/processes/greet")
    assert answers == [201] * 3


@pytest.mark.parametrize("pattern", [r"^(a+)+$", r"(a|aa)+$", r"(?=(a+)+b)x", r"(a*)*(?=b)c", r"^(a*)*\1b"])
def test_a_pattern_that_explodes_is_given_up_soon(client: FlaskClient, pattern: str) -> None:
    schema = {"type": "array", "items": {"not": {"pattern": pattern}}}
    assert send(client, described(schema)).status_code == 201
    texts = ["a" * 350] * 8_000
    begun = time.process_time()
    reply = client.post("/processes/greet/execution", json={"inputs": {"whom": texts}})
    assert reply.status_code in (400, 201)
    assert time.process_time() - begun < 4, "the worker was held up"


def nested(keyword: str, levels: int) -> bytes:
    """A schema within a schema within..., as text: what writes it must not recurse."""
    schema = "".join([f'{{"{keyword}":'] * levels) + "{}" + "}" * levels
    return described("HERE").replace(b'"HERE"', schema.encode())


@pytest.mark.parametrize("keyword", ["not", "items", "additionalProperties", "x"])
@pytest.mark.parametrize("levels", [20, 70, 10_000])
def test_a_schema_that_is_too_deep_is_a_bad_request(client: FlaskClient, keyword: str, levels: int) -> None:
    assert send(client, nested(keyword, levels)).status_code == (201 if levels == 20 else 400)


def test_a_schema_that_refers_to_itself_comes_to_an_end(client: FlaskClient) -> None:
    schema = {"definitions": {"a": {"items": {"$ref": "#/definitions/a"}}}, "$ref": "#/definitions/a"}
    assert send(client, described(schema)).status_code == 201
    body = {"inputs": {"whom": "x"}}
    assert client.post("/processes/greet/execution", json=body, headers={"Prefer": "respond-async"}).status_code == 201


@pytest.mark.parametrize("pattern", ["(?:(?:a{100}){100}){100}", "(", "[z-a]", "(?<n>a)\\k<m>", "a{4294967296}"])
def test_a_pattern_that_is_none_or_is_too_large_is_a_bad_request(client: FlaskClient, pattern: str) -> None:
    reply = send(client, described({"type": "string", "pattern": pattern}))
    assert (reply.status_code, reply.json["type"].rpartition("/")[2]) == (400, "invalid-package")
