"""How one output looks: bare in its own or another media type, or as a member of a results document."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from geomill.jobstore import Result

from . import NotAcceptable
from .accept import Accept
from .media_types import essence, is_json, is_text
from .wording import listed

Json = Any

JSON = "application/json"
TEXT = "text/plain; charset=utf-8"


@dataclass(frozen=True)
class Answer:
    """What to send. file: stream this output instead of `body`; honoured: preferences for Preference-Applied."""

    status: int = 200
    headers: list[tuple[str, str]] = field(default_factory=list)
    media_type: str | None = None
    body: bytes | None = None
    file: Result | None = None
    honoured: tuple[str, ...] = ()


def inlined(data: bytes, media_type: str) -> Json:
    """The content of a file inside a results document."""
    try:
        if is_json(media_type):
            return qualified(json.loads(data), media_type)
        if is_text(media_type):
            text = data.decode()
            return text if essence(media_type) == "text/plain" else {"value": text, "mediaType": media_type}
    except ValueError:  # not what it claims to be
        pass
    return {"value": base64.b64encode(data).decode(), "encoding": "base64", "mediaType": media_type}


def qualified(value: Json, media_type: str) -> Json:
    """Scalars, arrays and bounding boxes bare, objects qualified; their media type only where it says more."""
    if not isinstance(value, dict) or _is_bbox(value):
        return value
    return {"value": value} if essence(media_type) == JSON else {"value": value, "mediaType": media_type}


def _is_bbox(value: Mapping[str, Json]) -> bool:
    numbers = value.get("bbox")
    return set(value) <= {"bbox", "crs"} and isinstance(numbers, list) and len(numbers) in (4, 6)


def own_type(result: Result) -> str:
    """The media type an output is served as unless another is asked for."""
    return JSON if result.items is not None else representations(result)[0][0]


def representations(result: Result) -> list[tuple[str, bytes]]:
    """The media types an output can be had in, its own first, each with the body, which a file leaves empty."""
    value, media_type = result.value, result.media_type
    if result.file is not None:
        return [(name, b"") for name in dict.fromkeys([media_type, *([JSON] if is_json(media_type) else [])])]
    if isinstance(value, str):
        text = TEXT if essence(media_type) in (JSON, "text/plain") else media_type
        return [(text, value.encode()), (JSON, dumps(value))]
    if isinstance(value, dict | list):
        return list(dict.fromkeys([(media_type, dumps(value)), (JSON, dumps(value))]))
    return [(JSON, dumps(value)), (TEXT, dumps(value))]


def bare(result: Result, accept: Accept, media_type: str | None = None) -> Answer:
    """An output as it is, in the media type that the request names or else the client likes best."""
    choices = representations(result)
    if media_type and any(essence(name) == essence(media_type) for name, _ in choices):
        choices.sort(key=lambda choice: essence(choice[0]) != essence(media_type))
    found = encoded(choices, accept)
    return replace(found, body=None, file=result) if result.file is not None else found


def encoded(choices: Sequence[tuple[str, bytes]], accept: Accept) -> Answer:
    """The choice that the client likes best, the first of equals."""
    name, body = max(choices, key=lambda choice: accept.quality(choice[0]))
    if not accept.quality(name):
        raise NotAcceptable(f"The output can be given as {listed(name for name, _ in choices)}.")
    return Answer(media_type=name, body=body)


def dumps(value: Json) -> bytes:
    """JSON in UTF-8. Raises ValueError for NaN and infinities."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
