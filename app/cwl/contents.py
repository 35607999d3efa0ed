"""The files that a request holds itself: their content, their type, their names. cwltool is not needed here."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from geomill.app.cwl.formats import media_types
from geomill.app.exchange.formats import decode_base64
from geomill.app.exchange.values import BASE64, Content, Given, Several

Json = Any


def contents(inputs: Mapping[str, Json], given: Mapping[str, Given]) -> dict[str, Json]:
    """The inputs of a request, with what it says of a file decoded as its description has it. given: their forms."""
    return {name: _contents(value, given[name]) for name, value in inputs.items()}


def content_of(value: Mapping[str, Json], formats: Sequence[str]) -> Content:
    """The file that a qualified value is. formats: those that it may have.

    Raises ValueError, worded to follow "must be base64".
    """
    content = value["contents"] if "contents" in value else value.get("value")
    described = next(iter(media_types(list(formats))), None) if formats else None
    stated = stated_type(value) or described
    if not isinstance(content, str):
        return Content(json.dumps(content).encode(), stated or "application/json")
    encoding = str(value.get("encoding") or _format(value).get("encoding")).lower()
    data = decode_base64(content) if encoding in BASE64 else content.encode()
    return Content(data, stated or "application/octet-stream")


def stated_type(value: Mapping[str, Json]) -> str | None:
    """The media type that a link or a qualified value states."""
    return value.get("type") or value.get("mediaType") or _format(value).get("mediaType")


def _contents(value: Json, given: Given) -> Json:
    if isinstance(given, Content) and not (isinstance(value, dict) and "basename" in value):
        return given
    if isinstance(given, Several):
        inner = value["value"] if isinstance(value, dict) and isinstance(value.get("value"), list) else value
        items = inner if isinstance(inner, list) else [inner]
        return [_contents(item, each) for item, each in zip(items, given.items, strict=True)]
    return value


def _format(value: Mapping[str, Json]) -> Mapping[str, Json]:
    return value["format"] if isinstance(value.get("format"), dict) else {}
