"""What a job does with the values of its request, which the server has accepted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from geomill.app.exchange import inputs, schema
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
    before = schema._compiled.cache_info()
    given = {"numbers": [1, 2, 3], "box": {"bbox": [1, 2, 3, 4]}}
    assert staged(given, tmp_path) == given
    assert schema._compiled.cache_info() == before


def test_a_value_that_the_job_fetches_is_checked(tmp_path: Path) -> None:
    given = {"numbers": {"href": "https://example.org/numbers"}}
    assert staged(given, tmp_path, b"[1, 2]") == {"numbers": [1, 2]}
    with pytest.raises(BadInput, match="4321"):
        staged(given, tmp_path, b"[5000]")
