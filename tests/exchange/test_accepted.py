"""What a job does with the values of its request, which the server has accepted."""

from __future__ import annotations

import base64
import contextlib
import json
from pathlib import Path
from typing import Any

import pytest

from geomill.app.exchange import inputs
from geomill.app.exchange import schema as schemas
from geomill.app.exchange.values import Place, interpret
from geomill.app.guard import Fetched
from geomill.processes import BadInput

NUMBERS = {"type": "array", "items": {"type": "integer", "maximum": 4321}}
DESCRIPTION = {"inputs": {"numbers": {"schema": NUMBERS}, "box": {"schema": {"format": "ogc-bbox", "type": "object"}}}}


def staged(given: dict[str, Any], folder: Path, content: bytes = b"") -> dict[str, Any]:
    """The arguments. content: what any address gives."""

    def fetch(href: str, directory: Path, media_type: str | None) -> Fetched:
        path = directory / "fetched"
        path.write_bytes(content)
        return Fetched(path, media_type or "application/json", href)

    return inputs.stage(inputs.read(json.dumps({"inputs": given}).encode()), DESCRIPTION, fetch, folder)


def test_a_value_that_was_accepted_is_not_checked_again(tmp_path: Path) -> None:
    before = schemas._compiled.cache_info()
    given = {"numbers": [1, 2, 3], "box": {"bbox": [1, 2, 3, 4]}}
    assert staged(given, tmp_path) == given
    assert schemas._compiled.cache_info() == before


def test_a_value_that_the_job_fetches_is_checked(tmp_path: Path) -> None:
    given = {"numbers": {"href": "https://example.org/numbers"}}
    assert staged(given, tmp_path, b"[1, 2]") == {"numbers": [1, 2]}
    with pytest.raises(BadInput, match="4321"):
        staged(given, tmp_path, b"[5000]")


FILE = {"type": "string", "contentEncoding": "binary", "contentMediaType": "application/geo+json"}
SCHEMAS = [
    {"type": "string"},
    {"type": "integer", "maximum": 10},
    {"type": "object", "required": ["x"]},
    {"format": "ogc-bbox", "type": "object"},
    {"type": "array", "items": {"type": "string"}, "minItems": 1},
    FILE,
    {"type": "array", "items": FILE},
    {"oneOf": [{"type": "integer", "maximum": 10}, {"type": "string"}]},
    {"oneOf": [{"type": "array", "items": {"type": "integer"}}, {"type": "string"}]},
    {"oneOf": [{"type": "object", "required": ["coordinates"]}, FILE]},
    {"anyOf": [FILE, {"type": "object", "required": ["x"]}]},
    {"allOf": [{"type": "object"}, {"required": ["x"]}]},
]
PLAIN = ["a", "20", 20, 3, None, True, {}, {"x": 1}, {"coordinates": []}, [], ["x", {}], [1], ["a"],
         {"bbox": [1, 2, 3, 4]}, {"bbox": [1, 2, 3, 4], "crs": None}]  # fmt: skip
ENCODED = [base64.b64encode(json.dumps(each).encode()).decode() for each in PLAIN]
VALUES = [
    *PLAIN,
    *({"value": each} for each in PLAIN),
    *({"value": each, "mediaType": "application/geo+json"} for each in PLAIN),
    *({"value": each, "encoding": "base64"} for each in ENCODED),
    *({"value": each, "encoding": "base64", "mediaType": "application/json"} for each in ENCODED),
    *ENCODED,
]


@pytest.mark.parametrize("schema", SCHEMAS)
def test_the_job_takes_a_value_for_what_the_server_took_it_for(schema: dict[str, Any]) -> None:
    taken = 0
    for value in VALUES:
        with contextlib.suppress(BadInput):
            first = interpret(Place("x"), value, schema)
            assert interpret(Place("x", accepted=True), value, schema) == first, value
            taken += 1
    assert taken
