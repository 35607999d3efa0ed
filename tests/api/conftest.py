"""A client that holds every response against our own API definition, and against the standard's where it is at hand."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from geomill.app import create_app, openapi
from geomill.app.config import Settings
from geomill.app.server import Geomill
from openapi_schema_validator import OAS30Validator, oas30_format_checker
from werkzeug.test import TestResponse

STANDARD = Path(__file__).parents[3] / "shared/standard/schemas/bundled/ogcapi-processes-1.0.json"


class CheckedClient(FlaskClient):
    """Every response is one that the API definition announces: its status, media type, body and headers."""

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        response = super().open(*args, **kwargs)
        app = self.application
        assert isinstance(app, Geomill)
        check(response, openapi.document(app, "http://localhost"), complete=True)
        if STANDARD.exists():
            check(response, standard(), complete=False)
        return response


def check(response: TestResponse, definition: dict[str, Any], complete: bool) -> None:
    """complete: a status or media type that the definition does not have is an error."""
    operation = find_operation(definition, response.request.path, response.request.method)
    if operation is None:
        return
    answer = resolve(definition, operation["responses"].get(str(response.status_code)))
    assert answer or not complete, f"undocumented status {response.status_code} of {operation['operationId']}"
    if not answer or response.request.method == "HEAD":
        return
    for header in answer.get("headers", {}) if complete else ():
        assert header in response.headers or header in OPTIONAL, f"{header} is announced and missing"
    content = answer.get("content", {})
    if "content" not in answer or not response.data:
        return
    media_type = next((each for each in (response.content_type, response.mimetype, "*/*") if each in content), None)
    assert media_type or not complete, f"undocumented media type {response.content_type}"
    if response.is_json and media_type and "schema" in content[media_type]:
        schema = {**content[media_type]["schema"], "components": definition["components"]}
        OAS30Validator(schema, format_checker=oas30_format_checker).validate(json.loads(response.data))


OPTIONAL = {"ETag", "Retry-After", "Link", "Location", "Preference-Applied", "Content-Disposition", "Content-Range"}


def find_operation(definition: dict[str, Any], path: str, method: str) -> dict[str, Any] | None:
    path = re.sub("/+", "/", path).rstrip("/").removeprefix("/ogc-api") or "/"
    for template, operations in definition["paths"].items():
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path):
            found = operations.get("get" if method == "HEAD" else method.lower())
            return found if isinstance(found, dict) else None
    return None


def resolve(definition: dict[str, Any], answer: dict[str, Any] | None) -> dict[str, Any] | None:
    if answer and "$ref" in answer:
        found: dict[str, Any] = definition["components"]["responses"][answer["$ref"].rpartition("/")[2]]
        return found
    return answer


@cache
def standard() -> dict[str, Any]:
    """The standard's definition, without its schema of a synchronous answer, which nothing fits."""
    definition: dict[str, Any] = json.loads(STANDARD.read_text())
    definition["components"]["responses"]["ExecuteSync"].pop("content")
    return definition


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", runtime_dir=tmp_path / "run")


@pytest.fixture
def app(settings: Settings) -> Iterator[Geomill]:
    app = create_app(settings)
    app.test_client_class = CheckedClient
    yield app


@pytest.fixture
def client(app: Geomill) -> FlaskClient:
    return app.test_client()
