"""-i name=value, read by the schema that the process describes its inputs with."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from geomill.client import InputError
from geomill.client.inputs import Schema, Send, file, is_binary, of, qualified, types_of, whole_array


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
        grouped.setdefault(name, []).append(value)
    return {name: _input(f"-i {name}", values, *of(name, known, send)) for name, values in grouped.items()}


def request(path: Path) -> dict[str, Any]:
    """The execute request in a file. Raises InputError."""
    try:
        found = json.loads(path.read_bytes())
    except ValueError as error:
        raise InputError(f"{path} is not JSON: {error}") from error
    if not isinstance(found, dict) or not isinstance(found.get("inputs", {}), dict):
        raise InputError(f'{path}: expected an execute request, {{"inputs": {{...}}}}')
    return found


def _input(label: str, values: list[str], schema: Schema, send: Send) -> Any:
    if schema.get("type") == "array":
        if len(values) == 1:
            whole = _array(values[0])
            if whole is not None:
                return whole
        items = schema.get("items")
        return [_value(label, value, items if isinstance(items, dict) else {}, send) for value in values]
    read = [_value(label, value, schema, send) for value in values]
    return read[0] if len(read) == 1 else read


def _array(text: str) -> list[Any] | None:
    """A whole array, in JSON or in a JSON file."""
    if _is_file(text):
        return whole_array(Path(text[1:]))
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, list) else None


def _value(label: str, text: str, schema: Schema, send: Send) -> Any:
    """One value, of the form that the standard sends it in. Source: 18-062r2, inlineOrRefData.yaml."""
    if _is_file(text):
        return file(label, Path(text[1:]), schema, send)
    if is_binary(schema):
        return _binary(label, text)
    types = set(types_of(schema))
    content = text.removeprefix("@") if text[:2] == "@@" else text
    if types - {"null"} == {"string"}:
        return content
    try:
        return qualified(json.loads(content), schema)
    except ValueError:
        if text.startswith(("http://", "https://", "s3://")):
            return {"href": text}
        if not types or "string" in types:
            return content
    raise InputError(f"{label}: expected {' or '.join(sorted(types))} in JSON, found {text}")


def _binary(label: str, text: str) -> Any:
    """A file by reference, or by its content in base64."""
    if not text.startswith("{"):
        return {"href": text} if "://" in text else text
    try:
        return json.loads(text)
    except ValueError:
        raise InputError(f"{label}: expected JSON, found {text}") from None


def _is_file(text: str) -> bool:
    return text.startswith("@") and not text.startswith("@@")
