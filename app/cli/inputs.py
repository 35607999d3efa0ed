"""-i name=value, read by the schema that the process describes its inputs with."""

from __future__ import annotations

import base64
import json
import mimetypes
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any

Schema = dict[str, Any]
Send = Callable[[Path, str], str | None]  # (file, media type) -> its address, None where it has to go inline
TYPES = {"string", "number", "integer", "boolean", "array", "object", "null"}


class InputError(Exception):
    """An -i that cannot be sent; one sentence."""


SMALL = 1 << 16  # bytes of a file that goes into the request itself


def parse(given: Iterable[str], description: dict[str, Any], send: Send = lambda *_: None) -> dict[str, Any]:
    """The inputs of an execute request. given: "name=value" or "name=@path"; a name that comes again makes an array.

    send: asked to send files that are not small; they are inline where it does not. Raises InputError.
    """
    known = description.get("inputs") or {}
    grouped: dict[str, list[str]] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise InputError(f"-i {text}: expected name=value or name=@path")
        if known and name not in known:
            nearest = get_close_matches(name, known, n=1, cutoff=0.0)[0]
            raise InputError(f"-i {name}: the process has no such input; the nearest is {nearest}")
        grouped.setdefault(name, []).append(value)
    return {name: _input(name, values, known.get(name) or {}, send) for name, values in grouped.items()}


def request(path: Path) -> dict[str, Any]:
    """The execute request in a file. Raises InputError."""
    try:
        found = json.loads(path.read_bytes())
    except ValueError as error:
        raise InputError(f"{path} is not JSON: {error}") from error
    if not isinstance(found, dict) or not isinstance(found.get("inputs", {}), dict):
        raise InputError(f'{path}: expected an execute request, {{"inputs": {{...}}}}')
    return found


def _input(name: str, values: list[str], described: dict[str, Any], send: Send) -> Any:
    if "byReference" not in (described.get("valuePassing") or ["byReference"]):
        send = lambda *_: None  # noqa: E731
    schema = described.get("schema")
    schema = schema if isinstance(schema, dict) else {}
    if schema.get("type") == "array":
        if len(values) == 1:
            whole = _array(values[0])
            if whole is not None:
                return whole
        items = schema.get("items")
        return [_value(name, value, items if isinstance(items, dict) else {}, send) for value in values]
    read = [_value(name, value, schema, send) for value in values]
    return read[0] if len(read) == 1 else read


def _array(text: str) -> list[Any] | None:
    """A whole array, in JSON or in a JSON file."""
    try:
        value = json.loads(_content(text[1:]) if _is_file(text) else text)
    except ValueError:
        return None
    return value if isinstance(value, list) else None


def _value(name: str, text: str, schema: Schema, send: Send) -> Any:
    """One value, of the form that the standard sends it in. Source: 18-062r2, inlineOrRefData.yaml."""
    types = set(_types(schema))
    if _is_binary(schema):
        return _binary(name, text, schema, send)
    if _is_file(text) and (link := _sent(text[1:], "text/plain" if types == {"string"} else "application/json", send)):
        return link
    content: str | bytes = (
        _content(text[1:]) if _is_file(text) else text.removeprefix("@") if text[:2] == "@@" else text
    )
    if types - {"null"} == {"string"}:
        return _decoded(name, content)
    try:
        return _qualified(json.loads(content), schema)
    except ValueError:
        if text.startswith(("http://", "https://", "s3://")):
            return {"href": text}
        if not types or "string" in types:
            return _decoded(name, content)
    raise InputError(f"-i {name}: expected {' or '.join(sorted(types))} in JSON, found {text}")


def _qualified(value: Any, schema: Schema) -> Any:
    """Objects are wrapped, but for links, bounding boxes and what is wrapped already."""
    if "ogc-bbox" in _formats(schema):
        return {"bbox": value} if isinstance(value, list) else value
    if not isinstance(value, dict) or isinstance(value.get("href"), str):
        return value
    return value if "value" in value and set(value) <= {"value", "mediaType"} else {"value": value}


def _binary(name: str, text: str, schema: Schema, send: Send) -> Any:
    """A file by its content, or sent before; anything else by reference."""
    if text.startswith("{"):
        try:
            return json.loads(text)
        except ValueError:
            raise InputError(f"-i {name}: expected JSON, found {text}") from None
    if not _is_file(text):
        return {"href": text} if "://" in text else text
    guessed = mimetypes.guess_type(text)[0] or "application/octet-stream"
    declared = [kind for part in (schema, *_parts(schema)) if (kind := part.get("contentMediaType"))]
    kind = guessed if guessed in declared else (declared or [guessed])[0]
    if link := _sent(text[1:], kind, send):
        return link
    return {"value": base64.b64encode(_content(text[1:])).decode(), "encoding": "base64", "mediaType": kind}


def _sent(path: str, media_type: str, send: Send) -> dict[str, str] | None:
    """A link to a file that is sent, if it is not small and can be."""
    file = Path(path).expanduser()
    try:
        large = file.stat().st_size > SMALL
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    href = send(file, media_type) if large else None
    return {"href": href, "type": media_type} if href else None


def _is_file(text: str) -> bool:
    return text.startswith("@") and not text.startswith("@@")


def _content(path: str) -> bytes:
    try:
        return Path(path).expanduser().read_bytes()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error


def _decoded(name: str, content: str | bytes) -> str:
    try:
        return content if isinstance(content, str) else content.decode()
    except UnicodeDecodeError:
        raise InputError(f"-i {name}: the input is text, the file is not (UTF-8)") from None


def _is_binary(schema: Schema) -> bool:
    """Whether values are the content of files, in all of several media types."""
    parts = _parts(schema)
    if parts:
        return all(map(_is_binary, parts))
    return schema.get("contentEncoding") in ("binary", "base64") or schema.get("format") in ("binary", "byte")


def _types(schema: Schema) -> Iterable[str]:
    """Every type that a value may have, through combinations of schemas; none when it may have any."""
    stated = schema.get("type")
    yield from (kind for kind in (stated if isinstance(stated, list) else [stated]) if kind in TYPES)
    if schema.get("nullable"):
        yield "null"
    for part in _parts(schema):
        yield from _types(part)


def _formats(schema: Schema) -> Iterable[str]:
    if isinstance(schema.get("format"), str):
        yield schema["format"]
    for part in _parts(schema):
        yield from _formats(part)


def _parts(schema: Schema) -> list[Schema]:
    return [part for name in ("allOf", "oneOf", "anyOf") for part in schema.get(name) or () if isinstance(part, dict)]
