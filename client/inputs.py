"""Values of Python as the inputs of an execute request, in the form that the description of the process wants."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time
from difflib import get_close_matches
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from geomill.client.errors import InputError
from geomill.client.files import File
from geomill.client.media import BYTES, fitting, type_of

Schema = dict[str, Any]
Send = Callable[[Path, str], str | None]  # (file, media type) -> its address, None where it has to go inline
TYPES = {"string", "number", "integer", "boolean", "array", "object", "null"}
SMALL = 1 << 16  # bytes of a file that goes into the request itself
FINE = ("[ns]", "[ps]", "[fs]", "[as]")  # the units of times that Python's have not
MAGIC = 16  # bytes of a file that tell what it is


def encode(given: Mapping[str, Any], description: dict[str, Any], send: Send = lambda *_: None) -> dict[str, Any]:
    """The inputs of an execute request.

    given: values of JSON, numpy's, dates, geometries (`__geo_interface__`), bytes; a Path, or the File of another job,
    is the content of a file, in the request or sent before. send: asked to send files that are not small.
    Raises InputError.
    """
    known = description.get("inputs")
    known = known if isinstance(known, dict) else {}
    if strange := [name for name in given if not isinstance(name, str)]:
        raise InputError(f"{strange[0]!r}: expected the name of an input, a text")
    return {name: _whole(name, value, *of(name, known, send)) for name, value in given.items()}


def of(name: str, known: Mapping[str, Any], send: Send) -> tuple[Schema, Send]:
    """The schema of an input, and how files for it are sent. Raises InputError when there is no such input."""
    if known and name not in known:
        nearest = get_close_matches(name, known, n=1, cutoff=0.0)[0]
        raise InputError(f"{name}: the process has no such input; the nearest is {nearest}")
    described = known.get(name)
    described = described if isinstance(described, dict) else {}
    schema = described.get("schema")
    passing = described.get("valuePassing")
    if isinstance(passing, list) and passing and "byReference" not in passing:
        send = lambda *_: None  # noqa: E731
    return schema if isinstance(schema, dict) else {}, send


def file(label: str, path: Path, schema: Schema, send: Send) -> Any:
    """The content of a file as a value, or a link to it when it was sent. Source: 18-062r2, inlineOrRefData.yaml.

    label: the input in the words of the user. Raises InputError.
    """
    if is_binary(schema):
        start = content(path, MAGIC) if _size(path) else b""
        kind = fitting(type_of(start, path), _declared(schema)) or BYTES
        return _sent(path, kind, send) or binary(content(path), kind)
    types = set(types_of(schema))
    if link := _sent(path, "text/plain" if types == {"string"} else "application/json", send):
        return link
    text = content(path)
    if types - {"null"} != {"string"}:
        try:
            return qualified(json.loads(text), schema)
        except ValueError:
            if types and "string" not in types:
                raise InputError(f"{label}: expected {' or '.join(sorted(types))} in JSON, found {path}") from None
    try:
        return text.decode()
    except UnicodeDecodeError:
        if not types:  # the service does not say what it takes
            return binary(text, type_of(text, path) or BYTES)
        raise InputError(f"{label}: the input is text, the file is not (UTF-8)") from None


def whole_array(path: Path) -> list[Any] | None:
    """The array in a file of JSON, None if that is not what it holds."""
    try:
        value = json.loads(content(path))
    except ValueError:
        return None
    return value if isinstance(value, list) else None


def qualified(value: Any, schema: Schema) -> Any:
    """Objects are wrapped, but for links, bounding boxes and what is wrapped already."""
    if "ogc-bbox" in _formats(schema):
        return {"bbox": value} if isinstance(value, list) else value
    if not isinstance(value, dict) or isinstance(value.get("href"), str):
        return value
    return value if "value" in value and set(value) <= {"value", "mediaType", "encoding"} else {"value": value}


def binary(content: bytes, media_type: str | None = None) -> dict[str, str]:
    """Bytes as a qualified value. Source: 18-062r2, qualifiedInputValue.yaml"""
    kind = {"mediaType": media_type} if media_type else {}
    return {"value": base64.b64encode(content).decode(), "encoding": "base64", **kind}


def content(path: Path, most: int = -1) -> bytes:
    """A file, all of it or its first bytes. Raises InputError."""
    try:
        with path.expanduser().open("rb") as opened:
            return opened.read(most)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error


def is_binary(schema: Schema) -> bool:
    """Whether values are the content of files, in all of several media types."""
    if of_several := parts(schema):
        return all(map(is_binary, of_several))
    return schema.get("contentEncoding") in ("binary", "base64") or schema.get("format") in ("binary", "byte")


def types_of(schema: Schema) -> Iterable[str]:
    """Every type that a value may have, through combinations of schemas; none when it may have any."""
    stated = schema.get("type")
    named = stated if isinstance(stated, list) else [stated]
    yield from (kind for kind in named if isinstance(kind, str) and kind in TYPES)
    if schema.get("nullable"):
        yield "null"
    for part in parts(schema):
        yield from types_of(part)


def parts(schema: Schema) -> list[Schema]:
    """The schemas that it combines."""
    listed = [schema.get(name) for name in ("allOf", "oneOf", "anyOf")]
    return [part for several in listed if isinstance(several, list) for part in several if isinstance(part, dict)]


def _whole(label: str, value: Any, schema: Schema, send: Send) -> Any:
    try:
        return _encoded(label, value, schema, send)
    except RecursionError:
        raise InputError(f"{label}: holds itself, or is nested too deeply") from None


def _encoded(label: str, value: Any, schema: Schema, send: Send) -> Any:
    value = _plain(label, value)
    is_array = schema.get("type") == "array"
    if isinstance(value, Path) and is_array and (whole := whole_array(value)) is not None:
        return whole
    if is_array and isinstance(value, Path | bytes | File):
        value = [value]
    if isinstance(value, list) and "ogc-bbox" not in _formats(schema):
        items = schema.get("items") if is_array else schema
        of_each = items if isinstance(items, dict) else {}
        # objects of an array that the process describes are its items, not inputs of their own
        each_encoded = _nested if is_array else _encoded
        return [each_encoded(label, each, of_each, send) for each in value]
    return qualified(_nested(label, value, schema, send), schema)


def _nested(label: str, value: Any, schema: Schema, send: Send) -> Any:
    """A value, or what stands in one, as JSON."""
    value = _plain(label, value)
    if isinstance(value, dict):
        known = schema.get("properties")
        known = known if isinstance(known, dict) else {}
        return {
            str(name): _nested(label, each, inner if isinstance(inner := known.get(name), dict) else {}, send)
            for name, each in value.items()
        }
    if isinstance(value, list):
        items = schema.get("items")
        return [_nested(label, each, items if isinstance(items, dict) else {}, send) for each in value]
    if isinstance(value, Path):
        return file(label, value, schema, send)
    if isinstance(value, bytes):
        kind = type_of(value)
        return binary(value, kind and fitting(kind, _declared(schema)))
    if isinstance(value, File):
        with TemporaryDirectory() as folder:
            return file(label, value.save(folder), schema, send)
    if isinstance(value, float) and not math.isfinite(value):
        raise InputError(f"{label}: {value} is no number of JSON")
    if value is None or isinstance(value, str | bool | int | float):
        return value
    kind = f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
    raise InputError(f"{label}: expected a value of JSON, a Path, bytes or a geometry, found {kind}")


def _plain(label: str, value: Any) -> Any:
    """Geometries, arrays, dates and other containers as what JSON has."""
    if hasattr(value, "__geo_interface__") and not isinstance(value, type):
        value = value.__geo_interface__
    elif callable(getattr(value, "tolist", None)):  # of numpy: arrays, and single numbers
        value = _times(label, value) if _kind(value) in ("M", "m") else value.tolist()
    if isinstance(value, datetime | date | time):
        if value != value:  # as pandas has it
            raise InputError(f"{label}: {value} is no time")
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    return list(value) if isinstance(value, tuple | set | frozenset | range) else value


def _times(label: str, value: Any) -> Any:
    """Times of numpy, or of pandas, as those of Python, which end at microseconds; numpy would make numbers of others.

    A duration has no form that all servers understand.
    """
    if _kind(value) == "m":
        raise InputError(f"{label}: a duration is no value of JSON; give a number, or a text as the process wants it")
    if value.dtype.str.endswith(FINE) and value.dtype.str[0] in "<>":  # of numpy
        value = value.astype("datetime64[us]")
    found = value.tolist()
    if not all(isinstance(each, date) for each in _leaves(found)):
        raise InputError(f"{label}: has a time that is none (NaT), or is not between the years 1 and 9999")
    return found


def _leaves(value: Any) -> Iterable[Any]:
    if not isinstance(value, list):
        yield value
        return
    for each in value:
        yield from _leaves(each)


def _kind(value: Any) -> Any:
    """The letter that numpy has for a kind of values."""
    return getattr(getattr(value, "dtype", None), "kind", None)


def _declared(schema: Schema) -> list[str]:
    """The media types that a schema takes."""
    return [kind for part in (schema, *parts(schema)) if isinstance(kind := part.get("contentMediaType"), str)]


def _sent(path: Path, media_type: str, send: Send) -> dict[str, str] | None:
    """A link to a file that is sent, if it is not small and can be."""
    href = send(path.expanduser(), media_type) if _size(path) > SMALL else None
    return {"href": href, "type": media_type} if href else None


def _size(path: Path) -> int:
    """Bytes of a file; 0 for what is none, such as a pipe, which gives what it has once. Raises InputError."""
    file = path.expanduser()
    try:
        return file.stat().st_size if file.is_file() else 0
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error


def _formats(schema: Schema) -> Iterable[str]:
    if isinstance(schema.get("format"), str):
        yield schema["format"]
    for part in parts(schema):
        yield from _formats(part)
